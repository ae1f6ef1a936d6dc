package node

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"nexus/apiserver/api"
	"nexus/apiserver/op"
	"nexus/authzsvc/audit"
	"nexus/authzsvc/authz"
	"nexus/internal/errs"
)

func TestEveryOperationIsRecordedWithItsReasons(t *testing.T) {
	k := newKit(t, Config{BackupDir: t.TempDir(), Record: audit.Options{CoalesceFor: -1}})
	for _, o := range k.Table.All() {
		if o.Public {
			continue
		}
		k.samples()
		params, err := json.Marshal(o.Sample)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = k.try(k.admin, "admin_enable_user", `{"user_id":"sample-user"}`) // an operation before may have disabled him
		k.do(k.admin, "admin_create_key", `{"user_id":"sample-heir","name":"sample"}`)
		made := k.do(k.admin, "admin_create_key", `{"user_id":"sample-user","name":"sample"}`).(api.NewKey)
		params = []byte(strings.Replace(string(params), `"key_id":""`, `"key_id":"`+made.KeyID+`"`, 1))
		_, err = invoke(o, user("stranger"), params)
		if err != nil && !errors.Is(err, errs.Denied) {
			t.Errorf("%s by a stranger: %v", o.Name, err)
		}
		mustBeReasoned(t, k.lastDecision(o.DecidedAs()), user("stranger").Base, false)
		if _, err := invoke(o, k.admin, params); err != nil {
			t.Errorf("%s by the admin: %v", o.Name, err)
		}
		d := k.lastDecision(o.DecidedAs())
		if d.Listed != nil { // the end of a list; its beginning holds the checks
			if !d.Listed.Last {
				t.Errorf("%s: %+v", o.Name, d.Listed)
			}
			d = k.recorded(audit.Query{Types: []audit.Type{audit.TypeDecided}, Decision: d.Listed.Of})[0].Decided
		}
		mustBeReasoned(t, d, k.admin.Base, true)
		if !o.Prompt {
			if out := k.outcome(d.ID); out == nil || out.State != authz.Done {
				t.Errorf("%s: outcome %+v", o.Name, out)
			}
		}
	}
	k.mustVerify()
}

// invoke calls an operation by its shape. A stream of events is left at the first one.
func invoke(o *op.Operation, who authz.Principal, params json.RawMessage) (any, error) {
	ctx, leave := context.WithCancel(context.Background())
	defer leave()
	switch o.Shape {
	case op.Upload:
		return o.Receive(ctx, who, params, strings.NewReader("body"))
	case op.Stream:
		return nil, o.Send(ctx, who, params, drain{leave})
	}
	return o.Invoke(ctx, who, params)
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

// samples sees to it that there is what the samples of the contracts are about, whatever an operation has made of it.
func (k *kit) samples() {
	for _, call := range [][2]string{
		{"write", writeParams("/sample/file.txt", "x")},
		{"write", writeParams("/sample/deleted.txt", "x")},
		{"delete", `{"path":"/sample/deleted.txt"}`},
		{"mkdir", `{"path":"/sample/folder"}`},
		{"register_workspace", `{"path":"/sample/workspace"}`},
		{"workspace_snapshot", `{"workspace_path":"/sample/workspace"}`},
		{"rebac_create", relateParams([]string{"user", "sample-reader"}, "member", []string{"group", "sample-group"}, time.Time{})},
	} {
		_, _ = k.try(k.admin, call[0], call[1]) // what is there already is there
	}
	until(k.t, "the agent's name is free", func() bool {
		_, err := k.try(k.admin, "register_agent", `{"agent_id":"sample-agent","name":"Sample"}`)
		return err == nil
	})
}

func mustBeReasoned(t *testing.T, d *authz.Decided, base authz.Ref, allowed bool) {
	t.Helper()
	if d.Allowed != allowed || d.Base != base || len(d.Checks) == 0 || len(d.Objects) == 0 || d.Revision == "" || d.Schema == "" || d.Policy == "" {
		t.Errorf("%s is recorded as %+v", d.Op, d)
	}
	if !allowed && d.Reason != string(errs.NoRelation) {
		t.Errorf("%s is refused for reason %q", d.Op, d.Reason)
	}
}

// explained asks for the reasons of a recorded decision.
func (k *kit) explained(decision string) *api.DecisionExplained {
	k.t.Helper()
	e := k.do(k.admin, "audit_explain", `{"decision_id":"`+decision+`"}`).(*api.DecisionExplained)
	if e == nil || len(e.Checks) == 0 {
		k.t.Fatalf("decision %s is explained by %+v", decision, e)
	}
	return e
}

// way returns the relations of an explanation's path.
func way(e api.Explanation) string {
	var all []string
	for _, s := range e.Path {
		all = append(all, s.Relation)
	}
	return strings.Join(all, " ")
}

func TestDecisionIsExplainedAsOfItsTime(t *testing.T) {
	k := newKit(t, Config{})
	k.write(k.admin, "/w/deep/f", "x")
	k.relate(k.admin, []string{"user", "bob"}, "member", []string{"group", "eng"})

	k.mustNotRead(user("bob"), "/w/deep/f")
	denied := k.explained(k.lastDecision("files.read").ID)
	c := denied.Checks[0]
	if c.Allowed || !denied.SameAnswer || c.Alternative == nil || !slices.ContainsFunc(c.Alternative.Ways, hasWay("direct_viewer")) {
		t.Errorf("a denial is explained by %+v", denied)
	}
	if !strings.Contains(denied.Explanation, "direct_viewer") || !strings.Contains(denied.Explanation, "/w/deep/f") {
		t.Errorf("in words: %s", denied.Explanation)
	}

	id := k.relate(k.admin, []string{"group", "eng"}, "direct_viewer", []string{"file", "/w"})
	k.mustRead(user("bob"), "/w/deep/f", "x")
	decision := k.lastDecision("files.read").ID
	before := k.explained(decision)
	if got, want := way(before.Checks[0]), "member direct_viewer parent parent"; got != want || !before.SameAnswer {
		t.Errorf("the way is %q, want %q; same answer %v", got, want, before.SameAnswer)
	}
	k.unshare(id)
	k.mustNotRead(user("bob"), "/w/deep/f")
	after := k.explained(decision)
	if !after.SameAnswer || after.Explanation != before.Explanation || way(after.Checks[0]) != way(before.Checks[0]) {
		t.Errorf("after the revocation the decision is explained by %s, before by %s", after.Explanation, before.Explanation)
	}
	k.restart()
	if again := k.explained(decision); !again.SameAnswer || again.Explanation != before.Explanation {
		t.Errorf("after a restart it is explained by %s, before by %s", again.Explanation, before.Explanation)
	}
}

func hasWay(relation string) func(explainWay) bool {
	return func(w explainWay) bool { return w.Relation == relation }
}

func TestWithoutARecordThereIsNoAccess(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(RecordDir(dir), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", RecordDir(dir), "tmpfs", 0, "size=2m"); err != nil {
		t.Skipf("NOT TESTED ON A FULL DISK: mounting a small one takes root: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(RecordDir(dir), 0); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
	k := newKit(t, Config{DataDir: dir, Record: audit.Options{ReserveBytes: -1}})
	k.write(k.admin, "/w/f", "old")
	ballast := filepath.Join(RecordDir(dir), "ballast")
	_ = os.WriteFile(ballast, make([]byte, 4<<20), 0o600) // as much as there is room for
	if refusedFrom(k, 5000) < 0 {
		t.Fatal("reads never end, though there is no room for their record")
	}
	before := k.image()
	for _, c := range []struct{ method, params string }{
		{"write", writeParams("/w/f", "new")}, {"write", writeParams("/w/g", "new")}, {"mkdir", `{"path":"/d"}`},
		{"rebac_create", relateParams([]string{"user", "bob"}, "direct_viewer", []string{"file", "/w/f"}, noTime)},
		{"admin_create_key", `{"user_id":"bob","name":"k"}`},
	} {
		if r, err := k.try(k.admin, c.method, c.params); err == nil || errs.From(err).Reason != errs.NotRecorded {
			t.Errorf("%s %s = %v, %v, want NOT_RECORDED", c.method, c.params, r, err)
		}
	}
	for _, method := range []string{"read", "exists", "get_metadata"} {
		if r, err := k.try(k.admin, method, `{"path":"/w/f"}`); err == nil || errs.From(err).Reason != errs.NotRecorded {
			t.Errorf("%s = %v, %v, want NOT_RECORDED", method, r, err)
		}
	}
	if k.image() != before {
		t.Error("something was written without a record")
	}
	if err := k.Ready(t.Context()); err == nil {
		t.Error("the node says that it is ready")
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	k.write(k.admin, "/w/f", "new")
	k.mustRead(k.admin, "/w/f", "new")
}

// refusedFrom reads different paths until one is refused, and returns how many that took: entries that fit into what the disk
// had given out already are no proof. It returns -1 when none was refused.
func refusedFrom(k *kit, most int) int {
	for i := range most {
		if _, err := k.try(k.admin, "exists", `{"path":"/w/`+strings.Repeat("x", i%200+1)+`"}`); err != nil {
			return i
		}
	}
	return -1
}
