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
		begin: steps(n, hashTrees, schema.Indexer, schema.Tenant.Reindex, func(ctx context.Context, g schema.ReindexTenant) (bool, error) {
			return n.Store.Workspaces().HashTree(ctx, g, storage.HashOptions{})
		}),
	}}
	if n.versions.Newest == 0 {
		return all
	}
	return append(all, chore{
		name: dropVersions, every: dropEvery, waiting: n.Store.Chores().Tenants,
		begin: func(tenant string) stepper {
			var at storage.VersionsPlace
			return func(ctx context.Context) (more bool, err error) {
				at, err = step(ctx, n, dropVersions, tenant, schema.Sweeper, schema.Tenant.Sweep, func(ctx context.Context, g schema.SweepTenant) (storage.VersionsPlace, error) {
					return n.Store.Files().DropVersions(ctx, g, n.versions, at)
				})
				return at != storage.VersionsPlace{}, err
			}
		},
	})
}
