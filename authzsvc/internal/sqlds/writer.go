package sqlds

import (
	"context"
	"errors"

	"github.com/authzed/spicedb/pkg/datastore"

	"nexus/authzsvc/authz"
	"nexus/authzsvc/relations"
	"nexus/internal/errs"
	"nexus/internal/sqldb"
)

var (
	sqlSave    = sqldb.OnlySQLite(`SAVEPOINT relations`)
	sqlUndo    = sqldb.OnlySQLite(`ROLLBACK TO relations`)
	sqlRelease = sqldb.OnlySQLite(`RELEASE relations`)
)

// Writer returns the only writer of relationships.
func (d *Datastore) Writer() relations.Writer { return writer{d} }

// Reader returns a reader of relationships.
func (d *Datastore) Reader() relations.Reader { return relationReader{d} }

type writer struct{ d *Datastore }

// Write implements relations.Writer. All updates of one closure, of one call or of several, carry one revision.
func (w writer) Write(ctx context.Context, tx sqldb.Tx, updates ...relations.Update) error {
	if len(updates) == 0 {
		return nil
	}
	j, err := w.d.join(tx)
	if err != nil {
		return err
	}
	changes := make([]change, len(updates))
	for i, u := range updates {
		changes[i] = changeOf(u)
		if err := j.valid(ctx, &changes[i], u.Caveat); err != nil {
			return err
		}
		if changes[i].extra, err = j.condition(ctx, &u); err != nil {
			return err
		}
	}
	return inWords(j.whole(ctx, changes))
}

// whole applies all changes or none. A refusal may come after the first is written, for each is held against the ones
// before it; one change is refused before it is written.
func (j *join) whole(ctx context.Context, changes []change) error {
	if len(changes) == 1 {
		return j.apply(ctx, changes, j.mayHold)
	}
	if _, err := j.tx.Exec(ctx, sqlSave); err != nil {
		return err
	}
	refused := j.apply(ctx, changes, j.mayHold)
	if refused != nil {
		if _, err := j.tx.Exec(ctx, sqlUndo); err != nil {
			return errors.Join(refused, err)
		}
		clear(j.heights)
		clear(j.learned)
	}
	_, err := j.tx.Exec(ctx, sqlRelease)
	return errors.Join(refused, err)
}

// DeleteObject implements relations.Writer.
func (w writer) DeleteObject(ctx context.Context, tx sqldb.Tx, object authz.Ref) error {
	j, err := w.d.join(tx)
	if err != nil {
		return err
	}
	ends := []relations.Filter{
		{ResourceType: object.Type, ResourceID: object.ID},
		{SubjectType: object.Type, SubjectID: object.ID},
	}
	if object.Type == "" || object.ID == "" {
		return errs.New(errs.Invalid, "an object has a type and an id").Marked(errs.NotValid)
	}
	for _, f := range ends {
		q, err := selected(f)
		if err != nil {
			return err
		}
		if _, err := j.deleteRows(ctx, q, 0); err != nil {
			return err
		}
	}
	return j.unknow(ctx, object)
}

// Trim implements relations.Writer.
func (w writer) Trim(ctx context.Context, tx sqldb.Tx, f relations.Filter, n int) ([]relations.Relationship, error) {
	j, err := w.d.join(tx)
	if err != nil {
		return nil, err
	}
	q, err := selected(f)
	if err != nil {
		return nil, err
	}
	q.includeExpired = true
	var changes []change
	for more := true; more && len(changes) < n; {
		var page []row
		if page, more, err = q.page(ctx, writerSource{j.conn}, j.rev, uint64(n-len(changes))); err != nil {
			return nil, err
		}
		for i := range page {
			changes = append(changes, change{kind: relations.Delete, key: page[i].key, old: &page[i]})
		}
	}
	gone := make([]relations.Relationship, len(changes))
	for i := range changes {
		gone[i] = changes[i].old.edge()
	}
	return gone, j.apply(ctx, changes, nil)
}

// Find implements relations.Writer.
func (w writer) Find(ctx context.Context, tx sqldb.Tx, r relations.Relationship) (relations.Relationship, bool, error) {
	j, err := w.d.join(tx)
	if err != nil {
		return relations.Relationship{}, false, err
	}
	now, err := j.live(ctx, keyOfEdge(r))
	if err != nil || now == nil || now.expiry <= j.rev {
		return relations.Relationship{}, false, err
	}
	return now.edge(), true, nil
}

// unknow forgets the height of an object that has lost all its edges.
func (j *join) unknow(ctx context.Context, r authz.Ref) error {
	if _, ok := trees[r.Type]; !ok {
		return nil
	}
	if height, err := j.moved(ctx, r); err != nil || height == 0 {
		return err
	}
	j.heights[r] = 0
	_, err := j.tx.Exec(ctx, sqlNoHeight, r.Type, r.ID)
	return err
}

// inWords turns an error of the tables or of SpiceDB's interface into one for callers.
func inWords(err error) error {
	var exists *existsError
	var revision datastore.InvalidRevisionError
	switch {
	case errors.As(err, &exists):
		return errs.New(errs.Exists, "the %s has this relationship already", exists.key.rt)
	case errors.As(err, &revision) && revision.Reason() == datastore.RevisionStale:
		return errs.New(errs.Precondition, "revision %s lies before the kept history", revision.InvalidRevision()).Because(err)
	case errors.As(err, &revision):
		return errs.New(errs.Invalid, "there is no revision %s yet", revision.InvalidRevision()).Because(err)
	}
	return err
}

type relationReader struct{ d *Datastore }

// Head implements relations.Reader. It must not be called within a transaction.
func (r relationReader) Head(ctx context.Context) (relations.Revision, error) {
	if err := r.d.open(); err != nil {
		return 0, err
	}
	s, err := r.d.current(ctx)
	if err != nil {
		return 0, err
	}
	return relations.Revision(s.head), nil
}

// Read implements relations.Reader. No connection is held while yield runs.
func (r relationReader) Read(ctx context.Context, at relations.Revision, f relations.Filter, yield func(relations.Relationship) bool) error {
	q, err := selected(f)
	if err != nil {
		return err
	}
	if f.ResourceType != "" && f.ResourceID != "" {
		q.typ, q.ids = f.ResourceType, []string{f.ResourceID}
		q.match = matches(f)
	}
	own := reader{d: r.d, rev: int64(at), src: r.d.texts}
	return inWords(own.each(ctx, q, func(one *row) (bool, error) { return yield(one.edge()), nil }))
}
