package storage

import (
	"context"
	"strings"

	"nexus/authzsvc/relations"
	"nexus/internal/errs"
	"nexus/internal/paths"
	"nexus/internal/sqldb"
	"nexus/schema"
	"nexus/storage/internal/sqlstore"
)

// MoveGrant is what moving needs: to own what moves, because it changes who sees it, and to write the folder it moves to.
type MoveGrant struct {
	What schema.OwnFile
	Into schema.WriteDir
}

// Move gives the granted file or folder the place that the granted folder's address names, with the folders missing on the
// way. What lies in a folder moves with it, at no cost of its own: its rights follow the one relationship that changes.
func (f *Files) Move(ctx context.Context, g MoveGrant) error {
	what, err := g.What.Use()
	if err != nil {
		return err
	}
	into, err := g.Into.Use()
	if err != nil {
		return err
	}
	return f.s.act(ctx, g.What.Decision(), func(ctx context.Context, tx sqldb.Tx, seq int64) (bool, error) {
		w := &writing{s: f.s, tx: tx, d: g.What.Decision(), at: f.s.now(), seq: seq}
		return true, w.move(ctx, what.Address, into.Address)
	})
}

// Rename gives the granted file or folder another name in the folder it stands in. to is the path under that name; what
// stands there already is the answer for who may know of it only, so the caller has seen to that.
func (f *Files) Rename(ctx context.Context, g schema.WriteFile, to schema.Address) error {
	what, err := g.Use()
	if err != nil {
		return err
	}
	if folder, _ := paths.Split(what.Path); folder != folderOf(to.Path) || to.Tenant != what.Tenant {
		return errs.Bug("a rename of %s to %s, which is a move", what.Path, to.Path)
	}
	return f.s.act(ctx, g.Decision(), func(ctx context.Context, tx sqldb.Tx, seq int64) (bool, error) {
		w := &writing{s: f.s, tx: tx, d: g.Decision(), at: f.s.now(), seq: seq}
		return true, w.move(ctx, what.Address, to)
	})
}

func folderOf(path string) string {
	folder, _ := paths.Split(path)
	return folder
}

// move takes what stands at from to the place that to names.
func (w *writing) move(ctx context.Context, from, to schema.Address) error {
	place, err := same(ctx, w.tx, from)
	if err != nil {
		return err
	}
	target, err := same(ctx, w.tx, to)
	if err != nil {
		return err
	}
	switch {
	case !from.Exists():
		return missing(from.Path)
	case from.Path == paths.Root:
		return errs.New(errs.Invalid, "the root has no other place").Marked(errs.NotValid)
	case from.Folder && within(to.Path, from.Path):
		return errs.New(errs.Invalid, "move: %s is inside %s", to.Path, from.Path).Marked(errs.NotValid)
	case to.HasRow():
		return Occupied(to)
	}
	if err := w.fits(ctx, from, to); err != nil {
		return err
	}
	if err := w.countMove(ctx, from.Tenant, from.Path, to.Path, func() (files, bytes int64, err error) {
		if place.File != nil {
			return 1, place.File.Size, nil
		}
		return sqlstore.Contents(ctx, w.tx, from.Tenant, sqlstore.Slashed(from.Path))
	}); err != nil {
		return err
	}
	dir, name, err := w.room(ctx, target, to)
	if err != nil {
		return err
	}
	if place.File != nil {
		err = w.moveFile(ctx, place.File, dir, name)
	} else {
		err = w.moveDir(ctx, place.Dir, dir, name)
	}
	if err != nil {
		return err
	}
	if err := w.prune(ctx, from.Parent); err != nil {
		return err
	}
	return w.doneFrom(ctx, from.Anchor, to.Path, from.Path)
}

// Occupied is the answer, for who may know, to a place that is taken: by what exists, or by grants that wait for it.
func Occupied(a schema.Address) error {
	if a.Exists() {
		return taken(a.Path)
	}
	return errs.New(errs.Exists, "grants have reserved %s: write it, or end them first", a.Path).Marked(errs.FileExists).With("path", a.Path)
}

// within reports whether path is folder or lies in it.
func within(path, folder string) bool {
	return path == folder || strings.HasPrefix(path, sqlstore.Slashed(folder))
}

// fits refuses a move after which a path would be too long or too deep.
func (w *writing) fits(ctx context.Context, from, to schema.Address) error {
	if !from.Folder {
		return nil // to.Path is clean
	}
	deeper := strings.Count(to.Path, "/") - strings.Count(from.Path, "/")
	longer := len(to.Path) - len(from.Path)
	depth, length, err := sqlstore.DirsExtent(ctx, w.tx, from.Tenant, sqlstore.Slashed(from.Path))
	if err != nil {
		return err
	}
	if depth+deeper < paths.MaxDepth && length+longer+1+paths.MaxComponent <= paths.MaxLength {
		return nil // whatever the files are called: there is no need to look at each
	}
	deepest, longest, err := sqlstore.FilesExtent(ctx, w.tx, from.Tenant, sqlstore.Slashed(from.Path))
	if err != nil {
		return err
	}
	if max(depth, deepest)+deeper > paths.MaxDepth || max(length, longest)+longer > paths.MaxLength {
		return errs.New(errs.Invalid, "move: something in %s would get a path that is too long or too deep", from.Path).Marked(errs.InvalidPath)
	}
	return nil
}

// room returns the folder that to stands in, made when it is missing, and the name there.
func (w *writing) room(ctx context.Context, place sqlstore.Place, to schema.Address) (dir *sqlstore.Dir, name string, err error) {
	dir = place.Dir
	if place.File != nil {
		if dir, err = w.toFolder(ctx, place.File, to, sqlstore.Implicit); err != nil {
			return nil, "", err
		}
	} else if err := w.materialise(ctx, dir.ID); err != nil {
		return nil, "", err
	}
	folder, name := paths.Split(paths.Root + to.Rest)
	dir, err = w.folders(ctx, dir, folder, sqlstore.Implicit)
	return dir, name, err
}

func (w *writing) moveFile(ctx context.Context, f *sqlstore.File, dir *sqlstore.Dir, name string) error {
	if err := sqlstore.LeaveFile(ctx, w.tx, f.ID, w.seq); err != nil {
		return err
	}
	w.reparent(f.ID, f.Dir, dir.ID)
	return sqlstore.MoveFile(ctx, w.tx, f.ID, dir.ID, name, w.seq)
}

func (w *writing) moveDir(ctx context.Context, d, into *sqlstore.Dir, name string) error {
	if err := sqlstore.LeaveDir(ctx, w.tx, d.ID, nameOf(d), w.seq); err != nil {
		return err
	}
	w.reparent(d.ID, d.Parent, into.ID)
	return sqlstore.MoveDir(ctx, w.tx, d, into.ID, into.Path+name+"/", d.State, w.seq)
}

// nameOf returns the name of a folder in the one it stands in.
func nameOf(d *sqlstore.Dir) string {
	_, name := paths.Split(sqlstore.Unslashed(d.Path))
	return name
}

// reparent changes the one relationship by which rights come down to child.
func (w *writing) reparent(child, from, to string) {
	if from == to {
		return
	}
	w.updates = append(w.updates, relations.Update{Kind: relations.Delete, Relationship: relations.Relationship{
		Resource: fileRef(child), Relation: "parent", Subject: fileRef(from),
	}})
	w.parent(child, to)
}
