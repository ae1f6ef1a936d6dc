package sqldb

import (
	"context"
	"errors"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"nexus/internal/errs"
)

func TestFullDatabaseRefusesWritesKeepsReadsAndRecovers(t *testing.T) {
	l := openLite(t, LiteOptions{})
	limit := func(pages string) {
		err := l.Tx(t.Context(), func(ctx context.Context, tx Tx) error {
			conn, _ := WriterConn(tx)
			_, err := conn.ExecContext(ctx, "PRAGMA max_page_count = "+pages)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	limit("400")
	fillAndRecover(t, l, func() { limit("4294967294") })
}

// fillAndRecover writes until the database is full, sees what still works, makes space, and writes again.
func fillAndRecover(t *testing.T, l *Lite, makeSpace func()) {
	t.Helper()
	big := make([]byte, 64<<10)
	write := func(name string) error {
		return l.Tx(t.Context(), func(ctx context.Context, tx Tx) error {
			for _, part := range []string{" first", " second"} {
				if _, err := tx.Exec(ctx, insertName, name+part, true, big, nil); err != nil {
					return err
				}
			}
			return nil
		})
	}
	written := 0
	var err error
	for ; err == nil && written < 1000; written++ {
		err = write(strconv.Itoa(written))
	}
	written--
	for range 2 {
		if !errors.Is(err, errs.Unavailable) || errs.From(err).Reason != errs.DiskFull {
			t.Fatalf("a write when full = %v after %d, want unavailable, DISK_FULL", err, written)
		}
		err = write("still full")
	}
	if got := len(list(t, l, namesInOrder)); got != 2*written {
		t.Errorf("%d rows, want the %d acknowledged", got, 2*written)
	}
	mustBeSound(t, l)
	if got := rowsAfterCrash(t, l); got != 2*written {
		t.Errorf("%d rows after a crash now, want the %d acknowledged", got, 2*written)
	}
	makeSpace()
	if err := write("space again"); err != nil {
		t.Errorf("a write after making space = %v", err)
	}
	if got := len(list(t, l, namesInOrder)); got != 2*written+2 {
		t.Errorf("%d rows at the end, want %d", got, 2*written+2)
	}
	mustBeSound(t, l)
	t.Logf("full after %d closures", written)
}

// rowsAfterCrash opens a copy of the files as they lie there, as if the machine had stopped now. Another process copies:
// closing a file of the database in this one would drop the locks that SQLite holds on it.
func rowsAfterCrash(t *testing.T, l *Lite) int {
	t.Helper()
	dir := t.TempDir()
	if out, err := exec.CommandContext(t.Context(), "cp", l.Path(), l.Path()+"-wal", dir).CombinedOutput(); err != nil {
		t.Fatalf("cp: %s", out)
	}
	again, err := OpenLite(t.Context(), filepath.Join(dir, filepath.Base(l.Path())), LiteOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	mustBeSound(t, again)
	return len(list(t, again, namesInOrder))
}
