package sqlds

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"

	v1 "github.com/authzed/authzed-go/proto/authzed/api/v1"
	"github.com/authzed/spicedb/pkg/datastore"
	"github.com/authzed/spicedb/pkg/datastore/options"
	core "github.com/authzed/spicedb/pkg/proto/core/v1"
	"github.com/authzed/spicedb/pkg/tuple"
	"google.golang.org/protobuf/types/known/structpb"

	"nexus/authzsvc/relations"
	"nexus/internal/errs"
	"nexus/internal/sqldb"
)

// maxTries is how often ReadWriteTx runs a function that lost to another writer. One writer never loses; it is for functions
// that say so themselves.
const maxTries = 10

// ReadWriteTx runs f in a transaction of its own. What f writes goes the way of the Writer. f's own error is returned as it is.
func (d *Datastore) ReadWriteTx(ctx context.Context, f datastore.TxUserFunc, opts ...options.RWTOptionsOption) (datastore.Revision, error) {
	config := options.NewRWTOptionsWithOptions(opts...)
	tries := maxTries
	if config.DisableRetries {
		tries = 1
	}
	for {
		rev, err := d.readWrite(ctx, f, config)
		if tries--; err == nil || tries == 0 || !errors.Is(err, errs.Conflict) || ctx.Err() != nil {
			return rev, err
		}
	}
}

func (d *Datastore) readWrite(ctx context.Context, f datastore.TxUserFunc, config *options.RWTOptions) (datastore.Revision, error) {
	var rev int64
	var own error
	err := d.db.Tx(ctx, func(ctx context.Context, tx sqldb.Tx) error {
		j, err := d.join(tx)
		if err != nil {
			return err
		}
		rev = j.rev
		t := &transaction{reader: *j.reader(), j: j}
		t.src = lockedSource{&t.mu, t.src}
		own = t.run(ctx, f, config)
		return own
	})
	if own != nil {
		return datastore.NoRevision, own
	}
	if err != nil {
		return datastore.NoRevision, err
	}
	return revision(rev), nil
}

// transaction is SpiceDB's view of a closure. Its methods may be called from several goroutines.
type transaction struct {
	reader
	mu      sync.Mutex
	j       *join
	changed definitionsChanged
}

var _ datastore.ReadWriteTransaction = (*transaction)(nil)

// lockedSource keeps reads and writes of one transaction apart.
type lockedSource struct {
	mu  *sync.Mutex
	src source
}

func (l lockedSource) rows(ctx context.Context, text string, args []any, each func(*sql.Rows) error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.src.rows(ctx, text, args, each)
}

func (t *transaction) run(ctx context.Context, f datastore.TxUserFunc, config *options.RWTOptions) error {
	if want := config.SchemaHashPrecondition; want != "" {
		if err := t.hashIs(ctx, want); err != nil {
			return err
		}
	}
	if err := f(ctx, t); err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	other, err := t.changed.pack(config.Metadata)
	if err != nil {
		return err
	}
	if other != nil {
		return t.j.log(ctx, nil, other)
	}
	return t.j.finish(ctx)
}

func (t *transaction) hashIs(ctx context.Context, want string) error {
	found, err := t.docs(ctx, kindHash, theSchema)
	switch {
	case err != nil:
		return err
	case len(found) == 0:
		return datastore.ErrSchemaNotFound
	case string(found[0].val) != want:
		return datastore.ErrSchemaHashPreconditionFailed
	}
	return nil
}

// WriteRelationships applies updates in order.
func (t *transaction) WriteRelationships(ctx context.Context, updates []tuple.RelationshipUpdate) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	changes := make([]change, len(updates))
	for i, u := range updates {
		c, err := t.change(ctx, u)
		if err != nil {
			return err
		}
		changes[i] = c
	}
	return inTuples(t.j.apply(ctx, changes, t.check()))
}

// check returns what each change is held against before it is written.
func (t *transaction) check() func(context.Context, *change) error {
	if t.d.o.Unchecked {
		return nil
	}
	return t.j.mayHold
}

func (t *transaction) change(ctx context.Context, u tuple.RelationshipUpdate) (change, error) {
	c := change{key: keyOf(u.Relationship.RelationshipReference)}
	switch u.Operation {
	case tuple.UpdateOperationCreate:
		c.kind = relations.Create
	case tuple.UpdateOperationTouch:
		c.kind = relations.Touch
	case tuple.UpdateOperationDelete:
		c.kind = relations.Delete
	default:
		return c, errs.New(errs.Invalid, "unknown operation on a relationship: %d", u.Operation)
	}
	var err error
	if c.expiry, c.extra, err = stored(u.Relationship); err != nil || t.d.o.Unchecked {
		return c, err
	}
	return c, t.j.valid(ctx, &c, u.Relationship.OptionalCaveat.GetCaveatName())
}

// inTuples turns an error of the tables into SpiceDB's.
func inTuples(err error) error {
	var exists *existsError
	if errors.As(err, &exists) {
		rel := tuple.Relationship{RelationshipReference: exists.key.reference()}
		return datastore.NewCreateRelationshipExistsError(&rel)
	}
	return err
}

// DeleteRelationships deletes what the filter selects, expired relationships included.
func (t *transaction) DeleteRelationships(ctx context.Context, f *v1.RelationshipFilter, opts ...options.DeleteOptionsOption) (uint64, bool, error) {
	own, err := datastore.RelationshipsFilterFromPublicFilter(f)
	if err != nil {
		return 0, false, err
	}
	q, err := forward(own, &options.QueryOptions{})
	if err != nil {
		return 0, false, err
	}
	limit := limitOf(options.NewDeleteOptionsWithOptionsAndDefaults(opts...).DeleteLimit)
	t.mu.Lock()
	defer t.mu.Unlock()
	n, err := t.j.deleteRows(ctx, q, limit)
	return n, limit > 0 && n == limit, err
}

// BulkLoad creates what the source gives.
func (t *transaction) BulkLoad(ctx context.Context, from datastore.BulkWriteRelationshipSource) (uint64, error) {
	var n uint64
	batch := make([]tuple.RelationshipUpdate, 0, pageRows)
	for {
		rel, err := from.Next(ctx)
		if err != nil {
			return 0, err
		}
		if rel != nil {
			batch = append(batch, tuple.Create(*rel))
		}
		if len(batch) == pageRows || rel == nil {
			if err := t.WriteRelationships(ctx, batch); err != nil {
				return 0, err
			}
			n += uint64(len(batch))
			batch = batch[:0]
		}
		if rel == nil {
			return n, nil
		}
	}
}

// WriteStoredSchema stores the schema as a whole, with its hash.
func (t *transaction) WriteStoredSchema(ctx context.Context, s *core.StoredSchema) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	before, err := t.j.composed(ctx)
	if err != nil {
		return err
	}
	v1 := s.GetV1()
	w := &composed{created: t.j.rev, text: v1.GetSchemaText(), hash: v1.GetSchemaHash(), parts: map[partKey]part{}}
	for name, def := range v1.GetNamespaceDefinitions() {
		p, err := objectPart(t.j.rev, def)
		if err != nil {
			return err
		}
		w.put(before, partKey{kindObject, name}, p)
	}
	for name, rule := range v1.GetCaveatDefinitions() {
		p, err := rulePart(t.j.rev, rule)
		if err != nil {
			return err
		}
		w.put(before, partKey{kindRule, name}, p)
	}
	t.j.wroteSchema()
	t.j.product = true
	return t.j.putSchema(ctx, before, w.sealed())
}

// LegacyWriteCaveats stores caveats singly.
func (t *transaction) LegacyWriteCaveats(ctx context.Context, caveats []*core.CaveatDefinition) error {
	seen := map[string]bool{}
	for _, c := range caveats {
		if seen[c.Name] {
			return fmt.Errorf("caveat %q is written twice", c.Name)
		}
		seen[c.Name] = true
		if err := t.writeSingle(ctx, kindCaveat, c); err != nil {
			return err
		}
	}
	return nil
}

// LegacyWriteNamespaces stores definitions singly.
func (t *transaction) LegacyWriteNamespaces(ctx context.Context, definitions ...*core.NamespaceDefinition) error {
	for _, def := range definitions {
		if err := t.writeSingle(ctx, kindDefinition, def); err != nil {
			return err
		}
	}
	return nil
}

func (t *transaction) writeSingle(ctx context.Context, kind string, def interface {
	GetName() string
	MarshalVT() ([]byte, error)
}) error {
	data, err := def.MarshalVT()
	if err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.j.wroteSchema()
	t.changed.note(kind, def.GetName(), data)
	return t.j.putDoc(ctx, kind, def.GetName(), data)
}

// LegacyDeleteCaveats deletes caveats that were stored singly.
func (t *transaction) LegacyDeleteCaveats(ctx context.Context, names []string) error {
	for _, name := range names {
		if _, err := t.deleteSingle(ctx, kindCaveat, name); err != nil {
			return err
		}
	}
	return nil
}

// LegacyDeleteNamespaces deletes definitions that were stored singly, and on request the relationships of their objects.
func (t *transaction) LegacyDeleteNamespaces(ctx context.Context, names []string, also datastore.DeleteNamespacesRelationshipsOption) error {
	for _, name := range names {
		ok, err := t.deleteSingle(ctx, kindDefinition, name)
		if err != nil {
			return err
		}
		if !ok {
			return datastore.NewNamespaceNotFoundErr(name)
		}
		if also != datastore.DeleteNamespacesAndRelationships {
			continue
		}
		if _, _, err := t.DeleteRelationships(ctx, &v1.RelationshipFilter{ResourceType: name}); err != nil {
			return err
		}
	}
	return nil
}

func (t *transaction) deleteSingle(ctx context.Context, kind, name string) (bool, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.j.wroteSchema()
	ok, err := t.j.dropDoc(ctx, kind, name)
	if ok {
		t.changed.note(kind, name, nil)
	}
	return ok, err
}

// definitionsChanged gathers the definitions and caveats that a transaction writes, for watchers.
type definitionsChanged struct{ all []definitionChange }

// definitionChange is one of them; a nil val says that it was deleted.
type definitionChange struct {
	Kind string `json:"k"`
	Name string `json:"n"`
	Val  []byte `json:"v"`
}

func (d *definitionsChanged) note(kind, name string, val []byte) {
	for i := range d.all {
		if d.all[i].Kind == kind && d.all[i].Name == name {
			d.all[i].Val = val
			return
		}
	}
	d.all = append(d.all, definitionChange{kind, name, val})
}

// pack returns the log's other column: nil when there is nothing to tell.
func (d *definitionsChanged) pack(metadata *structpb.Struct) ([]byte, error) {
	return packOther(d.all, metadata)
}
