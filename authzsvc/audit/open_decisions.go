package audit

import (
	"cmp"
	"slices"

	"nexus/authzsvc/authz"
)

// maxOpen bounds how many decisions without outcome are remembered one by one.
const maxOpen = 1 << 16

// openSet knows the durable, allowed decisions that have no outcome yet, and so from where on the next start must look for them.
// When more are open than it remembers, it keeps the place of the first one it let go until the next start: looking back then
// takes longer, and misses nothing. Guarded by Log.mu.
type openSet struct {
	seqs      map[string]uint64
	beyond    uint64                   // oldest decision not in seqs; 0: none
	inherited map[string]authz.Decided // of earlier processes; their ids are in seqs too
}

func newOpenSet() openSet {
	return openSet{seqs: map[string]uint64{}, inherited: map[string]authz.Decided{}}
}

func (s *openSet) add(id string, seq uint64) {
	if len(s.seqs) < maxOpen {
		s.seqs[id] = seq
		return
	}
	if s.beyond == 0 {
		s.beyond = seq
	}
}

// inherit adds a decision of an earlier process.
func (s *openSet) inherit(d authz.Decided, seq uint64) {
	s.inherited[d.ID] = d
	s.seqs[d.ID] = seq
}

func (s *openSet) remove(id string) {
	delete(s.seqs, id)
	delete(s.inherited, id)
}

// oldest returns the sequence number of the oldest open decision, 0 when none is open.
func (s *openSet) oldest() uint64 {
	least := s.beyond
	for _, seq := range s.seqs {
		if least == 0 || seq < least {
			least = seq
		}
	}
	return least
}

// between returns the ids of the open decisions from first to last.
func (s *openSet) between(first, last uint64) []string {
	var ids []string
	for id, seq := range s.seqs {
		if seq >= first && seq <= last {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, func(a, b string) int { return cmp.Compare(s.seqs[a], s.seqs[b]) })
	return ids
}

// unresolved returns what earlier processes left open, oldest first.
func (s *openSet) unresolved() []authz.Decided {
	all := make([]authz.Decided, 0, len(s.inherited))
	for _, d := range s.inherited {
		all = append(all, d)
	}
	slices.SortFunc(all, func(a, b authz.Decided) int { return cmp.Compare(s.seqs[a.ID], s.seqs[b.ID]) })
	return all
}
