package schema_test

import (
	"slices"
	"strings"
	"testing"

	"nexus/authzsvc/authz"
	"nexus/internal/errs"
	"nexus/internal/ids"
	"nexus/schema"
)

func TestObjectCarriesItsTenantAndItsName(t *testing.T) {
	tenant := ids.Quote("acme corp")
	g, err := schema.GroupOf(tenant, "R&D/eng")
	if err != nil {
		t.Fatal(err)
	}
	named := g.Named()
	if want := (authz.Ref{Type: "group", ID: "acme=20corp/R=26D=2Feng"}); named.Ref != want {
		t.Errorf("ref is %v, want %v", named.Ref, want)
	}
	if named.Name != "group R&D/eng" {
		t.Errorf("name is %q, want the caller's words", named.Name)
	}
	if got := schema.TenantOf(named.Ref); got != tenant {
		t.Errorf("TenantOf = %q, want %q", got, tenant)
	}
	if got := schema.NameOf(named.Ref); got != "R&D/eng" {
		t.Errorf("NameOf = %q", got)
	}
	back, err := schema.GroupFrom(named.Ref)
	if err != nil || back != g {
		t.Errorf("GroupFrom = %v, %v; want %v", back, err, g)
	}
}

func TestNameCannotReachIntoAnotherTenant(t *testing.T) {
	u, err := schema.UserOf("acme", "../globex/root")
	if err != nil {
		t.Fatal(err)
	}
	if got := schema.TenantOf(u.Named().Ref); got != "acme" {
		t.Errorf("%v is of tenant %q, want acme", u.Named().Ref, got)
	}
	// Two pairs of names never make one id.
	a, err1 := schema.UserOf(ids.Quote("a/b"), "c")
	b, err2 := schema.UserOf("a", "b/c")
	if err1 != nil || err2 != nil || a.Named().ID == b.Named().ID {
		t.Errorf("%v (%v) and %v (%v) are one", a.Named(), err1, b.Named(), err2)
	}
}

func TestTenantThatIsNotQuotedIsRefused(t *testing.T) {
	for _, tenant := range []string{"", "acme corp", "acme/globex", "acme=2", "acme=41", "acme=zz"} {
		if a, err := schema.AgentOf(tenant, "bot"); err == nil || errs.KindOf(err) != errs.Invalid || a != (schema.Agent{}) {
			t.Errorf("AgentOf(%q) = %v, %v; want invalid", tenant, a, err)
		}
	}
}

func TestNamesOutOfBoundsAreRefused(t *testing.T) {
	long := strings.Repeat("x", ids.MaxQuoted)
	for name, err := range map[string]error{
		"empty name":         second(schema.GroupOf("acme", "")),
		"empty tenant name":  second(schema.TenantNamed("")),
		"long once quoted":   second(schema.UserOf("acme", strings.Repeat("é", ids.MaxQuoted/6))),
		"long with tenant":   second(schema.UserOf("acme", long)),
		"long tenant":        second(schema.TenantNamed(long + "x")),
		"tenant and no name": second(schema.ID("acme", "")),
	} {
		if err == nil || errs.KindOf(err) != errs.Invalid {
			t.Errorf("%s answers %v, want invalid", name, err)
		}
	}
	if _, err := schema.KeyNamed(long); err != nil {
		t.Errorf("a name of the greatest length: %v", err)
	}
}

func second[T any](_ T, err error) error { return err }

func TestRefOfAnotherKindIsRefused(t *testing.T) {
	for _, ref := range []authz.Ref{
		{}, {Type: "user", ID: "acme/eng"}, {Type: "group"}, {Type: "group", ID: "eng"}, {Type: "group", ID: "/eng"},
		{Type: "group", ID: "acme/"}, {Type: "group", ID: "acme/a/b"}, {Type: "group", ID: "acme/a b"},
		{Type: "group", ID: "acme/a=2"}, {Type: "group", ID: "acme/=41"}, {Type: "group", ID: "a b/eng"},
	} {
		if g, err := schema.GroupFrom(ref); err == nil || errs.KindOf(err) != errs.Invalid || g != (schema.Group{}) {
			t.Errorf("GroupFrom(%v) = %v, %v; want invalid", ref, g, err)
		}
	}
	for _, ref := range []authz.Ref{{}, {Type: "tenant"}, {Type: "tenant", ID: "a/b"}, {Type: "tenant", ID: "=4"}, {Type: "key", ID: "acme"}} {
		if got, err := schema.TenantFrom(ref); err == nil || errs.KindOf(err) != errs.Invalid || got != (schema.Tenant{}) {
			t.Errorf("TenantFrom(%v) = %v, %v; want invalid", ref, got, err)
		}
	}
}

func TestHomeIsThePrincipalsTenant(t *testing.T) {
	home := schema.Home(authz.Principal{Tenant: "acme=20corp"})
	if got := home.Named(); got.Ref != (authz.Ref{Type: "tenant", ID: "acme=20corp"}) || got.Name != "tenant acme corp" {
		t.Errorf("Home = %v", got)
	}
	for _, tenant := range []string{"", "a/b", "a b"} {
		if got := schema.Home(authz.Principal{Tenant: tenant}); got != (schema.Tenant{}) {
			t.Errorf("Home of tenant %q is %v, want none", tenant, got)
		}
	}
}

func TestObjectsAskWhatTheSchemaCallsIt(t *testing.T) {
	f := schema.File{Address: schema.Address{Path: "/a", Anchor: "f1", Rest: "b"}}
	d := schema.Dir{Address: f.Address}
	agent, err := schema.AgentOf("acme", "bot")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		checks []authz.Check
		want   authz.Check
	}{
		{f.Own().Checks(), authz.Check{Type: "file", ID: "f1", Permission: "owner"}},
		{f.Edit().Checks(), authz.Check{Type: "file", ID: "f1", Permission: "editor"}},
		{f.View().Checks(), authz.Check{Type: "file", ID: "f1", Permission: "viewer"}},
		{f.Read().Checks(), authz.Check{Type: "file", ID: "f1", Permission: "read"}},
		{d.Write().Checks(), authz.Check{Type: "file", ID: "f1", Permission: "write"}},
		{d.Delete().Checks(), authz.Check{Type: "file", ID: "f1", Permission: "delete"}},
		{agent.Act().Checks(), authz.Check{Type: "agent", ID: "acme/bot", Permission: "act"}},
		{schema.ThePlatform.Administer().Checks(), authz.Check{Type: "platform", ID: "nexus", Permission: "administer"}},
		{schema.Home(authz.Principal{Tenant: "acme"}).ReadAudit().Checks(), authz.Check{Type: "tenant", ID: "acme", Permission: "read_audit"}},
	} {
		if !slices.Equal(c.checks, []authz.Check{c.want}) {
			t.Errorf("asks %v, want %v", c.checks, c.want)
		}
	}
}

func TestVocabularyIsThatOfTheSchema(t *testing.T) {
	if got := schema.Definitions(); !slices.Equal(got, []string{"platform", "key", "user", "service", "group", "tenant", "agent", "file"}) {
		t.Errorf("Definitions() = %v", got)
	}
	if got := schema.Direct("file"); !slices.Contains(got, "direct_viewer") || slices.Contains(got, "viewer") {
		t.Errorf("Direct(file) = %v, want relations without permissions", got)
	}
	if got := schema.Permissions("file"); !slices.Contains(got, "viewer") || slices.Contains(got, "parent") {
		t.Errorf("Permissions(file) = %v, want permissions without relations", got)
	}
	if schema.Direct("planet") != nil || schema.Permissions("planet") != nil {
		t.Error("an unknown definition has names")
	}
	schema.Direct("file")[0] = "changed"
	if schema.Direct("file")[0] == "changed" {
		t.Error("a caller can change the vocabulary")
	}
}
