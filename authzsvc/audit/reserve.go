package audit

import (
	"errors"
	"os"
	"path/filepath"
)

const reserveName = "reserve"

// reserve is room taken from the disk in good times. When the disk is full it is given back, so that the record can still say who
// signed in to make room and what was deleted. It is taken again once there is plenty. Guarded by Log.mu.
type reserve struct {
	disk disk
	name string
	size int64
	held bool
	used bool // given back because the disk was full, and not yet taken again
}

// newReserve returns the reserve in dir, held when an earlier process left it there.
func newReserve(d disk, dir string, size int64) reserve {
	r := reserve{disk: d, name: filepath.Join(dir, reserveName), size: size}
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
		return errors.Join(err, r.disk.Remove(r.name))
	}
	r.held, r.used = true, false
	return nil
}

// release gives the room back, and reports whether there was any to give.
func (r *reserve) release() bool {
	if !r.held || r.disk.Remove(r.name) != nil {
		return false
	}
	r.held, r.used = false, true
	return true
}

// fill writes size zero bytes to f.
func fill(f *os.File, size int64) error {
	zeros := make([]byte, 1<<20)
	for size > 0 {
		n, err := f.Write(zeros[:min(size, int64(len(zeros)))])
		if err != nil {
			return err
		}
		size -= int64(n)
	}
	return nil
}
