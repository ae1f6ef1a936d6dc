package audit

import (
	"os"
	"path/filepath"
	"sync/atomic"
)

const reserveName = "reserve"

// reserve is room taken from the disk in good times. When the disk is full it is given back, so that the record can still say who
// signed in to make room and what was deleted. It is taken again once there is plenty. Guarded by Log.mu.
type reserve struct {
	disk disk
	name string
	size int64
	held bool
	used *atomic.Bool // given back because the disk was full, and not yet taken again; can be read by anybody
}

// OnReserve reports whether the record lives on its reserve: the disk was full, and there is not yet room to take it again.
// It takes no lock.
func (l *Log) OnReserve() bool { return l.reserve.used.Load() }

// newReserve returns the reserve in dir, held when an earlier process left it there.
func newReserve(d disk, dir string, size int64) reserve {
	r := reserve{disk: d, name: filepath.Join(dir, reserveName), size: size, used: new(atomic.Bool)}
	at, err := os.Stat(r.name)
	r.held = err == nil && at.Size() == size
	return r
}

// take makes the reserve unless it is there. Where it cannot, it leaves nothing behind and the next call tries again.
func (r *reserve) take() error {
	if r.held || r.size <= 0 {
		return nil
	}
	if err := r.disk.Reserve(r.name, r.size); err != nil {
		return err
	}
	r.held = true
	r.used.Store(false)
	return nil
}

// release gives the room back, and reports whether there was any to give.
func (r *reserve) release() bool {
	if !r.held || r.disk.Remove(r.name) != nil {
		return false
	}
	r.held = false
	r.used.Store(true)
	return true
}
