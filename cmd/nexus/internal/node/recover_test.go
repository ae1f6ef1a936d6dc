package node

import (
	"crypto/sha256"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"nexus/authzsvc/audit"
	"nexus/authzsvc/authz"
	"nexus/internal/errs"
)

func TestLostAdminIsRecoveredOfflineAndOnRecord(t *testing.T) {
	k := newKit(t, Config{})
	k.do(k.admin, "admin_create_key", `{"user_id":"second","name":"k","tenant_id":"*"}`)
	other := user("second")
	other.Admin = k.admin.Admin
	k.do(other, "admin_disable_user", `{"user_id":"admin"}`)
	if _, err := Recover(t.Context(), k.config, "admin"); !errors.Is(err, errs.Unavailable) {
		t.Errorf("beside a running node: %v, want unavailable", err)
	}
	k.close()
	key, err := Recover(t.Context(), k.config, "admin")
	if err != nil {
		t.Fatal(err)
	}
	k.open()
	for _, secret := range []string{key.Secret, k.root.Secret} { // the user is enabled, his old key with him
		if h, err := k.Credentials.ByHash(t.Context(), sha256.Sum256([]byte(secret))); err != nil || !h.Platform || h.User != "admin" {
			t.Errorf("holder = %+v, %v", h, err)
		}
	}
	again := user("admin")
	again.Admin = authz.Ref{Type: "key", ID: key.ID}
	k.do(again, "admin_list_keys", `{"tenant_id":"*"}`)
	d := k.lastDecision("keys.recover")
	if !d.Allowed || d.Base.Type != "service" || d.Params["user_id"] != "admin" {
		t.Errorf("recorded %+v", d)
	}
	if o := k.outcome(d.ID); o == nil || o.State != authz.Done || o.First == 0 {
		t.Errorf("its outcome is %+v", o)
	}
	k.mustVerify()
}

func TestNothingIsRecoveredWhereNothingWas(t *testing.T) {
	empty := t.TempDir()
	if _, err := Recover(t.Context(), Config{DataDir: filepath.Join(empty, "none")}, "admin"); !errors.Is(err, errs.NotFound) {
		t.Errorf("err = %v, want not found", err)
	}
	if left, err := os.ReadDir(empty); err != nil || len(left) > 0 {
		t.Errorf("recovering nothing left %v, %v", left, err)
	}
	n, err := Open(t.Context(), Config{DataDir: empty})
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	if key, err := Recover(t.Context(), Config{DataDir: empty}, "admin"); !errors.Is(err, errs.Precondition) || key.Secret != "" {
		t.Errorf("an unfounded store: %v, %v", key, err)
	}
	if key, err := Recover(t.Context(), Config{DataDir: empty}, ""); err == nil {
		t.Errorf("a key for nobody: %v", key)
	}
	k := &kit{t: t, config: Config{DataDir: empty}}
	k.open()
	defer k.close()
	all := k.recorded(audit.Query{Types: []audit.Type{audit.TypeOutcome}})
	if len(all) != 1 || all[0].Outcome.State != authz.Failed {
		t.Errorf("outcomes %+v, want one that failed", all)
	}
}
