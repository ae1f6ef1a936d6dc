package authz

import (
	"slices"

	"nexus/internal/errs"
)

// Grant proves that P was decided on an O, and holds that O. Only a Gate makes one that works; the zero Grant is refused by Use.
type Grant[P Permission[O], O Object] struct {
	_      [0]*P // pins P: Go would otherwise convert a Grant[A, O] to a Grant[B, O]
	object O
	d      *Decision
}

// Use returns the granted object. It returns the zero object beside an error when the Grant is zero, when it has outlived its
// decision, and when policy attached an obligation that is not among meets: those the calling façade method fulfils.
func (g Grant[P, O]) Use(meets ...Obligation) (O, error) {
	var none O
	if err := g.d.usable(meets); err != nil {
		return none, err
	}
	return g.object, nil
}

// Decision returns what was decided, or nil for the zero Grant.
func (g Grant[P, O]) Decision() *Decision { return g.d }

// Obliged reports whether policy attached o, so that the caller can choose the façade method that meets it.
func (g Grant[P, O]) Obliged(o Obligation) bool {
	return g.d != nil && slices.Contains(g.d.obligations, o)
}

// undecided is a fresh error each time, because the dispatcher writes the operation into what it gets.
func undecided() error { return errs.New(errs.Internal, "a grant that no gate made was used") }

// Proof is any Grant or Scope: it shows that a decision was made. What takes a Proof rather than one kind of Grant says so
// because several decisions may open it; it must call Ready first.
type Proof interface {
	Decision() *Decision
	proof()
}

func (Grant[P, O]) proof() {}

func (Scope[P, O]) proof() {}

// Ready returns nil while p can be relied on: it is not zero and not outlived.
func Ready(p Proof) error {
	if p == nil {
		return undecided()
	}
	return p.Decision().usable(Obligations())
}
