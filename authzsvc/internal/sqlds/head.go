package sqlds

import (
	"context"
	"math"
	"sync"
	"sync/atomic"

	"github.com/authzed/spicedb/pkg/datastore"

	"nexus/authzsvc/relations"
	"nexus/internal/sqldb"
)

// never is the time at which nothing happens: a relationship that is not deleted, one that does not expire.
const never = math.MaxInt64

// state is what readers know of time, replaced whole.
type state struct {
	head int64  // the newest immutable revision: whatever is read at it stays true for ever
	next int64  // the first expiry after head; the head must not be used once it has passed
	hash string // of the schema at head
}

// head is the clock of revisions. Reading it takes one atomic load and a look at the wall clock.
type head struct {
	now atomic.Pointer[state]

	mu    sync.Mutex
	last  int64         // the newest revision given out or published; none is given out twice, also after a rollback
	first int64         // the oldest revision given out in the running batch; 0 when none was
	owed  *state        // committed and not yet published, because publishing passes an expiry
	moved chan struct{} // closed, and replaced, whenever the head may have moved
}

func (h *head) start(s *state) {
	h.last = s.head
	h.moved = make(chan struct{})
	h.now.Store(s)
}

// assign gives out the next revision. From here on the head stays below it until its batch has ended.
func (d *Datastore) assign() int64 {
	h := &d.head
	h.mu.Lock()
	defer h.mu.Unlock()
	h.last = max(d.o.Clock.Now().UnixNano(), h.last+1)
	if h.first == 0 {
		h.first = h.last
	}
	return h.last
}

// current returns the newest state: every write that was acknowledged is in it, every expiry that has passed is behind it.
func (d *Datastore) current(ctx context.Context) (*state, error) {
	s := d.head.now.Load()
	if d.o.Clock.Now().UnixNano() < s.next {
		return s, nil
	}
	return d.settle(ctx, s.head)
}

// settle brings the head up to the present when an expiry is due, when a commit is not yet published, or when want lies
// between the head and the present. It waits for the running batch where that stands in the way: one fsync.
func (d *Datastore) settle(ctx context.Context, want int64) (*state, error) {
	for {
		s, wait, err := d.step(ctx, want)
		if err != nil || wait == nil {
			return s, err
		}
		select {
		case <-wait:
		case <-d.closing:
			return nil, d.open()
		case <-ctx.Done():
			return nil, sqldb.Translate(ctx.Err())
		}
	}
}

// step moves the head as far as it may go now. wait is not nil when that was not far enough.
func (d *Datastore) step(ctx context.Context, want int64) (s *state, wait <-chan struct{}, err error) {
	h := &d.head
	h.mu.Lock()
	defer h.mu.Unlock()
	s = h.now.Load()
	now := d.o.Clock.Now().UnixNano()
	if h.owed == nil && now < s.next && want <= s.head {
		return s, nil, nil
	}
	if want > max(now, s.head) && (h.owed == nil || want > h.owed.head) {
		return nil, nil, datastore.NewInvalidRevisionErr(revision(want), datastore.CouldNotDetermineRevision)
	}
	if err := d.advance(ctx, h.limit(now)); err != nil {
		return nil, nil, err
	}
	s = h.now.Load()
	if s.next <= now || s.head < want {
		return nil, h.moved, nil
	}
	return s, nil, nil
}

// limit is the latest time to which the head may go at once: never into a running batch.
func (h *head) limit(now int64) int64 {
	if h.first != 0 {
		return min(now, h.first-1)
	}
	return now
}

// advance publishes what is owed and moves the head to limit if that is later. Whoever keeps stamps learns of the expired
// relationships before the head has passed their expiry. h.mu is held.
func (d *Datastore) advance(ctx context.Context, limit int64) error {
	h := &d.head
	s := h.now.Load()
	to := &state{head: max(s.head, limit), next: s.next, hash: s.hash}
	if h.owed != nil {
		to.head, to.hash = max(to.head, h.owed.head), h.owed.hash
	}
	if to.head == s.head {
		return nil
	}
	expired, err := d.expiredBetween(ctx, s.head, to.head)
	if err != nil {
		return err
	}
	if to.next, err = d.nextExpiry(ctx, to.head); err != nil {
		return err
	}
	if len(expired) > 0 {
		d.o.Touched(relations.Revision(to.head), expired)
	}
	h.owed = nil
	h.publish(to)
	return nil
}

// publish makes s the state that everybody sees. h.mu is held.
func (h *head) publish(s *state) {
	h.last = max(h.last, s.head)
	h.now.Store(s)
	close(h.moved)
	h.moved = make(chan struct{})
}

// committed publishes a batch: its newest revision, the first expiry among what it wrote, the hash of the schema it leaves.
// When that passes an expiry it leaves the work, which needs the database, to the first reader, who cannot overlook it.
func (h *head) committed(rev, soonest int64, hash *string) {
	s := h.now.Load()
	to := &state{head: rev, next: min(s.next, soonest), hash: s.hash}
	if h.owed != nil {
		to.hash = h.owed.hash
	}
	if hash != nil {
		to.hash = *hash
	}
	if h.owed == nil && to.next > rev {
		h.publish(to)
		return
	}
	h.owed = to
	h.publish(&state{head: s.head, next: 0, hash: s.hash})
}

// HeadRevision returns the newest revision with the hash of its schema. Two calls never share an answer.
func (d *Datastore) HeadRevision(ctx context.Context) (datastore.RevisionWithSchemaHash, error) {
	if err := d.open(); err != nil {
		return datastore.RevisionWithSchemaHash{}, err
	}
	s, err := d.current(ctx)
	if err != nil {
		return datastore.RevisionWithSchemaHash{}, err
	}
	return datastore.RevisionWithSchemaHash{Revision: revision(s.head), SchemaHash: s.hash}, nil
}

// OptimizedRevision is HeadRevision: reading the head costs nothing, so there is no reason to read anything older.
func (d *Datastore) OptimizedRevision(ctx context.Context) (datastore.RevisionWithSchemaHash, error) {
	return d.HeadRevision(ctx)
}
