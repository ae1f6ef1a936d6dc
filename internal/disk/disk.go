// Package disk asks file systems for what the standard library does not: how much room there is, and to keep some. It knows
// nothing of what is stored.
package disk

import (
	"errors"
	"os"
)

// SyncDir makes creations, renames and removals in dir durable.
func SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Reserve makes a file at path that holds size bytes of the disk, or none. It needs twice the room for a moment, so that it
// never takes the last byte.
func Reserve(path string, size int64) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	err = allocate(f, 2*size)
	if err == nil {
		err = f.Truncate(size)
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return nil
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
