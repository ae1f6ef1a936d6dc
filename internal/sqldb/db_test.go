package sqldb

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"nexus/internal/errs"
)

func TestNoRowIsErrNoRows(t *testing.T) {
	onBoth(t, func(t *testing.T, db DB) {
		var v string
		if err := db.Row(t.Context(), pairValue, 1).Scan(&v); !errors.Is(err, ErrNoRows) {
			t.Errorf("Scan() = %v, want ErrNoRows", err)
		}
		err := db.Tx(t.Context(), func(ctx context.Context, tx Tx) error {
			if err := tx.Row(ctx, pairValue, 1).Scan(&v); !errors.Is(err, ErrNoRows) {
				t.Errorf("Scan() = %v, want ErrNoRows", err)
			}
			return putIn(ctx, tx, 1, "after no row")
		})
		if err != nil {
			t.Errorf("Tx() = %v: a missing row ended the transaction", err)
		}
	})
}

func TestOwnWritesVisibleAfterTx(t *testing.T) {
	onBoth(t, func(t *testing.T, db DB) {
		var wg sync.WaitGroup
		for p := range 64 {
			wg.Go(func() {
				for i := range 10 {
					k, want := p*1000+i, strconv.Itoa(i)
					if err := put(t.Context(), db, k, want); err != nil {
						t.Error(err)
						return
					}
					var got string
					if err := db.Row(t.Context(), pairValue, k).Scan(&got); err != nil || got != want {
						t.Errorf("row %d = %q, %v right after Tx", k, got, err)
					}
				}
			})
		}
		wg.Wait()
		if n := len(keys(t, db)); n != 640 {
			t.Errorf("%d rows, want 640", n)
		}
	})
}

func TestClosuresDoNotOverlapOnARow(t *testing.T) {
	onBoth(t, func(t *testing.T, db DB) {
		mustPut(t, db, 1, "start")
		const writers, rounds = 16, 10
		var inside atomic.Int32
		count := 0
		var wg sync.WaitGroup
		for range writers {
			wg.Go(func() {
				for range rounds {
					err := db.Tx(t.Context(), func(ctx context.Context, tx Tx) error {
						if _, err := tx.Exec(ctx, setPair, 1, "next"); err != nil {
							return err
						}
						if n := inside.Add(1); n != 1 {
							t.Errorf("%d closures hold one row", n)
						}
						defer inside.Add(-1)
						count++ // the row's lock orders this
						_, err := tx.Exec(ctx, setPair, 1, "and again")
						return err
					})
					if err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		if count != writers*rounds {
			t.Errorf("%d closures ran, want %d", count, writers*rounds)
		}
	})
}

func TestFailedClosureLeavesNothing(t *testing.T) {
	onBoth(t, func(t *testing.T, db DB) {
		mine := errors.New("mine")
		var ends []bool
		err := db.Tx(t.Context(), func(ctx context.Context, tx Tx) error {
			tx.OnEnd(func(committed bool) { ends = append(ends, committed) })
			return errors.Join(putIn(ctx, tx, 1, "x"), mine)
		})
		if !errors.Is(err, mine) {
			t.Errorf("Tx() = %v, want the closure's error", err)
		}
		if got := keys(t, db); len(got) != 0 {
			t.Errorf("rows %v stayed", got)
		}
		if !slices.Equal(ends, []bool{false}) {
			t.Errorf("OnEnd got %v, want one false", ends)
		}
	})
}

func TestSwallowedErrorStillRollsBack(t *testing.T) {
	onBoth(t, func(t *testing.T, db DB) {
		mustPut(t, db, 1, "x")
		err := db.Tx(t.Context(), func(ctx context.Context, tx Tx) error {
			if err := putIn(ctx, tx, 2, "x"); err != nil {
				return err
			}
			_ = putIn(ctx, tx, 1, "again")
			if err := putIn(ctx, tx, 3, "x"); !errors.Is(err, errs.Exists) {
				t.Errorf("a statement after the failed one = %v, want the same error", err)
			}
			return nil
		})
		if !errors.Is(err, errs.Exists) {
			t.Errorf("Tx() = %v, want exists", err)
		}
		if got := keys(t, db); !slices.Equal(got, []int{1}) {
			t.Errorf("rows %v, want the first alone", got)
		}
	})
}

func TestPanicGoesOnInTheCallerAndRollsBack(t *testing.T) {
	onBoth(t, func(t *testing.T, db DB) {
		var ends []bool
		value := func() (v any) {
			defer func() { v = recover() }()
			_ = db.Tx(t.Context(), func(ctx context.Context, tx Tx) error {
				tx.OnEnd(func(committed bool) { ends = append(ends, committed) })
				if err := putIn(ctx, tx, 1, "x"); err != nil {
					return err
				}
				panic("mine")
			})
			return nil
		}()
		if value != "mine" || !slices.Equal(ends, []bool{false}) {
			t.Errorf("recovered %v, OnEnd got %v", value, ends)
		}
		mustPut(t, db, 2, "after")
		if got := keys(t, db); !slices.Equal(got, []int{2}) {
			t.Errorf("rows %v, want the later one alone", got)
		}
	})
}

func TestGoroutineThatEndsInItsClosureBlocksNobody(t *testing.T) {
	onBoth(t, func(t *testing.T, db DB) {
		var wg sync.WaitGroup
		wg.Go(func() {
			_ = db.Tx(t.Context(), func(ctx context.Context, tx Tx) error {
				defer runtime.Goexit()
				return putIn(ctx, tx, 1, "x")
			})
		})
		wg.Wait()
		mustPut(t, db, 2, "after")
		if got := keys(t, db); !slices.Equal(got, []int{2}) {
			t.Errorf("rows %v, want the later one alone", got)
		}
	})
}

func TestEndedContextNeverRuns(t *testing.T) {
	onBoth(t, func(t *testing.T, db DB) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		err := db.Tx(ctx, func(context.Context, Tx) error {
			t.Error("the closure ran")
			return nil
		})
		if !errors.Is(err, errs.Canceled) {
			t.Errorf("Tx() = %v, want canceled", err)
		}
	})
}

func TestOnEndRunsInOrderBeforeTxReturns(t *testing.T) {
	onBoth(t, func(t *testing.T, db DB) {
		var got []int
		err := db.Tx(t.Context(), func(ctx context.Context, tx Tx) error {
			for i := range 3 {
				tx.OnEnd(func(committed bool) {
					if committed {
						got = append(got, i)
					}
				})
			}
			return putIn(ctx, tx, 1, "x")
		})
		if err != nil || !slices.Equal(got, []int{0, 1, 2}) {
			t.Errorf("Tx() = %v, OnEnd in order %v", err, got)
		}
	})
}

func TestOnEndCallsComeOneAtATime(t *testing.T) {
	onBoth(t, func(t *testing.T, db DB) {
		count := 0 // without a lock: the race detector watches
		var wg sync.WaitGroup
		for k := range 32 {
			wg.Go(func() {
				_ = db.Tx(t.Context(), func(ctx context.Context, tx Tx) error {
					tx.OnEnd(func(bool) { count++ })
					return putIn(ctx, tx, k/2, "half of them exist")
				})
			})
		}
		wg.Wait()
		if count != 32 {
			t.Errorf("%d calls, want 32", count)
		}
	})
}

func TestCloseWaitsForRunningWork(t *testing.T) {
	onBoth(t, func(t *testing.T, db DB) {
		started, release := make(chan struct{}), make(chan struct{})
		var committed atomic.Bool
		var wg sync.WaitGroup
		wg.Go(func() {
			err := db.Tx(t.Context(), func(ctx context.Context, tx Tx) error {
				tx.OnEnd(committed.Store)
				close(started)
				<-release
				return putIn(ctx, tx, 1, "x")
			})
			if err != nil {
				t.Error(err)
			}
		})
		<-started
		wg.Go(func() {
			if err := db.Close(); err != nil {
				t.Error(err)
			}
			if !committed.Load() {
				t.Error("Close returned before the running closure was committed")
			}
		})
		for { // until Close has begun
			var n int
			if err := db.Row(t.Context(), countPairs).Scan(&n); errors.Is(err, errs.Unavailable) {
				break
			}
		}
		close(release)
		wg.Wait()
	})
}

func TestEachStopsAtTheCallersError(t *testing.T) {
	onBoth(t, func(t *testing.T, db DB) {
		for k := range 5 {
			mustPut(t, db, k, "x")
		}
		stop := errors.New("enough")
		seen := 0
		f := func(Row) error {
			if seen++; seen == 2 {
				return stop
			}
			return nil
		}
		if err := db.Each(t.Context(), allKeys, nil, f); err != stop || seen != 2 {
			t.Errorf("Each() = %v after %d rows", err, seen)
		}
		seen = 0
		err := db.Tx(t.Context(), func(ctx context.Context, tx Tx) error {
			if err := tx.Each(ctx, allKeys, nil, f); err != stop {
				t.Errorf("Each() = %v", err)
			}
			return putIn(ctx, tx, 9, "after the walk")
		})
		if err != nil {
			t.Errorf("Tx() = %v: ending a walk ended the transaction", err)
		}
	})
}

func TestClosedDatabaseRefuses(t *testing.T) {
	onBoth(t, func(t *testing.T, db DB) {
		if err := errors.Join(db.Close(), db.Close()); err != nil {
			t.Fatal(err)
		}
		var n int
		for name, err := range map[string]error{
			"Tx":   put(t.Context(), db, 1, "x"),
			"Row":  db.Row(t.Context(), countPairs).Scan(&n),
			"Each": db.Each(t.Context(), allKeys, nil, func(Row) error { return nil }),
		} {
			if !errors.Is(err, errs.Unavailable) {
				t.Errorf("%s after Close = %v, want unavailable", name, err)
			}
		}
	})
}
