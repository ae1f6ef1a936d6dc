package node

import (
	"context"
	"time"

	"nexus/schema"
	"nexus/storage"
)

// purgeTrash is the operation that removes for good what was deleted too long ago.
const purgeTrash = "trash.purge"

// purging is the chore of the trash.
func (n *Node) purging() chore {
	return chore{
		name: purgeTrash, every: time.Minute, waiting: n.Store.Chores().Purging,
		begin: func(tenant string) stepper {
			var at storage.PurgePlace
			return func(ctx context.Context) (more bool, err error) {
				return step(ctx, n, purgeTrash, tenant, schema.Sweeper, schema.Tenant.Sweep, func(ctx context.Context, g schema.SweepTenant) (more bool, err error) {
					at, more, err = n.Store.Files().PurgeTrash(ctx, g, at)
					return more, err
				})
			}
		},
	}
}
