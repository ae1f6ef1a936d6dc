package authz

import "slices"

// Object is a typed reference that decisions are about. Implementations live in package schema.
type Object interface {
	// Named returns the object in the engine's terms and in the caller's words.
	Named() Named
}

// Permission is a permission of the definition behind O. Implementations are generated, and have no values worth having:
// P only says at compile time what was asked. Because Of takes an O, a permission cannot be asked of another definition.
type Permission[O Object] interface {
	Of(O) string
}

// Need is what an operation requires, as data, and what it gets when the requirement is met. Make one with On.
type Need[G any] struct {
	expr   *expr
	public bool
	grant  func(*Decision) G
}

// Checks returns every question the need asks, in order.
func (n Need[G]) Checks() []Check {
	var checks []Check
	n.expr.walk(func(l *leaf) { checks = append(checks, l.check) })
	return checks
}

// Objects returns what the need is about, in the order of its checks.
func (n Need[G]) Objects() []Named {
	var objects []Named
	n.expr.walk(func(l *leaf) { objects = append(objects, l.object) })
	return objects
}

// HasChoice reports whether the need leaves a choice: one of several of its checks is enough.
func (n Need[G]) HasChoice() bool { return n.expr.hasChoice() }

// IsPublic reports whether the need asks nothing of anybody.
func (n Need[G]) IsPublic() bool { return n.public }

// On is the need for one permission on one object.
func On[P Permission[O], O Object](o O) Need[Grant[P, O]] {
	var p P
	named := o.Named()
	e := &expr{leaf: &leaf{check: Check{named.Type, named.ID, p.Of(o)}, object: named}}
	return Need[Grant[P, O]]{expr: e, grant: func(d *Decision) Grant[P, O] { return Grant[P, O]{object: o, d: d} }}
}

// Pair is what Both gives.
type Pair[A, B any] struct {
	First  A
	Second B
}

// Both is the need for a and b. More than two are mapped to a struct with names.
func Both[A, B any](a Need[A], b Need[B]) Need[Pair[A, B]] {
	return Need[Pair[A, B]]{
		expr:  &expr{all: []*expr{a.expr, b.expr}},
		grant: func(d *Decision) Pair[A, B] { return Pair[A, B]{a.grant(d), b.grant(d)} },
	}
}

// Choice is what Either gives: the left one where it holds, else the right one.
type Choice[A, B any] struct {
	left  *A
	right *B
}

// Left returns what the left need was for, and whether it is the one that holds.
func (c Choice[A, B]) Left() (a A, ok bool) {
	if c.left == nil {
		return a, false
	}
	return *c.left, true
}

// Right returns what the right need was for, and whether it is the one that holds.
func (c Choice[A, B]) Right() (b B, ok bool) {
	if c.right == nil {
		return b, false
	}
	return *c.right, true
}

// Match calls the function of the side that holds.
func Match[A, B, R any](c Choice[A, B], left func(A) (R, error), right func(B) (R, error)) (R, error) {
	if a, ok := c.Left(); ok {
		return left(a)
	}
	if b, ok := c.Right(); ok {
		return right(b)
	}
	var none R
	return none, undecided()
}

// Either is the need for a, or for b where a does not hold.
func Either[A, B any](a Need[A], b Need[B]) Need[Choice[A, B]] {
	return Need[Choice[A, B]]{
		expr: &expr{any: []*expr{a.expr, b.expr}},
		grant: func(d *Decision) Choice[A, B] {
			if d.holds(a.expr) {
				g := a.grant(d)
				return Choice[A, B]{left: &g}
			}
			g := b.grant(d)
			return Choice[A, B]{right: &g}
		},
	}
}

// Each is the need for all of needs. An empty list asks nothing, and Ask refuses what asks nothing.
func Each[G any](needs []Need[G]) Need[[]G] {
	e := &expr{all: make([]*expr, len(needs))}
	for i, n := range needs {
		e.all[i] = n.expr
	}
	return Need[[]G]{expr: e, grant: func(d *Decision) []G {
		grants := make([]G, len(needs))
		for i, n := range needs {
			grants[i] = n.grant(d)
		}
		return grants
	}}
}

// Map is n with what it gives turned into something else, most often a struct that names its grants.
func Map[G, H any](n Need[G], f func(G) H) Need[H] {
	return Need[H]{expr: n.expr, public: n.public, grant: func(d *Decision) H { return f(n.grant(d)) }}
}

// None is what a public operation gets.
type None struct{}

// Public is the need of an operation that anybody may call, authenticated or not. It gives no grant, so it reaches no storage.
func Public() Need[None] {
	return Need[None]{public: true, grant: func(*Decision) None { return None{} }}
}

// expr is a tree of checks: exactly one of its fields is set.
type expr struct {
	leaf *leaf
	all  []*expr
	any  []*expr
}

type leaf struct {
	check  Check
	object Named
	opens  bool // a collection whose members are decided for themselves
}

// opening returns e as what opens a collection.
func (e *expr) opening() *expr {
	if e == nil || e.leaf == nil {
		return e
	}
	l := *e.leaf
	l.opens = true
	return &expr{leaf: &l}
}

// leaves returns the leaves of e in order, in a slice of the caller's own.
func (e *expr) leaves() []*leaf {
	if e != nil && e.leaf != nil {
		return []*leaf{e.leaf}
	}
	var all []*leaf
	e.walk(func(l *leaf) { all = append(all, l) })
	return all
}

func (e *expr) walk(f func(*leaf)) {
	switch {
	case e == nil:
	case e.leaf != nil:
		f(e.leaf)
	default:
		for _, kid := range e.all {
			kid.walk(f)
		}
		for _, kid := range e.any {
			kid.walk(f)
		}
	}
}

func (e *expr) hasChoice() bool {
	return e != nil && (len(e.any) > 1 || slices.ContainsFunc(e.all, (*expr).hasChoice))
}

// holds evaluates e, of whose leaves those among held hold. An expression without checks does not hold. Operations ask a few
// checks, so held is searched.
func (e *expr) holds(held []*leaf) bool {
	switch {
	case e == nil:
		return false
	case e.leaf != nil:
		return slices.Contains(held, e.leaf)
	case len(e.all) > 0:
		for _, kid := range e.all {
			if !kid.holds(held) {
				return false
			}
		}
		return true
	default:
		for _, kid := range e.any {
			if kid.holds(held) {
				return true
			}
		}
		return false
	}
}
