package audit

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"time"

	"nexus/authzsvc/authz"
)

// Answer selects decisions by how they ended.
type Answer uint8

const (
	AnyAnswer Answer = iota
	Allowed
	Refused
)

// Query selects entries. The zero Query selects all, oldest first. Principal, Object and Answer select decisions only, Op
// decisions and refusals before the Gate.
type Query struct {
	From, To  time.Time // written at or after From and before To; zero: no bound
	After     uint64    // sequence number greater than After
	Before    uint64    // sequence number less than Before; 0: no bound
	Types     []Type    // none: all
	Principal authz.Ref // base or any actor
	Object    authz.Ref // named by the caller or checked
	Op        string
	Answer    Answer
	Decision  string // its decision, repeats and outcomes
	Limit     int    // 0: no bound
	Newest    bool   // newest first; holds up to a segment of matches in memory, or Limit of them
}

// filter is a Query made ready: an entry is decoded only when it holds every text that a match must hold.
type filter struct {
	Query
	needles [][]byte
}

func newFilter(q Query) filter {
	f := filter{Query: q}
	for _, text := range []string{q.Principal.ID, q.Object.ID, q.Op, q.Decision} {
		if text != "" {
			f.needles = append(f.needles, appendString(nil, text))
		}
	}
	return f
}

func (f *filter) mayMatch(entry []byte) bool {
	if p, ok := peek(entry); ok {
		if p.seq <= f.After || f.Before > 0 && p.seq >= f.Before || len(f.Types) > 0 && !slices.Contains(f.Types, p.kind) {
			return false
		}
	}
	for _, needle := range f.needles {
		if !bytes.Contains(entry, needle) {
			return false
		}
	}
	return true
}

func (f *filter) matches(e *Entry) bool {
	switch {
	case !f.From.IsZero() && e.At.Before(f.From), !f.To.IsZero() && !e.At.Before(f.To):
		return false
	case f.Decision != "" && !isAbout(e, f.Decision):
		return false
	case f.Op != "" && !(e.Decided != nil && e.Decided.Op == f.Op || e.Note != nil && e.Note.Op == f.Op):
		return false
	case f.Principal.IsZero() && f.Object.IsZero() && f.Answer == AnyAnswer:
		return true
	}
	d := e.Decided
	return d != nil &&
		(f.Principal.IsZero() || d.Base == f.Principal || slices.Contains(d.Actors, f.Principal)) &&
		(f.Object.IsZero() || concerns(d, f.Object)) &&
		(f.Answer == AnyAnswer || d.Allowed == (f.Answer == Allowed))
}

func isAbout(e *Entry, decision string) bool {
	return e.Decided != nil && e.Decided.ID == decision || e.Outcome != nil && e.Outcome.ID == decision
}

func concerns(d *authz.Decided, object authz.Ref) bool {
	return slices.ContainsFunc(d.Checks, func(a authz.Answer) bool { return a.Object() == object }) ||
		slices.ContainsFunc(d.Objects, func(n authz.Named) bool { return n.Ref == object })
}

// Read yields the entries that q selects until yield returns false. It scans the segments that can hold them, compressed ones
// too, while the log goes on; entries written after the call began may be missing. Where the record is damaged it yields all
// that is whole, and then returns an Internal error that says what was left out.
func (v *View) Read(ctx context.Context, q Query, yield func(Entry) bool) error {
	b, _, _ := v.growth()
	all, err := v.candidates(b, q)
	if err != nil {
		return err
	}
	w, f := v.walker(ctx), newFilter(q)
	if q.Newest {
		slices.Reverse(all)
	}
	left := q.Limit
	for _, s := range all {
		size := int64(0)
		if s.n == b.segment {
			size = b.size
		}
		more, err := v.readSegment(w, &f, place{segment: s.n}, size, &left, yield)
		if err != nil {
			return err
		}
		if !more {
			break
		}
	}
	return w.damage()
}

// readSegment yields the matches of one segment. It reports whether there may be more to yield.
func (v *View) readSegment(w *walker, f *filter, at place, size int64, left *int, yield func(Entry) bool) (bool, error) {
	take := func(e Entry) bool {
		*left--
		return yield(e) && (f.Limit == 0 || *left > 0)
	}
	var kept []Entry
	if f.Newest {
		take = func(e Entry) bool {
			if f.Limit > 0 && len(kept) >= 2**left {
				kept = slices.Delete(kept, 0, len(kept)-*left)
			}
			kept = append(kept, e)
			return true
		}
	}
	more, err := w.walk(&at, size, func(entry []byte, whole func() bool) bool {
		var e Entry
		if !f.mayMatch(entry) || json.Unmarshal(entry, &e) != nil || !f.matches(&e) || !whole() {
			return true
		}
		return take(e)
	})
	if err != nil || !f.Newest {
		return more, err
	}
	for _, e := range slices.Backward(kept) {
		*left--
		if !yield(e) || f.Limit > 0 && *left <= 0 {
			return false, nil
		}
	}
	return true, nil
}

// candidates returns the segments that can hold what q selects. A segment's entries lie between its header and the next one's.
func (v *View) candidates(b bound, q Query) ([]stored, error) {
	all, err := v.segments(b)
	if err != nil {
		return nil, err
	}
	var fit []stored
	for i, s := range all {
		h, err := v.header(s.n)
		if err == nil && (!q.To.IsZero() && !h.at.Before(q.To) || q.Before > 0 && h.seq >= q.Before) {
			break
		}
		if i+1 < len(all) {
			next, err := v.header(all[i+1].n)
			if err == nil && (!q.From.IsZero() && next.at.Before(q.From) || next.seq <= q.After) {
				continue
			}
		}
		fit = append(fit, s)
	}
	return fit, nil
}

// How far the entries of a decision may lie from the time in its id before Find looks everywhere.
const (
	findBefore = 2 * time.Second
	findAfter  = time.Hour
)

// Find returns the entries about one decision: itself, a count of repeats, its outcomes. The id tells when it was made, so that
// as a rule one segment is read; where that finds nothing, all are.
func (v *View) Find(ctx context.Context, decision string) ([]Entry, error) {
	var found []Entry
	collect := func(e Entry) bool { found = append(found, e); return true }
	q := Query{Decision: decision}
	made, dated := madeAt(decision)
	if !dated {
		return found, v.Read(ctx, q, collect)
	}
	q.From, q.To = made.Add(-findBefore), made.Add(findAfter)
	if err := v.Read(ctx, q, collect); err != nil {
		return found, err
	}
	if len(found) == 0 {
		return found, v.Read(ctx, Query{Decision: decision}, collect)
	}
	if awaitsOutcome(found) {
		return found, v.Read(ctx, Query{Decision: decision, From: q.To}, collect)
	}
	return found, nil
}

func awaitsOutcome(found []Entry) bool {
	return found[0].Durable && found[0].Decided.Allowed && found[len(found)-1].Outcome == nil
}
