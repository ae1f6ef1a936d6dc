package sqldb

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

func TestFullDiskRefusesWritesKeepsReadsAndRecovers(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=12m"); err != nil {
		t.Skipf("NOT TESTED ON A FULL DISK: mounting a small one takes root: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
	spare := filepath.Join(dir, "ballast")
	if err := os.WriteFile(spare, make([]byte, 4<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	l := openLiteAt(t, filepath.Join(dir, "test.db"), LiteOptions{})
	fillAndRecover(t, l, func() {
		if err := os.Remove(spare); err != nil {
			t.Fatal(err)
		}
	})
}
