package op

import (
	"context"
	"sync"
	"time"

	"nexus/authzsvc/authz"
)

// Standing makes the table ask f before every decision whether a principal still may come in: the key that he came with can
// end between the time he was authenticated and the time his turn comes, in a batch, behind a slow body, or in a stream. An
// error of f is the answer. Call it before the table is served; without it, everybody stands.
func (t *Table) Standing(f func(ctx context.Context, who authz.Principal) error) { t.standing = f }

func (t *Table) stands(ctx context.Context, who authz.Principal) error {
	if t.standing == nil || who.IsZero() {
		return nil
	}
	return t.standing(ctx, who)
}

// whileStanding runs f under a context that ends within a second of who standing no more, and returns why in place of f's
// own error then.
func (t *Table) whileStanding(ctx context.Context, who authz.Principal, f func(context.Context) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	var watching sync.WaitGroup
	defer watching.Wait()
	defer cancel(nil)
	fallen := make(chan error, 1)
	watching.Go(func() {
		if err := t.watch(ctx, who); err != nil {
			fallen <- err
			cancel(err)
		}
	})
	err := f(ctx)
	select {
	case why := <-fallen:
		return why
	default:
		return err
	}
}

// watch returns why who stands no more, or nil when ctx ends before that.
func (t *Table) watch(ctx context.Context, who authz.Principal) error {
	tick := time.NewTicker(recheck / 2)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			if err := t.stands(ctx, who); err != nil && ctx.Err() == nil {
				return err
			}
		}
	}
}
