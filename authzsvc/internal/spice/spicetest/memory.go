// Package spicetest runs the engine in tests: over memory, or over any other store. It is not for production: SpiceDB's
// memory store forgets everything and, under concurrent writers, loses sight of their own writes. To test against another
// store, pass it to Open.
package spicetest

import (
	"context"
	"errors"
	"strconv"
	"testing"

	"github.com/authzed/spicedb/pkg/cmd/datastore"
	sdb "github.com/authzed/spicedb/pkg/datastore"

	"nexus/authzsvc/relations"
)

// Memory is a spice.Store over SpiceDB's own store in memory. Writers must take turns.
type Memory struct{ sdb.Datastore }

// NewMemory returns an empty store, closed with the test.
func NewMemory(t testing.TB) Memory {
	t.Helper()
	ds, err := datastore.NewDatastore(t.Context(), datastore.DefaultDatastoreConfig().ToOption(), datastore.WithRevisionQuantization(0))
	if err != nil {
		t.Fatalf("memory store: %v", err)
	}
	t.Cleanup(func() {
		if err := ds.Close(); err != nil {
			t.Errorf("close memory store: %v", err)
		}
	})
	return Memory{ds}
}

// SchemaHashAt reads the whole schema for its hash.
func (m Memory) SchemaHashAt(ctx context.Context, r relations.Revision) (string, error) {
	revision, err := m.RevisionFromString(strconv.FormatInt(int64(r), 10))
	if err != nil {
		return "", err
	}
	stored, err := m.SnapshotReader(revision).ReadStoredSchema(ctx)
	if errors.Is(err, sdb.ErrSchemaNotFound) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	return stored.Get().GetV1().GetSchemaHash(), nil
}
