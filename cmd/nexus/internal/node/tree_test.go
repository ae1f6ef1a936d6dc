package node

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"nexus/apiserver/api"
	"nexus/internal/errs"
	"nexus/internal/sqldb"
)

func moveParams(from, to string) string {
	return fmt.Sprintf(`{"old_path":%q,"new_path":%q}`, from, to)
}

func (k *kit) mustCode(what string, err error, code int) {
	k.t.Helper()
	if err == nil || errs.RPC(err) != code {
		k.t.Errorf("%s: err = %v, want code %d", what, err, code)
	}
}

func TestRightsMoveWithAFolder(t *testing.T) {
	k := newKit(t, Config{})
	k.write(k.admin, "/a/b/f", "x")
	k.write(k.admin, "/open/g", "y")
	k.share("old", "direct_viewer", "/a")
	k.share("own", "direct_viewer", "/a/b")
	k.share("new", "direct_viewer", "/open")
	k.mustRead(user("old"), "/a/b/f", "x")
	k.do(k.admin, "rename", moveParams("/a/b", "/open/b"))
	k.mustNotRead(user("old"), "/open/b/f")
	k.mustFail(user("old"), "read", `{"path":"/a/b/f"}`, errs.NotFound) // he may still see what comes to be in /a
	k.mustRead(user("own"), "/open/b/f", "x")
	k.mustRead(user("new"), "/open/b/f", "x")
}

func TestMovingTakesTheOwnerAndRenamingAnEditor(t *testing.T) {
	k := newKit(t, Config{})
	k.member("ed", "own")
	k.write(k.admin, "/a/f", "x")
	k.write(k.admin, "/b/g", "y")
	k.share("ed", "direct_editor", "/a")
	k.share("ed", "direct_editor", "/b")
	k.share("own", "direct_owner", "/a/f")
	_, err := k.try(user("ed"), "rename", moveParams("/a/f", "/b/f"))
	k.mustCode("an editor moves what is not his", err, -32004)
	k.do(user("ed"), "rename", moveParams("/a/f", "/a/f2"))
	_, err = k.try(user("own"), "rename", moveParams("/a/f2", "/b/f"))
	k.mustCode("an owner moves into a folder that he may not write", err, -32004)
	k.share("own", "direct_editor", "/b")
	k.do(user("own"), "rename", moveParams("/a/f2", "/b/f"))
	k.mustRead(k.admin, "/b/f", "x")
}

func TestTargetThatCannotBeSeenIsNotTold(t *testing.T) {
	k := newKit(t, Config{})
	k.member("own")
	k.write(k.admin, "/a/f", "x")
	k.write(k.admin, "/hidden/g", "y")
	k.share("own", "direct_owner", "/a")
	_, there := k.try(user("own"), "rename", moveParams("/a/f", "/hidden/g"))
	k.mustCode("onto what exists unseen", there, -32004)
	_, missing := k.try(user("own"), "rename", moveParams("/a/f", "/hidden/h"))
	k.mustCode("onto nothing unseen", missing, -32004)
	if a, b := there.Error(), strings.ReplaceAll(missing.Error(), "/hidden/h", "/hidden/g"); a != b {
		t.Errorf("answers differ:\n%s\n%s", a, b)
	}
	_, err := k.try(k.admin, "rename", moveParams("/a/f", "/hidden/g"))
	k.mustCode("onto what is seen", err, -32001)
	_, err = k.try(k.admin, "rename", moveParams("/a/nothing", "/a/h"))
	k.mustCode("of nothing", err, -32000)
}

func TestStrangerChangesNothingOfTheTree(t *testing.T) {
	k := newKit(t, Config{})
	k.member("eve")
	k.write(k.admin, "/vault/s.txt", "x")
	for method, params := range map[string][2]string{
		"rename":       {moveParams("/vault/s.txt", "/vault/t.txt"), moveParams("/vault/none", "/vault/t.txt")},
		"delete":       {`{"path":"/vault/s.txt"}`, `{"path":"/vault/none"}`},
		"rmdir":        {`{"path":"/vault","recursive":true}`, `{"path":"/vault2","recursive":true}`},
		"copy":         {`{"from_path":"/vault/s.txt","to_path":"/x"}`, `{"from_path":"/vault/none","to_path":"/x"}`},
		"undelete":     {`{"path":"/vault/gone"}`, `{"path":"/vault/none"}`},
		"list_deleted": {`{"path":"/vault"}`, `{"path":"/vault2"}`},
	} {
		for _, p := range params {
			_, err := k.try(user("eve"), method, p)
			k.mustCode(method+" "+p, err, -32004)
		}
	}
	k.mustRead(k.admin, "/vault/s.txt", "x")
}

func TestGrantOfADeletedFileOpensNoLaterOne(t *testing.T) {
	k := newKit(t, Config{})
	k.write(k.admin, "/a/f", "x")
	k.share("bob", "direct_viewer", "/a/f")
	k.mustRead(user("bob"), "/a/f", "x")
	k.do(k.admin, "delete", `{"path":"/a/f"}`)
	k.mustNotRead(user("bob"), "/a/f")
	k.write(k.admin, "/a/f", "new")
	k.mustNotRead(user("bob"), "/a/f")
	k.do(k.admin, "delete", `{"path":"/a/f"}`)
	k.do(k.admin, "undelete", `{"path":"/a/f"}`)
	k.mustNotRead(user("bob"), "/a/f")
	k.mustRead(k.admin, "/a/f", "new")
}

func TestRemovedFolderComesBackWithoutItsGrants(t *testing.T) {
	k := newKit(t, Config{})
	k.write(k.admin, "/a/b/f", "x")
	k.share("bob", "direct_viewer", "/a/b/f")
	k.share("carl", "direct_viewer", "/a/b")
	k.do(k.admin, "rmdir", `{"path":"/a","recursive":true}`)
	k.mustNotRead(user("bob"), "/a/b/f")
	var err error
	for range 100 { // the sweep runs by itself
		if _, err = k.try(k.admin, "undelete", `{"path":"/a"}`); !errors.Is(err, errs.Unavailable) {
			break
		}
		k.chore(sweepTrash)
	}
	if err != nil {
		t.Fatal(err)
	}
	k.mustRead(k.admin, "/a/b/f", "x")
	k.mustNotRead(user("bob"), "/a/b/f")
	k.mustNotRead(user("carl"), "/a/b/f")
	if d := k.lastDecision("trash.sweep"); d.Base.Type != "service" || !d.Allowed {
		t.Errorf("the sweep is recorded as %+v", d)
	}
}

// TestAgentGivesMaskedValuesNoOtherName: what a rule masks by its name must not be had by giving it another.
func TestAgentGivesMaskedValuesNoOtherName(t *testing.T) {
	k := newKit(t, Config{})
	k.write(k.admin, "/app/.env", "TOKEN=hunter2")
	bot := k.newAgent("bot", "ann")
	k.relate(k.admin, []string{"agent", "bot"}, "direct_owner", []string{"file", "/app"})
	if got, err := k.read(bot, "/app/.env"); err != nil || strings.Contains(got, "hunter2") {
		t.Fatalf("read = %q, %v, want it masked", got, err)
	}
	for method, params := range map[string]string{
		"rename": moveParams("/app/.env", "/app/notes"),
		"copy":   `{"from_path":"/app/.env","to_path":"/app/notes"}`,
	} {
		_, err := k.try(bot, method, params)
		k.mustCode(method, err, -32004)
	}
	k.do(k.admin, "rename", moveParams("/app/.env", "/app/notes"))
	k.mustRead(bot, "/app/notes", "TOKEN=hunter2") // a person may
}

func TestIsDirectoryTellsWhatIsVisible(t *testing.T) {
	k := newKit(t, Config{})
	k.member("bob", "eve")
	k.write(k.admin, "/a/b/f", "x")
	k.share("bob", "direct_viewer", "/a/b/f")
	for _, c := range []struct {
		who  string
		path string
		want bool
	}{{"bob", "/a", true}, {"bob", "/a/b", true}, {"bob", "/a/b/f", false}, {"bob", "/none", false}, {"eve", "/a", false}} {
		got := k.do(user(c.who), "is_directory", `{"path":"`+c.path+`"}`).(api.IsDirectory).IsDirectory
		if got != c.want {
			t.Errorf("is_directory %s for %s = %v, want %v", c.path, c.who, got, c.want)
		}
	}
}

// TestTwoMoversMakeNoCycle: each move alone is right, both together would put two folders into one another.
func TestTwoMoversMakeNoCycle(t *testing.T) {
	k := newKit(t, Config{})
	for i := range 20 {
		a, b := fmt.Sprintf("/a%d", i), fmt.Sprintf("/b%d", i)
		k.write(k.admin, a+"/f", "a")
		k.write(k.admin, b+"/f", "b")
		done := make(chan error, 2)
		for _, p := range []string{moveParams(a, b+"/in"), moveParams(b, a+"/in")} {
			go func() {
				_, err := k.try(k.admin, "rename", p)
				done <- err
			}()
		}
		if one, two := <-done, <-done; one != nil && two != nil {
			t.Fatalf("round %d: %v, %v, want one at least", i, one, two)
		}
		files := slices.DeleteFunc(k.paths(k.admin, "/"), func(p string) bool { return !strings.HasSuffix(p, "/f") })
		if len(files) != 2*(i+1) {
			t.Fatalf("round %d: %q are left, want %d files", i, files, 2*(i+1))
		}
	}
}

// BenchmarkRenameFolder prints what a rename takes by what lies in the folder, and what a write takes beside it.
func BenchmarkRenameFolder(b *testing.B) {
	for _, files := range []int{1_000, 100_000} {
		b.Run(fmt.Sprint(files), func(b *testing.B) {
			k := newKit(b, Config{})
			k.write(k.admin, "/big/d/f", "x")
			k.fillFolder("/big/d", files)
			names := []string{"/big", "/large"}
			b.ResetTimer()
			for i := range b.N {
				k.do(k.admin, "rename", moveParams(names[i%2], names[(i+1)%2]))
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/1000, "ms/op")
		})
	}
}

var (
	fillDirs = sqldb.SQL(`INSERT INTO dirs (id, tenant, parent, path, name, state, created, modified)
		WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $3)
		SELECT 'default/d' || i, 'default', $1, $2 || 'd' || i || '/', 'd' || i || '/', 2, 1, 1 FROM n`)
	fillFiles = sqldb.SQL(`INSERT INTO files (id, dir, name, version, etag, size, type, seq, created, modified)
		WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1)
		SELECT 'default/f' || i, 'default/d' || (i % $2 + 1), 'f' || i, 1, 'e', 1, 't', 1, 1, 1 FROM n`)
)

// fillFolder puts files into a folder by rows alone, ten to a folder: relationships do not change what a rename costs.
func (k *kit) fillFolder(folder string, files int) {
	k.t.Helper()
	a, err := k.Store.Names().Address(context.Background(), "default", folder)
	if err != nil {
		k.t.Fatal(err)
	}
	start := time.Now()
	err = k.DB.Tx(context.Background(), func(ctx context.Context, tx sqldb.Tx) error {
		if _, err := tx.Exec(ctx, fillDirs, a.Anchor, folder+"/", files/10); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, fillFiles, files, files/10)
		return err
	})
	if err != nil {
		k.t.Fatal(err)
	}
	k.t.Logf("%d files in %s", files, time.Since(start))
}
