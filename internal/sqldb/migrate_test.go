package sqldb

import (
	"errors"
	"sync"
	"testing"
	"testing/fstest"

	"nexus/internal/errs"
	"nexus/internal/sqldb/pgtest"
)

// files returns migrations with the same texts for both engines.
func files(texts map[string]string) fstest.MapFS {
	m := fstest.MapFS{}
	for _, d := range []Dialect{SQLite, Postgres} {
		for name, text := range texts {
			m[d.String()+"/"+name] = &fstest.MapFile{Data: []byte("-- +goose Up\n" + text)}
		}
	}
	return m
}

func exists(t *testing.T, db DB, table string) bool {
	t.Helper()
	text := "SELECT count(*) FROM " + table
	return Prepare(t.Context(), db, &Stmt{sqlite: text, postgres: text}) == nil
}

func TestMigrationsRunOnceAndInOrder(t *testing.T) {
	first := map[string]string{"0001_a.sql": "CREATE TABLE a (x BIGINT);"}
	second := map[string]string{"0001_a.sql": first["0001_a.sql"], "0002_b.sql": "ALTER TABLE a ADD COLUMN y BIGINT; CREATE TABLE b (z BIGINT);"}
	onBoth(t, func(t *testing.T, db DB) {
		for _, step := range []map[string]string{first, first, second, second} {
			if err := MigrateSet(t.Context(), db, "extra", files(step)); err != nil {
				t.Fatal(err)
			}
		}
		if !exists(t, db, "a") || !exists(t, db, "b") {
			t.Error("tables are missing")
		}
		mustPut(t, db, 1, "the set beside it is untouched")
	})
}

func TestOlderProgramRefused(t *testing.T) {
	newer := files(map[string]string{"0001_a.sql": "CREATE TABLE a (x BIGINT);", "0002_b.sql": "CREATE TABLE b (x BIGINT);"})
	older := files(map[string]string{"0001_a.sql": "CREATE TABLE a (x BIGINT);"})
	onBoth(t, func(t *testing.T, db DB) {
		if err := MigrateSet(t.Context(), db, "extra", newer); err != nil {
			t.Fatal(err)
		}
		if err := MigrateSet(t.Context(), db, "extra", older); !errors.Is(err, errs.Precondition) {
			t.Errorf("Migrate() of an older program = %v, want precondition", err)
		}
	})
}

func TestFailedMigrationLeavesNothingOfItself(t *testing.T) {
	broken := files(map[string]string{"0001_a.sql": "CREATE TABLE a (x BIGINT);", "0002_b.sql": "CREATE TABLE b (x BIGINT); CREATE TABLE a (x BIGINT);"})
	mended := files(map[string]string{"0001_a.sql": "CREATE TABLE a (x BIGINT);", "0002_b.sql": "CREATE TABLE b (x BIGINT);"})
	onBoth(t, func(t *testing.T, db DB) {
		if err := MigrateSet(t.Context(), db, "extra", broken); err == nil {
			t.Fatal("Migrate() = nil, want an error")
		}
		if !exists(t, db, "a") || exists(t, db, "b") {
			t.Error("want what the first file made and nothing of the second")
		}
		if err := MigrateSet(t.Context(), db, "extra", mended); err != nil {
			t.Errorf("Migrate() once mended = %v", err)
		}
	})
}

func TestServersThatStartTogetherMigrateOnce(t *testing.T) {
	dsn := pgtest.Start(t)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			p, err := OpenPostgres(t.Context(), dsn, PostgresOptions{MaxConns: 2})
			if err != nil {
				t.Error(err)
				return
			}
			defer p.Close()
			if err := Migrate(t.Context(), p, tables()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}
