package node

import (
	"context"
	"encoding/json"
	"errors"
	"testing"

	"nexus/apiserver/api"
	"nexus/authzsvc/authz"
	"nexus/internal/errs"
	"nexus/internal/sqldb"
	"nexus/schema"
	"nexus/storage"
)

// These tests stand between a decision and its commit: what another does there must leave the file as if the write had come
// second.

var (
	moveFile   = sqldb.SQL(`UPDATE files SET dir = (SELECT id FROM dirs WHERE tenant = 'default' AND path = $2) WHERE id = $1`)
	removeFile = sqldb.SQL(`DELETE FROM files WHERE id = $1`)
)

// decided returns what bob was granted: to write over path.
func (k *kit) decided(path string) schema.WriteFile {
	k.t.Helper()
	a, err := k.Store.Names().Address(context.Background(), "default", path)
	if err != nil {
		k.t.Fatal(err)
	}
	g, _, err := authz.Ask(context.Background(), k.Service.Gate(), user("bob"), authz.Act{Op: "files.write"}, schema.File{Address: a}.Write())
	if err != nil {
		k.t.Fatal(err)
	}
	return g
}

func (k *kit) alter(s *sqldb.Stmt, args ...any) {
	k.t.Helper()
	err := k.DB.Tx(context.Background(), func(ctx context.Context, tx sqldb.Tx) error {
		_, err := tx.Exec(ctx, s, args...)
		return err
	})
	if err != nil {
		k.t.Fatal(err)
	}
}

func mustBeStale(t *testing.T, err error) {
	t.Helper()
	if !errors.Is(err, errs.Conflict) || errs.From(err).Reason != errs.StaleDecision {
		t.Errorf("the write after the change: err = %v, want STALE_DECISION", err)
	}
}

func (k *kit) content(path string) string {
	k.t.Helper()
	return string(k.do(k.admin, "read", `{"path":"`+path+`"}`).(api.ReadResult).Content)
}

func TestRevokedBetweenDecisionAndCommitWritesNothing(t *testing.T) {
	k := newKit(t, Config{})
	k.write(k.admin, "/w/a.txt", "old")
	id := k.share("bob", "direct_editor", "/w/a.txt")
	g := k.decided("/w/a.txt")
	k.unshare(id)
	_, err := k.Store.Files().Write(context.Background(), g, []byte("new"), storage.Condition{})
	mustBeStale(t, err)
	if got := k.content("/w/a.txt"); got != "old" {
		t.Errorf("content = %q, want old", got)
	}
	if _, err := k.try(user("bob"), "write", writeParams("/w/a.txt", "new")); !errors.Is(err, errs.Denied) {
		t.Errorf("decided again: err = %v, want denied", err)
	}
}

func TestRevokedAboveBetweenDecisionAndCommitWritesNothing(t *testing.T) {
	k := newKit(t, Config{})
	k.write(k.admin, "/w/deep/er/a.txt", "old")
	k.do(k.admin, "rebac_create", `{"subject":["user","bob"],"relation":"member","object":["group","eng"]}`)
	id := k.do(k.admin, "rebac_create", `{"subject":["group","eng"],"relation":"direct_editor","object":["file","/w"]}`).(api.TupleID)
	g := k.decided("/w/deep/er/a.txt")
	k.unshare(string(id))
	_, err := k.Store.Files().Write(context.Background(), g, []byte("new"), storage.Condition{})
	mustBeStale(t, err)
}

func TestMovedBetweenDecisionAndCommitWritesNothing(t *testing.T) {
	k := newKit(t, Config{})
	k.write(k.admin, "/w/a.txt", "old")
	k.do(k.admin, "mkdir", `{"path":"/secret"}`)
	k.share("bob", "direct_editor", "/w/a.txt")
	g := k.decided("/w/a.txt")
	file, err := g.Use()
	if err != nil {
		t.Fatal(err)
	}
	k.alter(moveFile, file.Anchor, "/secret/")
	_, err = k.Store.Files().Write(context.Background(), g, []byte("new"), storage.Condition{})
	mustBeStale(t, err)
	if got := k.content("/secret/a.txt"); got != "old" {
		t.Errorf("content = %q, want old", got)
	}
}

func TestDeletedBetweenDecisionAndCommitWritesNothing(t *testing.T) {
	k := newKit(t, Config{})
	k.write(k.admin, "/w/a.txt", "old")
	k.share("bob", "direct_editor", "/w/a.txt")
	g := k.decided("/w/a.txt")
	file, err := g.Use()
	if err != nil {
		t.Fatal(err)
	}
	k.alter(removeFile, file.Anchor)
	_, err = k.Store.Files().Write(context.Background(), g, []byte("new"), storage.Condition{})
	mustBeStale(t, err)
	if there := k.do(k.admin, "exists", `{"path":"/w/a.txt"}`); there != (api.Exists{}) {
		t.Error("the write brought a deleted file back")
	}
}

func TestCreatedByAnotherBetweenDecisionAndCommitWritesNothing(t *testing.T) {
	k := newKit(t, Config{})
	k.do(k.admin, "mkdir", `{"path":"/w"}`)
	k.share("bob", "direct_editor", "/w")
	a, err := k.Store.Names().Address(context.Background(), "default", "/w/new.txt")
	if err != nil {
		t.Fatal(err)
	}
	into, _, err := authz.Ask(context.Background(), k.Service.Gate(), user("bob"), authz.Act{Op: "files.write"}, schema.Dir{Address: a}.Write())
	if err != nil {
		t.Fatal(err)
	}
	k.write(k.admin, "/w/new.txt", "admin's")
	_, err = k.Store.Files().Create(context.Background(), into, []byte("bob's"), storage.Condition{})
	mustBeStale(t, err)
	if got := k.content("/w/new.txt"); got != "admin's" {
		t.Errorf("content = %q, want admin's", got)
	}
}

func TestUnrelatedWritesDoNotDisturbADecision(t *testing.T) {
	k := newKit(t, Config{})
	k.write(k.admin, "/w/a.txt", "old")
	k.share("bob", "direct_editor", "/w/a.txt")
	g := k.decided("/w/a.txt")
	k.write(k.admin, "/w/b.txt", "another")
	k.write(k.admin, "/v/c.txt", "another")
	if _, err := k.Store.Files().Write(context.Background(), g, []byte("new"), storage.Condition{}); err != nil {
		t.Errorf("err = %v, want the write accepted", err)
	}
}

func TestOneOfManyConditionalWritersWins(t *testing.T) {
	k := newKit(t, Config{})
	k.write(k.admin, "/w/a.txt", "start")
	etag := k.do(k.admin, "get_metadata", `{"path":"/w/a.txt"}`).(*api.Metadata).Etag
	const writers = 16
	results := make(chan error, writers)
	for i := range writers {
		go func() {
			raw, _ := json.Marshal(map[string]any{
				"path": "/w/a.txt", "if_match": etag, "content": map[string]any{"__type__": "bytes", "data": []byte{byte('a' + i)}},
			})
			_, err := k.try(k.admin, "write", string(raw))
			results <- err
		}()
	}
	won := 0
	for range writers {
		switch err := <-results; {
		case err == nil:
			won++
		case errs.From(err).Reason != errs.EtagMismatch:
			t.Errorf("a loser got %v, want an etag conflict", err)
		}
	}
	if m := k.do(k.admin, "get_metadata", `{"path":"/w/a.txt"}`).(*api.Metadata); won != 1 || m.Version != 2 {
		t.Errorf("%d of %d writers won, version %d; want 1 and version 2", won, writers, m.Version)
	}
}

func TestOneOfManyCreatorsWins(t *testing.T) {
	k := newKit(t, Config{})
	const writers = 16
	results := make(chan error, writers)
	for i := range writers {
		go func() {
			raw, _ := json.Marshal(map[string]any{
				"path": "/w/x/new.txt", "if_none_match": true, "content": map[string]any{"__type__": "bytes", "data": []byte{byte('a' + i)}},
			})
			_, err := k.try(k.admin, "write", string(raw))
			results <- err
		}()
	}
	won := 0
	for range writers {
		switch err := <-results; {
		case err == nil:
			won++
		case !errors.Is(err, errs.Exists) && errs.From(err).Reason != errs.StaleDecision:
			t.Errorf("a loser got %v, want exists", err)
		}
	}
	if m := k.do(k.admin, "get_metadata", `{"path":"/w/x/new.txt"}`).(*api.Metadata); won != 1 || m.Version != 1 {
		t.Errorf("%d of %d creators won, version %d; want 1 and version 1", won, writers, m.Version)
	}
}

func TestEveryAcceptedWriteRaisesTheVersionOnce(t *testing.T) {
	k := newKit(t, Config{})
	const writers = 24
	done := make(chan error, writers)
	for range writers {
		go func() {
			_, err := k.try(k.admin, "write", writeParams("/w/same.txt", "equal contents"))
			done <- err
		}()
	}
	accepted := int64(0)
	for range writers {
		if err := <-done; err == nil {
			accepted++
		} else if errs.From(err).Reason != errs.StaleDecision {
			t.Errorf("err = %v", err)
		}
	}
	if m := k.do(k.admin, "get_metadata", `{"path":"/w/same.txt"}`).(*api.Metadata); m.Version != accepted {
		t.Errorf("version %d after %d accepted writes", m.Version, accepted)
	}
}
