package explain

import (
	"nexus/authzsvc/authz"
	"nexus/authzsvc/relations"
)

// Trace is how the engine came to the answer of one check, at one revision.
type Trace struct {
	Subject    authz.Ref
	Set        string // for all who have this relation to Subject: member of group:eng#member; empty for Subject itself
	Check      authz.Check
	At         relations.Revision
	Root       *Node // nil when the engine gave up before it had anything to tell
	Allowed    bool  // a conditional answer is not an allowance
	Incomplete bool  // the engine gave up (depth): the answer counts as a denial
}

// Node is one question that the engine asked itself on the way: does the trace's subject hold Permission on Object?
type Node struct {
	Object     authz.Ref
	Permission string
	Stored     bool   // Permission is a relation that is written, not a permission that is computed
	Result     Result // the answer
	Via        string // the relation of the parent's object that led to Object; "" for the parent's own object and for the root
	Set        string // when Via leads through a subject set: its relation, as it is written (member of group:eng#member)
	Joint      bool   // the answer needs more than one of Sub: the permission is defined with & or -
	Cached     bool   // the answer came from a cache, so Sub is missing
	Batch      int    // how many objects were asked at once, when more than one: Object is then only the first
	Missing    []string
	Sub        []*Node
}

// Result is the answer to one question of a trace.
type Result uint8

const (
	No          Result = iota // the zero Result, so that a forgotten one allows nothing
	Yes                       //
	Conditional               // a caveat lacks what Node.Missing lists
)

// String returns no, yes or conditional.
func (r Result) String() string {
	switch r {
	case Yes:
		return "yes"
	case Conditional:
		return "conditional"
	}
	return "no"
}

// Subject is an object that holds a permission, or with Relation all who stand in that relation to it: group:eng#member.
type Subject struct {
	authz.Ref
	Relation    string
	Conditional bool // holds it only when a caveat allows
}

// String returns the subject as relationships are written.
func (s Subject) String() string {
	if s.Relation == "" {
		return s.Ref.String()
	}
	return s.Ref.String() + "#" + s.Relation
}
