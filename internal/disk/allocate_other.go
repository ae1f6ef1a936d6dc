//go:build !linux

package disk

import "os"

// allocate gives f size bytes of real room.
func allocate(f *os.File, size int64) error { return fill(f, size) }
