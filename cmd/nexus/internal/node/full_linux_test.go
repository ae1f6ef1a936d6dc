package node

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"nexus/authzsvc/audit"
	"nexus/internal/disk"
	"nexus/internal/errs"
)

// small returns a directory on a file system of its own with so many MiB.
func small(t *testing.T, mib int) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%dm", mib)); err != nil {
		t.Skipf("NOT TESTED ON A FULL DISK: mounting a small one takes root: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
	return dir
}

// occupy takes the room of a directory but for so many bytes, and returns a function that gives it back.
func occupy(t *testing.T, dir string, leave int64) (free func()) {
	t.Helper()
	f, err := os.CreateTemp(dir, "somebody-elses-")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for block := make([]byte, 64<<10); len(block) > 0; {
		if left, err := disk.Free(dir); err != nil || left <= leave {
			break
		}
		if _, err := f.Write(block); err != nil {
			block = block[:len(block)/2]
		}
	}
	return func() {
		if err := os.Remove(f.Name()); err != nil {
			t.Fatal(err)
		}
	}
}

// mustRefuse calls a method that must be refused because the disk is full.
func (k *kit) mustRefuse(method, params string) {
	k.t.Helper()
	if r, err := k.try(k.admin, method, params); errs.From(err) == nil || errs.From(err).Reason != errs.DiskFull || errs.HTTP(err) != 507 {
		k.t.Errorf("%s on a full disk = %v, %v, want %s", method, r, err, errs.DiskFull)
	}
}

// TestFullDiskRefusesWhatAddsAndTakesDeletes goes all the way: below the mark, without any room, and back.
func TestFullDiskRefusesWhatAddsAndTakesDeletes(t *testing.T) {
	dir := small(t, 128)
	k := newKit(t, Config{DataDir: dir, DiskReserve: 16 << 20, Ballast: 8 << 20, Record: audit.Options{ReserveBytes: 4 << 20}})
	ballast := func() bool {
		_, err := os.Stat(filepath.Join(dir, "ballast"))
		return err == nil
	}
	body := strings.Repeat("x", 10<<10)
	for n := range 3 {
		k.write(k.admin, fmt.Sprintf("/full/%d", n), body)
	}
	grant := k.share("alice", "direct_viewer", "/full")
	if !ballast() || k.Room.Notice() != "" {
		t.Fatalf("with room: ballast %v, notice %q", ballast(), k.Room.Notice())
	}

	freeSome := occupy(t, dir, 12<<20)
	until(t, "writes are refused below the mark", func() bool { return k.Room.Notice() != "" })
	k.mustRefuse("write", writeParams("/full/new", "x"))
	k.mustRefuse("mkdir", `{"path":"/more"}`)
	k.mustRead(user("alice"), "/full/1", body)
	k.do(k.admin, "delete", `{"path":"/full/0"}`)
	k.do(k.admin, "audit_list", `{}`)
	if !ballast() {
		t.Error("the ballast was given up before it was needed")
	}

	freeRest := occupy(t, dir, 0)
	for n := 0; ballast(); n++ { // until what the database and the record have in hand is used up, too
		if _, err := k.try(k.admin, "delete", fmt.Sprintf(`{"path":"/full/%d"}`, n)); err != nil && !errors.Is(err, errs.NotFound) || n > 10_000 {
			t.Fatalf("delete %d on a full disk = %v", n, err)
		}
	}
	k.mustRefuse("write", writeParams("/full/new", "x"))
	k.unshare(grant)

	freeRest()
	freeSome()
	until(t, "writes are accepted", func() bool { return k.Room.Notice() == "" })
	k.mustNotRead(user("alice"), "/full/2")
	k.write(k.admin, "/full/new", "x")
	if !ballast() {
		t.Error("the ballast was not made again")
	}
	k.mustVerify()
}

// TestOnlyTheEssentialGoesOnWhileTheRecordLivesOnItsReserve: and everything does again once there is room.
func TestOnlyTheEssentialGoesOnWhileTheRecordLivesOnItsReserve(t *testing.T) {
	record := small(t, 16) // before the kit, which is closed before it goes
	k := newKit(t, Config{DataDir: t.TempDir(), Record: audit.Options{ReserveBytes: 4 << 20}})
	k.close()
	dir := k.config.DataDir
	if err := os.CopyFS(record, os.DirFS(RecordDir(dir))); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(RecordDir(dir)); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(record, RecordDir(dir)); err != nil {
		t.Fatal(err)
	}
	k.open()
	k.write(k.admin, "/f", "x")
	free := occupy(t, record, 0)
	for n := 0; !k.Service.Record().OnReserve(); n++ {
		if _, err := k.try(k.admin, "delete", fmt.Sprintf(`{"path":"/nothing%d"}`, n)); !errors.Is(err, errs.NotFound) || n > 10_000 {
			t.Fatalf("a delete while the record fills its disk = %v", err)
		}
	}
	k.mustRefuse("read", `{"path":"/f"}`)
	k.mustRefuse("list", `{"path":"/"}`)
	k.mustRefuse("write", writeParams("/g", "x"))
	k.do(k.admin, "audit_list", `{}`)
	k.do(k.admin, "delete", `{"path":"/f"}`)
	k.do(k.admin, "admin_create_key", `{"user_id":"admin","name":"to clear up"}`)
	free()
	until(t, "the reserve is taken again", func() bool { return !k.Service.Record().OnReserve() })
	k.write(k.admin, "/g", "x")
	k.mustRead(k.admin, "/g", "x")
	k.mustVerify()
}
