package explain_test

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"go.uber.org/goleak"

	"nexus/authzsvc/authz"
	"nexus/authzsvc/explain"
	"nexus/authzsvc/internal/spice"
	"nexus/authzsvc/internal/spice/spicetest"
	"nexus/authzsvc/internal/sqlds"
	"nexus/authzsvc/relations"
	"nexus/schema"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, spicetest.Leaks()...)
}

// house is a tenant with a small tree: / (root) > /src > /src/net > /src/net/http, and /hr, which /src/net links to.
var house = []string{
	"tenant:acme#admin@user:acme/root",
	"tenant:acme#member@user:acme/alice",
	"tenant:acme#member@user:acme/carol",
	"tenant:acme#platform@platform:nexus",
	"platform:nexus#admin@key:K1",
	"file:acme/0root#direct_owner@tenant:acme#administer",
	"file:acme/0src#parent@file:acme/0root",
	"file:acme/0net#parent@file:acme/0src",
	"file:acme/0http#parent@file:acme/0net",
	"file:acme/0net#link@file:acme/0hr",
	"file:acme/0hr#parent@file:acme/0root",
	"file:acme/0net#direct_viewer@group:acme/eng#member",
	"file:acme/0hr#direct_editor@user:acme/dave",
	"group:acme/eng#member@group:acme/net=20team#member",
	"group:acme/net=20team#member@user:acme/alice",
	"file:acme/0http#direct_editor@agent:acme/bot",
	"file:acme/0src#direct_owner@user:acme/erin",
	"file:acme/0root#direct_viewer@tenant:acme#access",
}

var paths = map[string]string{
	"acme/0root": "/", "acme/0src": "/src", "acme/0net": "/src/net", "acme/0http": "/src/net/http", "acme/0hr": "/hr",
}

var (
	user  = func(name string) authz.Ref { return authz.Ref{Type: "user", ID: "acme/" + name} }
	agent = authz.Ref{Type: "agent", ID: "acme/bot"}
	http  = authz.Ref{Type: "file", ID: "acme/0http"}
)

// all sees everything, and knows files by their paths.
var all = explain.Asker{Visible: func(authz.Ref) bool { return true }, Names: named}

func named(_ context.Context, refs []authz.Ref) map[authz.Ref]string {
	names := map[authz.Ref]string{}
	for _, r := range refs {
		if path, ok := paths[r.ID]; ok && r.Type == "file" {
			names[r] = path
		}
	}
	return names
}

func without(relationships []string, gone ...string) []string {
	return slices.DeleteFunc(slices.Clone(relationships), func(r string) bool { return slices.Contains(gone, r) })
}

// everybody makes all of the tenant see the root, which is in the way of most cases.
const everybody = "file:acme/0root#direct_viewer@tenant:acme#access"

func TestExplanations(t *testing.T) {
	noGroups := without(house, everybody, "group:acme/net=20team#member@user:acme/alice")
	for _, c := range []struct {
		name       string
		have       []string
		who        authz.Ref
		permission string
		on         authz.Ref
		asker      explain.Asker
	}{
		{"direct", house, agent, "write", http, all},
		{"nested groups", without(house, everybody), user("alice"), "read", http, all},
		{"inherited", house, user("erin"), "share", http, all},
		{"tenant administrator", house, user("root"), "delete", http, all},
		{"platform administrator", house, authz.Ref{Type: "key", ID: "K1"}, "delete", http, all},
		{"everybody of the tenant", house, user("carol"), "read", http, all},
		{"over a link", house, user("dave"), "write", http, all},
		{"denied", noGroups, user("alice"), "read", http, all},
		{"denied write", house, user("alice"), "write", http, all},
		{"denied to a key", house, authz.Ref{Type: "key", ID: "K2"}, "read", http, all},
		{"denied to a stranger who sees nothing", house, user("mallory"), "read", http, explain.Asker{}},
		{"hidden group", without(house, everybody), user("alice"), "read", http, blind("group")},
		{"hidden folders", house, user("erin"), "share", http, blind("file")},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := spicetest.Open(t, spicetest.NewDurable(t, sqlds.Options{}), schema.Text, spice.Options{})
			at := f.Touch(c.have...)
			e := explained(t, f, at, c.who, authz.Check{Type: c.on.Type, ID: c.on.ID, Permission: c.permission}, c.asker)
			var text bytes.Buffer
			if err := explain.Text(&text, e); err != nil {
				t.Fatal(err)
			}
			golden(t, c.name+".txt", text.Bytes())
			e.At = 0 // differs each time
			wire, err := json.MarshalIndent(e, "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			golden(t, c.name+".json", append(wire, '\n'))
		})
	}
}

// blind sees everything but objects of one type.
func blind(kind string) explain.Asker {
	return explain.Asker{Visible: func(r authz.Ref) bool { return r.Type != kind }, Names: named}
}

// explained asks the engine all that an explanation needs.
func explained(t *testing.T, f *spicetest.Fixture, at relations.Revision, who authz.Ref, check authz.Check, asker explain.Asker) explain.Explanation {
	t.Helper()
	trace, err := f.Explain(t.Context(), at, who, check, true)
	if err != nil {
		t.Fatal(err)
	}
	if got := f.HoldsAt(at, who, check).Allowed; got != trace.Allowed {
		t.Fatalf("the trace says %t, the check %t", trace.Allowed, got)
	}
	s, err := f.Schema(t.Context(), at)
	if err != nil {
		t.Fatal(err)
	}
	sharers, err := f.Expand(t.Context(), at, check.Object(), s.Sharing(check.Type))
	if err != nil {
		t.Fatal(err)
	}
	return asker.WhyNot(t.Context(), trace, s, sharers)
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs.\ngot:\n%s\nwant:\n%s", file, got, want)
	}
}
