package op

import (
	"context"

	"nexus/authzsvc/authz"
)

// HandleFollow is HandleStream for a deed that goes on for longer than a decision can be used: it gets what the need is for
// from again, which decides anew once a second has passed, and stops at its first error.
func HandleFollow[P, G any](t *Table, c *Contract[P, struct{}], need NeedFunc[P, G], do func(ctx context.Context, p *P, again func(context.Context) (G, error), out Sink) error) {
	HandleStream(t, c,
		func(ctx context.Context, who authz.Principal, p *P) (authz.Need[G], error) {
			n, err := need(ctx, who, p)
			if latest, following := ctx.Value(latestKey[G]{}).(*G); following && err == nil {
				n = authz.Map(n, func(g G) G { *latest = g; return g })
			}
			return n, err
		},
		func(ctx context.Context, p *P, g G, still func(context.Context) error, out Sink) error {
			latest := g
			ctx = context.WithValue(ctx, latestKey[G]{}, &latest)
			again := func(ctx context.Context) (G, error) {
				if err := still(ctx); err != nil {
					var none G
					return none, err
				}
				return latest, nil
			}
			return do(ctx, p, again, out)
		})
}

// latestKey is under what the context of a stream names the place for what its newest decision gave. again is to be called
// with a context made of the deed's.
type latestKey[G any] struct{}
