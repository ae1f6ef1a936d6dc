package audit

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// checkpoint checks a signature: the hash it signs must be the one that the checkpoint itself is chained to.
func (v *verifier) checkpoint(e Entry, f frame) {
	s, err := ReadSignature(e.Checkpoint.Signed, v.keys)
	chained := link(v.sha, s.Hash, f.entry)
	switch {
	case err != nil:
		v.here(FindingCheckpoint, e.Seq, "checkpoint %d is not signed by a key of this record", e.Seq)
	case s.Seq != e.Seq-1 || chained != f.sum && chained != v.computed:
		v.here(FindingCheckpoint, e.Seq, "checkpoint %d signs other entries than those in front of it", e.Seq)
	default:
		v.report.Checkpoints++
		v.signed = true
	}
}

func (v *verifier) note(e Entry) {
	switch n := e.Note; n.Kind {
	case NoteRetired:
		if v.retired[n.Segment] == nil {
			v.report.Retired++
		}
		v.retired[n.Segment] = n
	case NoteTorn:
		v.report.Cut++
		v.explain(n)
	case NoteUnsynced:
		v.report.Unsynced++
		v.explain(n)
	case NoteGap:
		v.report.Gaps += n.Count
	case NoteDamaged:
		v.explain(n)
		v.here(FindingNoted, e.Seq, "damage was noted at open: %s", n.Why)
	}
}

// explain accepts a note as the reason why the segment before has no checkpoint at its end.
func (v *verifier) explain(n *Note) {
	if v.unsigned != nil && v.unsigned.Segment == n.Segment {
		v.unsigned = nil
	}
}

func (v *verifier) tellUnsigned() {
	if v.unsigned != nil {
		v.found(*v.unsigned)
		v.unsigned = nil
	}
}

// conclude reports what only the whole record shows.
func (v *verifier) conclude() {
	v.tellUnsigned()
	for _, m := range v.missing {
		v.gap(m)
	}
	for _, m := range v.sortedMarks() {
		if m.Seq < v.report.First {
			continue // retired since it was signed
		}
		v.found(Finding{Kind: m.kind, Segment: v.n, Seq: m.Seq,
			Text: fmt.Sprintf("entry %d, which %s signs at %s, is not there", m.Seq, m.what, m.At.Format(time.RFC3339))})
	}
	if v.report.Last > v.report.Head {
		v.report.Unsigned = v.report.Last - v.report.Head
	}
	v.report.Open = v.effects.open()
}

// gap decides whether a segment may begin where it does: at the very beginning, or behind one that was retired.
func (v *verifier) gap(m missing) {
	if m.before == 1 && m.seq == 1 && m.prev == (Hash{}) {
		return
	}
	n := v.retired[m.before-1]
	if n != nil && n.Last == m.seq-1 && n.Prev == m.prev.String() {
		return
	}
	v.found(Finding{Kind: FindingSegment, Segment: m.before, Seq: m.seq,
		Text: fmt.Sprintf("segment %d does not go on from what stands in front of it, and no note says that this was deleted", m.before)})
}

func (v *verifier) sortedMarks() []mark {
	var all []mark
	for _, m := range v.marks {
		all = append(all, m)
	}
	slices.SortFunc(all, func(a, b mark) int { return cmp.Compare(a.Seq, b.Seq) })
	return all
}
