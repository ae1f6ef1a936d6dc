package sqldb

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
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

// longMigration writes some 50 MB in its second file, in one transaction.
var longMigration = files(map[string]string{
	"0001_a.sql": "CREATE TABLE a (x BIGINT);",
	"0002_b.sql": `CREATE TABLE b (x TEXT);
		INSERT INTO b WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 250000) SELECT CAST(i AS TEXT) || '` +
		strings.Repeat("x", 200) + `' FROM n;
		INSERT INTO a (x) VALUES (1);`,
})

// TestProcessKilledInAMigrationLeavesOneThatGoesOn kills it as the WAL grows, which the second file alone makes it do.
func TestProcessKilledInAMigrationLeavesOneThatGoesOn(t *testing.T) {
	for _, grown := range []int64{0, 4 << 20, 20 << 20, 40 << 20} {
		path := newDatabase(t)
		cmd, out := spawn(t, childMigrates, path, 0)
		if !out.Scan() {
			t.Fatal("the child did not begin")
		}
		for size := int64(-1); size < grown; {
			if at, err := os.Stat(path + "-wal"); err == nil {
				size = at.Size()
			}
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait() // killed
		l, err := OpenLite(t.Context(), path, LiteOptions{})
		if err != nil {
			t.Fatalf("killed at %d bytes: %v", grown, err)
		}
		mustBeSound(t, l)
		if err := MigrateSet(t.Context(), l, "extra", longMigration); err != nil {
			t.Errorf("killed at %d bytes: Migrate() again = %v", grown, err)
		}
		var rows int
		if err := l.readers.QueryRowContext(t.Context(), "SELECT count(*) FROM a").Scan(&rows); err != nil || rows != 1 {
			t.Errorf("killed at %d bytes: the second file ran %d times", grown, rows)
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestNewerDatabaseIsFoundBeforeAnythingIsWritten(t *testing.T) {
	newer := files(map[string]string{"0001_a.sql": "CREATE TABLE a (x BIGINT);", "0002_b.sql": "CREATE TABLE b (x BIGINT);"})
	older := files(map[string]string{"0001_a.sql": "CREATE TABLE a (x BIGINT);"})
	l, err := OpenLite(t.Context(), filepath.Join(t.TempDir(), "test.db"), LiteOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, known := range []fs.FS{older, newer} {
		if err := CheckVersion(t.Context(), l, known); err != nil {
			t.Errorf("CheckVersion() of an empty database = %v", err)
		}
	}
	if err := Migrate(t.Context(), l, newer); err != nil {
		t.Fatal(err)
	}
	if err := CheckVersion(t.Context(), l, newer); err != nil {
		t.Errorf("CheckVersion() of the same version = %v", err)
	}
	if err := CheckVersion(t.Context(), l, older); !errors.Is(err, errs.Precondition) {
		t.Errorf("CheckVersion() of a newer database = %v, want precondition", err)
	}
}
