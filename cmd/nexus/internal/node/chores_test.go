package node

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"
)

// now does everything that waits.
func (c chore) now(t testing.TB) {
	t.Helper()
	c.look(context.Background(), func(err error) { t.Fatalf("%s: %v", c.name, err) })
}

func TestChoreThatFailsInOneTenantIsDoneInTheOthers(t *testing.T) {
	broken := errors.New("broken")
	var done []string
	c := chore{
		every:   time.Hour,
		waiting: func(context.Context) ([]string, error) { return []string{"a", "b", "c"}, nil },
		begin: func(tenant string) stepper {
			return func(context.Context) (bool, error) {
				if tenant == "a" {
					return true, broken
				}
				done = append(done, tenant)
				return false, nil
			}
		},
	}
	var failed []error
	c.look(t.Context(), func(err error) { failed = append(failed, err) })
	if len(failed) != 1 || !errors.Is(failed[0], broken) {
		t.Errorf("failed %v, want once what went wrong", failed)
	}
	if slices.Sort(done); !slices.Equal(done, []string{"b", "c"}) {
		t.Errorf("done in %q, want the tenants beside the broken one", done)
	}
}

func TestTenantWithoutAnEndOfWorkHoldsUpNoOther(t *testing.T) {
	ctx, end := context.WithCancel(t.Context())
	defer end()
	asked := 0
	c := chore{
		waiting: func(context.Context) ([]string, error) {
			if asked++; asked == 1 {
				return []string{"busy"}, nil
			}
			return []string{"busy", "late"}, nil
		},
		begin: func(tenant string) stepper {
			return func(context.Context) (bool, error) {
				if tenant == "late" {
					end()
				}
				return true, nil
			}
		},
	}
	c.look(ctx, func(err error) { t.Error(err) }) // without an end if late had no turn
}
