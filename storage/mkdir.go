package storage

import (
	"context"
	"strings"

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
	return f.s.act(ctx, d, func(ctx context.Context, tx sqldb.Tx) (int64, error) {
		place, err := f.same(ctx, tx, a)
		if err != nil {
			return 0, err
		}
		if a.Exists() {
			return 0, taken(a.Path)
		}
		w := &writing{s: f.s, tx: tx, d: d, at: f.s.now()}
		if err := w.mkdir(ctx, place, a, parents); err != nil {
			return 0, err
		}
		return 1, w.relate(ctx)
	})
}

func (w *writing) mkdir(ctx context.Context, place sqlstore.Place, a schema.Address, parents bool) error {
	dir, rest := place.Dir, place.Rest
	if strings.Contains(rest, "/") && !parents {
		folder, _ := paths.Split(a.Path)
		return missing(folder)
	}
	if place.File != nil {
		made, err := w.toFolder(ctx, place.File, a, stateOf(rest))
		if err != nil {
			return err
		}
		dir = made
	} else if err := w.materialise(ctx, dir.ID); err != nil {
		return err
	}
	if rest != "" {
		made, err := w.folders(ctx, dir, paths.Root+rest, sqlstore.Explicit)
		if err != nil {
			return err
		}
		dir = made
	}
	w.own(dir.ID)
	return sqlstore.SetState(ctx, w.tx, dir.ID, sqlstore.Explicit, w.at)
}

// stateOf is that of a folder made of a reserved name: implied when something is made below it, else made on purpose.
func stateOf(rest string) sqlstore.State {
	if rest == "" {
		return sqlstore.Explicit
	}
	return sqlstore.Implicit
}
