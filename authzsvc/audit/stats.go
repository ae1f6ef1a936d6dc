package audit

import "time"

// Stats are counters since Open, and where the record stands now. All but the positions only grow.
type Stats struct {
	Entries     uint64 // written
	Bytes       uint64 // written, before compression
	Repeats     uint64 // decisions and refusals counted into an earlier entry
	Waits       uint64 // callers who waited for an fsync
	Syncs       uint64 // fsyncs of segments
	Failures    uint64 // entries that the disk refused, and fsyncs that failed
	Checkpoints uint64 // signed and kept
	Segments    uint64 // begun
	Packed      uint64 // segments compressed
	Retired     uint64 // segments deleted by age or size

	Seq        uint64    // newest entry
	Synced     uint64    // newest entry on disk
	Head       uint64    // newest entry in front of a checkpoint on disk
	HeadAt     time.Time // when that was signed
	Segment    int       // number of the open segment
	Open       int       // durable decisions without outcome
	Refusing   bool      // the disk refuses entries
	ReserveOut bool      // the reserve was given back because the disk was full
}

// Stats returns the counters, all of one moment.
func (l *Log) Stats() Stats {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.stats
	s.Seq, s.Synced, s.Head, s.HeadAt = l.seq, l.synced, l.head.Seq, l.head.At
	s.Segment, s.Open = l.segment, len(l.open.seqs)
	s.Refusing, s.ReserveOut = l.trouble != nil, l.OnReserve()
	return s
}
