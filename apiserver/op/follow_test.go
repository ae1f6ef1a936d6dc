package op_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"nexus/apiserver/op"
	"nexus/authzsvc/authz"
	"nexus/authzsvc/gatetest"
	"nexus/internal/errs"
	"nexus/schema"
)

// TestFollowerIsDecidedAnewAndGetsWhatWasDecided: far longer than one grant can be used, and no longer than it is allowed.
func TestFollowerIsDecidedAnewAndGetsWhatWasDecided(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		may := true
		gate, recorder := gatetest.Config{Relations: func([]authz.Ref, authz.Check) bool { return may }}.Gate(t)
		table := op.NewTable(gate)
		turns := 0
		op.HandleFollow(table, &op.Contract[pathParams, struct{}]{Decl: decl("follow")},
			func(_ context.Context, _ authz.Principal, p *pathParams) (authz.Need[schema.ReadFile], error) {
				return file(p.Path).Read(), nil
			},
			func(ctx context.Context, _ *pathParams, again func(context.Context) (schema.ReadFile, error), _ op.Sink) error {
				for {
					g, err := again(ctx)
					if err != nil {
						return err
					}
					if _, err := g.Use(); err != nil {
						return err
					}
					turns++
					may = turns < 100
					time.Sleep(authz.Lifetime / 4)
				}
			})
		for range 2 { // one stream does not get what was decided for another
			turns, may = 0, true
			err := table.Named("follow").Send(context.Background(), gatetest.User("t", "ann"), params, &sink{})
			if !errors.Is(err, errs.Denied) || turns != 100 {
				t.Errorf("after %d turns: err = %v, want denied after 100", turns, err)
			}
		}
		if n := len(recorder.Decided()); n < 200 {
			t.Errorf("%d decisions are recorded for 200 turns", n)
		}
	})
}
