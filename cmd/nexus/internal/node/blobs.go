package node

import (
	"context"
	"log/slog"
	"time"

	"nexus/schema"
	"nexus/storage"
)

// The operations that keep the contents of long files.
const (
	sweepBlobs = "blobs.sweep"
	scrubBlobs = "blobs.scrub"
)

// How often blobs are looked after, and how much is read of them in a second meanwhile.
const (
	sweepEvery  = time.Hour
	scrubEvery  = 10 * time.Minute
	scrubSecond = 16 << 20
)

// keepBlobs are the chores that remove what nothing names, and that find what has been harmed.
func (n *Node) keepBlobs() []chore {
	all := []chore{{
		name: sweepBlobs, every: sweepEvery, waiting: n.Store.Chores().Tenants,
		begin: n.sweep,
	}}
	if n.check == 0 {
		return all
	}
	return append(all, chore{
		name: scrubBlobs, every: scrubEvery, waiting: n.Store.Chores().Tenants,
		begin: n.scrub,
	})
}

// sweep makes one round through a tenant's blobs.
func (n *Node) sweep(tenant string) stepper {
	return func(ctx context.Context) (more bool, err error) {
		out, err := step(ctx, n, sweepBlobs, tenant, schema.Sweeper, schema.Tenant.Sweep, func(ctx context.Context, g schema.SweepTenant) (storage.Swept, error) {
			return n.Store.Blobs().Sweep(ctx, g, storage.SweepOptions{Grace: n.grace})
		})
		harmed(n.log, "contents are missing", out.Harmed)
		if out.Removed > 0 {
			n.log.Info("contents that nothing named were removed", "tenant", tenant, "blobs", out.Removed, "bytes", out.Bytes)
		}
		return !out.Done, err
	}
}

// scrub compares those of a tenant's blobs with their hashes whose time has come.
func (n *Node) scrub(tenant string) stepper {
	return func(ctx context.Context) (more bool, err error) {
		out, err := step(ctx, n, scrubBlobs, tenant, schema.Sweeper, schema.Tenant.Sweep, func(ctx context.Context, g schema.SweepTenant) (storage.Scrubbed, error) {
			return n.Store.Blobs().Scrub(ctx, g, storage.ScrubOptions{Every: n.check, PerSecond: scrubSecond})
		})
		harmed(n.log, "contents are not those that were stored", out.Harmed)
		return !out.Done, err
	}
}

// harmed tells the operator of each blob that a backup should replace.
func harmed(log *slog.Logger, what string, blobs []string) {
	for _, b := range blobs {
		log.Error(what, "blob", b)
	}
}
