package cache

import (
	"context"
	"sync"
)

// flights lets those who miss the same answer at the same time wait for the first of them, instead of all asking the engine:
// a new folder that many write to at once costs one question. A wait promises nothing; who waited looks again.
type flights struct {
	mu  sync.Mutex // guards the map
	now map[key]chan struct{}
}

// first reports whether nobody else is asking for k; then the caller must call landed. Otherwise it waits until the other is
// done or ctx ends.
func (f *flights) first(ctx context.Context, k key) bool {
	f.mu.Lock()
	done, busy := f.now[k]
	if !busy {
		if f.now == nil {
			f.now = map[key]chan struct{}{}
		}
		f.now[k] = make(chan struct{})
		f.mu.Unlock()
		return true
	}
	f.mu.Unlock()
	select {
	case <-done:
	case <-ctx.Done():
	}
	return false
}

func (f *flights) landed(k key) {
	f.mu.Lock()
	defer f.mu.Unlock()
	close(f.now[k])
	delete(f.now, k)
}
