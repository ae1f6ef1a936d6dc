package storage

import (
	"context"
	"errors"
	"time"

	"nexus/authzsvc/authz"
	"nexus/internal/sqldb"
	"nexus/schema"
	"nexus/storage/internal/sqlstore"
)

// Bounds of one step of purging, so that its transaction is short.
const (
	purgeLook     = 200 // files and folders looked at
	purgeObjects  = 25  // removed
	purgeVersions = 200 // removed with them
)

// heldAgain is how long something that a snapshot shows rests before it is looked at again.
const heldAgain = 24 * time.Hour

// DefaultTrashKeep is how long what was deleted can be brought back from a store that was told nothing else.
const DefaultTrashKeep = 30 * 24 * time.Hour

// KeepTrash sets how long what was deleted can be brought back; 0 is for ever. It is called before the store serves.
func (s *Store) KeepTrash(d time.Duration) { s.trashKeep = d }

// recoverable returns the time, in microseconds, since which what was deleted can be brought back.
func (s *Store) recoverable() int64 {
	if s.trashKeep == 0 {
		return 0
	}
	return s.clock.Now().Add(-s.trashKeep).UnixMicro()
}

// keptUntil returns when something deleted at a time, in microseconds, can be brought back no longer; zero: it can for ever.
func (s *Store) keptUntil(deleted int64) time.Time {
	if s.trashKeep == 0 {
		return time.Time{}
	}
	return micros(deleted).Add(s.trashKeep)
}

// again returns the time, in microseconds, before which what is held was looked at too long ago.
func (s *Store) again() int64 { return s.clock.Now().Add(-heldAgain).UnixMicro() }

// PurgePlace is how far purging has come. The zero place is its begin. What is begun again goes on with what is left, so a place
// that is lost costs time alone.
type PurgePlace struct {
	trashed      string // id of what is purged
	folder, name string // the file that was last looked at; all behind the folder is done
}

// PurgeTrash takes one step in removing for good what was deleted from the granted tenant too long ago: its rows, relationships and
// versions. What a snapshot shows stays for as long as there is one, and can be brought back by restoring it alone. It returns
// where the next step begins, and whether there is one.
func (f *Files) PurgeTrash(ctx context.Context, may schema.SweepTenant, from PurgePlace) (next PurgePlace, more bool, err error) {
	tenant, err := may.Use()
	if err != nil {
		return PurgePlace{}, false, err
	}
	id := tenant.Named().ID
	t, found, err := sqlstore.NextToEnd(ctx, f.s.db, id, f.s.recoverable(), f.s.again())
	if err != nil {
		return PurgePlace{}, false, err
	}
	if !found {
		more, err := f.forgetPlaces(ctx, may.Decision(), id)
		return PurgePlace{}, more, err
	}
	p := &purge{s: f.s, d: may.Decision(), tenant: id, t: t, nowhere: map[string]bool{}}
	if begun, err := p.begin(ctx); err != nil || !begun {
		return from, true, err
	}
	if from.trashed != t.ID {
		from = PurgePlace{trashed: t.ID, folder: sqlstore.End(sqlstore.InTrash(t.ID))}
	}
	next, err = p.step(ctx, from)
	return next, true, err
}

// forgetPlaces forgets where some of what is gone stood. more says that others wait.
func (f *Files) forgetPlaces(ctx context.Context, d *authz.Decision, tenant string) (more bool, err error) {
	err = f.s.act(ctx, d, func(ctx context.Context, tx sqldb.Tx, _ int64) (bool, error) {
		n, err := sqlstore.ForgetPlaces(ctx, tx, tenant, purgeLook)
		more = n == purgeLook
		return n > 0, err
	})
	return more && err == nil, err
}

// purge is one step in removing what is in the trash.
type purge struct {
	s       *Store
	d       *authz.Decision
	tenant  string
	t       *sqlstore.Trashed
	nowhere map[string]bool // folders that no snapshot from before t was deleted shows
}

// ending is a file or folder that goes.
type ending struct {
	id, dir string
	folder  bool
	trim    bool // the oldest versions alone: there are more than one step removes
}

// begin makes sure that t cannot be brought back any more, and that no workspace is in it. It is false when that was to be done
// first: then this was the step.
func (p *purge) begin(ctx context.Context) (begun bool, err error) {
	if p.t.Held == 0 {
		return false, p.s.act(ctx, p.d, func(ctx context.Context, tx sqldb.Tx, _ int64) (bool, error) {
			return sqlstore.SetHeld(ctx, tx, p.t.ID, 0, sqlstore.Ending)
		})
	}
	if !p.t.Folder {
		return true, nil
	}
	id, err := sqlstore.WorkspaceIn(ctx, p.s.db, p.tenant, sqlstore.InTrash(p.t.ID))
	if errors.Is(err, sqldb.ErrNoRows) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	return false, p.s.act(ctx, p.d, func(ctx context.Context, tx sqldb.Tx, _ int64) (bool, error) {
		return true, sqlstore.DeleteWorkspace(ctx, tx, id)
	})
}

// step removes what comes next of t, and ends it when that was the last.
func (p *purge) step(ctx context.Context, from PurgePlace) (PurgePlace, error) {
	gather := p.gatherFile
	if p.t.Folder {
		gather = p.gather
	}
	ends, next, err := gather(ctx, from)
	if err != nil {
		return from, err
	}
	err = p.s.act(ctx, p.d, func(ctx context.Context, tx sqldb.Tx, _ int64) (bool, error) {
		for i := range ends {
			if err := p.end(ctx, tx, &ends[i]); err != nil {
				return false, err
			}
		}
		if next != (PurgePlace{}) {
			return len(ends) > 0, nil
		}
		return true, p.finish(ctx, tx)
	})
	if err != nil {
		return from, err
	}
	return next, nil
}

// finish takes t out of the trash when nothing is left of it, and otherwise lets it rest.
func (p *purge) finish(ctx context.Context, tx sqldb.Tx) error {
	_, err := sqlstore.ParentOf(ctx, tx, p.t.ID)
	if errors.Is(err, sqldb.ErrNoRows) {
		return sqlstore.Recall(ctx, tx, p.t.ID)
	}
	if err != nil {
		return err
	}
	_, err = sqlstore.SetHeld(ctx, tx, p.t.ID, p.t.Held, max(p.s.now(), sqlstore.Ending+1))
	return err
}

// end removes one. What has come to stand elsewhere, or to hold something, stays.
func (p *purge) end(ctx context.Context, tx sqldb.Tx, e *ending) error {
	dir, err := sqlstore.ParentOf(ctx, tx, e.id)
	if err != nil {
		return unlessMissing(err)
	}
	if dir != e.dir {
		return stale()
	}
	if e.trim {
		return sqlstore.TrimVersions(ctx, tx, e.id, purgeVersions)
	}
	if e.folder {
		if n, err := sqlstore.Inside(ctx, tx, e.id); err != nil || n > 0 {
			return err
		}
	}
	if err := p.s.writer.DeleteObject(ctx, tx, fileRef(e.id)); err != nil {
		return err
	}
	if err := sqlstore.DeleteTuplesOn(ctx, tx, fileRef(e.id)); err != nil {
		return err
	}
	if e.folder {
		return sqlstore.PurgeDir(ctx, tx, p.tenant, e.id)
	}
	return sqlstore.PurgeFile(ctx, tx, p.tenant, e.id)
}

// gatherFile is gather for a file.
func (p *purge) gatherFile(ctx context.Context, from PurgePlace) ([]ending, PurgePlace, error) {
	b := &purgeBatch{}
	full, err := p.addFile(ctx, b, p.t.ID, sqlstore.TrashOf(p.tenant))
	if full {
		return b.ends, from, err
	}
	return b.ends, PurgePlace{}, err
}

// gather returns what goes in the next step, what lies in a folder before the folder itself, and the place behind it: the zero
// place when it was the last.
func (p *purge) gather(ctx context.Context, from PurgePlace) (ends []ending, next PurgePlace, err error) {
	b, next := &purgeBatch{}, from
	for !b.full() {
		d, found, err := sqlstore.DirBefore(ctx, p.s.db, p.tenant, sqlstore.InTrash(p.t.ID), next.folder)
		if err != nil || !found {
			return b.ends, PurgePlace{}, err
		}
		files, err := sqlstore.AnyFileIn(ctx, p.s.db, p.tenant, d.Path, next.name, purgeObjects)
		if err != nil {
			return nil, from, err
		}
		for _, f := range files {
			if full, err := p.addFile(ctx, b, f.ID, d.ID); err != nil || full {
				return b.ends, next, err
			}
			next.name = f.Name
		}
		if len(files) == purgeObjects {
			continue
		}
		if err := p.addDir(ctx, b, d); err != nil {
			return nil, from, err
		}
		next.folder, next.name = d.Path, ""
	}
	return b.ends, next, nil
}

// purgeBatch is what one step removes.
type purgeBatch struct {
	ends             []ending
	looked, versions int
}

func (b *purgeBatch) full() bool {
	return b.looked >= purgeLook || len(b.ends) >= purgeObjects || b.versions >= purgeVersions
}

// addFile adds a file that no snapshot shows. full says that the step goes no further.
func (p *purge) addFile(ctx context.Context, b *purgeBatch, id, dir string) (full bool, err error) {
	b.looked++
	shown, err := p.shown(ctx, id, 0, p.t.Seq)
	if err != nil || shown {
		return false, err
	}
	n, err := sqlstore.VersionCount(ctx, p.s.db, id)
	switch {
	case err != nil:
		return false, err
	case len(b.ends) > 0 && b.versions+n > purgeVersions:
		return true, nil
	case n > purgeVersions:
		b.ends = append(b.ends, ending{id: id, dir: dir, trim: true})
		return true, nil
	}
	b.versions += n
	b.ends = append(b.ends, ending{id: id, dir: dir})
	return b.full(), nil
}

func (p *purge) addDir(ctx context.Context, b *purgeBatch, d *sqlstore.Dir) error {
	b.looked++
	shown, err := p.shown(ctx, d.ID, 0, p.t.Seq)
	if err == nil && !shown {
		b.ends = append(b.ends, ending{id: d.ID, dir: d.Parent, folder: true})
	}
	return err
}

// shown reports whether a snapshot of a sequence from since on and before until shows something: one of a workspace that it lay in
// then, at any depth.
func (p *purge) shown(ctx context.Context, id string, since, until int64) (bool, error) {
	stays, err := sqlstore.Stays(ctx, p.s.db, id)
	if err != nil {
		return false, err
	}
	for _, s := range stays {
		first, end := max(s.Since, since), min(s.Until, until)
		if s.Dir == "" || first >= end {
			continue
		}
		if shown, err := p.shows(ctx, s.Dir, first, end); err != nil || shown {
			return shown, err
		}
	}
	return false, nil
}

// shows reports whether a snapshot of those sequences shows what is in a folder. Of a folder that none ever showed that is found
// out once.
func (p *purge) shows(ctx context.Context, dir string, since, until int64) (bool, error) {
	if p.nowhere[dir] {
		return false, nil
	}
	ever, err := p.within(ctx, dir, 0, p.t.Seq)
	if err != nil || !ever {
		p.nowhere[dir] = err == nil
		return false, err
	}
	return p.within(ctx, dir, since, until)
}

// within is shows without what is known already.
func (p *purge) within(ctx context.Context, dir string, since, until int64) (bool, error) {
	shown, err := sqlstore.SnapshotBetween(ctx, p.s.db, p.tenant, dir, since, until)
	if err != nil || shown {
		return shown, err
	}
	return p.shown(ctx, dir, since, until)
}
