package sqldb

import (
	"context"
	"embed"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"nexus/internal/sqldb/pgtest"
)

//go:embed testdata/migrations
var testFiles embed.FS

var (
	insertPair    = SQL(`INSERT INTO pairs (v, k) VALUES ($2, $1)`)
	returnPair    = SQL(`INSERT INTO pairs (v, k) VALUES ($2, $1) RETURNING k`)
	setPair       = SQL(`UPDATE pairs SET v = $2 WHERE k = $1`)
	pairValue     = SQL(`SELECT v FROM pairs WHERE k = $1`)
	countPairs    = SQL(`SELECT count(*) FROM pairs`)
	allKeys       = SQL(`SELECT k FROM pairs ORDER BY k`)
	insertChild   = SQL(`INSERT INTO children (id, parent) VALUES ($1, $2)`)
	returnChild   = SQL(`INSERT INTO children (id, parent) VALUES ($1, $2) RETURNING id`)
	insertName    = SQL(`INSERT INTO names (name, flag, bytes, note) VALUES ($1, $2, $3, $4)`)
	nameRow       = SQL(`SELECT flag, bytes, note FROM names WHERE name = $1`)
	namesInOrder  = SQL(`SELECT name FROM names ORDER BY name`)
	namesInRange  = SQL(`SELECT name FROM names WHERE name >= $1 AND name < $2 ORDER BY name`)
	swapped       = SQL(`SELECT CAST($2 AS BIGINT), CAST($1 AS BIGINT), CAST($2 AS BIGINT)`)
	dollarsQuoted = SQL(`SELECT 'it''s $2', "k$1".x, CAST($1 AS BIGINT) /* $3 */ FROM (SELECT 7 AS x) AS "k$1" -- $4`)
	engineName    = SQLPer(`SELECT 'sqlite ' || CAST($1 AS TEXT)`, `SELECT 'postgres ' || $1::text`)
	pageCount     = OnlySQLite(`SELECT page_count FROM pragma_page_count`)
)

func TestMain(m *testing.M) {
	if role := os.Getenv(envChild); role != "" {
		os.Exit(child(role))
	}
	goleak.VerifyTestMain(pgtest.Wrap(m))
}

// onBoth runs f on a new database of each engine that has the tables of testdata/migrations.
func onBoth(t *testing.T, f func(t *testing.T, db DB)) {
	t.Run("sqlite", func(t *testing.T) { f(t, openLite(t, LiteOptions{})) })
	t.Run("postgres", func(t *testing.T) { f(t, openPG(t, pgtest.Start(t))) })
}

func openLite(t testing.TB, o LiteOptions) *Lite {
	t.Helper()
	return openLiteAt(t, filepath.Join(t.TempDir(), "test.db"), o)
}

func openLiteAt(t testing.TB, path string, o LiteOptions) *Lite {
	t.Helper()
	l, err := OpenLite(t.Context(), path, o)
	if err != nil {
		t.Fatal(err)
	}
	return withTables(t, l)
}

func openPG(t testing.TB, dsn string) *PG {
	t.Helper()
	p, err := OpenPostgres(t.Context(), dsn, PostgresOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return withTables(t, p)
}

func withTables[D DB](t testing.TB, db D) D {
	t.Helper()
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("Close() = %v", err)
		}
	})
	if err := Migrate(t.Context(), db, tables()); err != nil {
		t.Fatal(err)
	}
	return db
}

func tables() fs.FS {
	sub, err := fs.Sub(testFiles, "testdata/migrations")
	if err != nil {
		panic(err)
	}
	return sub
}

// put writes one pair in a transaction of its own.
func put(ctx context.Context, db DB, k int, v string) error {
	return db.Tx(ctx, func(ctx context.Context, tx Tx) error { return putIn(ctx, tx, k, v) })
}

func putIn(ctx context.Context, tx Tx, k int, v string) error {
	_, err := tx.Exec(ctx, insertPair, k, v)
	return err
}

func mustPut(t testing.TB, db DB, k int, v string) {
	t.Helper()
	if err := put(t.Context(), db, k, v); err != nil {
		t.Fatal(err)
	}
}

func keys(t testing.TB, db DB) []int {
	t.Helper()
	var all []int
	err := db.Each(t.Context(), allKeys, nil, func(r Row) error {
		var k int
		err := r.Scan(&k)
		all = append(all, k)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// mustBug fails unless f reports a broken invariant that names want; under test that is a panic.
func mustBug(t testing.TB, want string, f func()) {
	t.Helper()
	defer func() {
		t.Helper()
		if text, _ := recover().(string); !strings.Contains(text, want) {
			t.Errorf("panic %q, want one with %q", text, want)
		}
	}()
	f()
}
