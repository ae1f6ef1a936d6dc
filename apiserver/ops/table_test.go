package ops_test

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"nexus/apiserver/api"
	"nexus/apiserver/op"
	"nexus/authzsvc/authz"
	"nexus/authzsvc/gatetest"
	"nexus/internal/errs"
)

var update = flag.Bool("update", false, "write golden files")

// untouching are operations that keep nothing, so that allowing them touches no storage either.
var untouching = []string{api.Whoami.Name, api.Health.Name, api.Status.Name}

// resolving tells the statements that only find out what a name means. They are all that may run before a decision.
func resolving(statement string) bool {
	for _, s := range []string{
		"SELECT id, tenant, parent, path, state, created, modified FROM dirs WHERE tenant",
		"SELECT d.id, d.parent, d.state, COALESCE(f.id, ''), COALESCE(f.version, 0), COALESCE(s.id, ''), COALESCE(s.state, 0)",
		"SELECT id, tenant, resource_type, resource_id, relation, subject_type, subject_id, subject_relation, created, expires, author FROM tuples WHERE id",
		"SELECT d.path, f.name FROM files f JOIN dirs d ON d.id = f.dir WHERE f.id",
		"SELECT path FROM dirs WHERE id",
		"SELECT owner FROM agents WHERE tenant",
	} {
		if strings.HasPrefix(statement, s) {
			return true
		}
	}
	return false
}

// touched returns what an operation did beyond finding out what names mean.
func (k *kit) touched(do func()) []string {
	k.watched.mu.Lock()
	k.watched.reads, k.watched.writes = nil, 0
	k.watched.mu.Unlock()
	k.asked.count = 0
	before := k.countBlobs()
	do()
	var did []string
	for range k.countBlobs() - before {
		did = append(did, "a file")
	}
	for _, s := range k.watched.reads {
		if !resolving(s) {
			did = append(did, s)
		}
	}
	for range k.watched.writes {
		did = append(did, "a write transaction")
	}
	for range k.asked.count {
		did = append(did, "a question about relationships or the record")
	}
	return did
}

// refused reports whether a result or error is what the operation answers to a refusal.
func refused(o *op.Operation, result any, err error) bool {
	if err != nil {
		return errors.Is(err, errs.Denied)
	}
	if e, ok := result.(api.Explanation); ok {
		return !e.Allowed && !e.Result && len(e.Path) == 0 && len(e.Paths) == 0 && e.Alternative == nil
	}
	nothing, err := json.Marshal(result)
	return err == nil && nothings[o.Name] == string(nothing)
}

// nothings is what operations answer that hide a refusal as if there were nothing (wire-rpc.md: Not visible).
var nothings = map[string]string{
	api.FileExists.Name:   `{"exists":false}`,
	api.IsDir.Name:        `{"is_directory":false}`,
	api.GetMetadata.Name:  `null`,
	api.GetWorkspace.Name: `null`,
	api.Check.Name:        `{"allowed":false}`,
	api.Expand.Name:       `{"subjects":[]}`,
	api.Unrelate.Name:     `false`,
	api.Tuples.Name:       `{"tuples":[],"complete":true}`,
	api.ListAccess.Name:   `{"subjects":[],"complete":true}`,
	api.GroupMembers.Name: `{"members":[],"complete":true}`,
	api.ListAgents.Name:   `{"agents":[],"complete":true}`,
	api.GetAgent.Name:     `null`,
	api.DeleteAgent.Name:  `false`,
}

// TestEveryOperation is the loop over the table: what is true of one operation is true of all.
func TestEveryOperation(t *testing.T) {
	gate, _ := gatetest.AllowAll(t)
	for _, o := range newKit(t).table(t, gate).All() {
		if o.Public {
			continue // asks nothing of anybody: public.golden lists them
		}
		t.Run(o.Name, func(t *testing.T) {
			k := newKit(t)
			raw := params(t, o, k.fixture(t))
			denyAll(t, k, o.Name, raw)
			needsPrincipal(t, k, o.Name, raw)
			eachCheckCounts(t, k, o.Name, raw)
			policyCounts(t, k, o.Name, raw)
			recordCounts(t, k, o.Name, raw)
			allowAll(t, k, o.Name, raw)
		})
	}
}

// invoke calls an operation by its shape. A stream of events is left at the first one.
func invoke(o *op.Operation, who authz.Principal, raw json.RawMessage) (any, error) {
	ctx, leave := context.WithCancel(context.Background())
	defer leave()
	switch o.Shape {
	case op.Upload:
		return o.Receive(ctx, who, raw, strings.NewReader(strings.Repeat("a body that is too long for a row\n", 1000)))
	case op.Stream:
		return nil, o.Send(ctx, who, raw, drain{leave})
	}
	return o.Invoke(ctx, who, raw)
}

// drain is a sink that takes everything, and leaves after the first event.
type drain struct{ leave func() }

func (drain) Write(p []byte) (int, error) { return len(p), nil }

func (d drain) Event(any) error {
	d.leave()
	return nil
}

func (drain) Content(c op.Content) error {
	_, err := io.Copy(io.Discard, c.Body)
	return err
}

func denyAll(t *testing.T, k *kit, name string, raw json.RawMessage) {
	t.Helper()
	gate, recorder := gatetest.DenyAll(t)
	mustRefuse(t, k, gate, name, raw, "deny-all")
	d := recorder.Decided()
	if len(d) != 1 || d[0].Allowed || d[0].Op != k.table(t, gate).Named(name).DecidedAs() {
		t.Errorf("deny-all: recorded %+v, want one refusal", d)
	}
}

func needsPrincipal(t *testing.T, k *kit, name string, raw json.RawMessage) {
	t.Helper()
	gate, recorder := gatetest.AllowAll(t)
	o := k.table(t, gate).Named(name)
	did := k.touched(func() {
		if _, err := invoke(o, authz.Principal{}, raw); !errors.Is(err, errs.Unauthenticated) {
			t.Errorf("without a principal: err = %v, want unauthenticated", err)
		}
	})
	if len(did) > 0 || len(recorder.Decided()) > 0 {
		t.Errorf("without a principal: touched %q", did)
	}
}

// eachCheckCounts refuses one check after the other. An operation that needs one of two asks for each alone.
func eachCheckCounts(t *testing.T, k *kit, name string, raw json.RawMessage) {
	t.Helper()
	gate, _ := gatetest.AllowAll(t)
	checks, err := k.table(t, gate).Named(name).Checks(context.Background(), k.owner, raw)
	if err != nil || len(checks) == 0 {
		t.Fatalf("Checks = %v, %v, want some", checks, err)
	}
	if slices.Contains(eithers, name) {
		return
	}
	for _, c := range checks {
		one, _ := gatetest.DenyOne(t, c)
		mustRefuse(t, k, one, name, raw, fmt.Sprintf("without %s on %s", c.Permission, c.Object()))
	}
}

// eithers are the operations that one of several checks is enough for: deny-all shows that one is needed.
var eithers = []string{
	api.FileExists.Name, api.IsDir.Name, api.Expand.Name, api.Check.Name, api.Explain.Name, api.ListAccess.Name,
	api.ListKeys.Name, api.GetKey.Name, api.RevokeKey.Name, api.UpdateKey.Name,
	api.ListUsers.Name, api.DisableUser.Name, api.EnableUser.Name, api.TransferUser.Name,
	api.RegisterAgent.Name, api.ListAgents.Name,
}

func policyCounts(t *testing.T, k *kit, name string, raw json.RawMessage) {
	t.Helper()
	gate, _ := gatetest.AllowAll(t)
	as := k.table(t, gate).Named(name).DecidedAs()
	gate, recorder := gatetest.Config{Refuse: func(op string) bool { return op == as }}.Gate(t)
	mustRefuse(t, k, gate, name, raw, "refused by policy")
	if d := recorder.Decided(); len(d) != 1 || d[0].Reason != string(errs.PolicyRefused) {
		t.Errorf("refused by policy: recorded %+v", d)
	}
}

func recordCounts(t *testing.T, k *kit, name string, raw json.RawMessage) {
	t.Helper()
	gate, _ := gatetest.Config{Unrecorded: errors.New("disk full")}.Gate(t)
	o := k.table(t, gate).Named(name)
	did := k.touched(func() {
		if r, err := invoke(o, k.owner, raw); errs.From(err) == nil || errs.From(err).Reason != errs.NotRecorded {
			t.Errorf("without a record: %v, %v, want NOT_RECORDED", r, err)
		}
	})
	if len(did) > 0 {
		t.Errorf("without a record: touched %q", did)
	}
}

func allowAll(t *testing.T, k *kit, name string, raw json.RawMessage) {
	t.Helper()
	gate, recorder := gatetest.AllowAll(t)
	o := k.table(t, gate).Named(name)
	did := k.touched(func() {
		if _, err := invoke(o, k.owner, raw); err != nil {
			t.Errorf("allow-all: %v", err)
		}
	})
	if len(did) == 0 && !slices.Contains(untouching, name) {
		t.Error("allow-all: nothing was touched: the sample proves nothing")
	}
	if d := recorder.Decided(); len(d) == 0 || !d[0].Allowed || d[0].Durable == o.Prompt {
		t.Errorf("allow-all: recorded %+v", d)
	}
	want := 1
	if o.Shape == op.Upload {
		want = 2 // one before the first byte, one for the commit
	}
	if out := recorder.Outcomes(); !o.Prompt && (len(out) != want || out[0].State != authz.Done) {
		t.Errorf("allow-all: outcomes %+v, want one that is done", out)
	}
}

func mustRefuse(t *testing.T, k *kit, gate *authz.Gate, name string, raw json.RawMessage, why string) {
	t.Helper()
	o := k.table(t, gate).Named(name)
	did := k.touched(func() {
		if r, err := invoke(o, k.owner, raw); !refused(o, r, err) {
			t.Errorf("%s: %v, %v, want a refusal", why, r, err)
		}
	})
	if len(did) > 0 {
		t.Errorf("%s: touched %q", why, did)
	}
}

func TestNeedsAreGolden(t *testing.T) {
	k := newKit(t)
	instead := k.fixture(t)
	gate, _ := gatetest.AllowAll(t)
	var b strings.Builder
	for _, o := range k.table(t, gate).All() {
		if o.Public {
			continue
		}
		raw := params(t, o, instead)
		checks, err := o.Checks(context.Background(), k.owner, raw)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "%s\n", o.Name)
		for _, c := range checks {
			fmt.Fprintf(&b, "  %s on %s\n", c.Permission, k.called(c.Object()))
		}
	}
	golden(t, "needs.golden", b.String())
}

// called names an object as people do: ids are new in every run.
func (k *kit) called(r authz.Ref) string {
	if path, err := k.store.Names().Path(context.Background(), r); err == nil {
		return "file " + path
	}
	return r.String()
}

func TestPublicOperationsAreGolden(t *testing.T) {
	gate, _ := gatetest.AllowAll(t)
	var b strings.Builder
	for _, o := range newKit(t).table(t, gate).All() {
		if o.Public {
			fmt.Fprintln(&b, o.Name)
		}
	}
	golden(t, "public.golden", b.String())
}

// TestRecordedParametersAreGolden lists what the record keeps of parameters: adding a tag is a decision about privacy.
func TestRecordedParametersAreGolden(t *testing.T) {
	gate, _ := gatetest.AllowAll(t)
	var b strings.Builder
	for _, o := range newKit(t).table(t, gate).All() {
		for _, p := range op.Params(o.Params) {
			if p.Audit != "" {
				fmt.Fprintf(&b, "%s %s %s\n", o.Name, p.Name, p.Audit)
			}
			if !slices.Contains([]string{"", "plain", "hash", "count"}, p.Audit) {
				t.Errorf("%s: parameter %s has audit tag %q", o.Name, p.Name, p.Audit)
			}
		}
	}
	golden(t, "recorded.golden", b.String())
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s is not what the table says (run with -update and review):\n%s", name, got)
	}
}
