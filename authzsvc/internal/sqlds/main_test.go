package sqlds

import (
	"context"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/authzed/spicedb/pkg/datalayer"
	"github.com/authzed/spicedb/pkg/datastore"
	"github.com/authzed/spicedb/pkg/schemadsl/compiler"
	"github.com/authzed/spicedb/pkg/schemadsl/input"
	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"nexus/authzsvc/authz"
	"nexus/authzsvc/relations"
	"nexus/internal/errs"
	"nexus/internal/sqldb"
	"nexus/schema"
)

const (
	roleVar  = "SQLDS_TEST_ROLE"  // the test binary plays a process that is going to be killed
	suiteVar = "SQLDS_TEST_SUITE" // the test binary runs one suite of SpiceDB's and nothing else
)

func TestMain(m *testing.M) {
	zerolog.SetGlobalLevel(zerolog.Disabled)
	switch {
	case os.Getenv(roleVar) != "":
		os.Exit(play())
	case os.Getenv(suiteVar) != "":
		os.Exit(m.Run())
	}
	goleak.VerifyTestMain(m, goleak.IgnoreCurrent()) // packages of SpiceDB start some for the life of the process
}

// openStore opens a store in a new file and closes it with the test.
func openStore(tb testing.TB, o Options, lite sqldb.LiteOptions) *Datastore {
	tb.Helper()
	return openFile(tb, filepath.Join(tb.TempDir(), "nexus.db"), o, lite)
}

func openFile(tb testing.TB, path string, o Options, lite sqldb.LiteOptions) *Datastore {
	tb.Helper()
	d, err := openBoth(path, o, lite)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := closeBoth(d); err != nil {
			tb.Error("close:", err)
		}
	})
	return d
}

func openBoth(path string, o Options, lite sqldb.LiteOptions) (*Datastore, error) {
	ctx := context.Background()
	db, err := sqldb.OpenLite(ctx, path, lite)
	if err != nil {
		return nil, err
	}
	return Open(ctx, db, o)
}

func closeBoth(d *Datastore) error {
	if err := d.Close(); err != nil {
		return err
	}
	return d.db.Close()
}

// productStore opens a store that holds the product's schema.
func productStore(tb testing.TB, o Options) *Datastore {
	tb.Helper()
	d := openStore(tb, o, sqldb.LiteOptions{})
	if err := writeSchema(d, schema.Text); err != nil {
		tb.Fatal(err)
	}
	return d
}

func writeSchema(d *Datastore, text string) error {
	compiled, err := compiler.Compile(compiler.InputSchema{Source: input.Source("schema"), SchemaString: text}, compiler.AllowUnprefixedObjectType())
	if err != nil {
		return err
	}
	var all []datastore.SchemaDefinition
	for _, def := range compiled.ObjectDefinitions {
		all = append(all, def)
	}
	_, err = d.ReadWriteTx(context.Background(), func(ctx context.Context, rwt datastore.ReadWriteTransaction) error {
		_, _, err := datalayer.WriteSchemaViaStoredSchema(ctx, rwt, all, text)
		return err
	})
	return err
}

// write writes updates in a transaction of their own.
func write(d *Datastore, updates ...relations.Update) error {
	return d.db.Tx(context.Background(), func(ctx context.Context, tx sqldb.Tx) error {
		return d.Writer().Write(ctx, tx, updates...)
	})
}

func mustWrite(tb testing.TB, d *Datastore, updates ...relations.Update) {
	tb.Helper()
	if err := write(d, updates...); err != nil {
		tb.Fatalf("Write(%v) = %v", updates, err)
	}
}

func headOf(tb testing.TB, d *Datastore) relations.Revision {
	tb.Helper()
	r, err := d.Reader().Head(context.Background())
	if err != nil {
		tb.Fatal("Head:", err)
	}
	return r
}

// read returns what f selects at a revision, as text.
func read(tb testing.TB, d *Datastore, at relations.Revision, f relations.Filter) []string {
	tb.Helper()
	var all []string
	err := d.Reader().Read(context.Background(), at, f, func(r relations.Relationship) bool {
		all = append(all, r.String())
		return true
	})
	if err != nil {
		tb.Fatal("Read:", err)
	}
	return all
}

// rel makes file:acme/FILE#RELATION@TYPE:acme/ID#SUBJECTRELATION.
func rel(file, relation, typ, id, subjectRelation string) relations.Relationship {
	return relations.Relationship{
		Resource: authz.Ref{Type: "file", ID: "acme/" + file}, Relation: relation,
		Subject: authz.Ref{Type: typ, ID: "acme/" + id}, SubjectRelation: subjectRelation,
	}
}

func touch(r relations.Relationship) relations.Update {
	return relations.Update{Kind: relations.Touch, Relationship: r}
}

func create(r relations.Relationship) relations.Update {
	return relations.Update{Kind: relations.Create, Relationship: r}
}

func remove(r relations.Relationship) relations.Update {
	return relations.Update{Kind: relations.Delete, Relationship: r}
}

func viewer(file, user string) relations.Relationship {
	return rel(file, "direct_viewer", "user", user, "")
}

func parent(child, folder string) relations.Relationship {
	return rel(child, "parent", "file", folder, "")
}

func until(t time.Time, r relations.Relationship) relations.Relationship {
	r.Expires = t
	return r
}

func onFile(file string) relations.Filter {
	return relations.Filter{ResourceType: "file", ResourceID: "acme/" + file}
}

func ofUser(user string) relations.Filter {
	return relations.Filter{SubjectType: "user", SubjectID: "acme/" + user}
}

// handClock stands still until it is moved.
type handClock struct{ at atomic.Int64 }

func newHandClock() *handClock {
	c := &handClock{}
	c.at.Store(time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC).UnixNano())
	return c
}

func (c *handClock) Now() time.Time { return time.Unix(0, c.at.Load()).UTC() }

func (c *handClock) add(d time.Duration) time.Time {
	return time.Unix(0, c.at.Add(int64(d))).UTC()
}

// refused fails unless err is Invalid for the reason.
func refused(tb testing.TB, err error, reason errs.Reason) {
	tb.Helper()
	if e := errs.From(err); e == nil || e.Kind != errs.Invalid || e.Reason != reason {
		tb.Errorf("got %v, want a refusal for %s", err, reason)
	}
}
