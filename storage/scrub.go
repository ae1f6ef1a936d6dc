package storage

import (
	"cmp"
	"context"
	"time"

	"nexus/internal/errs"
	"nexus/internal/sqldb"
	"nexus/schema"
	"nexus/storage/internal/blob"
	"nexus/storage/internal/sqlstore"
)

// ScrubOptions say how slowly blobs are checked.
type ScrubOptions struct {
	Every     time.Duration // each blob is checked about so often (default: 30 days)
	PerSecond int64         // bytes read in a second (default: no limit)
	For       time.Duration // no further blob is begun after this (default: 5 s)
}

// Scrubbed is what a check found.
type Scrubbed struct {
	Checked int
	Bytes   int64
	Harmed  []string // those that are missing, or whose contents are not those that they are named by
	Done    bool     // no other blob is due
}

// Scrub reads those of the granted tenant's blobs that were not checked for longest, and compares them with their hashes. One
// that is not right is noted, so that the next one who stores the same contents stores them anew.
func (b *Blobs) Scrub(ctx context.Context, g schema.SweepTenant, o ScrubOptions) (out Scrubbed, err error) {
	tenant, err := g.Use()
	if err != nil {
		return out, err
	}
	t, ends := tenant.Named().ID, time.Now().Add(cmp.Or(o.For, 5*time.Second))
	due := b.s.clock.Now().Add(-cmp.Or(o.Every, 30*24*time.Hour)).UnixMicro()
	for time.Now().Before(ends) {
		all, err := sqlstore.UncheckedBlobs(ctx, b.s.db, t, due, 1)
		if err != nil {
			return out, err
		}
		if len(all) == 0 {
			out.Done = true
			return out, nil
		}
		if err := b.check(ctx, blob.ID{Tenant: t, Hash: all[0].Hash}, all[0].Size, o, &out); err != nil {
			return out, err
		}
	}
	return out, nil
}

// check compares one blob with its hash and notes what it found.
func (b *Blobs) check(ctx context.Context, id blob.ID, size int64, o ScrubOptions, out *Scrubbed) error {
	failure := b.s.blobs.Verify(id, size, func(n int) error { return pace(ctx, n, o.PerSecond) })
	if ctx.Err() != nil {
		return errs.New(errs.Canceled, "the check was cancelled").Because(ctx.Err())
	}
	there, err := sqlstore.HasBlob(ctx, b.s.db, id.Tenant, id.Hash)
	if err != nil || !there {
		return err // it was swept meanwhile
	}
	harmed := b.s.harm.found(failure)
	if failure != nil && !harmed {
		return failure
	}
	if harmed {
		out.Harmed = append(out.Harmed, id.String())
	}
	b.s.harm.checked.Add(1)
	out.Checked, out.Bytes = out.Checked+1, out.Bytes+size
	return b.s.db.Tx(ctx, func(ctx context.Context, tx sqldb.Tx) error {
		return sqlstore.CheckBlob(ctx, tx, id.Tenant, id.Hash, b.s.now(), harmed)
	})
}

// pace waits as long as n bytes take at so many a second.
func pace(ctx context.Context, n int, perSecond int64) error {
	if perSecond <= 0 {
		return ctx.Err()
	}
	wait := time.NewTimer(time.Duration(n) * time.Second / time.Duration(perSecond))
	defer wait.Stop()
	select {
	case <-wait.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
