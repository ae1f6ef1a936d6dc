package authzsvc

import (
	"context"
	"sync"
	"time"

	"nexus/authzsvc/authz"
	"nexus/internal/errs"
	"nexus/schema"
)

// What a permission of a tenant's own type costs is for the tenant to say: with arrows that lead back to it in several ways
// it costs twice as much with each step. So questions about such types have little time, and each tenant may ask few at once.
const (
	ownTime  = time.Second
	ownTurns = 4
)

// turns are who may ask about types of their own. The zero value is ready. It is safe for concurrent use.
type turns struct {
	mu   sync.Mutex
	free map[string]chan struct{} // by tenant; guarded by mu
}

// within runs ask, a question about an object, when the tenant that defined the object's type has a turn, and ends it when its
// time is over. Nobody waits for the product's types, and they have all the time of ctx.
func (t *turns) within(ctx context.Context, about authz.Ref, ask func(context.Context) error) error {
	if !schema.IsOwn(about.Type) {
		return ask(ctx)
	}
	free := t.of(schema.TenantOf(about))
	limited, cancel := context.WithTimeout(ctx, ownTime)
	defer cancel()
	select {
	case free <- struct{}{}:
	case <-limited.Done():
		return errs.New(errs.Exhausted, "too many questions about the tenant's own types at once").Marked(errs.RateLimited)
	}
	defer func() { <-free }()
	err := ask(limited)
	if err != nil && limited.Err() != nil && ctx.Err() == nil {
		return errs.New(errs.Deadline, "a question about the tenant's own types took longer than %s", ownTime).Because(err)
	}
	return err
}

func (t *turns) of(tenant string) chan struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.free == nil {
		t.free = map[string]chan struct{}{}
	}
	if t.free[tenant] == nil {
		t.free[tenant] = make(chan struct{}, ownTurns)
	}
	return t.free[tenant]
}
