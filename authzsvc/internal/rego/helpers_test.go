package rego

import (
	"context"
	"maps"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"nexus/policies"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// operations and obligations stand for the table of operations and for what storage meets.
var (
	operations = []string{
		"auth.whoami", "files.copy", "files.exists", "files.get_metadata", "files.list", "files.mkdir", "files.read", "files.rename", "files.write", "keys.create",
		"relations.check", "relations.create", "relations.delete", "relations.expand", "relations.explain", "relations.list", "server.status", "versions.diff", "versions.get",
	}
	obligations = []string{"mask_values"}
)

func config() Config {
	return Config{Operations: operations, Obligations: obligations, Deadline: time.Minute}
}

func load(t testing.TB, modules map[string]string) *Bundle {
	t.Helper()
	b, err := Load(context.Background(), modules, config())
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// counted loads modules and counts the evaluations of the bundle.
func counted(t testing.TB, modules map[string]string) (*Bundle, *atomic.Int64) {
	t.Helper()
	n := new(atomic.Int64)
	c := config()
	c.Observe = func(Evaluation) { n.Add(1) }
	b, err := Load(context.Background(), modules, c)
	if err != nil {
		t.Fatal(err)
	}
	return b, n
}

func evaluate(t rapid.TB, b *Bundle, in *Input) Verdict {
	t.Helper()
	v, err := b.Evaluate(context.Background(), in)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func with(base map[string]string, path, text string) map[string]string {
	all := maps.Clone(base)
	if all == nil {
		all = map[string]string{}
	}
	all[path] = text
	return all
}

func file(path string) Object { return Object{Type: "file", Tenant: "acme", ID: "0001", Path: path} }

func agent() Principal {
	return Principal{Base: Subject{Type: "agent", ID: "bot", Tenant: "acme"}, Key: "k1", Scopes: []string{"files"}}
}

func person(actors ...Subject) Principal {
	return Principal{Base: Subject{Type: "user", ID: "ann", Tenant: "acme"}, Actors: actors}
}

func reads(who Principal, objects ...Object) *Input {
	return &Input{Principal: who, Operation: "files.read", Objects: objects, Context: surroundings()}
}

func surroundings() Context {
	return Context{
		Time:    time.Date(2026, 3, 4, 5, 6, 7, 8, time.UTC),
		Address: netip.MustParseAddr("::ffff:10.1.2.3"),
		Tier:    "team",
		Sandbox: "sb1",
		Counts:  map[string]int64{"files": 12},
	}
}

// shipped are the default modules.
func shipped() map[string]string { return policies.Default() }

// withLibrary are the default modules and a library.
func withLibrary() map[string]string {
	return with(shipped(), "lib/offices.rego", "package nexus.lib.offices\n\nopen if input.principal.base.tenant == \"acme\"\n")
}

// rule returns the text of a rule with id whose metadata and body are given.
func rule(id, custom, body string) string {
	return "# METADATA\n# title: A rule\n# custom:\n" + custom + "package nexus.rules." + id + "\n\n" + body + "\n"
}
