package storage

import (
	"context"
	"slices"

	"nexus/storage/internal/sqlstore"
)

// A registered workspace knows how many files exist in it and how large they are. Whatever changes that says so here, in the
// transaction of the change, so that a snapshot need not look.

// count tells the workspaces that folder, a path without a slash at its end, is or lies in what came to it or went.
func (w *writing) count(ctx context.Context, tenant, folder string, files, bytes int64) error {
	if files == 0 && bytes == 0 {
		return nil
	}
	ids, err := sqlstore.Around(ctx, w.tx, tenant, sqlstore.Slashed(folder))
	if err != nil {
		return err
	}
	return w.countIn(ctx, ids, files, bytes)
}

func (w *writing) countIn(ctx context.Context, ids []string, files, bytes int64) error {
	for _, id := range ids {
		if err := sqlstore.CountIn(ctx, w.tx, id, files, bytes); err != nil {
			return err
		}
	}
	return nil
}

// countDir is count for a whole folder, at and below path: with sign 1 it came to the folder it stands in, with -1 it goes.
func (w *writing) countDir(ctx context.Context, tenant, path string, sign int64) error {
	ids, err := sqlstore.Around(ctx, w.tx, tenant, sqlstore.Slashed(folderOf(path)))
	if err != nil || len(ids) == 0 {
		return err
	}
	files, bytes, err := sqlstore.Contents(ctx, w.tx, tenant, sqlstore.Slashed(path))
	if err != nil {
		return err
	}
	return w.countIn(ctx, ids, sign*files, sign*bytes)
}

// countMove tells the workspaces that only one of two places lies in about what moves from one to the other. size returns how
// much it is, and is asked only when somebody wants to know.
func (w *writing) countMove(ctx context.Context, tenant, from, to string, size func() (files, bytes int64, err error)) error {
	left, err := sqlstore.Around(ctx, w.tx, tenant, sqlstore.Slashed(folderOf(from)))
	if err != nil {
		return err
	}
	entered, err := sqlstore.Around(ctx, w.tx, tenant, sqlstore.Slashed(folderOf(to)))
	if err != nil || slices.Equal(left, entered) {
		return err
	}
	files, bytes, err := size()
	if err != nil {
		return err
	}
	if err := w.countIn(ctx, without(left, entered), -files, -bytes); err != nil {
		return err
	}
	return w.countIn(ctx, without(entered, left), files, bytes)
}

// without returns those of all that are not among others.
func without(all, others []string) []string {
	return slices.DeleteFunc(slices.Clone(all), func(id string) bool { return slices.Contains(others, id) })
}
