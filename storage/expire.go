package storage

import (
	"context"
	"errors"

	"nexus/authzsvc/relations"
	"nexus/internal/sqldb"
	"nexus/schema"
	"nexus/storage/internal/sqlstore"
)

// Expire puts the folder of one workspace of the granted tenant, whose time has come, into the trash and ends its registration.
// more says that others may wait.
func (w *Workspaces) Expire(ctx context.Context, may schema.ExpireTenant) (more bool, err error) {
	tenant, err := may.Use()
	if err != nil {
		return false, err
	}
	waiting, err := sqlstore.ExpiredWorkspaces(ctx, w.s.db, tenant.Named().ID, w.s.now(), 2)
	if err != nil || len(waiting) == 0 {
		return false, err
	}
	row := &waiting[0]
	own, err := w.s.relationshipsOf(ctx, fileRef(row.Dir))
	if err != nil {
		return false, err
	}
	err = w.s.act(ctx, may.Decision(), func(ctx context.Context, tx sqldb.Tx, seq int64) (bool, error) {
		c := &writing{s: w.s, tx: tx, d: may.Decision(), at: w.s.now(), seq: seq}
		return true, c.expire(ctx, row, own)
	})
	return len(waiting) > 1, err
}

func (c *writing) expire(ctx context.Context, row *sqlstore.Workspace, own []relations.Relationship) error {
	if err := sqlstore.DeleteWorkspace(ctx, c.tx, row.ID); err != nil {
		return err
	}
	d, err := sqlstore.DirByID(ctx, c.tx, row.Dir)
	if errors.Is(err, sqldb.ErrNoRows) || err == nil && d.Path[0] != '/' {
		return nil // somebody has deleted it
	}
	if err != nil {
		return err
	}
	if err := c.trashDir(ctx, d, folderAddress(d), own); err != nil {
		return err
	}
	return c.done(ctx, sqlstore.Deleted, d.ID, sqlstore.Unslashed(d.Path))
}
