package sqldb

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"nexus/internal/errs"
)

// snapshot copies l to a new file and returns its path.
func snapshot(t *testing.T, l *Lite, pin func()) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "copy.db")
	err := l.Snapshot(t.Context(), path, pin, func(done, total int64) {
		if done < 0 || done > total {
			t.Errorf("%d of %d bytes are copied", done, total)
		}
	})
	if err == nil {
		err = Sound(t.Context(), path)
	}
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// TestSnapshotHoldsWhatWasCommittedAtOneMoment: all that was acknowledged before pin, nothing that began after it, and no
// half of a closure.
func TestSnapshotHoldsWhatWasCommittedAtOneMoment(t *testing.T) {
	l := openLite(t, LiteOptions{})
	var begun, acknowledged atomic.Int64
	started, quit := make(chan struct{}), make(chan struct{})
	var writer sync.WaitGroup
	writer.Go(func() {
		for k := 0; ; k++ {
			select {
			case <-quit:
				return
			default:
			}
			begun.Store(int64(k + 1))
			if err := putWithPartner(l, k); err != nil {
				t.Error(err)
				return
			}
			acknowledged.Store(int64(k + 1))
			if k == 100 {
				close(started)
			}
		}
	})
	<-started
	for range 5 {
		var before, after int64
		path := snapshot(t, l, func() { before, after = acknowledged.Load(), begun.Load() })
		if there := int64(verify(t, path, nil)); there < before || there > after {
			t.Errorf("%d closures are in the copy; %d were acknowledged and %d begun in its moment", there, before, after)
		}
	}
	close(quit)
	writer.Wait()
}

func TestSnapshotDoesNotOverwrite(t *testing.T) {
	l := openLite(t, LiteOptions{})
	path := filepath.Join(t.TempDir(), "copy.db")
	if err := os.WriteFile(path, []byte("somebody's"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := l.Snapshot(t.Context(), path, func() {}, func(int64, int64) {}); !errors.Is(err, errs.Exists) {
		t.Errorf("Snapshot() over a file = %v, want exists", err)
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != "somebody's" {
		t.Errorf("the file holds %q, %v", text, err)
	}
}

func TestSnapshotThatIsBrokenOffLeavesNoFile(t *testing.T) {
	l := openLite(t, LiteOptions{})
	big := strings.Repeat("x", 1<<20)
	for k := range 4 {
		mustPut(t, l, k, big)
	}
	ctx, cancel := context.WithCancel(t.Context())
	dir := t.TempDir()
	err := l.Snapshot(ctx, filepath.Join(dir, "copy.db"), func() {}, func(int64, int64) { cancel() })
	if !errors.Is(err, errs.Canceled) {
		t.Errorf("Snapshot() with an ended context = %v, want canceled", err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	mustPut(t, l, 100, "the database goes on")
}

func TestDamagedCopyIsNotSound(t *testing.T) {
	l := openLite(t, LiteOptions{})
	for k := range 2000 {
		mustPut(t, l, k, "some text that fills pages")
	}
	path := filepath.Join(t.TempDir(), "copy.db")
	if err := l.Snapshot(t.Context(), path, func() {}, func(int64, int64) {}); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	clear(text[len(text)/2 : len(text)/2+4096])
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Sound(t.Context(), path); err == nil {
		t.Error("Sound() of a damaged database = nil")
	}
	if left, err := filepath.Glob(path + "-*"); err != nil || len(left) > 0 {
		t.Errorf("beside the file there are %v, %v", left, err)
	}
}

// BenchmarkWorstWriteBesideSnapshot prints the slowest of single writes while a database is copied again and again, and the
// slowest of as many without.
func BenchmarkWorstWriteBesideSnapshot(b *testing.B) {
	l := openLite(b, LiteOptions{})
	text := strings.Repeat("x", 4<<10)
	for k := range 20_000 {
		if err := put(b.Context(), l, k, text); err != nil {
			b.Fatal(err)
		}
	}
	worst := func(writes int, from int) (most time.Duration) {
		for k := range writes {
			began := time.Now()
			if err := put(b.Context(), l, from+k, text); err != nil {
				b.Fatal(err)
			}
			most = max(most, time.Since(began))
		}
		return most
	}
	for round := 0; b.Loop(); round++ {
		const writes = 2000
		from := 100_000 * (2*round + 1)
		alone := worst(writes, from)
		ctx, cancel := context.WithCancel(b.Context())
		var copies sync.WaitGroup
		var took time.Duration
		copies.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				began := time.Now()
				path := filepath.Join(b.TempDir(), "copy.db")
				if err := l.Snapshot(ctx, path, func() {}, func(int64, int64) {}); err == nil {
					took = time.Since(began)
					_ = os.Remove(path)
				}
			}
		})
		beside := worst(writes, from+writes)
		cancel()
		copies.Wait()
		b.Logf("worst write alone %s, beside a copy %s; one copy takes %s", alone, beside, took)
	}
}
