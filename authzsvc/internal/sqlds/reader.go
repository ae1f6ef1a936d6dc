package sqlds

import (
	"context"

	"github.com/authzed/spicedb/pkg/datastore"
	"github.com/authzed/spicedb/pkg/datastore/options"
	"github.com/authzed/spicedb/pkg/tuple"
)

// reader reads at one revision: a published one, or that of an open transaction.
type reader struct {
	d   *Datastore
	rev int64
	src source
	tx  bool  // within a transaction, whose writes no cache knows
	err error // why this revision cannot be read
}

var _ datastore.Reader = (*reader)(nil)

// SnapshotReader returns a reader at r. Whether r can be read is found out by each read.
func (d *Datastore) SnapshotReader(r datastore.Revision) datastore.Reader {
	own, ok := r.(revision)
	if !ok || own <= 0 {
		return &reader{err: datastore.NewInvalidRevisionErr(r, datastore.CouldNotDetermineRevision)}
	}
	return &reader{d: d, rev: int64(own), src: d.texts}
}

// begin is called before each read; done must be called at its end.
func (r *reader) begin(ctx context.Context) (done func(), err error) {
	if r.err != nil {
		return nil, r.err
	}
	if r.tx {
		return func() {}, nil
	}
	leave, err := r.d.enter()
	if err != nil {
		return nil, err
	}
	if err := r.d.readable(ctx, r.rev); err != nil {
		leave()
		return nil, err
	}
	return leave, nil
}

// end is called after each read, before its rows are used: what was collected meanwhile may be missing from them.
func (r *reader) end() error {
	if !r.tx && r.rev < r.d.floor.Load() {
		return datastore.NewInvalidRevisionErr(revision(r.rev), datastore.RevisionStale)
	}
	return nil
}

// rows implements source with begin and end around each read.
func (r *reader) page(ctx context.Context, q *query, want uint64) ([]row, bool, error) {
	done, err := r.begin(ctx)
	if err != nil {
		return nil, false, err
	}
	defer done()
	page, more, err := q.page(ctx, r.src, r.rev, want)
	if err == nil {
		err = r.end()
	}
	return page, more, err
}

// cached answers q from the object cache.
func (r *reader) cached(ctx context.Context, q *query) ([]*row, bool, error) {
	if r.tx {
		return nil, false, nil
	}
	done, err := r.begin(ctx)
	if err != nil {
		return nil, false, err
	}
	defer done()
	found, ok, err := r.d.fromObjects(ctx, q, r.rev)
	if err == nil {
		err = r.end()
	}
	return found, ok, err
}

// each calls f for every row of q until f returns false. No connection is held while f runs.
func (r *reader) each(ctx context.Context, q *query, f func(*row) (bool, error)) error {
	f = q.counted(f)
	found, ok, err := r.cached(ctx, q)
	if err != nil {
		return err
	}
	if ok {
		return q.feed(found, f)
	}
	for more := true; more; {
		var page []row
		if page, more, err = r.page(ctx, q, q.limit); err != nil {
			return err
		}
		for i := range page {
			if goOn, err := f(&page[i]); err != nil || !goOn {
				return err
			}
		}
	}
	return nil
}

// feed gives f the rows that q keeps.
func (q *query) feed(found []*row, f func(*row) (bool, error)) error {
	for _, one := range found {
		if q.keep != nil {
			if ok, err := q.keep(one); err != nil {
				return err
			} else if !ok {
				continue
			}
		}
		if goOn, err := f(one); err != nil || !goOn {
			return err
		}
	}
	return nil
}

// counted stops f once the query's limit is reached.
func (q *query) counted(f func(*row) (bool, error)) func(*row) (bool, error) {
	if q.limit == 0 {
		return f
	}
	left := q.limit
	return func(r *row) (bool, error) {
		left--
		goOn, err := f(r)
		return goOn && left > 0, err
	}
}

// iterate returns the rows of q as SpiceDB iterates over them.
func (r *reader) iterate(ctx context.Context, q *query) datastore.RelationshipIterator {
	return func(yield func(tuple.Relationship, error) bool) {
		own := *q // an iterator may be walked twice
		err := r.each(ctx, &own, func(one *row) (bool, error) {
			rel, err := one.tuple()
			if err != nil {
				return false, err
			}
			return yield(rel, nil), nil
		})
		if err != nil {
			yield(tuple.Relationship{}, err)
		}
	}
}

// QueryRelationships reads from the side of the resource.
func (r *reader) QueryRelationships(ctx context.Context, f datastore.RelationshipsFilter, opts ...options.QueryOptionsOption) (datastore.RelationshipIterator, error) {
	q, err := forward(f, options.NewQueryOptionsWithOptions(opts...))
	if err != nil {
		return nil, err
	}
	return r.iterate(ctx, q), r.err
}

// ReverseQueryRelationships reads from the side of the subject.
func (r *reader) ReverseQueryRelationships(ctx context.Context, f datastore.SubjectsFilter, opts ...options.ReverseQueryOptionsOption) (datastore.RelationshipIterator, error) {
	q, err := reverse(f, options.NewReverseQueryOptionsWithOptions(opts...))
	if err != nil {
		return nil, err
	}
	return r.iterate(ctx, q), r.err
}
