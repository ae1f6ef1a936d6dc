package node

import (
	"context"
	"errors"
	"slices"
	"testing"
)

func TestChoreThatFailsInOneTenantIsDoneInTheOthers(t *testing.T) {
	broken := errors.New("broken")
	var done []string
	c := chore{
		waiting: func(context.Context) ([]string, error) { return []string{"a", "b", "c"}, nil },
		work: func(_ context.Context, tenant string) error {
			if tenant == "a" {
				return broken
			}
			done = append(done, tenant)
			return nil
		},
	}
	if err := c.look(t.Context()); !errors.Is(err, broken) {
		t.Errorf("look = %v, want what went wrong", err)
	}
	if !slices.Equal(done, []string{"b", "c"}) {
		t.Errorf("done in %q, want the tenants behind the broken one", done)
	}
}
