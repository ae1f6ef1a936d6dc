package node

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"nexus/apiserver/api"
	"nexus/authzsvc/authz"
	"nexus/authzsvc/gatetest"
	"nexus/internal/errs"
	"nexus/internal/treehash"
	"nexus/schema"
	"nexus/storage"
)

// chore does one now, by its name.
func (k *kit) chore(name string) {
	k.t.Helper()
	for _, c := range k.chores() {
		if c.name == name {
			c.now(k.t)
			return
		}
	}
	k.t.Fatalf("there is no chore %s", name)
}

func TestWorkspaceIsForWhoMayDoSo(t *testing.T) {
	k := newKit(t, Config{})
	k.member("eve", "ed", "own")
	k.write(k.admin, "/w/f", "x")
	k.share("ed", "direct_editor", "/w")
	k.share("own", "direct_owner", "/w")
	for _, who := range []string{"eve", "ed"} {
		k.mustFail(user(who), "register_workspace", `{"path":"/w"}`, errs.Denied)
	}
	k.do(user("own"), "register_workspace", `{"path":"/w","name":"main","tags":["a"],"metadata":{"n":1},"created_by":"user:eve"}`)
	if w := k.do(user("own"), "get_workspace_info", `{"path":"/w"}`).(*api.Workspace); w.CreatedBy != "user:own" || string(w.Metadata) != `{"n":1}` {
		t.Errorf("workspace = %+v, want it made by own", w)
	}
	if w := k.do(user("eve"), "get_workspace_info", `{"path":"/w"}`).(*api.Workspace); w != nil {
		t.Errorf("eve is told of %+v", w)
	}
	if all := k.do(user("eve"), "list_workspaces", `{}`).([]api.Workspace); len(all) > 0 {
		t.Errorf("eve lists %+v", all)
	}
	for method, params := range map[string]string{
		"workspace_snapshot": `{"workspace_path":"/w"}`, "workspace_log": `{"workspace_path":"/w"}`,
		"workspace_diff": `{"workspace_path":"/w","snapshot_1":1,"snapshot_2":1}`, "unregister_workspace": `{"path":"/w"}`,
	} {
		_, there := k.try(user("eve"), method, params)
		_, missing := k.try(user("eve"), method, strings.Replace(params, "/w", "/v", 1))
		k.mustCode(method, there, -32004)
		if there == nil || missing == nil || strings.Replace(there.Error(), "/w", "/v", 1) != missing.Error() {
			t.Errorf("%s: %v, and of nothing %v", method, there, missing)
		}
	}
	k.do(user("ed"), "workspace_snapshot", `{"workspace_path":"/w"}`)
	k.mustFail(user("ed"), "unregister_workspace", `{"path":"/w"}`, errs.Denied)
	_, err := k.try(k.admin, "workspace_snapshot", `{"workspace_path":"/"}`)
	k.mustCode("a snapshot of what is no workspace", err, -32602)
}

// TestDifferenceNamesNothingThatCannotBeReadNow: that a file was in a folder once gives nobody a right to it.
func TestDifferenceNamesNothingThatCannotBeReadNow(t *testing.T) {
	k := newKit(t, Config{})
	k.member("bob")
	k.write(k.admin, "/w/public", "x")
	k.write(k.admin, "/w/moved", "y")
	k.write(k.admin, "/w/deleted", "z")
	k.write(k.admin, "/private/g", "g")
	k.share("bob", "direct_viewer", "/w")
	k.do(k.admin, "register_workspace", `{"path":"/w"}`)
	k.do(k.admin, "workspace_snapshot", `{"workspace_path":"/w"}`)
	k.do(k.admin, "rename", moveParams("/w/moved", "/private/moved"))
	k.do(k.admin, "delete", `{"path":"/w/deleted"}`)
	k.do(k.admin, "workspace_snapshot", `{"workspace_path":"/w"}`)
	d := k.do(user("bob"), "workspace_diff", `{"workspace_path":"/w","snapshot_1":1,"snapshot_2":2}`).(api.Difference)
	if len(d.Removed) != 1 || d.Removed[0].Path != "/w/deleted" || d.Hidden != 1 || d.Unchanged != 1 {
		t.Errorf("bob sees %+v, want the deleted file named and the moved one counted", d)
	}
	d = k.do(k.admin, "workspace_diff", `{"workspace_path":"/w","snapshot_1":1,"snapshot_2":2}`).(api.Difference)
	if len(d.Removed) != 2 || d.Hidden != 0 {
		t.Errorf("admin sees %+v, want both", d)
	}
}

func TestWorkspaceEndsWhenItsTimeHasCome(t *testing.T) {
	clock := gatetest.NewClock()
	k := newKit(t, Config{Clock: clock})
	k.do(k.admin, "register_workspace", `{"path":"/w/run","ttl":60,"session_id":"s1"}`)
	k.do(k.admin, "register_workspace", `{"path":"/w/typed","ttl":{"__type__":"timedelta","seconds":7200}}`)
	k.write(k.admin, "/w/run/f", "x")
	k.share("bob", "direct_viewer", "/w/run")
	k.chore(expireWorkspaces)
	k.mustRead(user("bob"), "/w/run/f", "x")
	clock.Advance(61 * time.Second)
	k.chore(expireWorkspaces)
	k.mustNotRead(user("bob"), "/w/run/f")
	if got := k.paths(k.admin, "/"); !slices.Equal(got, []string{"/w", "/w/typed"}) {
		t.Errorf("left are %q", got)
	}
	if d := k.lastDecision(expireWorkspaces); d.Base.ID != "default/expirer" {
		t.Errorf("the end is recorded as that of %s", d.Base)
	}
	k.chore(sweepTrash)
	k.do(k.admin, "undelete", `{"path":"/w/run"}`)
	k.mustRead(k.admin, "/w/run/f", "x")
	_, err := k.try(k.admin, "register_workspace", `{"path":"/","ttl":60}`)
	k.mustCode("a root that ends", err, -32005)
}

func TestLifetimeIsANumberOrTyped(t *testing.T) {
	for text, want := range map[string]bool{`60`: true, `1.5`: true, `{"__type__":"timedelta","seconds":3}`: true, `null`: true, `-1`: false, `"60"`: false, `1e300`: false, `{}`: false} {
		var s api.Seconds
		if err := json.Unmarshal([]byte(text), &s); (err == nil) != want {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestRestoreLeavesOutWhatTheCallerCouldNotReadOrWriteNow(t *testing.T) {
	k := newKit(t, Config{})
	k.member("ed", "eve")
	k.write(k.admin, "/w/f", "one")
	k.write(k.admin, "/w/moved", "secret")
	k.write(k.admin, "/w/id_rsa", "key one")
	k.write(k.admin, "/private/g", "g")
	k.share("ed", "direct_editor", "/w")
	k.share("eve", "direct_viewer", "/w")
	k.do(k.admin, "register_workspace", `{"path":"/w"}`)
	k.do(k.admin, "workspace_snapshot", `{"workspace_path":"/w"}`)
	k.do(k.admin, "rename", moveParams("/w/moved", "/private/moved"))
	k.write(k.admin, "/w/f", "two")
	k.write(k.admin, "/w/id_rsa", "key two")
	k.write(k.admin, "/w/new", "new")
	restore := `{"workspace_path":"/w","snapshot_number":1}`
	k.mustFail(user("eve"), "workspace_restore", restore, errs.Denied)

	bot := k.newAgent("bot", "ann")
	k.relate(k.admin, []string{"agent", "bot"}, "direct_editor", []string{"file", "/w"})
	if r := k.do(bot, "workspace_restore", restore).(api.RestoreResult); r.Hidden != 2 {
		t.Errorf("an agent restores %+v, want the moved file and the private key left out", r)
	}
	k.mustRead(k.admin, "/w/id_rsa", "key two")

	r := k.do(user("ed"), "workspace_restore", restore).(api.RestoreResult)
	if !r.Restored || r.Hidden != 1 || r.Files != 1 {
		t.Errorf("an editor restores %+v, want the moved file left out", r)
	}
	k.mustRead(k.admin, "/w/f", "one")
	k.mustRead(k.admin, "/w/id_rsa", "key one")
	if got := k.paths(k.admin, "/w"); !slices.Equal(got, []string{"/w/f", "/w/id_rsa"}) {
		t.Errorf("there are %q", got)
	}
	if r := k.do(k.admin, "workspace_restore", restore).(api.RestoreResult); r.Files != 1 || r.Hidden != 0 {
		t.Errorf("who may read it restores %+v, want the moved file back", r)
	}
	k.mustRead(user("eve"), "/w/moved", "secret")
	_, err := k.try(k.admin, "workspace_restore", `{"workspace_path":"/w","snapshot_number":7}`)
	k.mustCode("a snapshot that is not there", err, -32000)
}

func TestServantMakesTheHashOfATree(t *testing.T) {
	k := newKit(t, Config{})
	k.member("eve")
	k.write(k.admin, "/w/a.txt", "one")
	k.write(k.admin, "/w/b/c", "two")
	k.do(k.admin, "register_workspace", `{"path":"/w"}`)
	s := k.do(k.admin, "workspace_snapshot", `{"workspace_path":"/w"}`).(api.Snapshot)
	if s.TreeHash != nil || s.ManifestHash == "" {
		t.Errorf("a snapshot is answered with %+v, want its tree's hash made later", s)
	}
	k.chore(hashTrees)
	want, err := treehash.OfFolder(fstest.MapFS{"a.txt": {Data: []byte("one")}, "b/c": {Data: []byte("two")}}, ".")
	if err != nil {
		t.Fatal(err)
	}
	all := k.do(k.admin, "workspace_log", `{"workspace_path":"/w"}`).([]api.Snapshot)
	if len(all) != 1 || all[0].TreeHash == nil || *all[0].TreeHash != want {
		t.Errorf("log = %+v, want the hash %s", all, want)
	}
	if w := k.do(k.admin, "get_workspace_info", `{"path":"/w"}`).(*api.Workspace); w.TreeHash == nil || *w.TreeHash != want {
		t.Errorf("workspace = %+v, want the hash %s", w, want)
	}
	if d := k.lastDecision(hashTrees); d.Base.ID != "default/indexer" {
		t.Errorf("the hash is recorded as made by %s", d.Base)
	}
}

func TestVersionsAreKeptAsTheSettingsSay(t *testing.T) {
	clock := gatetest.NewClock()
	k := newKit(t, Config{Clock: clock, Versions: storage.VersionsKept{Newest: 2, For: time.Hour}})
	for _, text := range []string{"one", "two", "three", "four"} {
		k.write(k.admin, "/w/f", text)
	}
	k.chore(dropVersions)
	k.do(k.admin, "get_version", `{"path":"/w/f","version":1}`)
	clock.Advance(2 * time.Hour)
	k.chore(dropVersions)
	for version, there := range map[string]bool{"1": false, "2": false, "3": true, "4": true, "5": false} {
		for _, method := range []string{"get_version", "rollback"} {
			if method == "rollback" && there {
				continue
			}
			_, err := k.try(k.admin, method, `{"path":"/w/f","version":`+version+`}`)
			if there != (err == nil) {
				t.Errorf("%s of version %s: %v", method, version, err)
			}
			if !there {
				k.mustCode(method, err, -32000)
			}
		}
	}
	if d := k.lastDecision(dropVersions); d.Base.ID != "default/sweeper" {
		t.Errorf("recorded as done by %s", d.Base)
	}
	for _, c := range newKit(t, Config{}).chores() {
		if c.name == dropVersions {
			t.Error("versions are dropped where nothing says so")
		}
	}
}

// restoreGrant is what one step of a restore of /w needs, decided for admin.
func (k *kit) restoreGrant() storage.RestoreGrant {
	k.t.Helper()
	a, err := k.Store.Names().Address(context.Background(), "default", "/w")
	if err != nil {
		k.t.Fatal(err)
	}
	gate, access, act := k.Service.Gate(), schema.Home(k.admin).Access(), authz.Act{Op: "workspaces.restore", Durable: true}
	root, _, err1 := authz.Ask(context.Background(), gate, k.admin, act, schema.File{Address: a}.Write())
	changed, _, err2 := authz.Ask(context.Background(), gate, k.admin, act, schema.WriteFilesWithin(gate, access, api.Write.Name))
	source, _, err3 := authz.Ask(context.Background(), gate, k.admin, act, schema.ReadFilesWithin(gate, access, api.Read.Name))
	if err := errors.Join(err1, err2, err3); err != nil {
		k.t.Fatal(err)
	}
	return storage.RestoreGrant{Root: root, Changed: changed, Source: source}
}

// TestRestoreOfAServerThatDiedIsGoneOnWith: whoever may read the workspace watches it.
func TestRestoreOfAServerThatDiedIsGoneOnWith(t *testing.T) {
	k := newKit(t, Config{})
	k.member("eve", "ann")
	for i := range 150 {
		k.write(k.admin, fmt.Sprintf("/w/d/%d", i), "then")
	}
	k.do(k.admin, "register_workspace", `{"path":"/w"}`)
	k.do(k.admin, "workspace_snapshot", `{"workspace_path":"/w"}`)
	k.share("ann", "direct_viewer", "/w")
	k.do(k.admin, "rmdir", `{"path":"/w/d","recursive":true}`)
	status := func() *api.RestoreStatus {
		return k.do(user("ann"), "workspace_restore_status", `{"workspace_path":"/w"}`).(*api.RestoreStatus)
	}
	mustBe := func(s *api.RestoreStatus, state string, left int64) {
		t.Helper()
		if s == nil || s.State != state || s.Left != left || s.Files != 151-left || s.By != "user:admin" {
			t.Errorf("status = %+v, want it %s with %d left", s, state, left)
		}
	}
	if s := status(); s != nil {
		t.Errorf("status = %+v before there was a restore", s)
	}
	r, err := k.Store.Workspaces().Restore(t.Context(), k.restoreGrant(), 1)
	for range 2 { // the folder, and some of the files
		err = cmp.Or(err, r.Step(t.Context(), k.restoreGrant()))
	}
	if err != nil {
		t.Fatal(err)
	}
	job, left := status().Job, r.State().Left
	if left < 50 || left > 149 {
		t.Errorf("%d are left after two steps", left)
	}
	mustBe(status(), api.RestoreRunning, left)
	restore := `{"workspace_path":"/w","snapshot_number":1}`
	_, err = k.try(k.admin, "workspace_restore", restore)
	k.mustCode("a second restore at once", err, -32006)
	k.mustFail(user("eve"), "workspace_restore_status", `{"workspace_path":"/w"}`, errs.Denied)
	k.restart()
	mustBe(status(), api.RestoreInterrupted, left)
	out := k.do(k.admin, "workspace_restore", restore).(api.RestoreResult)
	if out.Job != job || out.Files != 151 || out.Hidden+out.Kept != 0 {
		t.Errorf("gone on with: %+v, want the rest of %s, 151 in all", out, job)
	}
	mustBe(status(), api.RestoreDone, 0)
	if got := k.paths(k.admin, "/w/d"); len(got) != 150 {
		t.Errorf("%d files are back, want 150", len(got))
	}
}
