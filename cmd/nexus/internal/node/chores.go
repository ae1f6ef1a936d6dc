package node

import (
	"context"
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
	name    string                                      // of the operation in the record
	every   time.Duration                               // between two looks for work
	waiting func(ctx context.Context) ([]string, error) // the tenants in which there is some
	begin   func(tenant string) stepper                 // what does it in one tenant
}

// stepper does one step of a chore in one tenant, and reports whether there is more to do.
type stepper func(ctx context.Context) (more bool, err error)

// chores returns all there are.
func (n *Node) chores() []chore {
	return append(append(n.keepBlobs(), n.keepHistory()...), []chore{
		n.sweeping(),
		{
			name: expireWorkspaces, every: time.Second, waiting: n.Store.Chores().Expiring,
			begin: steps(n, expireWorkspaces, schema.Expirer, schema.Tenant.Expire, n.Store.Workspaces().Expire),
		}, {
			name: sweepRelations, every: time.Second, waiting: n.Store.Chores().Overdue,
			begin: steps(n, sweepRelations, schema.Sweeper, schema.Tenant.Sweep, n.Store.Shares().Sweep),
		}, {
			name: FollowFiles, every: time.Second, waiting: n.Search.Waiting,
			begin: steps(n, FollowFiles, schema.Indexer, schema.Tenant.Reindex, n.Search.Index),
		}, {
			name: buryAgents, every: time.Second, waiting: n.Store.Chores().Burying,
			begin: steps(n, buryAgents, schema.Sweeper, schema.Tenant.Sweep, n.Store.Agents().Bury),
		},
		n.forgetting(), n.purging(),
	}...)
}

// sweeping is the chore of the grants on what is in the trash.
func (n *Node) sweeping() chore {
	return chore{
		name: sweepTrash, every: time.Second, waiting: n.Store.Chores().Sweeping,
		begin: func(tenant string) stepper {
			var at storage.SweepPlace
			return func(ctx context.Context) (more bool, err error) {
				at, err = step(ctx, n, sweepTrash, tenant, schema.Sweeper, schema.Tenant.Sweep, func(ctx context.Context, g schema.SweepTenant) (storage.SweepPlace, error) {
					return n.Store.Files().SweepTrash(ctx, g, at)
				})
				return at != storage.SweepPlace{}, err
			}
		},
	}
}

// forgetting is the chore of the changes.
func (n *Node) forgetting() chore {
	old := func() time.Time { return n.clock.Now().Add(-n.keepChanges) }
	return chore{
		name: forgetChanges, every: time.Minute,
		waiting: func(ctx context.Context) ([]string, error) { return n.Store.Chores().Forgetting(ctx, old()) },
		begin: steps(n, forgetChanges, schema.Sweeper, schema.Tenant.Sweep, func(ctx context.Context, g schema.SweepTenant) (bool, error) {
			return n.Store.Changes().Forget(ctx, g, old())
		}),
	}
}

// steps is the beginning of a chore whose steps know by themselves where to go on.
func steps[G any](n *Node, op string, role schema.Role, need func(schema.Tenant) authz.Need[G], do func(context.Context, G) (more bool, err error)) func(string) stepper {
	return func(tenant string) stepper {
		return func(ctx context.Context) (bool, error) { return step(ctx, n, op, tenant, role, need, do) }
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
			c.look(ctx, func(err error) {
				if ctx.Err() == nil {
					log.Warn("a chore could not be done; it is tried again", "chore", c.name, "error", err)
				}
			})
		}
	}
}

// look does the work that waits, a step in each tenant in turn: none waits for another's end, be it without one, and one in
// which it cannot be done holds up no other. failed is told of those. Tenants whose work comes meanwhile have their turn, too.
func (c chore) look(ctx context.Context, failed func(error)) {
	begun, broken := map[string]stepper{}, map[string]bool{}
	for asked := (time.Time{}); ctx.Err() == nil; {
		if time.Since(asked) >= c.every {
			tenants, err := c.waiting(ctx)
			if err != nil {
				failed(err)
				return
			}
			for _, t := range tenants {
				if begun[t] == nil && !broken[t] {
					begun[t] = c.begin(t)
				}
			}
			asked = time.Now()
		}
		if len(begun) == 0 {
			return
		}
		for tenant, next := range begun {
			more, err := next(ctx)
			if err != nil {
				broken[tenant] = true
				failed(fmt.Errorf("in tenant %s: %w", tenant, err))
			}
			if err != nil || !more {
				delete(begun, tenant)
			}
		}
	}
}
