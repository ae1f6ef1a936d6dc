package storage

import "sync"

// bell tells those who wait for a tenant's changes that there is one. It keeps nothing for who does not listen. It is safe
// for concurrent use.
type bell struct {
	mu      sync.Mutex // guards waiting
	waiting map[string]chan struct{}
}

func newBell() *bell { return &bell{waiting: map[string]chan struct{}{}} }

// listen returns a channel that is closed at the tenant's next ring.
func (b *bell) listen(tenant string) <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	heard := b.waiting[tenant]
	if heard == nil {
		heard = make(chan struct{})
		b.waiting[tenant] = heard
	}
	return heard
}

// ring wakes everybody who listens for the tenant.
func (b *bell) ring(tenant string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if heard := b.waiting[tenant]; heard != nil {
		close(heard)
		delete(b.waiting, tenant)
	}
}
