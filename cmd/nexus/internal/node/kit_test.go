package node

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"nexus/apiserver/api"
	"nexus/authzsvc/audit"
	"nexus/authzsvc/authz"
	"nexus/internal/errs"
	"nexus/internal/ids"
	"nexus/storage"
)

// kit is a node with its first admin key.
type kit struct {
	*Node
	t      testing.TB
	config Config
	root   storage.Key // administers the platform
	admin  authz.Principal

	founder authz.Principal // administers the newest tenant that found made
}

func newKit(t testing.TB, c Config) *kit {
	t.Helper()
	if c.DataDir == "" {
		c.DataDir = t.TempDir()
	}
	k := &kit{t: t, config: c}
	k.open()
	t.Cleanup(k.close)
	key, founded, err := k.Store.Founding().Found(context.Background())
	if err != nil || !founded {
		t.Fatalf("Found = %v, %v", founded, err)
	}
	k.root, k.admin = key, user("admin")
	k.admin.Admin = authz.Ref{Type: "key", ID: key.ID}
	return k
}

func (k *kit) open() {
	k.t.Helper()
	n, err := Open(context.Background(), k.config)
	if err != nil {
		k.t.Fatalf("Open: %v", err)
	}
	k.Node = n
}

func (k *kit) close() {
	k.t.Helper()
	if err := k.Node.Close(); err != nil {
		k.t.Errorf("Close: %v", err)
	}
}

// restart ends the node and opens it again on the same directory.
func (k *kit) restart() {
	k.t.Helper()
	k.close()
	k.open()
}

func user(name string) authz.Principal { return userOf("default", name) }

func userOf(tenant, name string) authz.Principal {
	return authz.Principal{Base: authz.Ref{Type: "user", ID: tenant + "/" + ids.Quote(name)}, Tenant: tenant}
}

// agent is an agent of the default tenant with a key of its own, whose owner is named.
func agent(name, owner string) authz.Principal {
	return authz.Principal{Base: authz.Ref{Type: "agent", ID: "default/" + ids.Quote(name)}, Owner: user(owner).Base, Tenant: "default"}
}

// try calls a method for who.
func (k *kit) try(who authz.Principal, method, params string) (any, error) {
	k.t.Helper()
	return k.Table.Method(method).Invoke(context.Background(), who, json.RawMessage(params))
}

// do calls a method that must succeed.
func (k *kit) do(who authz.Principal, method, params string) any {
	k.t.Helper()
	r, err := k.try(who, method, params)
	if err != nil {
		k.t.Fatalf("%s %s: %v", method, params, err)
	}
	return r
}

// mustFail calls a method that must fail so.
func (k *kit) mustFail(who authz.Principal, method, params string, want errs.Kind) {
	k.t.Helper()
	if r, err := k.try(who, method, params); !errors.Is(err, want) {
		k.t.Errorf("%s %s = %v, %v, want %s", method, params, r, err, want)
	}
}

// member makes somebody a member of the default tenant.
func (k *kit) member(names ...string) {
	k.t.Helper()
	for _, name := range names {
		k.do(k.admin, "rebac_create", `{"subject":["user","`+name+`"],"relation":"member","object":["tenant","default"]}`)
	}
}

// newAgent makes an agent by its key.
func (k *kit) newAgent(name, owner string) authz.Principal {
	k.t.Helper()
	k.do(k.admin, "admin_create_key", `{"user_id":"`+owner+`","name":"key","subject_type":"agent","subject_id":"`+name+`"}`)
	return agent(name, owner)
}

// write puts text at path as who.
func (k *kit) write(who authz.Principal, path, text string) {
	k.t.Helper()
	k.do(who, "write", writeParams(path, text))
}

func (k *kit) read(who authz.Principal, path string) (string, error) {
	k.t.Helper()
	r, err := k.try(who, "read", `{"path":"`+path+`"}`)
	if err != nil {
		return "", err
	}
	return string(r.(api.ReadResult).Content), nil
}

func (k *kit) mustRead(who authz.Principal, path, want string) {
	k.t.Helper()
	if got, err := k.read(who, path); err != nil || got != want {
		k.t.Errorf("%s reads %s = %q, %v, want %q", who.Base, path, got, err, want)
	}
}

func (k *kit) mustNotRead(who authz.Principal, path string) {
	k.t.Helper()
	if got, err := k.read(who, path); !errors.Is(err, errs.Denied) {
		k.t.Errorf("%s reads %s = %q, %v, want denied", who.Base, path, got, err)
	}
}

// paths lists what who sees below a folder.
func (k *kit) paths(who authz.Principal, folder string) []string {
	k.t.Helper()
	all := []string{}
	for _, e := range k.do(who, "list", `{"path":"`+folder+`"}`).(api.ListResult).Entries {
		all = append(all, e.Path)
	}
	return all
}

func writeParams(path, text string) string {
	raw, _ := json.Marshal(map[string]any{"path": path, "content": map[string]any{"__type__": "bytes", "data": []byte(text)}})
	return string(raw)
}

// share relates somebody to a path, and returns the relationship's id.
func (k *kit) share(name, relation, path string) string {
	k.t.Helper()
	return k.relate(k.admin, []string{"user", name}, relation, []string{"file", path})
}

func (k *kit) relate(who authz.Principal, subject []string, relation string, object []string) string {
	k.t.Helper()
	return string(k.do(who, "rebac_create", relateParams(subject, relation, object, time.Time{})).(api.TupleID))
}

func relateParams(subject []string, relation string, object []string, expires time.Time) string {
	p := map[string]any{"subject": subject, "relation": relation, "object": object}
	if !expires.IsZero() {
		p["expires_at"] = expires.UTC().Format(time.RFC3339Nano)
	}
	raw, _ := json.Marshal(p)
	return string(raw)
}

func (k *kit) unshare(id string) {
	k.t.Helper()
	if gone := k.do(k.admin, "rebac_delete", `{"tuple_id":"`+id+`"}`); gone != true {
		k.t.Fatalf("rebac_delete %s = %v", id, gone)
	}
}

// may asks whether somebody has a permission on a path.
func (k *kit) may(name, permission, path string) bool {
	k.t.Helper()
	raw, _ := json.Marshal(map[string]any{"subject": []string{"user", name}, "permission": permission, "object": []string{"file", path}})
	return k.do(k.admin, "rebac_check", string(raw)).(api.Allowed).Allowed
}

// recorded returns the newest entries of a type in the record that f admits, newest first.
func (k *kit) recorded(q audit.Query) []audit.Entry {
	k.t.Helper()
	q.Newest = true
	var all []audit.Entry
	err := k.Service.Record().Read(context.Background(), q, func(e audit.Entry) bool {
		all = append(all, e)
		return true
	})
	if err != nil {
		k.t.Fatal(err)
	}
	return all
}

// lastDecision returns the newest decision about an operation.
func (k *kit) lastDecision(operation string) *authz.Decided {
	k.t.Helper()
	all := k.recorded(audit.Query{Types: []audit.Type{audit.TypeDecided}, Op: operation, Limit: 1})
	if len(all) == 0 {
		k.t.Fatalf("no decision about %s is recorded", operation)
	}
	return all[0].Decided
}

// outcome returns how a decision ended, or nil.
func (k *kit) outcome(decision string) *authz.Outcome {
	k.t.Helper()
	all := k.recorded(audit.Query{Types: []audit.Type{audit.TypeOutcome}, Decision: decision})
	if len(all) > 1 {
		k.t.Errorf("decision %s ended %d times", decision, len(all))
	}
	if len(all) == 0 {
		return nil
	}
	return all[0].Outcome
}

// until waits for what the server does by itself.
func until(t testing.TB, what string, holds func() bool) {
	t.Helper()
	look := time.NewTicker(10 * time.Millisecond)
	defer look.Stop()
	for end := time.After(patience); !holds(); {
		select {
		case <-look.C:
		case <-end:
			t.Fatalf("not so after %s: %s", patience, what)
		}
	}
}
