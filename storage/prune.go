package storage

import (
	"context"
	"errors"

	"nexus/internal/sqldb"
	"nexus/storage/internal/sqlstore"
)

// prune ends the implied folders from dir upwards in which nothing exists any more: a folder that nobody made is there for
// what is in it. A workspace stays, with its snapshots. One that grants name, or that holds reserved names, stays as a reserved
// name itself.
func (w *writing) prune(ctx context.Context, dir string) error {
	for dir != "" {
		d, err := sqlstore.DirByID(ctx, w.tx, dir)
		if err != nil {
			return err
		}
		if d.State != sqlstore.Implicit {
			return nil
		}
		if n, err := sqlstore.Living(ctx, w.tx, d.ID); err != nil || n > 0 {
			return err
		}
		if _, err := sqlstore.WorkspaceOf(ctx, w.tx, d.Tenant, d.ID); !errors.Is(err, sqldb.ErrNoRows) {
			return err
		}
		if err := sqlstore.LeaveDir(ctx, w.tx, d.ID, nameOf(d), w.seq); err != nil {
			return err
		}
		kept, err := w.keeps(ctx, d)
		if err != nil {
			return err
		}
		if kept {
			err = sqlstore.SetState(ctx, w.tx, d.ID, sqlstore.Reserved, w.at, w.seq)
		} else {
			err = w.drop(ctx, d)
		}
		if err != nil {
			return err
		}
		dir = d.Parent
	}
	return nil
}

// keeps reports whether anything but its state keeps the row of an empty folder.
func (w *writing) keeps(ctx context.Context, d *sqlstore.Dir) (bool, error) {
	if n, err := sqlstore.GrantsOn(ctx, w.tx, fileRef(d.ID)); err != nil || n > 0 {
		return n > 0, err
	}
	n, err := sqlstore.Inside(ctx, w.tx, d.ID)
	return n > 0, err
}

func (w *writing) drop(ctx context.Context, d *sqlstore.Dir) error {
	// What is about to move out of the folder, or has just moved, still has its relationship to it among the updates.
	if err := w.relate(ctx); err != nil {
		return err
	}
	if err := w.s.writer.DeleteObject(ctx, w.tx, fileRef(d.ID)); err != nil {
		return err
	}
	if err := sqlstore.DeleteTuplesOn(ctx, w.tx, fileRef(d.ID)); err != nil {
		return err
	}
	return sqlstore.DeleteDir(ctx, w.tx, d.ID)
}
