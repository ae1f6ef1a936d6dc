package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"nexus/apiserver/api"
	"nexus/cmd/nexus/internal/backup"
	"nexus/internal/errs"
)

// backUp makes a backup through the operation, and waits until it is done.
func (k *kit) backUp() api.Backup {
	k.t.Helper()
	b := k.do(k.admin, "admin_backup", `{}`).(api.Backup)
	for b.State == api.BackupRunning {
		b = k.do(k.admin, "admin_backup_status", `{"backup_id":"`+b.ID+`"}`).(api.Backup)
	}
	if b.State != api.BackupDone {
		k.t.Fatalf("the backup is %+v", b)
	}
	return b
}

func quiet(backup.Phase, int64, int64, int64) {}

// restored opens a node on what a backup restores to.
func restored(t *testing.T, path string, root *kit) *kit {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "restored")
	if _, err := backup.Restore(t.Context(), path, dir, quiet); err != nil {
		t.Fatal(err)
	}
	k := &kit{t: t, config: Config{DataDir: dir}, root: root.root, admin: root.admin}
	k.open()
	t.Cleanup(k.close)
	return k
}

// story is that of the README: a group may read a folder, and somebody else may not.
func (k *kit) story() {
	k.write(k.admin, "/src/net/http/server.go", "package http")
	k.write(k.admin, "/src/os/file.go", "package os")
	k.relate(k.admin, []string{"user", "alice"}, "member", []string{"group", "eng"})
	k.relate(k.admin, []string{"group", "eng"}, "direct_viewer", []string{"file", "/src/net"})
}

func (k *kit) storyHolds() {
	k.t.Helper()
	k.mustRead(user("alice"), "/src/net/http/server.go", "package http")
	k.mustNotRead(user("alice"), "/src/os/file.go")
	k.mustNotRead(user("bob"), "/src/net/http/server.go")
	k.mustNotRead(user("bob"), "/src/net/http/nothing.go")
}

// TestBackupOfAWorkingServerIsItsStateOfOneMoment: writers go on while it is made.
func TestBackupOfAWorkingServerIsItsStateOfOneMoment(t *testing.T) {
	k := newKit(t, Config{BackupDir: t.TempDir()})
	k.story()
	k.storyHolds()
	decision := k.lastDecision("files.read").ID
	before := k.explained(decision)
	k.do(k.admin, "mkdir", `{"path":"/load"}`)

	const writers = 4
	var acknowledged [writers]atomic.Int64
	quit := make(chan struct{})
	var working sync.WaitGroup
	for w := range writers {
		working.Go(func() {
			for n := int64(1); ; n++ {
				select {
				case <-quit:
					return
				default:
				}
				path := fmt.Sprintf("/load/w%d", w)
				if _, err := k.try(k.admin, "write", writeParams(path, loadText(path, int(n)))); err != nil {
					t.Errorf("write beside a backup: %v", err)
					return
				}
				acknowledged[w].Store(n)
			}
		})
	}
	var made []api.Backup
	var floor [][writers]int64
	for range 3 {
		var now [writers]int64
		for w := range now {
			for now[w] == 0 {
				now[w] = acknowledged[w].Load()
			}
		}
		floor, made = append(floor, now), append(made, k.backUp())
	}
	close(quit)
	working.Wait()

	for i, b := range made {
		if s, err := backup.Verify(t.Context(), b.Path, quiet); err != nil || s.ID != b.ID {
			t.Errorf("Verify = %+v, %v", s, err)
		}
		c := restored(t, b.Path, k)
		c.mustBeSettled()
		c.mustVerify()
		c.storyHolds()
		if after := c.explained(decision); !after.SameAnswer || after.Explanation != before.Explanation {
			t.Errorf("on the copy the decision is explained by %s, before by %s", after.Explanation, before.Explanation)
		}
		for w := range writers {
			path := fmt.Sprintf("/load/w%d", w)
			m := c.do(c.admin, "get_metadata", `{"path":"`+path+`"}`).(*api.Metadata)
			if m == nil || m.Version < floor[i][w] || m.Version > acknowledged[w].Load() {
				t.Errorf("%s is %+v on the copy; version %d was acknowledged before the backup", path, m, floor[i][w])
				continue
			}
			c.mustRead(c.admin, path, loadText(path, int(m.Version)))
		}
		c.write(c.admin, "/load/new", "the copy goes on")
		c.mustVerify()
	}
	k.mustVerify()
}

func TestBackupIsForWhoAdministersThePlatform(t *testing.T) {
	k := newKit(t, Config{BackupDir: t.TempDir()})
	k.member("alice")
	for _, method := range []string{"admin_backup", "admin_backup_status"} {
		k.mustFail(user("alice"), method, `{}`, errs.Denied)
	}
	k.mustFail(k.admin, "admin_backup_status", `{}`, errs.NotFound)
	for _, id := range []string{"..", "../x", "/etc", "20260102T030405Z-0123456789ab", "x"} {
		raw, _ := json.Marshal(api.BackupParams{ID: id})
		k.mustFail(k.admin, "admin_backup_status", string(raw), errs.NotFound)
		k.mustFail(k.admin, "admin_backup", string(raw), errs.NotFound)
	}
	done := k.backUp()
	k.mustFail(k.admin, "admin_backup", `{"backup_id":"`+done.ID+`"}`, errs.Precondition)
	if left, err := os.ReadDir(k.config.BackupDir); err != nil || len(left) != 1 || left[0].Name() != done.ID {
		t.Errorf("the directory of backups holds %v, %v", left, err)
	}

	none := newKit(t, Config{})
	none.mustFail(none.admin, "admin_backup", `{}`, errs.Precondition)
}

// TestServerKilledInABackupLeavesNoneThatVerifies, and the next server goes on with it.
func TestServerKilledInABackupLeavesNoneThatVerifies(t *testing.T) {
	k := newKit(t, Config{})
	k.story()
	k.write(k.admin, "/big", strings.Repeat("some megabytes\n", 1<<20))
	k.close()
	t.Cleanup(k.open)
	dir := t.TempDir()
	for _, phase := range []backup.Phase{backup.Database, backup.Record, backup.Finish} {
		target := filepath.Join(dir, string(phase))
		cmd, out := spawn(t, childBacksUp, k.config.DataDir, envTarget+"="+target)
		for out.Scan() {
			if out.Text() == string(phase) {
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := cmd.Wait(); err == nil {
			t.Fatalf("the child was not killed in phase %s", phase)
		}
		for _, name := range []string{target, target + ".partial"} {
			if _, err := backup.Verify(t.Context(), name, quiet); err == nil {
				t.Errorf("killed in phase %s: %s verifies", phase, name)
			}
			if _, err := backup.Restore(t.Context(), name, t.TempDir(), quiet); err == nil {
				t.Errorf("killed in phase %s: %s can be restored", phase, name)
			}
		}
		k.open()
		at, err := os.Stat(filepath.Join(target+".partial", "nexus.db"))
		if _, err := k.take(target); err != nil {
			t.Errorf("going on after phase %s: %v", phase, err)
		}
		again, _ := os.Stat(filepath.Join(target, "nexus.db"))
		if phase != backup.Database && (err != nil || !os.SameFile(at, again)) {
			t.Errorf("phase %s: the database was copied once more", phase)
		}
		k.close()
		c := restored(t, target, k)
		c.storyHolds()
		c.mustVerify()
	}
}

// take makes a backup of the kit's node without an operation.
func (k *kit) take(target string) (backup.Summary, error) {
	return backup.Take(context.Background(), k.source(), target, quiet)
}

func (k *kit) source() backup.Source {
	return backup.Source{Dir: k.config.DataDir, DB: k.DB, Record: k.Service.Record(), Program: "test", Clock: k.clock}
}

// backUpAndSay makes a backup of dir, and says each phase as it begins. It waits there, to be killed.
func backUpAndSay(dir, target string) int {
	ctx := context.Background()
	n, err := Open(ctx, Config{DataDir: dir})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 3
	}
	k := &kit{Node: n, config: Config{DataDir: dir}}
	killIn := filepath.Base(target)
	_, err = backup.Take(ctx, k.source(), target, func(p backup.Phase, files, bytes, total int64) {
		if string(p) == killIn && (p != backup.Database || bytes > 0) {
			fmt.Println(p)
			select {}
		}
	})
	fmt.Fprintln(os.Stderr, err)
	return 0
}

func TestDamagedBackupIsRefusedAndLeavesNothing(t *testing.T) {
	k := newKit(t, Config{BackupDir: t.TempDir()})
	k.story()
	blob := filepath.Join(k.config.DataDir, "blobs", "default", "88", "d4", "88d4266fd4e6338d13b845fcf289579d209c897823b9217da3e161936f031589")
	unfinished := filepath.Join(k.config.DataDir, "blobs", "default", "tmp", "upload-1")
	for name, text := range map[string]string{blob: "abcd", unfinished: "ab"} {
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	whole := k.backUp().Path
	c := restored(t, whole, k)
	copied := filepath.Join(c.config.DataDir, strings.TrimPrefix(blob, k.config.DataDir))
	if text, err := os.ReadFile(copied); err != nil || string(text) != "abcd" {
		t.Errorf("the blob is %q, %v", text, err)
	}
	if _, err := os.Stat(filepath.Join(c.config.DataDir, "blobs", "default", "tmp")); err == nil {
		t.Error("an unfinished upload was copied")
	}

	edit := func(name string, f func([]byte) []byte) func(string) error {
		return func(dir string) error {
			text, err := os.ReadFile(filepath.Join(dir, name))
			if err != nil {
				return err
			}
			return os.WriteFile(filepath.Join(dir, name), f(text), 0o600)
		}
	}
	flip := func(b []byte) []byte { b[len(b)/2] ^= 1; return b }
	cut := func(b []byte) []byte { return b[:len(b)-1] }
	lastLine := func(b []byte) []byte { return b[:strings.LastIndexByte(string(b[:len(b)-1]), '\n')+1] }
	in, _ := filepath.Rel(k.config.DataDir, blob)
	for what, damage := range map[string]func(dir string) error{
		"a flipped byte of the database": edit("nexus.db", flip),
		"a database cut short":           edit("nexus.db", cut),
		"a flipped byte of the record":   edit("audit/000001.seg", flip),
		"a flipped byte of a blob":       edit(in, flip),
		"a flipped byte of the manifest": edit("MANIFEST", flip),
		"a manifest cut short":           edit("MANIFEST", cut),
		"a manifest without its end":     edit("MANIFEST", lastLine),
		"a line more in the manifest":    edit("MANIFEST", func(b []byte) []byte { return append(b, b...) }),
		"a manifest of a newer program": edit("MANIFEST", func(b []byte) []byte {
			return []byte(strings.Replace(string(b), `"nexus_backup":1`, `"nexus_backup":9`, 1))
		}),
		"a file that is gone": func(dir string) error { return os.Remove(filepath.Join(dir, "audit/head")) },
		"a file too many":     func(dir string) error { return os.WriteFile(filepath.Join(dir, "audit/000002.seg"), nil, 0o600) },
		"a stranger":          func(dir string) error { return os.WriteFile(filepath.Join(dir, "audit/key"), nil, 0o600) },
		"a link in place of a file": func(dir string) error {
			name := filepath.Join(dir, "nexus.db")
			if err := os.Rename(name, dir+".db"); err != nil {
				return err
			}
			return os.Symlink(dir+".db", name)
		},
		"no manifest": func(dir string) error { return os.Remove(filepath.Join(dir, "MANIFEST")) },
	} {
		t.Run(what, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "damaged")
			if err := os.CopyFS(dir, os.DirFS(whole)); err != nil {
				t.Fatal(err)
			}
			if err := damage(dir); err != nil {
				t.Fatal(err)
			}
			if _, err := backup.Verify(t.Context(), dir, quiet); !errors.Is(err, errs.Precondition) {
				t.Errorf("Verify = %v, want precondition", err)
			}
			data := filepath.Join(t.TempDir(), "data")
			if _, err := backup.Restore(t.Context(), dir, data, quiet); !errors.Is(err, errs.Precondition) {
				t.Errorf("Restore = %v, want precondition", err)
			}
			if left, err := os.ReadDir(data); err != nil || len(left) > 0 {
				t.Errorf("left in the data directory: %v, %v", left, err)
			}
		})
	}
}

func TestRestoreTakesAnEmptyDirectoryAlone(t *testing.T) {
	k := newKit(t, Config{BackupDir: t.TempDir()})
	path := k.backUp().Path
	data := t.TempDir()
	if err := os.WriteFile(filepath.Join(data, "notes.txt"), []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := backup.Restore(t.Context(), path, data, quiet); !errors.Is(err, errs.Exists) {
		t.Errorf("Restore over files = %v, want exists", err)
	}
	if text, err := os.ReadFile(filepath.Join(data, "notes.txt")); err != nil || string(text) != "mine" {
		t.Errorf("the file is %q, %v", text, err)
	}
	if _, err := backup.Restore(t.Context(), path, k.config.DataDir, quiet); !errors.Is(err, errs.Exists) {
		t.Errorf("Restore over a server's directory = %v, want exists", err)
	}
}

// TestHalfARestoreCannotBeServed: what a crash leaves is refused, until it is emptied.
func TestHalfARestoreCannotBeServed(t *testing.T) {
	k := newKit(t, Config{BackupDir: t.TempDir()})
	path := k.backUp().Path
	data := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	_, err := backup.Restore(ctx, path, data, func(backup.Phase, int64, int64, int64) {
		cancel()
		if err := os.CopyFS(data+".crash", os.DirFS(data)); err != nil && !errors.Is(err, os.ErrExist) {
			t.Error(err)
		}
	})
	if !errors.Is(err, errs.Canceled) {
		t.Errorf("a restore that was broken off = %v, want canceled", err)
	}
	if _, err := Open(t.Context(), Config{DataDir: data + ".crash"}); !errors.Is(err, errs.Precondition) {
		t.Errorf("Open of half a restore = %v, want precondition", err)
	}
	if _, err := backup.Restore(t.Context(), path, data+".crash", quiet); !errors.Is(err, errs.Precondition) {
		t.Errorf("Restore over half a restore = %v, want precondition", err)
	}
	if _, err := backup.Restore(t.Context(), path, data, quiet); err != nil {
		t.Errorf("Restore after one that was broken off = %v", err)
	}
}
