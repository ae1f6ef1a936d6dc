package storage

import (
	"context"

	"nexus/authzsvc/authz"
	"nexus/authzsvc/relations"
	"nexus/internal/errs"
	"nexus/internal/paths"
	"nexus/internal/sqldb"
	"nexus/schema"
	"nexus/storage/internal/sqlstore"
)

// Delete puts the granted file into the trash. Its relationships end with it: whatever stands at its path later is
// something else, and so is the file itself should it come back.
func (f *Files) Delete(ctx context.Context, g schema.DeleteFile) error {
	file, err := g.Use(authz.MaskValues) // what is deleted shows no values
	if err != nil {
		return err
	}
	if file.Folder {
		return errs.New(errs.Invalid, "%s is a folder", file.Path).Marked(errs.NotValid)
	}
	return f.s.act(ctx, g.Decision(), func(ctx context.Context, tx sqldb.Tx, seq int64) (bool, error) {
		w := &writing{s: f.s, tx: tx, d: g.Decision(), at: f.s.now(), seq: seq}
		place, err := w.there(ctx, file.Address)
		if err != nil {
			return false, err
		}
		if err := w.trashFile(ctx, place.File, file.Address); err != nil {
			return false, err
		}
		return true, w.done(ctx, sqlstore.Deleted, file.Anchor, file.Path)
	})
}

// Rmdir puts the granted folder into the trash: with everything in it when recursive, and otherwise only when nothing is.
// A folder takes as long as the folders in it are many, not the files; the grants on what is in it are swept afterwards, when
// nothing leads there any more.
func (f *Files) Rmdir(ctx context.Context, g schema.DeleteFile, recursive bool) error {
	folder, err := g.Use(authz.MaskValues)
	if err != nil {
		return err
	}
	switch {
	case !folder.Folder:
		return errs.New(errs.Invalid, "%s is a file, not a folder", folder.Path).Marked(errs.NotValid)
	case folder.Path == paths.Root:
		return errs.New(errs.Invalid, "the root cannot be removed").Marked(errs.NotValid)
	}
	// Read before the transaction, because within it only writers may ask. A grant that comes in between is a change of what
	// this was decided on, so the commit refuses.
	own, err := f.s.relationshipsOf(ctx, fileRef(folder.Anchor))
	if err != nil {
		return err
	}
	return f.s.act(ctx, g.Decision(), func(ctx context.Context, tx sqldb.Tx, seq int64) (bool, error) {
		w := &writing{s: f.s, tx: tx, d: g.Decision(), at: f.s.now(), seq: seq}
		place, err := w.there(ctx, folder.Address)
		if err != nil {
			return false, err
		}
		living, err := sqlstore.Living(ctx, tx, place.Dir.ID)
		if err != nil {
			return false, err
		}
		if living > 0 && !recursive {
			return false, errs.New(errs.Invalid, "folder not empty: %s", folder.Path).Marked(errs.NotValid).With("path", folder.Path)
		}
		if err := w.trashDir(ctx, place.Dir, folder.Address, own); err != nil {
			return false, err
		}
		return true, w.done(ctx, sqlstore.Deleted, folder.Anchor, folder.Path)
	})
}

// there returns what stands at a, which must still be what was decided about.
func (w *writing) there(ctx context.Context, a schema.Address) (sqlstore.Place, error) {
	place, err := same(ctx, w.tx, a)
	if err == nil && !a.Exists() {
		err = missing(a.Path)
	}
	return place, err
}

// trashFile puts a file into the trash.
func (w *writing) trashFile(ctx context.Context, row *sqlstore.File, a schema.Address) error {
	if err := sqlstore.LeaveFile(ctx, w.tx, row.ID, w.seq); err != nil {
		return err
	}
	if err := w.s.writer.DeleteObject(ctx, w.tx, fileRef(row.ID)); err != nil {
		return err
	}
	if err := sqlstore.DeleteTuplesOn(ctx, w.tx, fileRef(row.ID)); err != nil {
		return err
	}
	if err := sqlstore.MoveFile(ctx, w.tx, row.ID, sqlstore.TrashOf(a.Tenant), row.ID, w.seq); err != nil {
		return err
	}
	if err := w.count(ctx, a.Tenant, folderOf(a.Path), -1, -row.Size); err != nil {
		return err
	}
	return w.discard(ctx, &sqlstore.Trashed{ID: row.ID, Path: a.Path, Swept: true}, a)
}

// trashDir puts a folder with everything in it into the trash. own are the relationships that it is the resource of.
func (w *writing) trashDir(ctx context.Context, d *sqlstore.Dir, a schema.Address, own []relations.Relationship) error {
	if err := w.unlink(ctx, d); err != nil {
		return err
	}
	for _, r := range own {
		w.updates = append(w.updates, relations.Update{Kind: relations.Delete, Relationship: r})
	}
	if err := sqlstore.DeleteTuplesOn(ctx, w.tx, fileRef(d.ID)); err != nil {
		return err
	}
	if err := w.countDir(ctx, a.Tenant, a.Path, -1); err != nil {
		return err
	}
	if err := sqlstore.LeaveDir(ctx, w.tx, d.ID, nameOf(d), w.seq); err != nil {
		return err
	}
	if err := sqlstore.MoveDir(ctx, w.tx, d, sqlstore.TrashOf(a.Tenant), sqlstore.InTrash(d.ID), d.State, w.seq); err != nil {
		return err
	}
	return w.discard(ctx, &sqlstore.Trashed{ID: d.ID, Path: a.Path, Folder: true, State: d.State}, a)
}

// unlink ends the links that show something elsewhere to who may see the folder or one in it: nobody sees it any more.
func (w *writing) unlink(ctx context.Context, d *sqlstore.Dir) error {
	links, err := sqlstore.LinksInto(ctx, w.tx, d.Tenant, d.Path)
	if err != nil {
		return err
	}
	for _, l := range links {
		w.updates = append(w.updates, relations.Update{Kind: relations.Delete, Relationship: l.Relationship})
		if err := sqlstore.DeleteTuple(ctx, w.tx, l.ID); err != nil {
			return err
		}
	}
	return nil
}

func (w *writing) discard(ctx context.Context, t *sqlstore.Trashed, a schema.Address) error {
	t.Tenant, t.Seq, t.Deleted, t.Author = a.Tenant, w.seq, w.at, w.d.Principal().Base.String()
	if err := sqlstore.Discard(ctx, w.tx, t); err != nil {
		return err
	}
	if err := w.relate(ctx); err != nil {
		return err
	}
	return w.prune(ctx, a.Parent)
}

// relationshipsOf returns every relationship that an object is the resource of, now.
func (s *Store) relationshipsOf(ctx context.Context, object authz.Ref) ([]relations.Relationship, error) {
	head, err := s.reader.Head(ctx)
	if err != nil {
		return nil, err
	}
	var all []relations.Relationship
	err = s.reader.Read(ctx, head, relations.Filter{ResourceType: object.Type, ResourceID: object.ID}, func(r relations.Relationship) bool {
		all = append(all, r)
		return true
	})
	return all, err
}
