package storage

import (
	"context"
	"errors"
	"strings"
	"time"

	"nexus/internal/errs"
	"nexus/internal/paths"
	"nexus/internal/sqldb"
	"nexus/schema"
	"nexus/storage/internal/sqlstore"
)

// Changes is the façade of what changed in a tenant's tree, for those who follow it. It is safe for concurrent use.
//
// What a change tells is decided when it is told. Of what still stands where it stood after the change, it takes reading it.
// Of what was deleted, has moved on, or was moved away, it takes reading the folder that it stood in; where that folder is
// gone or is called otherwise by now, the nearest folder above it that is still what it was, for whoever reads that reads all
// that was in it.
type Changes struct{ s *Store }

// Changes returns the façade.
func (s *Store) Changes() *Changes { return &Changes{s} }

// EventKind says what happened to a file or folder. A folder's change stands for all that is in it.
type EventKind string

const (
	EventCreated  EventKind = "created" // made, brought back, or moved to where it can be seen
	EventWritten  EventKind = "written" // a new version
	EventMoved    EventKind = "moved"
	EventDeleted  EventKind = "deleted"  // or moved to where it cannot be seen
	EventReworked EventKind = "reworked" // a folder whose contents changed in many places at once
)

var eventKinds = map[sqlstore.ChangeKind]EventKind{
	sqlstore.Created: EventCreated, sqlstore.Written: EventWritten, sqlstore.Moved: EventMoved,
	sqlstore.Deleted: EventDeleted, sqlstore.Reworked: EventReworked,
}

// Event is one change as its reader may know it.
type Event struct {
	Seq  int64 // of the tenant
	Kind EventKind
	Path string
	Old  string // of what moved, where it stood before
	At   time.Time
}

// Span is what of a tenant's changes is known: those behind Forgotten, up to Last.
type Span struct{ Forgotten, Last int64 }

// Span returns which changes of the scope's tenant can be followed.
func (c *Changes) Span(ctx context.Context, s schema.ReadFiles) (Span, error) {
	tenant, err := s.Tenant(noValues)
	if err != nil {
		return Span{}, err
	}
	var span Span
	span.Forgotten, span.Last, err = sqlstore.ChangeSpan(ctx, c.s.db, tenant)
	return span, err
}

// Grown returns a channel that is closed when the scope's tenant has changed after the call, by this process.
func (c *Changes) Grown(s schema.ReadFiles) (<-chan struct{}, error) {
	tenant, err := s.Tenant(noValues)
	if err != nil {
		return nil, err
	}
	return c.s.bell.listen(tenant), nil
}

// EventPage is a page of changes. Next is the sequence up to which it looked, shown or not; More says that others follow.
type EventPage struct {
	Changes []Event
	Next    int64
	More    bool
}

// After looks at up to n changes of the scope's tenant behind the sequence after, and returns in order what the scope admits
// of them, at and below the folder under. It closes the scope for what it returns, as a list does.
func (c *Changes) After(ctx context.Context, s schema.ReadFiles, after int64, under string, n int) (EventPage, error) {
	tenant, err := s.Tenant(noValues)
	if err != nil {
		return EventPage{}, err
	}
	rows, err := sqlstore.ChangesAfter(ctx, c.s.db, tenant, after, n)
	if err != nil || len(rows) == 0 {
		return EventPage{Next: after}, err
	}
	page := EventPage{Next: rows[len(rows)-1].Seq, More: len(rows) == n}
	f := &following{s: c.s, tenant: tenant, under: under}
	for i := range rows {
		if err := f.look(ctx, &rows[i]); err != nil {
			return EventPage{}, err
		}
	}
	if page.Changes, err = f.admitted(ctx, s); err != nil || len(page.Changes) == 0 {
		return page, err
	}
	return page, s.Close(ctx, false)
}

// forgetBatch is how many changes one step of forgetting removes.
const forgetBatch = 500

// Forget removes the oldest changes of the granted tenant that were made before at, in a small step, and reports whether more
// are left. Who follows from before them is told so.
func (c *Changes) Forget(ctx context.Context, may schema.SweepTenant, at time.Time) (more bool, err error) {
	tenant, err := may.Use()
	if err != nil {
		return false, err
	}
	id := tenant.Named().ID
	err = c.s.db.Tx(ctx, func(ctx context.Context, tx sqldb.Tx) error {
		if err := may.Decision().Hold(); err != nil {
			return err
		}
		n, err := sqlstore.ForgetChanges(ctx, tx, id, at.UnixMicro(), forgetBatch)
		more = n == forgetBatch
		return err
	})
	return more && err == nil, err
}

// following is one page on its way to who reads it.
type following struct {
	s       *Store
	tenant  string
	under   string
	sights  []sight
	members []schema.File
}

// sight is a change with the objects that it takes reading to know of its sides; nil where there is nothing to know.
type sight struct {
	row      *sqlstore.Change
	now, was *schema.File
}

// look finds what it takes to know of a change. One of which nothing lies at or below the folder is passed over.
func (f *following) look(ctx context.Context, row *sqlstore.Change) (err error) {
	v := sight{row: row}
	if row.Kind != sqlstore.Deleted && f.covers(row.Path) {
		if v.now, err = f.stands(ctx, row); err == nil && v.now == nil {
			v.now, err = f.stood(ctx, row.ID, row.Path, row.Seq)
		}
	}
	if err != nil {
		return err
	}
	switch {
	case row.Kind == sqlstore.Deleted && f.covers(row.Path):
		v.was, err = f.stood(ctx, row.ID, row.Path, row.Seq-1)
	case row.Kind == sqlstore.Moved && f.covers(row.Old):
		v.was, err = f.stood(ctx, row.ID, row.Old, row.Seq-1)
	}
	for _, m := range []*schema.File{v.now, v.was} {
		if m != nil {
			f.members = append(f.members, *m)
		}
	}
	f.sights = append(f.sights, v)
	return err
}

func (f *following) covers(path string) bool { return within(path, f.under) }

// stands returns what a change left at its path, where that still stands there.
func (f *following) stands(ctx context.Context, row *sqlstore.Change) (*schema.File, error) {
	a, err := Names{f.s}.Address(ctx, f.tenant, row.Path)
	if err != nil || !a.HasRow() || a.Anchor != row.ID {
		return nil, err
	}
	return &schema.File{Address: a}, nil
}

// stood returns the folder that decides about what stood at path right after the change of sequence seq, under the path itself:
// as the address of what is not there. It is nil when nothing is known of the folders above it any more.
func (f *following) stood(ctx context.Context, id, path string, seq int64) (*schema.File, error) {
	for folder := path; folder != paths.Root; {
		parent, known, err := f.parentAt(ctx, id, seq)
		if err != nil || !known {
			return nil, err
		}
		id, folder = parent, folderOf(folder)
		d, err := sqlstore.DirByID(ctx, f.s.db, id)
		if errors.Is(err, sqldb.ErrNoRows) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if d.Path == sqlstore.Slashed(folder) && d.Tenant == f.tenant {
			return &schema.File{Address: schema.Address{
				Tenant: f.tenant, Path: path, Anchor: d.ID, Parent: d.Parent, Folder: true, Rest: strings.TrimPrefix(path, d.Path),
			}}, nil
		}
	}
	return nil, nil
}

// parentAt returns the folder that something stood in right after the change of sequence seq.
func (f *following) parentAt(ctx context.Context, id string, seq int64) (parent string, known bool, err error) {
	for _, ask := range []func() (string, error){
		func() (string, error) { return sqlstore.PlaceBehind(ctx, f.s.db, id, seq) },
		func() (string, error) { return sqlstore.ParentOf(ctx, f.s.db, id) },
	} {
		parent, err = ask()
		if err == nil {
			return parent, parent != "", nil
		}
		if !errors.Is(err, sqldb.ErrNoRows) {
			return "", false, err
		}
	}
	return "", false, nil
}

// admitted returns the changes of which the scope admits a side, as far as it does.
func (f *following) admitted(ctx context.Context, s schema.ReadFiles) ([]Event, error) {
	pass, err := s.Admit(ctx, f.members, standsIn, noValues)
	if err != nil {
		return nil, err
	}
	may := make(map[schema.File]bool, len(pass))
	for _, m := range pass {
		may[m] = true
	}
	var all []Event
	for _, v := range f.sights {
		if c, ok := v.tell(v.now != nil && may[*v.now], v.was != nil && may[*v.was]); ok {
			all = append(all, c)
		}
	}
	return all, nil
}

// tell returns a change as one may know it who may know of the sides now and was.
func (v sight) tell(now, was bool) (Event, bool) {
	c := Event{Seq: v.row.Seq, Kind: eventKinds[v.row.Kind], Path: v.row.Path, At: micros(v.row.At)}
	if v.row.Kind != sqlstore.Moved {
		return c, now || was
	}
	switch {
	case now && was:
		c.Old = v.row.Old
	case now:
		c.Kind = EventCreated
	case was:
		c.Kind, c.Path = EventDeleted, v.row.Old
	}
	return c, now || was
}

// FromTheFuture is the answer to who follows from a sequence that the tenant has not come to: it was put back to an earlier
// state since.
func FromTheFuture() error {
	return errs.New(errs.Precondition, "this follows from a change that the server does not know: it was put back to an earlier state; begin again without it").
		Marked(errs.NotValid)
}
