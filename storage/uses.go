package storage

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"nexus/internal/sqldb"
	"nexus/storage/internal/sqlstore"
)

// uses are last uses of keys that are not yet written.
type uses struct {
	mu sync.Mutex       // guards of
	of map[string]int64 // key id → microseconds
}

// Used remembers when a key was last used. It never waits for the database.
func (c *Credentials) Used(keyID string, at time.Time) {
	c.uses.mu.Lock()
	defer c.uses.mu.Unlock()
	c.uses.note(keyID, at.UnixMicro())
}

const (
	flushEvery = 5 * time.Second // how often last uses are written: what a crash may lose of them
	flushBatch = 500             // in one transaction
)

// Run writes last uses down until ctx ends, and once more then. failed is told of each round that could not be written: its
// uses are kept for the next.
func (c *Credentials) Run(ctx context.Context, failed func(error)) error {
	tick := time.NewTicker(flushEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if err := c.flush(ctx); err != nil && ctx.Err() == nil {
				failed(err)
			}
		case <-ctx.Done():
			return c.flush(context.WithoutCancel(ctx))
		}
	}
}

func (c *Credentials) flush(ctx context.Context) error {
	used := c.uses.take()
	for batch := range slices.Chunk(slices.Sorted(maps.Keys(used)), flushBatch) {
		err := c.s.db.Tx(ctx, func(ctx context.Context, tx sqldb.Tx) error {
			for _, id := range batch {
				if err := sqlstore.UseKey(ctx, tx, id, used[id]); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			c.uses.restore(used) // what was written before is written again, to no effect
			return err
		}
	}
	return nil
}

func (u *uses) take() map[string]int64 {
	u.mu.Lock()
	defer u.mu.Unlock()
	of := u.of
	u.of = nil
	return of
}

func (u *uses) restore(used map[string]int64) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for id, at := range used {
		u.note(id, at)
	}
}

// note remembers a use, unless a later one is. Callers hold mu.
func (u *uses) note(id string, at int64) {
	if u.of == nil {
		u.of = map[string]int64{}
	}
	u.of[id] = max(u.of[id], at)
}
