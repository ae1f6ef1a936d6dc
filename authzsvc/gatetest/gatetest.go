// Package gatetest makes gates for tests: real ones, whose relations, policy, recorder and clock do as the test says. It is
// imported by tests alone, which a house test checks. A test that only wants a grant calls Grant; one that refuses
// something fills in a Config, whose zero value allows everything.
package gatetest

import (
	"context"
	"testing"

	"nexus/authzsvc/authz"
	"nexus/authzsvc/internal/mint"
	"nexus/internal/clock"
)

// Config says how the parts of a gate behave. The zero Config is a gate that allows everything and records it.
// Its functions are called concurrently when the test uses the gate so.
type Config struct {
	// Relations answers one check for subjects, in requests and in lists; nil holds everything.
	Relations func(subjects []authz.Ref, c authz.Check) bool
	// Below reports whether object stands at or below one of roots; nil takes ids for paths.
	Below func(roots []authz.Ref, object authz.Ref) bool
	// Roots names the objects at or below which everything stands that Relations holds; nil does not know them.
	Roots func(subjects []authz.Ref, permission string) []string
	// Incomplete marks answers on which the engine gave up; nil marks none.
	Incomplete func(c authz.Check) bool
	// Unanswered makes the relations fail with it.
	Unanswered error

	// Refuse is a rule that looks at the operation alone; nil is no such rule.
	Refuse func(op string) bool
	// RefuseObject is a rule that looks at each object; nil is no such rule.
	RefuseObject func(op string, object authz.Named) bool
	// Oblige attaches obligations to an allow; nil attaches none.
	Oblige func(op string, object authz.Named) []authz.Obligation
	// Unjudged makes the policy fail with it.
	Unjudged error

	// Unrecorded makes the recorder refuse every decision with it. Recorder.Refuse does so later.
	Unrecorded error

	Stamps authz.Stamps // on what answers depend; nil never changes
	Clock  clock.Clock  // nil is the machine's
}

// Gate returns the gate that c describes, and the recorder it writes to.
func (c Config) Gate(t testing.TB) (*authz.Gate, *Recorder) {
	t.Helper()
	if c.Stamps == nil {
		c.Stamps = new(Stamps)
	}
	if c.Clock == nil {
		c.Clock = clock.System{}
	}
	rec := &Recorder{refusal: c.Unrecorded}
	gate, err := authz.NewGate(mint.New(), relations{c}, tree{c}, policy{c}, rec, "schema-digest", c.Clock)
	if err != nil {
		t.Fatalf("NewGate: %v", err)
	}
	return gate, rec
}

// AllowAll returns a gate that allows everything, and its recorder.
func AllowAll(t testing.TB) (*authz.Gate, *Recorder) {
	t.Helper()
	return Config{}.Gate(t)
}

// DenyAll returns a gate on which no relation holds, and its recorder.
func DenyAll(t testing.TB) (*authz.Gate, *Recorder) {
	t.Helper()
	return Config{Relations: func([]authz.Ref, authz.Check) bool { return false }}.Gate(t)
}

// DenyOne returns a gate on which everything holds but one check, and its recorder.
func DenyOne(t testing.TB, refused authz.Check) (*authz.Gate, *Recorder) {
	t.Helper()
	return Config{Relations: func(_ []authz.Ref, c authz.Check) bool { return c != refused }}.Gate(t)
}

// Grant returns what n is for, as a gate that allows everything grants it to who.
func Grant[G any](t testing.TB, who authz.Principal, n authz.Need[G]) G {
	t.Helper()
	gate, _ := AllowAll(t)
	g, _, err := authz.Ask(context.Background(), gate, who, authz.Act{Op: "test"}, n)
	if err != nil {
		t.Fatalf("an allow-all gate refused: %v", err)
	}
	return g
}
