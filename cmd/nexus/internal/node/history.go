package node

import (
	"context"
	"time"

	"nexus/schema"
	"nexus/storage"
)

// The operations that keep what was.
const (
	hashTrees    = "workspaces.hash"
	dropVersions = "versions.drop"
)

// dropEvery is how often versions are looked for that need not stay.
const dropEvery = time.Hour

// keepHistory are the chores of snapshots and versions.
func (n *Node) keepHistory() []chore {
	all := []chore{{
		name: hashTrees, every: time.Second, waiting: n.Store.Chores().Hashing,
		work: func(ctx context.Context, tenant string) (err error) {
			for more := true; err == nil && more; {
				more, err = step(ctx, n, hashTrees, tenant, schema.Indexer, schema.Tenant.Reindex, func(ctx context.Context, g schema.ReindexTenant) (bool, error) {
					return n.Store.Workspaces().HashTree(ctx, g, storage.HashOptions{})
				})
			}
			return err
		},
	}}
	if n.versions.Newest == 0 {
		return all
	}
	return append(all, chore{
		name: dropVersions, every: dropEvery, waiting: n.Store.Chores().Tenants,
		work: func(ctx context.Context, tenant string) (err error) {
			for at, more := (storage.VersionsPlace{}), true; err == nil && more; {
				at, err = step(ctx, n, dropVersions, tenant, schema.Sweeper, schema.Tenant.Sweep, func(ctx context.Context, g schema.SweepTenant) (storage.VersionsPlace, error) {
					return n.Store.Files().DropVersions(ctx, g, n.versions, at)
				})
				more = at != storage.VersionsPlace{}
			}
			return err
		},
	})
}
