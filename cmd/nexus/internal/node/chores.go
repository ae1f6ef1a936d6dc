package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"golang.org/x/sync/errgroup"

	"nexus/authzsvc/authz"
	"nexus/schema"
	"nexus/storage"
)

// Operations that only the server itself calls.
const (
	sweepTrash       = "trash.sweep"
	expireWorkspaces = "workspaces.expire"
	buryAgents       = "agents.bury"
	sweepRelations   = "relations.sweep"
	forgetChanges    = "changes.forget"
	FollowFiles      = "search.index" // keeps the search index in step with the files
)

// servants are all of them. Rules may name them.
var servants = []string{
	sweepTrash, purgeTrash, expireWorkspaces,
	sweepRelations,
	forgetChanges,
	FollowFiles,
	sweepBlobs, scrubBlobs,
	buryAgents,
	hashTrees, dropVersions,
}

// chore is work that the server does by itself, in small steps, each of which is decided and recorded as every operation is.
type chore struct {
	name    string                                         // of the operation in the record
	every   time.Duration                                  // between two looks for work
	waiting func(ctx context.Context) ([]string, error)    // the tenants in which there is some
	work    func(ctx context.Context, tenant string) error // does all of it in one tenant
}

// chores returns all there are.
func (n *Node) chores() []chore {
	return append(append(n.keepBlobs(), n.keepHistory()...), []chore{{
		name: sweepTrash, every: time.Second, waiting: n.Store.Chores().Sweeping,
		work: func(ctx context.Context, tenant string) (err error) {
			for at, more := (storage.SweepPlace{}), true; err == nil && more; {
				at, err = step(ctx, n, sweepTrash, tenant, schema.Sweeper, schema.Tenant.Sweep, func(ctx context.Context, g schema.SweepTenant) (storage.SweepPlace, error) {
					return n.Store.Files().SweepTrash(ctx, g, at)
				})
				more = at != storage.SweepPlace{}
			}
			return err
		},
	}, {
		name: expireWorkspaces, every: time.Second, waiting: n.Store.Chores().Expiring,
		work: func(ctx context.Context, tenant string) (err error) {
			for more := true; err == nil && more; {
				more, err = step(ctx, n, expireWorkspaces, tenant, schema.Expirer, schema.Tenant.Expire, n.Store.Workspaces().Expire)
			}
			return err
		},
	}, {
		name: sweepRelations, every: time.Second, waiting: n.Store.Chores().Overdue,
		work: func(ctx context.Context, tenant string) (err error) {
			for more := true; err == nil && more; {
				more, err = step(ctx, n, sweepRelations, tenant, schema.Sweeper, schema.Tenant.Sweep, n.Store.Shares().Sweep)
			}
			return err
		},
	}, {
		name: FollowFiles, every: time.Second, waiting: n.Search.Waiting,
		work: func(ctx context.Context, tenant string) (err error) {
			for more := true; err == nil && more; {
				more, err = step(ctx, n, FollowFiles, tenant, schema.Indexer, schema.Tenant.Reindex, n.Search.Index)
			}
			return err
		},
	}, {
		name: buryAgents, every: time.Second, waiting: n.Store.Chores().Burying,
		work: func(ctx context.Context, tenant string) (err error) {
			for more := true; err == nil && more; {
				more, err = step(ctx, n, buryAgents, tenant, schema.Sweeper, schema.Tenant.Sweep, n.Store.Agents().Bury)
			}
			return err
		},
	}, n.forgetting(), n.purging()}...)
}

// forgetting is the chore of the changes.
func (n *Node) forgetting() chore {
	old := func() time.Time { return n.clock.Now().Add(-n.keepChanges) }
	return chore{
		name: forgetChanges, every: time.Minute,
		waiting: func(ctx context.Context) ([]string, error) { return n.Store.Chores().Forgetting(ctx, old()) },
		work: func(ctx context.Context, tenant string) (err error) {
			for more := true; err == nil && more; {
				more, err = step(ctx, n, forgetChanges, tenant, schema.Sweeper, schema.Tenant.Sweep, func(ctx context.Context, g schema.SweepTenant) (bool, error) {
					return n.Store.Changes().Forget(ctx, g, old())
				})
			}
			return err
		},
	}
}

// step asks the gate for the one who has role in tenant and does one step with what it gets.
func step[G, R any](ctx context.Context, n *Node, op, tenant string, role schema.Role, need func(schema.Tenant) authz.Need[G], do func(context.Context, G) (R, error)) (r R, err error) {
	who := schema.Servant(tenant, role)
	g, d, err := authz.Ask(ctx, n.Service.Gate(), who, authz.Act{Op: op, Durable: true}, need(schema.Home(who)))
	if err != nil {
		return r, err
	}
	r, err = do(ctx, g)
	n.Service.Gate().Conclude(ctx, d, err)
	return r, err
}

// work does every chore until ctx ends.
func (n *Node) work(ctx context.Context, log *slog.Logger) error {
	var all errgroup.Group
	for _, c := range n.chores() {
		all.Go(func() error {
			c.run(ctx, log)
			return nil
		})
	}
	return all.Wait()
}

// run looks for work again and again. What fails is tried again at the next look.
func (c chore) run(ctx context.Context, log *slog.Logger) {
	tick := time.NewTicker(c.every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if err := c.look(ctx); err != nil && ctx.Err() == nil {
				log.Warn("a chore could not be done; it is tried again", "chore", c.name, "error", err)
			}
		}
	}
}

// look does the work that waits. A tenant in which it cannot be done holds up no other.
func (c chore) look(ctx context.Context) error {
	tenants, err := c.waiting(ctx)
	if err != nil {
		return err
	}
	var failed []error
	for _, t := range tenants {
		if err := c.work(ctx, t); err != nil {
			failed = append(failed, fmt.Errorf("in tenant %s: %w", t, err))
		}
		if ctx.Err() != nil {
			break
		}
	}
	return errors.Join(failed...)
}
