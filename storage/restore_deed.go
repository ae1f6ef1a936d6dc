package storage

import (
	"cmp"
	"context"
	"slices"

	"nexus/authzsvc/relations"
	"nexus/internal/paths"
	"nexus/schema"
	"nexus/storage/internal/sqlstore"
)

// deed is one thing that a restore does.
type deed struct {
	kind    deedKind
	path    string // below the workspace
	folder  bool
	id      string
	seq     int64 // of the version that a file has that stands in the workspace
	version int64 // whose contents it is to have
	etag    string

	now schema.Address           // where it stands, or would come back
	own []relations.Relationship // of a folder that is discarded
	new bool                     // it stands elsewhere: a file of its own takes its place

	verdict verdict
}

// deedKind says what is done.
type deedKind uint8

const (
	shifting   deedKind = iota + 1 // a file that stands elsewhere in the workspace goes back to its place
	discarding                     // into the trash with it
	making                         // a folder that went
	rewriting                      // the contents that it had for a file that stands where it stood
	bringing                       // a file that went
)

// verdict says what becomes of a deed.
type verdict uint8

const (
	gone   verdict = iota // there is nothing to do any more
	hidden                // it is not for the caller to have done
	doing
)

// allowed returns list with a verdict on each. What stands is asked by itself whether the caller may write it; what has left the
// workspace, whether he may read it where it is.
func (r *Restore) allowed(ctx context.Context, g RestoreGrant, list []deed) ([]deed, error) {
	list = slices.Clone(list)
	for i := range list {
		one := &list[i]
		there, err := r.find(ctx, one)
		if err != nil {
			return nil, err
		}
		if !there && one.kind == discarding {
			continue // it went with the last that was in it
		}
		may := false
		if there {
			if may, err = r.may(ctx, g, one); err != nil {
				return nil, err
			}
		}
		if one.verdict = hidden; may {
			one.verdict = doing
		}
	}
	return list, nil
}

// count notes that it was done.
func (one *deed) count(row *sqlstore.Restore) {
	if one.kind == discarding {
		row.Deleted++
	} else {
		row.Restored++
	}
}

// find looks up where what a deed is about stands now.
func (r *Restore) find(ctx context.Context, one *deed) (there bool, err error) {
	switch {
	case one.kind == making:
		return true, nil
	case one.folder:
		d, err := sqlstore.DirByID(ctx, r.w.s.db, one.id)
		if err != nil || d.Path[0] != '/' {
			return false, unlessMissing(err)
		}
		one.now = folderAddress(d)
		one.own, err = r.w.s.relationshipsOf(ctx, fileRef(d.ID))
		return true, err
	}
	one.now, there, err = standsNow(ctx, r.w.s.db, one.id)
	return there, err
}

func (r *Restore) may(ctx context.Context, g RestoreGrant, one *deed) (bool, error) {
	if one.kind == making {
		return true, nil // the workspace is granted, and a folder shows nothing
	}
	member := []schema.File{{Address: one.now}}
	if within(one.now.Path, r.root.Path) {
		admitted, err := g.Changed.Admit(ctx, member, standsIn, noValues)
		return len(admitted) > 0, err
	}
	one.new = true
	admitted, err := g.Source.Admit(ctx, member, standsIn) // no values that are masked for him
	return len(admitted) > 0, err
}

// do does it. What has changed since it was planned makes the step stale.
func (one *deed) do(ctx context.Context, c *writing, root schema.Address) error {
	switch one.kind {
	case discarding:
		return one.discard(ctx, c)
	case rewriting:
		place, err := same(ctx, c.tx, one.now)
		if err != nil {
			return err
		}
		if place.File.Seq != one.seq {
			return stale() // somebody has written it
		}
		return c.again(ctx, place.File, one.now, one.id, one.version)
	}
	place, err := sqlstore.Locate(ctx, c.tx, root.Tenant, paths.Join(root.Path, one.path))
	if err != nil {
		return err
	}
	at := address(place, root.Tenant, paths.Join(root.Path, one.path))
	switch {
	case one.kind == making && at.Exists():
		return nil // made for what was put into it
	case at.Exists():
		return stale() // something has come to stand there
	case one.kind == making:
		_, err = c.mkdir(ctx, place, at)
		return err
	case one.new, at.HasRow(): // the latter is reserved by grants: they open what takes the name
		return one.make(ctx, c, place, at)
	}
	return one.bring(ctx, c, place, at)
}

func (one *deed) discard(ctx context.Context, c *writing) error {
	place, err := same(ctx, c.tx, one.now)
	if err != nil {
		return err
	}
	if one.folder {
		return c.trashDir(ctx, place.Dir, one.now, one.own)
	}
	if place.File.Seq != one.seq {
		return stale() // somebody has written it
	}
	return c.trashFile(ctx, place.File, one.now)
}

// make makes a file of its own in the place of one that has left the workspace.
func (one *deed) make(ctx context.Context, c *writing, place sqlstore.Place, at schema.Address) error {
	row, err := c.file(ctx, place, at)
	if err != nil {
		return err
	}
	if err := c.again(ctx, row, at, one.id, one.version); err != nil {
		return err
	}
	return c.relate(ctx)
}

// bring puts a file where it stood: out of the trash without its relationships, or from elsewhere in the workspace with them.
func (one *deed) bring(ctx context.Context, c *writing, place sqlstore.Place, at schema.Address) error {
	row, err := sqlstore.FileByID(ctx, c.tx, one.id)
	if err != nil {
		return err
	}
	if one.kind == shifting && row.Seq != one.seq {
		return stale() // somebody has written it
	}
	if one.kind == shifting {
		err = one.shift(ctx, c, row, place, at)
	} else {
		err = c.revive(ctx, row, place, at)
	}
	if err != nil || row.Etag == one.etag {
		return err
	}
	return c.again(ctx, row, at, one.id, one.version)
}

func (one *deed) shift(ctx context.Context, c *writing, row *sqlstore.File, place sqlstore.Place, at schema.Address) error {
	if _, err := same(ctx, c.tx, one.now); err != nil {
		return err
	}
	dir, name, err := c.room(ctx, place, at)
	if err != nil {
		return err
	}
	err = c.countMove(ctx, at.Tenant, one.now.Path, at.Path, func() (int64, int64, error) { return 1, row.Size, nil })
	if err != nil {
		return err
	}
	if err := c.moveFile(ctx, row, dir, name); err != nil {
		return err
	}
	if err := c.relate(ctx); err != nil {
		return err
	}
	return c.prune(ctx, one.now.Parent)
}

// revive puts a file out of the trash, or out of a folder in it, to where a says. Whatever relationships it still has end.
func (w *writing) revive(ctx context.Context, row *sqlstore.File, place sqlstore.Place, a schema.Address) error {
	d, err := sqlstore.DirByID(ctx, w.tx, row.Dir)
	if err != nil {
		return err
	}
	if d.Path[0] == '/' {
		return stale() // somebody has brought it back
	}
	if d.State != sqlstore.Trash {
		if err := sqlstore.LeaveFile(ctx, w.tx, row.ID, w.seq); err != nil {
			return err
		}
	}
	if err := w.s.writer.DeleteObject(ctx, w.tx, fileRef(row.ID)); err != nil {
		return err
	}
	if err := sqlstore.DeleteTuplesOn(ctx, w.tx, fileRef(row.ID)); err != nil {
		return err
	}
	dir, name, err := w.room(ctx, place, a)
	if err != nil {
		return err
	}
	w.parent(row.ID, dir.ID)
	w.own(row.ID)
	if err := w.returnFile(ctx, row.ID, dir.ID, name, a); err != nil {
		return err
	}
	if err := sqlstore.Recall(ctx, w.tx, row.ID); err != nil {
		return err
	}
	return w.relate(ctx)
}

// again makes a new version of row, which stands at a, with the contents of a version that a file has.
func (w *writing) again(ctx context.Context, row *sqlstore.File, a schema.Address, file string, number int64) error {
	v, err := sqlstore.VersionMeta(ctx, w.tx, file, number)
	if err != nil {
		return err
	}
	grown := v.Size - row.Size
	row.Version++
	row.Seq, row.Etag, row.Size, row.Modified = w.seq, v.Etag, v.Size, max(w.at, row.Modified)
	row.Type = cmp.Or(v.Type, row.Type)
	if err := w.state(ctx, row); err != nil {
		return err
	}
	if v.Kept != "" { // what begins to name a blob changes its row, so that no sweep is just removing it
		there, err := sqlstore.TouchBlob(ctx, w.tx, v.Kept, v.Etag, w.at)
		if err != nil || !there {
			return cmp.Or(err, stale())
		}
	}
	if err := sqlstore.CopyVersion(ctx, w.tx, w.versionOf(row), file, number); err != nil {
		return err
	}
	return w.count(ctx, a.Tenant, folderOf(a.Path), came(row.Version), grown)
}
