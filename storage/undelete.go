package storage

import (
	"context"
	"errors"
	"strings"
	"time"

	"nexus/authzsvc/authz"
	"nexus/internal/errs"
	"nexus/internal/sqldb"
	"nexus/schema"
	"nexus/storage/internal/sqlstore"
)

// Deleted is something in the trash that can be brought back.
type Deleted struct {
	Path   string // where it stood, and will stand
	Folder bool
	At     time.Time
	By     authz.Ref // who deleted it
	Until  time.Time // when it can be brought back no longer; zero: it can for ever
}

// DeletedPlace is how far a list of deleted things has come. The zero place is its begin.
type DeletedPlace struct {
	Path string
	Seq  int64
}

// Undelete brings back what was last deleted at the granted address, where it stood. It comes without the relationships that
// it had: who brings it back owns it, and others have what they have on the folder.
func (f *Files) Undelete(ctx context.Context, at schema.WriteDir) (Entry, error) {
	dir, err := at.Use(authz.MaskValues)
	if err != nil {
		return Entry{}, err
	}
	a := dir.Address
	if a.HasRow() {
		return Entry{}, Occupied(a)
	}
	var back schema.Address
	err = f.s.act(ctx, at.Decision(), func(ctx context.Context, tx sqldb.Tx, seq int64) (bool, error) {
		w := &writing{s: f.s, tx: tx, d: at.Decision(), at: f.s.now(), seq: seq}
		place, err := same(ctx, tx, a)
		if err != nil {
			return false, err
		}
		t, err := w.lastDeleted(ctx, a)
		if err != nil {
			return false, err
		}
		back = schema.Address{Tenant: a.Tenant, Path: a.Path, Anchor: t.ID, Folder: t.Folder}
		if err := w.replace(ctx, t, place, a); err != nil {
			return false, err
		}
		return true, w.done(ctx, sqlstore.Created, t.ID, a.Path)
	})
	if err != nil {
		return Entry{}, err
	}
	return f.stat(ctx, back)
}

// lastDeleted returns what was last deleted at a. That its path is the same is not enough: another folder may have taken the
// place of the one that it stood in, with other people in it.
func (w *writing) lastDeleted(ctx context.Context, a schema.Address) (*sqlstore.Trashed, error) {
	all, err := sqlstore.TrashedAt(ctx, w.tx, a.Tenant, a.Path, w.s.recoverable())
	if err != nil {
		return nil, err
	}
	for i := range all {
		above, path, err := home(ctx, w.tx, &all[i])
		if err != nil {
			return nil, err
		}
		if above != a.Anchor || path != a.Path {
			continue
		}
		if !all[i].Swept {
			return nil, errs.New(errs.Unavailable, "the grants in %s are still being removed; try again", a.Path)
		}
		return &all[i], nil
	}
	return nil, missing(a.Path)
}

// home returns the nearest row, of those that still stand in the tree, of the folders that t stood in, and the path that t would
// have now. There is none when where it stood is not known any more.
func home(ctx context.Context, q sqldb.Q, t *sqlstore.Trashed) (above, path string, err error) {
	dir, name, err := sqlstore.PlaceUntil(ctx, q, t.ID, t.Seq)
	if err == nil {
		var d *sqlstore.Dir
		if d, path, err = standing(ctx, q, dir, name); err == nil {
			return d.ID, path, nil
		}
	}
	if errors.Is(err, sqldb.ErrNoRows) {
		return "", "", nil
	}
	return "", "", err
}

// standing returns the nearest row that still stands in the tree, of a folder and those that it stood in, and the path that rest
// below the folder has, or would have, now; ErrNoRows when that is not known any more.
func standing(ctx context.Context, q sqldb.Q, id, rest string) (above *sqlstore.Dir, path string, err error) {
	for {
		d, err := sqlstore.DirByID(ctx, q, id)
		name := ""
		switch {
		case errors.Is(err, sqldb.ErrNoRows): // it went with the last that was in it
			id, name, err = sqlstore.LastPlace(ctx, q, id)
		case err != nil:
		case d.Path[0] == '/':
			return d, d.Path + rest, nil
		case d.Parent == sqlstore.TrashOf(d.Tenant): // it was deleted itself
			id, name, err = sqlstore.LastPlace(ctx, q, id)
		default:
			id, name = d.Parent, nameOf(d)
		}
		if err != nil {
			return nil, "", err
		}
		rest = name + "/" + rest
	}
}

// replace puts t out of the trash to where a says.
func (w *writing) replace(ctx context.Context, t *sqlstore.Trashed, place sqlstore.Place, a schema.Address) error {
	dir, name, err := w.room(ctx, place, a)
	if err != nil {
		return err
	}
	w.parent(t.ID, dir.ID)
	w.own(t.ID)
	if t.Folder {
		d, err := sqlstore.DirByID(ctx, w.tx, t.ID)
		if err != nil {
			return err
		}
		if err := sqlstore.MoveDir(ctx, w.tx, d, dir.ID, dir.Path+name+"/", sqlstore.Explicit, w.seq); err != nil {
			return err
		}
		err = w.countDir(ctx, a.Tenant, a.Path, 1)
	} else {
		err = w.returnFile(ctx, t.ID, dir.ID, name, a)
	}
	if err != nil {
		return err
	}
	if err := sqlstore.Recall(ctx, w.tx, t.ID); err != nil {
		return err
	}
	return w.relate(ctx)
}

func (w *writing) returnFile(ctx context.Context, id, dir, name string, a schema.Address) error {
	f, err := sqlstore.FileByID(ctx, w.tx, id)
	if err != nil {
		return err
	}
	if err := sqlstore.MoveFile(ctx, w.tx, id, dir, name, w.seq); err != nil {
		return err
	}
	return w.count(ctx, a.Tenant, folderOf(a.Path), 1, f.Size)
}

// Deleted lists what was deleted below the granted address, a folder or the path of one that went, and can be brought back, in order of path and time, behind a place.
// It looks at up to n, and returns how far it came; the zero place when nothing follows.
func (f *Files) Deleted(ctx context.Context, in schema.WriteDir, after DeletedPlace, n int) (found []Deleted, next DeletedPlace, err error) {
	dir, err := in.Use(authz.MaskValues)
	if err != nil {
		return nil, next, err
	}
	rows, err := sqlstore.TrashedBelow(ctx, f.s.db, dir.Tenant, sqlstore.Slashed(dir.Path), after.Path, after.Seq, n, f.s.recoverable())
	if err != nil {
		return nil, next, err
	}
	for i := range rows {
		t := &rows[i]
		returns, err := returnsBelow(ctx, f.s.db, t, dir.Address)
		if err != nil {
			return nil, next, err
		}
		if returns {
			found = append(found, Deleted{Path: t.Path, Folder: t.Folder, At: micros(t.Deleted), By: refOf(t.Author), Until: f.s.keptUntil(t.Deleted)})
		}
	}
	if len(rows) == n {
		next = DeletedPlace{rows[n-1].Path, rows[n-1].Seq}
	}
	return found, next, nil
}

// returnsBelow reports whether t would come back at its path, in what a is decided on or in a folder below a.
func returnsBelow(ctx context.Context, q sqldb.Q, t *sqlstore.Trashed, a schema.Address) (bool, error) {
	above, path, err := home(ctx, q, t)
	if err != nil || path != t.Path || above == a.Anchor {
		return err == nil && path == t.Path, err
	}
	stands, err := sqlstore.PathOf(ctx, q, above)
	return err == nil && within(stands, a.Path), err
}

// refOf reads a reference as rows keep it: type:id.
func refOf(text string) authz.Ref {
	typ, id, _ := strings.Cut(text, ":")
	return authz.Ref{Type: typ, ID: id}
}
