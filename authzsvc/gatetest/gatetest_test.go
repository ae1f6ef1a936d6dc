package gatetest_test

import (
	"errors"
	"testing"

	"nexus/authzsvc/authz"
	"nexus/authzsvc/gatetest"
	"nexus/internal/errs"
	"nexus/schema"
)

var (
	one   = schema.File{Address: schema.Address{Tenant: "acme", Path: "/one", Anchor: "1"}}
	other = schema.File{Address: schema.Address{Tenant: "acme", Path: "/other", Anchor: "2"}}
	ann   = gatetest.User("acme", "ann")
)

func ask(t *testing.T, gate *authz.Gate, f schema.File) error {
	t.Helper()
	_, _, err := authz.Ask(t.Context(), gate, ann, authz.Act{Op: "test"}, f.Read())
	return err
}

func TestDenyOneRefusesThatCheckAlone(t *testing.T) {
	gate, rec := gatetest.DenyOne(t, one.Read().Checks()[0])
	if err := ask(t, gate, one); errs.From(err) == nil || errs.KindOf(err) != errs.Denied {
		t.Errorf("the refused check answers %v, want denied", err)
	}
	if err := ask(t, gate, other); err != nil {
		t.Errorf("another check answers %v", err)
	}
	if got := rec.Decided(); len(got) != 2 || got[0].Allowed || !got[1].Allowed {
		t.Errorf("recorded %+v, want a refusal and an allow", got)
	}
}

func TestGrantCanBeUsedAndHolds(t *testing.T) {
	g := gatetest.Grant(t, ann, one.Write())
	if f, err := g.Use(); err != nil || f != one {
		t.Errorf("Use = %v, %v", f, err)
	}
	if err := g.Decision().Hold(); err != nil {
		t.Errorf("Hold: %v", err)
	}
	if g.Decision().Principal().Base != ann.Base {
		t.Errorf("the grant is %v's, want ann's", g.Decision().Principal().Base)
	}
}

func TestRecorderRefusesUntilItIsToldNotTo(t *testing.T) {
	gate, rec := gatetest.AllowAll(t)
	rec.Refuse(errors.New("disk full"))
	if err := ask(t, gate, one); errs.From(err) == nil || errs.From(err).Reason != errs.NotRecorded {
		t.Errorf("a refusing recorder answers %v, want %s", err, errs.NotRecorded)
	}
	rec.Refuse(nil)
	if err := ask(t, gate, one); err != nil {
		t.Errorf("a working recorder answers %v", err)
	}
	if n := len(rec.Decided()); n != 1 {
		t.Errorf("%d decisions are kept, want the one that was recorded", n)
	}
}

func TestPrincipalsAreWrittenAsTheSchemaWritesThem(t *testing.T) {
	who := gatetest.Agent("acme corp", "r&d bot")
	a, err := schema.AgentOf(who.Tenant, "r&d bot")
	if err != nil || a.Named().Ref != who.Base {
		t.Errorf("the agent is %v, in the schema %v (%v)", who.Base, a.Named().Ref, err)
	}
	if home := schema.Home(who).Named(); home.Name != "tenant acme corp" {
		t.Errorf("its tenant is %q", home.Name)
	}
}
