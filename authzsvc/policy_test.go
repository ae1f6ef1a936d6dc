package authzsvc

import (
	"testing"

	"nexus/authzsvc/authz"
	"nexus/authzsvc/gatetest"
	"nexus/authzsvc/internal/rego"
	"nexus/internal/clock"
	"nexus/policies"
)

// ruled are the operations that the shipped rules name.
var ruled = []string{"files.read", "files.write", "files.exists", "files.get_metadata", "files.copy", "files.rename", "versions.get", "versions.diff"}

// shipped are the rules that ship, as the Gate sees them.
func shipped(t *testing.T) authz.Rules {
	t.Helper()
	engine, err := rego.NewEngine(t.Context(), policies.Default(), rego.Config{
		Operations: ruled, Obligations: []string{string(authz.MaskValues)},
	})
	if err != nil {
		t.Fatal(err)
	}
	return policy{engine, clock.System{}}.Rules()
}

func TestShippedRulesConcernAgentsAlone(t *testing.T) {
	person, bot := gatetest.User("acme", "ann"), authz.Ref{Type: "agent", ID: "acme/bot"}
	sandboxed := gatetest.Behind(person, authz.Ref{Type: "sandbox", ID: "acme/sb"}, authz.Mandate{})
	admin := person
	admin.Admin = authz.Ref{Type: "key", ID: "acme/k"}
	owned := person
	owned.Owner = bot
	rules, key := shipped(t), []authz.Named{{Ref: authz.Ref{Type: "file", ID: "acme/f"}, Name: "/home/ann/.ssh/id_rsa"}}
	for name, c := range map[string]struct {
		who  authz.Principal
		want bool
	}{
		"a person":                         {person, false},
		"a person's admin key":             {admin, false},
		"a person's sandbox":               {sandboxed, false},
		"somebody with an agent as owner":  {owned, false},
		"an agent":                         {gatetest.Agent("acme", "bot"), true},
		"an agent for a person":            {gatetest.Behind(person, bot, authz.Mandate{}), true},
		"an agent behind another actor":    {gatetest.Behind(gatetest.Behind(person, bot, authz.Mandate{}), authz.Ref{Type: "sandbox"}, authz.Mandate{}), true},
		"an agent in front of a sandbox":   {gatetest.Behind(sandboxed, bot, authz.Mandate{}), true},
		"an agent in a sandbox of its own": {gatetest.Behind(gatetest.Agent("acme", "bot"), authz.Ref{Type: "sandbox"}, authz.Mandate{}), true},
	} {
		applies, objects := rules.Applies(c.who, "files.read")
		if applies != c.want || objects != c.want {
			t.Errorf("%s: Applies = %v, %v, want %v", name, applies, objects, c.want)
		}
		verdicts, err := rules.Evaluate(t.Context(), c.who, "files.read", key)
		if err != nil || len(verdicts) != 1 || verdicts[0].Refused != c.want {
			t.Errorf("%s: a private key = %+v, %v, want refused = %v", name, verdicts, err, c.want)
		}
	}
}

func TestAskingWhatAppliesAllocatesNothing(t *testing.T) {
	rules := shipped(t)
	who := gatetest.Behind(gatetest.User("acme", "ann"), authz.Ref{Type: "agent", ID: "acme/bot"}, authz.Mandate{})
	if n := testing.AllocsPerRun(100, func() { rules.Applies(who, "files.read") }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
