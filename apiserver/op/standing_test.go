package op_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"nexus/apiserver/op"
	"nexus/authzsvc/authz"
	"nexus/authzsvc/gatetest"
	"nexus/internal/errs"
	"nexus/schema"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func fallen() error { return errs.New(errs.Unauthenticated, "authentication failed") }

func TestWhoStandsNoMoreIsRefusedBeforeTheDecision(t *testing.T) {
	who := gatetest.User("t", "ann")
	for _, name := range []string{"rename", "write", "list", "upload", "watch"} {
		t.Run(name, func(t *testing.T) {
			gate, recorder := gatetest.AllowAll(t)
			s := &shelf{}
			table := vocabulary(gate, s)
			table.Standing(func(_ context.Context, p authz.Principal) error {
				if p.Base != who.Base {
					t.Errorf("asked about %v", p.Base)
				}
				return fallen()
			})
			if _, err := run(table.Named(name), who); !errors.Is(err, errs.Unauthenticated) {
				t.Errorf("err = %v, want unauthenticated", err)
			}
			if len(s.touched) > 0 || len(recorder.Decided()) > 0 {
				t.Errorf("touched %q, decided %d", s.touched, len(recorder.Decided()))
			}
		})
	}
}

func TestUploadIsRefusedWhenItsKeyEndsBeforeTheCommit(t *testing.T) {
	gate, _ := gatetest.AllowAll(t)
	s, asked := &shelf{}, 0
	table := vocabulary(gate, s)
	table.Standing(func(context.Context, authz.Principal) error {
		if asked++; asked > 1 {
			return fallen()
		}
		return nil
	})
	if _, err := run(table.Named("upload"), gatetest.User("t", "ann")); !errors.Is(err, errs.Unauthenticated) || len(s.touched) > 0 {
		t.Errorf("err = %v, touched %q", err, s.touched)
	}
}

func TestRetryIsRefusedWhenTheKeyHasEnded(t *testing.T) {
	gate, _ := gatetest.AllowAll(t)
	table := op.NewTable(gate)
	stands, tries := true, 0
	table.Standing(func(context.Context, authz.Principal) error {
		if !stands {
			return fallen()
		}
		return nil
	})
	op.Handle(table, &op.Contract[pathParams, bool]{Decl: decl("stale")},
		func(_ context.Context, _ authz.Principal, p *pathParams) (authz.Need[schema.WriteFile], error) {
			return file(p.Path).Write(), nil
		},
		func(context.Context, authz.Principal, *pathParams, schema.WriteFile) (bool, error) {
			tries++
			stands = false
			return false, errs.New(errs.Conflict, "changed").Marked(errs.StaleDecision)
		})
	if _, err := run(table.Named("stale"), gatetest.User("t", "ann")); !errors.Is(err, errs.Unauthenticated) || tries != 1 {
		t.Errorf("err = %v after %d tries", err, tries)
	}
}

// waiting is a table with one stream, which asks nothing and waits until its context ends.
func waiting(t *testing.T, standing func() error) (*op.Operation, *int) {
	gate, _ := gatetest.AllowAll(t)
	table := op.NewTable(gate)
	table.Standing(func(context.Context, authz.Principal) error { return standing() })
	ended := 0
	op.HandleStream(table, &op.Contract[pathParams, struct{}]{Decl: decl("wait")},
		func(_ context.Context, _ authz.Principal, p *pathParams) (authz.Need[schema.ReadDir], error) {
			return dir(p.Path).Read(), nil
		},
		func(ctx context.Context, _ *pathParams, g schema.ReadDir, _ func(context.Context) error, _ op.Sink) error {
			if _, err := g.Use(); err != nil {
				return err
			}
			select {
			case <-ctx.Done():
				ended++
				return ctx.Err()
			case <-time.After(time.Hour):
				return nil
			}
		})
	return table.Named("wait"), &ended
}

func TestStreamEndsWithinASecondOfItsKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		end := begun.Add(10*time.Minute + 123*time.Millisecond)
		o, ended := waiting(t, func() error {
			if time.Now().After(end) {
				return fallen()
			}
			return nil
		})
		err := o.Send(t.Context(), gatetest.User("t", "ann"), params, &sink{})
		if late := time.Since(end); !errors.Is(err, errs.Unauthenticated) || late > time.Second || late < 0 || *ended != 1 {
			t.Errorf("ended with %v, %s after its key", err, late)
		}
	})
}

func TestStreamOfAGoodKeyEndsByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		o, ended := waiting(t, func() error { return nil })
		if err := o.Send(t.Context(), gatetest.User("t", "ann"), params, &sink{}); err != nil || *ended != 0 || time.Since(begun) != time.Hour {
			t.Errorf("ended with %v after %s", err, time.Since(begun))
		}
	})
}

func TestStreamWhoseCallerLeavesIsNotTakenForFallen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, _ := waiting(t, func() error { return nil })
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		if err := o.Send(ctx, gatetest.User("t", "ann"), params, &sink{}); errors.Is(err, errs.Unauthenticated) || err == nil {
			t.Errorf("err = %v, want the caller's end", err)
		}
	})
}
