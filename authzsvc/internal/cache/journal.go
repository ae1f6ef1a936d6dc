package cache

import (
	"sync"
	"sync/atomic"
)

// journal holds the last stamps in the order in which they were given, and keeps their nodes alive. No stamp that has left
// it is later than floor, so a node that nobody points to any more can be forgotten and made again with that stamp.
type journal struct {
	floor atomic.Int64

	mu   sync.Mutex // guards what follows
	ring []record
	next uint64 // how many records were ever added
}

type record struct {
	node *node
	rev  int64
}

func newJournal(size int) *journal { return &journal{ring: make([]record, size)} }

// add appends records. The floor rises before a record leaves.
func (j *journal) add(records []record) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, r := range records {
		slot := &j.ring[j.next%uint64(len(j.ring))]
		if slot.rev > j.floor.Load() {
			j.floor.Store(slot.rev)
		}
		*slot = r
		j.next++
	}
}

// position returns the place after the newest record.
func (j *journal) position() uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.next
}

// since returns the records from a position on, and false when some of them have left.
func (j *journal) since(from uint64) ([]record, bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	size := uint64(len(j.ring))
	if j.next > size && from < j.next-size {
		return nil, false
	}
	records := make([]record, 0, j.next-from)
	for i := from; i < j.next; i++ {
		records = append(records, j.ring[i%size])
	}
	return records, true
}

// firstAfter returns the place of the first record between start and end whose stamp is later than rev, or end. When some
// such record may have left it returns 0, from where since is not complete.
func (j *journal) firstAfter(start, end uint64, rev int64) uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.floor.Load() > rev {
		return 0
	}
	size := uint64(len(j.ring))
	if j.next > size {
		start = max(start, j.next-size)
	}
	for i := start; i < end; i++ {
		if j.ring[i%size].rev > rev {
			return i
		}
	}
	return end
}
