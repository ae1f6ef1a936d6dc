package sqlds

import (
	"testing"
	"time"

	"github.com/authzed/spicedb/pkg/datastore"
	dtest "github.com/authzed/spicedb/pkg/datastore/test"

	"nexus/internal/errs"
	"nexus/internal/sqldb"
)

// tester makes stores for SpiceDB's suites: on a file on disk, taking schemas that are not ours.
func tester() dtest.DatastoreTester {
	return dtest.DatastoreTesterFunc(func(tb testing.TB, _, gcEvery, window time.Duration, buffer uint16) (datastore.Datastore, error) {
		return openStore(tb, Options{Unchecked: true, GCEvery: gcEvery, Window: window, WatchBuffer: buffer}, sqldb.LiteOptions{}), nil
	})
}

func retryable() dtest.DatastoreTester {
	return dtest.NewTesterFactory(errs.New(errs.Conflict, "come again")).NewTester(tester())
}

func TestDatastoreSuiteOfSpiceDB(t *testing.T) {
	dtest.AllWithExceptions(t, retryable(), dtest.WithCategories(dtest.ConcurrentWriteCategory))
}

// The category ConcurrentWrite is left out above for one case alone, which holds a write transaction open until a second
// one has run inside it: there is one writer. Its other cases are run here.
func TestConcurrentWritesOfSpiceDB(t *testing.T) {
	for _, c := range []struct {
		name string
		run  func(*testing.T, dtest.DatastoreTester)
	}{
		{"Deadlock", dtest.ConcurrentWriteDeadlockTest},
		{"ConcurrentSchemaWins", dtest.StoredSchemaConcurrentSchemaWinsTest},
		{"SchemaUnderTraffic", dtest.StoredSchemaWriteSucceedsUnderRelWriteTrafficTest},
	} {
		t.Run(c.name, func(t *testing.T) { c.run(t, retryable()) })
	}
}
