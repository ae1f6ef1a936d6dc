package spicetest

import (
	"path/filepath"
	"testing"

	"nexus/authzsvc/internal/spice"
	"nexus/authzsvc/internal/sqlds"
	"nexus/internal/sqldb"
)

// NewDurable returns an empty store in a file of its own, as the product has it, closed with the test.
func NewDurable(t testing.TB, o sqlds.Options) spice.Store {
	t.Helper()
	db, err := sqldb.OpenLite(t.Context(), filepath.Join(t.TempDir(), "nexus.db"), sqldb.LiteOptions{})
	if err != nil {
		t.Fatalf("open database: %v", err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("close database: %v", err)
		}
	})
	ds, err := sqlds.Open(t.Context(), db, o)
	if err != nil {
		t.Fatalf("open store: %v", err)
	}
	t.Cleanup(func() {
		if err := ds.Close(); err != nil {
			t.Errorf("close store: %v", err)
		}
	})
	return ds
}
