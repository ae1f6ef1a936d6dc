package sqlds

import (
	"context"
	"strconv"
	"time"

	"github.com/authzed/spicedb/pkg/datastore"

	"nexus/authzsvc/relations"
	"nexus/internal/errs"
)

// revision is a relations.Revision as SpiceDB takes it.
type revision int64

// DatastoreRevision returns r as SpiceDB's calls take it.
func DatastoreRevision(r relations.Revision) datastore.Revision { return revision(r) }

// RevisionOf is the reverse of DatastoreRevision. A revision of another datastore is refused.
func RevisionOf(r datastore.Revision) (relations.Revision, error) {
	if own, ok := r.(revision); ok {
		return relations.Revision(own), nil
	}
	return 0, errs.New(errs.Invalid, "not a revision of this store: %v", r)
}

// String returns r in decimal nanoseconds.
func (r revision) String() string { return strconv.FormatInt(int64(r), 10) }

// ByteSortable reports true: decimal nanoseconds have 19 digits from 2001 to 2286.
func (r revision) ByteSortable() bool { return true }

// Equal reports whether both are one point in time.
func (r revision) Equal(o datastore.Revision) bool { return r == number(o) }

// GreaterThan reports whether r is later.
func (r revision) GreaterThan(o datastore.Revision) bool { return r > number(o) }

// LessThan reports whether r is earlier.
func (r revision) LessThan(o datastore.Revision) bool { return r < number(o) }

// number takes NoRevision, and what is not ours, as the beginning of time.
func number(r datastore.Revision) revision {
	own, ok := r.(revision)
	if !ok {
		return 0
	}
	return own
}

// RevisionFromString reads what String wrote.
func (d *Datastore) RevisionFromString(text string) (datastore.Revision, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n <= 0 {
		return datastore.NoRevision, errs.New(errs.Invalid, "not a revision: %q", text)
	}
	return revision(n), nil
}

// CheckRevision refuses a revision that lies before the kept history or in the future. One between the head and the present
// is made immutable first.
func (d *Datastore) CheckRevision(ctx context.Context, r datastore.Revision) error {
	own, ok := r.(revision)
	if !ok || own <= 0 {
		return datastore.NewInvalidRevisionErr(r, datastore.CouldNotDetermineRevision)
	}
	if err := d.open(); err != nil {
		return err
	}
	return d.readable(ctx, int64(own))
}

// readable makes sure that whatever is read at r stays true for ever.
func (d *Datastore) readable(ctx context.Context, r int64) error {
	s := d.head.now.Load()
	if r > s.head {
		var err error
		if s, err = d.settle(ctx, r); err != nil {
			return err
		}
	}
	if r < d.horizon(s) {
		return datastore.NewInvalidRevisionErr(revision(r), datastore.RevisionStale)
	}
	return nil
}

// horizon is the earliest revision that may be read: the floor of what was collected, and the window, but never later than the head.
func (d *Datastore) horizon(s *state) int64 {
	window := d.o.Clock.Now().Add(-d.o.Window).UnixNano()
	return max(d.floor.Load(), min(window, s.head))
}

// At returns the revision that holds at wall time t, which must not lie in the future nor before the kept history. What is
// read at it stays the same for ever.
func (d *Datastore) At(ctx context.Context, t time.Time) (relations.Revision, error) {
	if err := d.open(); err != nil {
		return 0, err
	}
	r := nanos(t)
	if r > d.o.Clock.Now().UnixNano() {
		return 0, errs.New(errs.Invalid, "time %s lies in the future", t.Format(time.RFC3339))
	}
	s, err := d.settle(ctx, r)
	if err != nil {
		return 0, inWords(err)
	}
	if earliest := d.horizon(s); r < earliest {
		return 0, errs.New(errs.Precondition, "history is kept since %s", time.Unix(0, earliest).UTC().Format(time.RFC3339))
	}
	return relations.Revision(r), nil
}

// SchemaHashAt returns the hash of the schema that held at r, "" when there was none.
func (d *Datastore) SchemaHashAt(ctx context.Context, r relations.Revision) (string, error) {
	if err := d.readable(ctx, int64(r)); err != nil {
		return "", inWords(err)
	}
	if s := d.head.now.Load(); s.head == int64(r) {
		return s.hash, nil
	}
	return d.hashAt(ctx, int64(r))
}
