package authz

import (
	"slices"
	"sync/atomic"
	"time"

	"nexus/internal/clock"
	"nexus/internal/errs"
)

// Decision is what the Gate decided for one request. It is made by the Gate, read by storage, and safe for concurrent use.
type Decision struct {
	id          string
	act         Act
	who         Principal
	revision    string
	expires     time.Time
	clock       clock.Clock
	stamps      Stamps
	rules       Rules // in force when it was made; a Scope asks the same about its members
	obligations []Obligation
	held        []*leaf // the checks that hold
	first, last atomic.Int64
	effected    atomic.Bool
}

// Stamps remember what an answer depended on.
type Stamps interface {
	// Hold reports whether nothing the answer depended on has changed since. It is exact when it is called under the
	// writer's lock, and takes no lock of its own that a writer could hold.
	Hold() bool
}

// ID returns the id under which the decision is recorded.
func (d *Decision) ID() string { return d.id }

// Principal returns who asked.
func (d *Decision) Principal() Principal { return d.who }

// Revision returns the point in the history of the relationships at which they were asked.
func (d *Decision) Revision() string { return d.revision }

// Hold returns nil while the decision still is what the relations say. Call it under the writer's lock; on an error, of
// reason StaleDecision, nothing may be written and the operation is to be decided again.
func (d *Decision) Hold() error {
	if d == nil {
		return undecided()
	}
	if d.stamps == nil || !d.stamps.Hold() {
		return errs.New(errs.Conflict, "what this was decided on has changed").Marked(errs.StaleDecision)
	}
	return nil
}

// Effect notes the sequences that the decision's writes got in its tenant. The outcome in the record carries them.
func (d *Decision) Effect(first, last int64) {
	d.first.Store(first)
	d.last.Store(last)
	d.effected.Store(true)
}

func (d *Decision) holds(e *expr) bool { return e.holds(d.held) }

func (d *Decision) usable(meets []Obligation) error {
	if d == nil {
		return undecided()
	}
	if d.clock.Now().After(d.expires) {
		return errs.New(errs.Conflict, "the decision is too old to act on").Marked(errs.StaleDecision)
	}
	if !covers(meets, d.obligations) {
		return errs.New(errs.Internal, "obligations %v are not met", d.obligations)
	}
	return nil
}

// covers reports whether every one of obligations is among meets.
func covers(meets, obligations []Obligation) bool {
	for _, o := range obligations {
		if !slices.Contains(meets, o) {
			return false
		}
	}
	return true
}
