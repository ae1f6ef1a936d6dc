package storage

import (
	"context"

	"nexus/internal/paths"
	"nexus/internal/sqldb"
	"nexus/schema"
	"nexus/storage/internal/sqlstore"
)

// Mkdir makes the folder that the granted address names, where there is none yet, and makes its maker the owner. With
// parents it makes those that are missing, too; without, a missing parent is errs.NotFound.
func (f *Files) Mkdir(ctx context.Context, at schema.WriteDir, parents bool) error {
	dir, err := at.Use()
	if err != nil {
		return err
	}
	a, d := dir.Address, at.Decision()
	return f.s.act(ctx, d, func(ctx context.Context, tx sqldb.Tx, seq int64) (bool, error) {
		place, err := same(ctx, tx, a)
		if err != nil {
			return false, err
		}
		if a.Exists() {
			return false, taken(a.Path)
		}
		if !parents {
			if err := hasParent(ctx, tx, a); err != nil {
				return false, err
			}
		}
		w := &writing{s: f.s, tx: tx, d: d, at: f.s.now(), seq: seq}
		id, err := w.mkdir(ctx, place, a)
		if err != nil {
			return false, err
		}
		return true, w.done(ctx, sqlstore.Created, id, a.Path)
	})
}

// hasParent returns nil when what stands above a exists; that a grant has reserved its name does not count.
func hasParent(ctx context.Context, tx sqldb.Tx, a schema.Address) error {
	folder, _ := paths.Split(a.Path)
	place, err := sqlstore.Locate(ctx, tx, a.Tenant, folder)
	if err != nil {
		return err
	}
	if !address(place, a.Tenant, folder).Exists() {
		return missing(folder)
	}
	return nil
}

// mkdir makes the folder at a and returns its id.
func (w *writing) mkdir(ctx context.Context, place sqlstore.Place, a schema.Address) (string, error) {
	dir, rest := place.Dir, place.Rest
	if place.File != nil {
		made, err := w.toFolder(ctx, place.File, a, stateOf(rest))
		if err != nil {
			return "", err
		}
		dir = made
	} else if err := w.materialise(ctx, dir.ID); err != nil {
		return "", err
	}
	if rest != "" {
		made, err := w.folders(ctx, dir, paths.Root+rest, sqlstore.Explicit)
		if err != nil {
			return "", err
		}
		dir = made
	}
	w.own(dir.ID)
	return dir.ID, sqlstore.SetState(ctx, w.tx, dir.ID, sqlstore.Explicit, w.at, w.seq)
}

// stateOf is that of a folder made of a reserved name: implied when something is made below it, else made on purpose.
func stateOf(rest string) sqlstore.State {
	if rest == "" {
		return sqlstore.Explicit
	}
	return sqlstore.Implicit
}
