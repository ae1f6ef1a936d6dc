package spicetest

import (
	"context"
	"strconv"
	"testing"

	"github.com/authzed/spicedb/pkg/datalayer"
	sdb "github.com/authzed/spicedb/pkg/datastore"
	"github.com/authzed/spicedb/pkg/datastore/options"
	"github.com/authzed/spicedb/pkg/tuple"
	"go.uber.org/goleak"

	"nexus/authzsvc/authz"
	"nexus/authzsvc/internal/spice"
	"nexus/authzsvc/relations"
)

// Fixture is an engine with the store below it, for one test.
type Fixture struct {
	*spice.Engine
	Store spice.Store
	t     testing.TB
}

// Open returns an engine over store with a schema, closed with the test.
func Open(t testing.TB, store spice.Store, schema string, o spice.Options) *Fixture {
	t.Helper()
	e, err := spice.Open(t.Context(), store, o)
	if err != nil {
		t.Fatalf("open engine: %v", err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Errorf("close engine: %v", err)
		}
	})
	WriteSchema(t, store, schema)
	return &Fixture{Engine: e, Store: store, t: t}
}

// WriteSchema makes text the whole schema of store, tenants' definitions included.
func WriteSchema(t testing.TB, store spice.Store, text string) {
	t.Helper()
	product, err := spice.CompileProduct(t.Context(), text)
	if err != nil {
		t.Fatalf("schema: %v", err)
	}
	objects, caveats := product.Definitions()
	all := make([]sdb.SchemaDefinition, 0, len(objects)+len(caveats))
	for _, def := range objects {
		all = append(all, def)
	}
	for _, rule := range caveats {
		all = append(all, rule)
	}
	_, err = store.ReadWriteTx(t.Context(), func(ctx context.Context, tx sdb.ReadWriteTransaction) error {
		_, _, err := datalayer.WriteSchemaViaStoredSchema(ctx, tx, all, text)
		return err
	})
	if err != nil {
		t.Fatalf("write schema: %v", err)
	}
}

// Touch writes relationships, each as text, in one transaction.
func (f *Fixture) Touch(relationships ...string) relations.Revision {
	f.t.Helper()
	return f.write(tuple.Touch, relationships)
}

// Delete deletes relationships, each as text, in one transaction.
func (f *Fixture) Delete(relationships ...string) relations.Revision {
	f.t.Helper()
	return f.write(tuple.Delete, relationships)
}

// batch is how many relationships one call of the store gets.
const batch = 1000

func (f *Fixture) write(kind func(tuple.Relationship) tuple.RelationshipUpdate, relationships []string) relations.Revision {
	f.t.Helper()
	updates := make([]tuple.RelationshipUpdate, len(relationships))
	for i, text := range relationships {
		rel, err := tuple.Parse(text)
		if err != nil {
			f.t.Fatalf("relationship %q: %v", text, err)
		}
		updates[i] = kind(rel)
	}
	// A test's context ends before its clean-up begins; writes of clean-up functions must still work.
	_, err := f.Store.ReadWriteTx(context.WithoutCancel(f.t.Context()), func(ctx context.Context, tx sdb.ReadWriteTransaction) error {
		for from := 0; from < len(updates); from += batch {
			if err := tx.WriteRelationships(ctx, updates[from:min(from+batch, len(updates))]); err != nil {
				return err
			}
		}
		return nil
	}, options.WithDisableRetries(true))
	if err != nil {
		f.t.Fatalf("write: %v", err)
	}
	return f.Now()
}

// Now returns the head.
func (f *Fixture) Now() relations.Revision {
	f.t.Helper()
	head, err := f.Head(context.WithoutCancel(f.t.Context()))
	if err != nil {
		f.t.Fatalf("head: %v", err)
	}
	return head
}

// Head returns the head of the store itself, as the product takes it.
func (f *Fixture) Head(ctx context.Context) (relations.Revision, error) {
	head, err := f.Store.HeadRevision(ctx)
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseInt(head.Revision.String(), 10, 64)
	return relations.Revision(n), err
}

// Holds asks one question at the head.
func (f *Fixture) Holds(subject authz.Ref, check authz.Check) authz.Answer {
	f.t.Helper()
	return f.HoldsAt(f.Now(), subject, check)
}

// HoldsAt asks one question as of at.
func (f *Fixture) HoldsAt(at relations.Revision, subject authz.Ref, check authz.Check) authz.Answer {
	f.t.Helper()
	answers, err := f.Check(f.t.Context(), at, []authz.Ref{subject}, []authz.Check{check})
	if err != nil {
		f.t.Fatalf("check %s %s on %s:%s: %v", subject, check.Permission, check.Type, check.ID, err)
	}
	return answers[0]
}

// NoWildcard fails the test when any relation of a schema admits a wildcard subject.
func NoWildcard(t testing.TB, schema string) {
	t.Helper()
	if _, err := spice.CompileProduct(t.Context(), schema); err != nil {
		t.Error(err)
	}
}

// Leaks returns the goroutines that importing SpiceDB starts and nothing can stop.
func Leaks() []goleak.Option {
	return []goleak.Option{
		goleak.IgnoreTopFunction("go.opencensus.io/stats/view.(*worker).start"), // from its init, whoever imports it
	}
}
