package sqldb

import (
	"sync"

	"nexus/internal/errs"
)

// running counts the work on a database, so that Close can wait for it.
type running struct {
	mu     sync.RWMutex
	closed bool
	work   sync.WaitGroup
	once   sync.Once
	ended  error
}

// enter counts a piece of work; leave must be called at its end.
func (r *running) enter() (leave func(), err error) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if r.closed {
		return nil, errs.New(errs.Unavailable, "the database is closed")
	}
	r.work.Add(1)
	return r.work.Done, nil
}

// close refuses further work, waits for what runs, and shuts once; each call returns what shut returned.
func (r *running) close(shut func() error) error {
	r.once.Do(func() {
		r.mu.Lock()
		r.closed = true
		r.mu.Unlock()
		r.work.Wait()
		r.ended = Translate(shut())
	})
	return r.ended
}
