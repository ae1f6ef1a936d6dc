package storage_test

import (
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"nexus/internal/sqldb"
	"nexus/internal/sqldb/pgtest"
	"nexus/storage"
	"nexus/storage/storagetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(pgtest.Wrap(m)) }

func openLite(t testing.TB) sqldb.DB {
	t.Helper()
	db, err := sqldb.OpenLite(t.Context(), filepath.Join(t.TempDir(), "nexus.db"), sqldb.LiteOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return db
}

func openPostgres(t testing.TB) sqldb.DB {
	t.Helper()
	db, err := sqldb.OpenPostgres(t.Context(), pgtest.Start(t), sqldb.PostgresOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return db
}

func TestSuiteOnSQLite(t *testing.T) { storagetest.Run(t, openLite) }

func TestSuiteOnPostgres(t *testing.T) { storagetest.Run(t, openPostgres) }

func TestEveryStatementFitsSQLite(t *testing.T) { mustFit(t, openLite(t)) }

func TestEveryStatementFitsPostgres(t *testing.T) { mustFit(t, openPostgres(t)) }

// mustFit prepares every statement that this test binary declares on db.
func mustFit(t *testing.T, db sqldb.DB) {
	t.Cleanup(func() { _ = db.Close() })
	if err := storage.Migrate(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	if err := sqldb.PrepareAll(t.Context(), db); err != nil {
		t.Error(err)
	}
	if n := len(sqldb.Statements()); n < 40 {
		t.Errorf("only %d statements are declared: the test looks at the wrong ones", n)
	}
}

func TestNoStatementIsPlannedAgainForOtherValues(t *testing.T) {
	db := openLite(t).(*sqldb.Lite)
	t.Cleanup(func() { _ = db.Close() })
	if err := storage.Migrate(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	var texts []string
	for _, s := range sqldb.Statements() {
		if text := s.Text(sqldb.SQLite); text != "" {
			texts = append(texts, text)
		}
	}
	if err := sqldb.Steady(t.Context(), db, texts...); err != nil {
		t.Error(err)
	}
}
