package sqldb

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"nexus/internal/errs"
)

// together runs the closures so that they share one batch: it keeps the writer until all of them wait. It returns what each
// Tx returned; a panic counts as an error.
func together(t *testing.T, l *Lite, closures ...func(context.Context, Tx) error) []error {
	t.Helper()
	results := make([]error, len(closures))
	var wg sync.WaitGroup
	err := l.Tx(t.Context(), func(context.Context, Tx) error {
		for i, f := range closures {
			wg.Go(func() {
				defer func() {
					if v := recover(); v != nil {
						results[i] = fmt.Errorf("panic: %v", v)
					}
				}()
				results[i] = l.Tx(t.Context(), f)
			})
			for len(l.writer.queue) <= i {
				runtime.Gosched()
			}
		}
		return errors.New("was here only to keep the writer")
	})
	if err == nil {
		t.Error("the keeper's error is lost")
	}
	wg.Wait()
	return results
}

// putter returns a closure that writes the pair k and notes in ends what OnEnd says.
func putter(k int, ends *[]string) func(context.Context, Tx) error {
	return func(ctx context.Context, tx Tx) error {
		tx.OnEnd(func(committed bool) { *ends = append(*ends, fmt.Sprintf("%d %v", k, committed)) })
		return putIn(ctx, tx, k, "x")
	}
}

func TestWaitingClosuresShareOneCommit(t *testing.T) {
	var commits atomic.Int32
	l := openLite(t, LiteOptions{BeforeStatement: func(_ int, text string) error {
		if text == textCommit {
			commits.Add(1)
		}
		return nil
	}})
	var ends []string
	errors := together(t, l, putter(1, &ends), putter(2, &ends), putter(3, &ends))
	if !slices.Equal(errors, []error{nil, nil, nil}) || commits.Load() != 1 {
		t.Errorf("%v with %d commits, want one", errors, commits.Load())
	}
	if !slices.Equal(ends, []string{"1 true", "2 true", "3 true"}) {
		t.Errorf("OnEnd: %v", ends)
	}
}

func TestBatchIsBounded(t *testing.T) {
	var sizes []int
	running := 0
	l := openLite(t, LiteOptions{})
	l.SetBatchHooks(func() { running = 0 }, func(bool) { sizes = append(sizes, running) })
	many := make([]func(context.Context, Tx) error, batchClosures+10)
	for k := range many {
		many[k] = func(context.Context, Tx) error { running++; return nil }
	}
	together(t, l, many...)
	if most := slices.Max(sizes); most > batchClosures {
		t.Errorf("%d closures in one batch, want at most %d", most, batchClosures)
	}
	total := 0
	for _, n := range sizes {
		total += n
	}
	if total != len(many) {
		t.Errorf("%d closures ran, want %d", total, len(many))
	}
}

func TestFailingAndPanickingClosuresTakeNoOtherWithThem(t *testing.T) {
	l := openLite(t, LiteOptions{})
	var ends []string
	results := together(t, l,
		putter(1, &ends),
		func(ctx context.Context, tx Tx) error {
			return errors.Join(putter(2, &ends)(ctx, tx), errs.New(errs.Invalid, "mine"))
		},
		putter(3, &ends),
		func(ctx context.Context, tx Tx) error {
			if err := putter(4, &ends)(ctx, tx); err != nil {
				return err
			}
			panic("mine")
		},
		putter(1, &ends), // exists
		putter(5, &ends),
	)
	for i, want := range []string{"", "invalid", "", "panic: mine", "exists", ""} {
		got := results[i]
		if want == "" && got != nil || want != "" && (got == nil || !strings.Contains(got.Error()+errs.KindOf(got).String(), want)) {
			t.Errorf("closure %d: %v, want %q", i, got, want)
		}
	}
	if got := keys(t, l); !slices.Equal(got, []int{1, 3, 5}) {
		t.Errorf("rows %v, want 1, 3, 5", got)
	}
	// Those that failed hear it at once, the others after COMMIT, in their order.
	if want := []string{"2 false", "4 false", "1 false", "1 true", "3 true", "5 true"}; !slices.Equal(ends, want) {
		t.Errorf("OnEnd %v, want %v", ends, want)
	}
}

func TestFailedCommitFailsAllOfItsBatch(t *testing.T) {
	var broken atomic.Bool
	l := openLite(t, LiteOptions{BeforeStatement: func(_ int, text string) error {
		if text == textCommit && broken.Load() {
			return errs.New(errs.Unavailable, "no commit today")
		}
		return nil
	}})
	mustPut(t, l, 0, "before")
	broken.Store(true)
	var ends []string
	for i, err := range together(t, l, putter(1, &ends), putter(2, &ends)) {
		if !errors.Is(err, errs.Unavailable) {
			t.Errorf("closure %d: %v, want unavailable", i, err)
		}
	}
	if !slices.Equal(ends, []string{"1 false", "2 false"}) {
		t.Errorf("OnEnd %v, want false for both", ends)
	}
	broken.Store(false)
	mustPut(t, l, 3, "after")
	if got := keys(t, l); !slices.Equal(got, []int{0, 3}) {
		t.Errorf("rows %v, want 0 and 3", got)
	}
}

// The engine drops a whole transaction after some failures; then no savepoint is left to go back to.
func TestLostTransactionFailsAllOfItsBatch(t *testing.T) {
	l := openLite(t, LiteOptions{})
	var ends []string
	results := together(t, l,
		putter(1, &ends),
		func(ctx context.Context, tx Tx) error {
			tx.OnEnd(func(committed bool) { ends = append(ends, fmt.Sprintf("2 %v", committed)) })
			conn, ok := WriterConn(tx)
			if !ok {
				t.Fatal("WriterConn() does not know its own Tx")
			}
			if _, err := conn.ExecContext(ctx, "ROLLBACK"); err != nil {
				t.Fatal(err)
			}
			return errs.New(errs.Invalid, "mine")
		},
		putter(3, &ends), // waits behind: it belongs to the next batch
	)
	if errs.KindOf(results[1]) != errs.Invalid {
		t.Errorf("the one that failed: %v, want its own error", results[1])
	}
	if results[0] == nil || errors.Is(results[0], errs.Invalid) {
		t.Errorf("the one that was torn along: %v, want an error that is not the other's", results[0])
	}
	if results[2] != nil {
		t.Errorf("the one behind: %v", results[2])
	}
	if !slices.Equal(ends, []string{"2 false", "1 false", "3 true"}) {
		t.Errorf("OnEnd %v", ends)
	}
	if got := keys(t, l); !slices.Equal(got, []int{3}) {
		t.Errorf("rows %v, want 3 alone", got)
	}
}

func TestClosureWhoseCallerLeftTheQueueNeverRuns(t *testing.T) {
	l := openLite(t, LiteOptions{})
	ctx, cancel := context.WithCancel(t.Context())
	left := make(chan error, 1)
	err := l.Tx(t.Context(), func(inner context.Context, tx Tx) error {
		go func() {
			left <- l.Tx(ctx, func(context.Context, Tx) error {
				t.Error("the closure ran")
				return nil
			})
		}()
		for len(l.writer.queue) == 0 {
			runtime.Gosched()
		}
		cancel()
		if err := <-left; !errors.Is(err, errs.Canceled) {
			t.Errorf("Tx() = %v, want canceled", err)
		}
		return putIn(inner, tx, 1, "x")
	})
	if err != nil {
		t.Fatal(err)
	}
	mustPut(t, l, 2, "after")
}

func TestStartedClosureEndsWhateverItsCallersContextDoes(t *testing.T) {
	l := openLite(t, LiteOptions{})
	ctx, cancel := context.WithCancel(t.Context())
	err := l.Tx(ctx, func(ctx context.Context, tx Tx) error {
		cancel()
		return putIn(ctx, tx, 1, "x")
	})
	if err != nil {
		t.Errorf("Tx() = %v, want the true outcome", err)
	}
	if got := keys(t, l); !slices.Equal(got, []int{1}) {
		t.Errorf("rows %v", got)
	}
}

func TestHooksEncloseEachBatch(t *testing.T) {
	l := openLite(t, LiteOptions{})
	var got []string
	note := func(s string) { got = append(got, s) }
	l.SetBatchHooks(func() { note("begin") }, func(committed bool) { note(fmt.Sprintf("end %v", committed)) })
	run := func(err error) {
		_ = l.Tx(t.Context(), func(ctx context.Context, tx Tx) error {
			note("closure")
			tx.OnEnd(func(committed bool) { note(fmt.Sprintf("told %v", committed)) })
			return err
		})
		note("returned")
	}
	run(nil)
	run(errors.New("mine"))
	want := []string{
		"begin", "closure", "told true", "end true", "returned",
		"begin", "closure", "told false", "end false", "returned",
	}
	if !slices.Equal(got, want) {
		t.Errorf("order %q, want %q", got, want)
	}
}

func TestClosureThatFailedForWhatCameToNothingIsNotToldSo(t *testing.T) {
	l := openLite(t, LiteOptions{BeforeStatement: func(_ int, text string) error {
		if text == textCommit {
			return errs.New(errs.Unavailable, "no commit today")
		}
		return nil
	}})
	var ends []string
	results := together(t, l, putter(1, &ends), putter(1, &ends))
	if !errors.Is(results[1], errs.Unavailable) {
		t.Errorf("the second writer of one key: %v; the first was never committed, so not exists", results[1])
	}
}

func TestSecondOpenRefused(t *testing.T) {
	l := openLite(t, LiteOptions{})
	link := filepath.Join(t.TempDir(), "link.db")
	if err := os.Symlink(l.Path(), link); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{l.Path(), link} {
		_, err := OpenLite(t.Context(), path, LiteOptions{})
		if !errors.Is(err, errs.Unavailable) || !strings.Contains(err.Error(), l.Path()+".lock") {
			t.Errorf("OpenLite(%s) = %v, want unavailable and the name of the lock", path, err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := OpenLite(t.Context(), l.Path(), LiteOptions{})
	if err != nil {
		t.Fatalf("OpenLite() after Close = %v", err)
	}
	if err := again.Close(); err != nil {
		t.Error(err)
	}
}

func TestFilesArePrivateAndOneRemains(t *testing.T) {
	l := openLite(t, LiteOptions{})
	mustPut(t, l, 1, "x")
	for _, suffix := range []string{"", "-wal", "-shm", ".lock"} {
		info, err := os.Stat(l.Path() + suffix)
		if err != nil {
			t.Fatal(err)
		}
		if mode := info.Mode().Perm(); mode != 0o600 {
			t.Errorf("%s has mode %o, want 600", info.Name(), mode)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(l.Path() + "-wal"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the WAL after Close: %v, want none", err)
	}
}

func TestConnectionsAreSetUp(t *testing.T) {
	l := openLite(t, LiteOptions{Readers: 3})
	err := l.Tx(t.Context(), func(ctx context.Context, tx Tx) error {
		conn, _ := WriterConn(tx)
		for pragma, want := range map[string]int{"synchronous": 2, "foreign_keys": 1, "mmap_size": mmapBytes, "query_only": 0, "busy_timeout": busyMillis} {
			var got int
			if err := conn.QueryRowContext(ctx, "PRAGMA "+pragma).Scan(&got); err != nil || got != want {
				t.Errorf("writer: %s = %d, %v, want %d", pragma, got, err, want)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for pragma, want := range map[string]string{"journal_mode": "wal", "query_only": "1", "mmap_size": fmt.Sprint(mmapBytes),
		"cache_size": fmt.Sprint(-cacheKiB), "temp_store": "2", "foreign_keys": "1"} {
		var got string
		if err := l.Readers().QueryRowContext(t.Context(), "PRAGMA "+pragma).Scan(&got); err != nil || got != want {
			t.Errorf("reader: %s = %s, %v, want %s", pragma, got, err, want)
		}
	}
	if n := l.Readers().Stats().MaxOpenConnections; n != 3 {
		t.Errorf("%d readers at most, want 3", n)
	}
}

func TestReadersSeeASnapshotWhileOthersWrite(t *testing.T) {
	l := openLite(t, LiteOptions{})
	for k := range 3 {
		mustPut(t, l, k, "x")
	}
	rows, err := l.Readers().QueryContext(t.Context(), allKeys.Text(SQLite))
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	seen := 0
	for ; rows.Next(); seen++ {
		mustPut(t, l, 100+seen, "while the walk is on")
	}
	if err := rows.Err(); err != nil || seen != 3 {
		t.Errorf("%d rows, %v; want the 3 of the start", seen, err)
	}
}
