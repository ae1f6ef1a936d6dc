package audit

import (
	"context"
	"iter"
	"time"

	"nexus/authzsvc/authz"
	"nexus/internal/errs"
)

// Effects shows Verify what the transactions of operations committed.
type Effects struct {
	// Of returns the effect of a decision.
	Of func(ctx context.Context, decision string) (first, last int64, found bool, err error)
	// All yields the decision of every effect, in any order; nil when only the other direction is to be compared. Verify then
	// remembers each durable decision, about 60 bytes for one.
	All func(ctx context.Context) iter.Seq2[string, error]
}

// effects compares decisions, outcomes and effects while the record is read.
type effects struct {
	from    *Effects
	found   func(Finding)
	pending map[string]struct{} // durable, allowed, without outcome
	known   map[string]struct{} // durable and allowed, when All is compared
	err     error
}

func newEffects(from *Effects, found func(Finding)) effects {
	return effects{from: from, found: found, pending: map[string]struct{}{}, known: map[string]struct{}{}}
}

func (x *effects) decided(d *authz.Decided) {
	if !d.Allowed {
		return
	}
	x.pending[d.ID] = struct{}{}
	if x.from != nil && x.from.All != nil {
		x.known[d.ID] = struct{}{}
	}
}

func (x *effects) outcome(ctx context.Context, o *authz.Outcome) {
	_, durable := x.pending[o.ID]
	delete(x.pending, o.ID)
	if x.from == nil || x.from.Of == nil || !durable || x.err != nil {
		return
	}
	first, last, found, err := x.from.Of(ctx, o.ID)
	if err != nil {
		x.err = err
		return
	}
	if text := disagree(o, first, last, found); text != "" {
		x.found(Finding{Kind: FindingEffect, Decision: o.ID, Text: text})
	}
}

// disagree says how an outcome and the effect of its decision differ; empty when they agree.
func disagree(o *authz.Outcome, first, last int64, found bool) string {
	claimed := o.State == authz.Done && o.First > 0
	switch {
	case claimed && !found:
		return "recorded as done, but its effect is missing"
	case !claimed && found:
		return "recorded as " + string(o.State) + " without an effect, but there is one"
	case claimed && (o.First != first || o.Last != last):
		return "recorded with another effect than the one that is there"
	}
	return ""
}

func (x *effects) open() int { return len(x.pending) }

// conclude looks for effects that nobody decided.
func (x *effects) conclude(ctx context.Context, since time.Time) error {
	if x.err == nil && x.from != nil && x.from.All != nil {
		x.err = x.undecided(ctx, since)
	}
	if x.err != nil {
		return errs.New(errs.Internal, "effects cannot be read").Because(x.err)
	}
	return nil
}

// undecided reports the effects without decision. Those decided before since are older than the record.
func (x *effects) undecided(ctx context.Context, since time.Time) error {
	for decision, err := range x.from.All(ctx) {
		if err != nil {
			return err
		}
		if _, decided := x.known[decision]; decided {
			continue
		}
		if made, dated := madeAt(decision); dated && made.Before(since) {
			continue
		}
		x.found(Finding{Kind: FindingEffect, Decision: decision, Text: "an effect without a durable decision that allowed it"})
	}
	return nil
}
