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
		work: func(ctx context.Context, tenant string) error {
			at, more := storage.PurgePlace{}, true
			for more {
				_, err := step(ctx, n, purgeTrash, tenant, schema.Sweeper, schema.Tenant.Sweep, func(ctx context.Context, g schema.SweepTenant) (_ struct{}, err error) {
					at, more, err = n.Store.Files().PurgeTrash(ctx, g, at)
					return struct{}{}, err
				})
				if err != nil {
					return err
				}
			}
			return nil
		},
	}
}
