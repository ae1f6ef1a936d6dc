package sqldb

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"nexus/internal/errs"
	"nexus/internal/sqldb/pgtest"
)

// lose fails as a lost serialisation does. It is not a declared statement: SQLite has no such function.
var lose = &Stmt{postgres: `SELECT lose()`, where: "pg_test.go"}

func openLoser(t *testing.T) *PG {
	t.Helper()
	p := openPG(t, pgtest.Start(t))
	text := `-- +goose Up
-- +goose StatementBegin
CREATE FUNCTION lose() RETURNS int LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'lost' USING ERRCODE = '40001'; END $$;
-- +goose StatementEnd
`
	if err := MigrateSet(t.Context(), p, "loser", fstest.MapFS{"postgres/0001_lose.sql": {Data: []byte(text)}}); err != nil {
		t.Fatal(err)
	}
	return p
}

func TestLostSerialisationRunsAgain(t *testing.T) {
	p := openLoser(t)
	tries := 0
	var ends []bool
	err := p.Tx(t.Context(), func(ctx context.Context, tx Tx) error {
		tries++
		tx.OnEnd(func(committed bool) { ends = append(ends, committed) })
		if err := putIn(ctx, tx, tries, "x"); err != nil {
			return err
		}
		if tries < 3 {
			var n int
			return tx.Row(ctx, lose).Scan(&n)
		}
		return nil
	})
	if err != nil || !slices.Equal(ends, []bool{false, false, true}) {
		t.Errorf("Tx() = %v, OnEnd got %v", err, ends)
	}
	if got := keys(t, p); !slices.Equal(got, []int{3}) {
		t.Errorf("rows %v, want those of the last try alone", got)
	}
}

func TestLosingForEverIsAConflict(t *testing.T) {
	p := openLoser(t)
	tries := 0
	err := p.Tx(t.Context(), func(ctx context.Context, tx Tx) error {
		tries++
		var n int
		return tx.Row(ctx, lose).Scan(&n)
	})
	if !errors.Is(err, errs.Conflict) || tries != defaultTries {
		t.Errorf("Tx() = %v after %d tries, want conflict after %d", err, tries, defaultTries)
	}
}

func TestConflictOfTheClosureItselfDoesNotRunAgain(t *testing.T) {
	p := openPG(t, pgtest.Start(t))
	tries := 0
	err := p.Tx(t.Context(), func(context.Context, Tx) error {
		tries++
		return errs.New(errs.Conflict, "the etag differs")
	})
	if !errors.Is(err, errs.Conflict) || tries != 1 {
		t.Errorf("Tx() = %v after %d tries, want one", err, tries)
	}
}

func TestDeadlockIsSurvivedByBoth(t *testing.T) {
	dsn, err := url.Parse(pgtest.Start(t))
	if err != nil {
		t.Fatal(err)
	}
	q := dsn.Query()
	q.Set("deadlock_timeout", "20ms")
	dsn.RawQuery = q.Encode()
	p := openPG(t, dsn.String())
	mustPut(t, p, 1, "x")
	mustPut(t, p, 2, "x")
	var met, wg sync.WaitGroup
	met.Add(2)
	var mu sync.Mutex
	tries := 0
	for _, order := range [][]int{{1, 2}, {2, 1}} {
		wg.Go(func() {
			first := true
			err := p.Tx(t.Context(), func(ctx context.Context, tx Tx) error {
				mu.Lock()
				tries++
				mu.Unlock()
				for _, k := range order {
					if _, err := tx.Exec(ctx, setPair, k, "y"); err != nil {
						return err
					}
					if first {
						first = false
						met.Done()
						met.Wait()
					}
				}
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if tries < 3 {
		t.Errorf("%d tries, want a deadlock and another", tries)
	}
}

func TestContextThatEndsInAClosureRollsBack(t *testing.T) {
	p := openPG(t, pgtest.Start(t))
	ctx, cancel := context.WithCancel(t.Context())
	var ends []bool
	err := p.Tx(ctx, func(ctx context.Context, tx Tx) error {
		tx.OnEnd(func(committed bool) { ends = append(ends, committed) })
		if err := putIn(ctx, tx, 1, "x"); err != nil {
			return err
		}
		cancel()
		return putIn(ctx, tx, 2, "x")
	})
	if !errors.Is(err, errs.Canceled) || !slices.Equal(ends, []bool{false}) {
		t.Errorf("Tx() = %v, OnEnd got %v", err, ends)
	}
	mustPut(t, p, 1, "the pool goes on")
	if got := keys(t, p); !slices.Equal(got, []int{1}) {
		t.Errorf("rows %v", got)
	}
}

func TestUnreachableServerIsUnavailable(t *testing.T) {
	_, err := OpenPostgres(t.Context(), "postgres://nobody@/none?host="+url.QueryEscape(t.TempDir()), PostgresOptions{})
	if !errors.Is(err, errs.Unavailable) {
		t.Errorf("OpenPostgres() = %v, want unavailable", err)
	}
	if _, err := OpenPostgres(t.Context(), "postgres://%zz", PostgresOptions{}); !errors.Is(err, errs.Invalid) {
		t.Errorf("OpenPostgres() of nonsense = %v, want invalid", err)
	}
}

func TestConnectionThatBreaksAtCommitTellsTheTrueOutcome(t *testing.T) {
	for name, c := range map[string]struct {
		forward bool // whether COMMIT reaches the server before the connection breaks
		want    []int
	}{
		"after the server has it":    {true, []int{0, 1}},
		"before it reaches a server": {false, []int{0}},
	} {
		t.Run(name, func(t *testing.T) {
			direct := pgtest.Start(t)
			proxy := startProxy(t, direct, c.forward)
			p := openPG(t, proxy.dsn)
			mustPut(t, p, 0, "while all is well")
			proxy.breakNext.Store(true)
			var ends []bool
			err := p.Tx(t.Context(), func(ctx context.Context, tx Tx) error {
				tx.OnEnd(func(committed bool) { ends = append(ends, committed) })
				return putIn(ctx, tx, 1, "x")
			})
			if proxy.breakNext.Load() {
				t.Fatal("the proxy saw no COMMIT")
			}
			if c.forward != (err == nil) || !slices.Equal(ends, []bool{c.forward}) {
				t.Errorf("Tx() = %v, OnEnd got %v", err, ends)
			}
			if err != nil && (!errors.Is(err, errs.Unavailable) || strings.Contains(err.Error(), "not known")) {
				t.Errorf("Tx() = %v, want unavailable and a known outcome", err)
			}
			if got := keys(t, p); !slices.Equal(got, c.want) {
				t.Errorf("rows %v, want %v", got, c.want)
			}
		})
	}
}
