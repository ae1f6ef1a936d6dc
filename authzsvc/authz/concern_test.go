package authz_test

import (
	"context"
	"slices"
	"testing"

	"nexus/authzsvc/authz"
	"nexus/authzsvc/gatetest"
	"nexus/authzsvc/internal/mint"
	"nexus/internal/errs"
)

// agentsOnly is a policy whose rules refuse everything and concern agents alone; it counts how often it is asked.
type agentsOnly struct{ asked int }

func (a *agentsOnly) Rules() authz.Rules { return a }
func (*agentsOnly) Digest() string       { return "" }
func (*agentsOnly) Applies(who authz.Principal, _ string) (applies, objects bool) {
	return who.IsAgent(), who.IsAgent()
}

func (a *agentsOnly) Evaluate(_ context.Context, _ authz.Principal, _ string, objects []authz.Named) ([]authz.Verdict, error) {
	a.asked++
	return slices.Repeat([]authz.Verdict{{Refused: true}}, len(objects)), nil
}

func TestRulesAreAskedOnlyAboutWhomTheyConcern(t *testing.T) {
	person, rules := gatetest.User("acme", "ann"), &agentsOnly{}
	gate, err := authz.NewGate(mint.New(), holding{}, flat{}, rules, new(gatetest.Recorder), "", gatetest.NewClock())
	if err != nil {
		t.Fatal(err)
	}
	if got := admit(t, open(t, gate, person), "/a", "/b"); len(got) != 2 || rules.asked != 0 {
		t.Errorf("a person lists %v after %d questions to policy, want both after none", got, rules.asked)
	}
	bot := authz.Ref{Type: "agent", ID: "acme/bot"}
	for name, who := range map[string]authz.Principal{
		"an agent":              gatetest.Agent("acme", "bot"),
		"an agent for a person": gatetest.Behind(person, bot, authz.Mandate{}),
		"an agent behind another actor": gatetest.Behind(gatetest.Behind(person, bot, authz.Mandate{}),
			authz.Ref{Type: "sandbox", ID: "acme/sb"}, authz.Mandate{}),
	} {
		rules.asked = 0
		_, _, err := authz.Ask(t.Context(), gate, who, authz.Act{Op: "file.test"}, file("/a").Read())
		if errs.KindOf(err) != errs.Denied || rules.asked != 1 {
			t.Errorf("%s: %v after %d questions, want denied after one", name, err, rules.asked)
		}
	}
}

// What policy says of a member depends on who opened the collection.
func TestScopeAsksRulesAboutItsPrincipal(t *testing.T) {
	for name, c := range map[string]struct {
		who  authz.Principal
		want int
	}{"person": {gatetest.User("acme", "ann"), 2}, "agent": {gatetest.Agent("acme", "bot"), 0}} {
		rules := &agentsOnly{}
		gate, err := authz.NewGate(mint.New(), holding{}, flat{}, inLists{rules}, new(gatetest.Recorder), "", gatetest.NewClock())
		if err != nil {
			t.Fatal(err)
		}
		if got := admit(t, open(t, gate, c.who), "/a", "/b"); len(got) != c.want {
			t.Errorf("%s lists %v, want %d of them", name, got, c.want)
		}
	}
}

// inLists is agentsOnly for the members of lists alone.
type inLists struct{ *agentsOnly }

func (l inLists) Rules() authz.Rules { return l }
func (l inLists) Applies(who authz.Principal, op string) (applies, objects bool) {
	if op != "file.read" {
		return false, false
	}
	return l.agentsOnly.Applies(who, op)
}
