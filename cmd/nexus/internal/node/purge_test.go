package node

import (
	"strings"
	"testing"
	"time"

	"nexus/apiserver/api"
	"nexus/authzsvc/gatetest"
	"nexus/authzsvc/relations"
	"nexus/internal/sqldb"
)

var versionsOf = sqldb.SQL(`SELECT count(*) FROM versions WHERE file = $1`)

// TestDeletedEndsAfterItsTimeButForSnapshots: what is past its time is as what never was, and then it is gone.
func TestDeletedEndsAfterItsTimeButForSnapshots(t *testing.T) {
	const week = 7 * 24 * time.Hour
	clock := gatetest.NewClock()
	k := newKit(t, Config{Clock: clock, KeepTrash: week})
	k.write(k.admin, "/a/b/f", "x")
	k.share("bob", "direct_viewer", "/a/b/f")
	k.write(k.admin, "/w/s", "one")
	k.do(k.admin, "register_workspace", `{"path":"/w"}`)
	k.do(k.admin, "workspace_snapshot", `{"workspace_path":"/w"}`)
	gone, shown := k.idOf("/a/b/f"), k.idOf("/w/s")
	deleted := clock.Now()
	k.do(k.admin, "rmdir", `{"path":"/a","recursive":true}`)
	k.do(k.admin, "delete", `{"path":"/w/s"}`)
	k.chore(sweepTrash)

	clock.Advance(week)
	k.chore(purgeTrash)
	list := k.do(k.admin, "list_deleted", `{"path":"/"}`).(api.DeletedResult)
	if len(list.Deleted) != 2 || !list.Deleted[0].Until.Equal(deleted.Add(week)) {
		t.Errorf("within its time: %+v, want two until %v", list.Deleted, deleted.Add(week))
	}
	clock.Advance(time.Millisecond)
	for _, when := range []string{"before", "after"} {
		if list := k.do(k.admin, "list_deleted", `{"path":"/"}`).(api.DeletedResult); len(list.Deleted) > 0 {
			t.Errorf("%s the purge: %+v", when, list.Deleted)
		}
		_, past := k.try(k.admin, "undelete", `{"path":"/a"}`)
		_, never := k.try(k.admin, "undelete", `{"path":"/n"}`)
		if past == nil || never == nil || strings.Replace(past.Error(), "/a", "/n", 1) != never.Error() {
			t.Errorf("%s the purge: %v, and of what never was %v", when, past, never)
		}
		k.chore(purgeTrash)
	}
	if d := k.lastDecision(purgeTrash); d.Base.ID != "default/sweeper" || !d.Allowed {
		t.Errorf("the end is recorded as %+v", d)
	}
	if n := k.left(gone); n > 0 {
		t.Errorf("%d rows and relationships of the deleted file are left", n)
	}
	if k.left(shown) == 0 {
		t.Error("what a snapshot shows is gone")
	}
	k.do(k.admin, "workspace_restore", `{"workspace_path":"/w","snapshot_number":1}`)
	k.mustRead(k.admin, "/w/s", "one")
}

func (k *kit) idOf(path string) string {
	k.t.Helper()
	a, err := k.Store.Names().Address(k.t.Context(), "default", path)
	if err != nil || !a.Exists() {
		k.t.Fatalf("%s: %+v, %v", path, a, err)
	}
	return a.Anchor
}

// left counts the versions and relationships of a file.
func (k *kit) left(file string) (n int) {
	k.t.Helper()
	if err := k.DB.Row(k.t.Context(), versionsOf, file).Scan(&n); err != nil {
		k.t.Fatal(err)
	}
	head, err := k.Service.Reader().Head(k.t.Context())
	if err != nil {
		k.t.Fatal(err)
	}
	f := relations.Filter{ResourceType: "file", ResourceID: file}
	err = k.Service.Reader().Read(k.t.Context(), head, f, func(relations.Relationship) bool {
		n++
		return true
	})
	if err != nil {
		k.t.Fatal(err)
	}
	return n
}
