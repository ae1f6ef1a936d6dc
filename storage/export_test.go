package storage

import "time"

// Bound sets what one grep may take.
func (f *Search) Bound(d time.Duration, bytes, file int64) {
	f.bounds.time, f.bounds.bytes, f.bounds.file = d, bytes, file
}

// Walk makes every grep walk the tree.
func (f *Search) Walk() { f.bounds.byKey = -1 }
