package storage

import (
	"context"

	"nexus/authzsvc/authz"
	"nexus/authzsvc/relations"
	"nexus/internal/sqldb"
	"nexus/schema"
	"nexus/storage/internal/sqlstore"
)

// sweepBatch is how many objects one step of sweeping looks at.
const sweepBatch = 200

// SweepPlace is how far a sweep has come. The zero place is its begin. Sweeping again what was swept changes nothing, so a
// place that is lost costs time alone.
type SweepPlace struct {
	trashed      string // id of what is swept
	folder, name string // the last that was looked at
}

// SweepTrash takes one step in removing the grants on what lies in deleted folders of the granted tenant, and returns where the
// next begins; the zero place when nothing is left to do. Nothing leads there any more, so no grant is added meanwhile.
func (f *Files) SweepTrash(ctx context.Context, may schema.SweepTenant, from SweepPlace) (SweepPlace, error) {
	tenant, err := may.Use()
	if err != nil {
		return SweepPlace{}, err
	}
	id := tenant.Named().ID
	waiting, err := sqlstore.Unswept(ctx, f.s.db, id)
	if err != nil || len(waiting) == 0 {
		return SweepPlace{}, err
	}
	if root := sqlstore.InTrash(waiting[0].ID); from.trashed != waiting[0].ID {
		from = SweepPlace{trashed: waiting[0].ID, folder: root}
	}
	ids, next, err := f.sweepable(ctx, id, from)
	if err != nil {
		return SweepPlace{}, err
	}
	return next, f.strip(ctx, may.Decision(), from.trashed, ids, next == SweepPlace{trashed: from.trashed})
}

// sweepable returns the next objects to look at, and the place behind them; a place without a folder when they are the last.
func (f *Files) sweepable(ctx context.Context, tenant string, from SweepPlace) (ids []string, next SweepPlace, err error) {
	next = from
	for len(ids) < sweepBatch {
		rows, err := sqlstore.AnyFileIn(ctx, f.s.db, tenant, next.folder, next.name, sweepBatch)
		if err != nil {
			return nil, next, err
		}
		for _, r := range rows {
			ids, next.name = append(ids, r.ID), r.Name
		}
		if len(rows) == sweepBatch {
			continue
		}
		d, found, err := sqlstore.DirBehind(ctx, f.s.db, tenant, next.folder, sqlstore.End(sqlstore.InTrash(from.trashed)))
		if err != nil {
			return nil, next, err
		}
		if !found {
			return ids, SweepPlace{trashed: from.trashed}, nil
		}
		ids = append(ids, d.ID)
		next.folder, next.name = d.Path, ""
	}
	return ids, next, nil
}

// strip removes every relationship of ids but where they stand, and notes that the trashed one is swept when they are its last.
func (f *Files) strip(ctx context.Context, d *authz.Decision, trashed string, ids []string, last bool) error {
	var updates []relations.Update
	for _, id := range ids {
		all, err := f.s.relationshipsOf(ctx, fileRef(id))
		if err != nil {
			return err
		}
		for _, r := range all {
			if r.Relation != "parent" {
				updates = append(updates, relations.Update{Kind: relations.Delete, Relationship: r})
			}
		}
	}
	return f.s.act(ctx, d, func(ctx context.Context, tx sqldb.Tx, _ int64) (bool, error) {
		if err := f.s.writer.Write(ctx, tx, updates...); err != nil {
			return false, err
		}
		for _, id := range ids {
			if err := sqlstore.DeleteTuplesOn(ctx, tx, fileRef(id)); err != nil {
				return false, err
			}
		}
		if last {
			return true, sqlstore.SetSwept(ctx, tx, trashed)
		}
		return len(updates) > 0, nil
	})
}
