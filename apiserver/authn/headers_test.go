package authn_test

import (
	"errors"
	"reflect"
	"testing"

	"nexus/apiserver/authn"
	"nexus/authzsvc/authz"
	"nexus/internal/errs"
)

func TestHeadersThatNameTheKeysOwnChangeNothing(t *testing.T) {
	g := guard(t, fixture(), authn.Config{})
	for name, c := range map[string]struct {
		key     string
		headers []string
	}{
		"own user":            {"alice-key", []string{"X-Nexus-Subject", "user:alice@acme"}},
		"own tenant":          {"alice-key", []string{"X-Nexus-Tenant-ID", "acme.io"}},
		"own tenant, older":   {"alice-key", []string{"X-Tenant-ID", "acme.io"}},
		"both tenant headers": {"alice-key", []string{"X-Tenant-ID", "acme.io", "X-Nexus-Tenant-ID", "acme.io"}},
		"the same twice":      {"alice-key", []string{"X-Tenant-ID", "acme.io", "X-Tenant-ID", "acme.io"}},
		"own agent":           {"bot-key", []string{"X-Agent-ID", "bot", "X-Nexus-Subject", "agent:bot"}},
		"admin as itself":     {"admin-key", []string{"X-Nexus-Subject", "user:root"}},
	} {
		want, err := g.Principal(request(c.key))
		if err != nil {
			t.Fatal(err)
		}
		got, err := g.NamedPrincipal(request(c.key, c.headers...))
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s = %+v, %v, want %+v", name, got, err, want)
		}
	}
}

func TestHeadersThatNameSomebodyElseAreRefused(t *testing.T) {
	g := guard(t, fixture(), authn.Config{})
	for name, c := range map[string]struct {
		key     string
		headers []string
	}{
		"another user":                   {"alice-key", []string{"X-Nexus-Subject", "user:bob"}},
		"own name, another type":         {"alice-key", []string{"X-Nexus-Subject", "agent:alice@acme"}},
		"own agent as subject":           {"alice-key", []string{"X-Nexus-Subject", "agent:bot"}},
		"another tenant":                 {"alice-key", []string{"X-Nexus-Tenant-ID", "globex"}},
		"the quoted form of its own":     {"alice-key", []string{"X-Nexus-Tenant-ID", "acme=2Eio"}},
		"another tenant, older header":   {"alice-key", []string{"X-Tenant-ID", "globex"}},
		"an agent of somebody else":      {"bob-key", []string{"X-Agent-ID", "bot"}},
		"one of another tenant":          {"far-key", []string{"X-Agent-ID", "bot"}},
		"an agent that is not there":     {"alice-key", []string{"X-Agent-ID", "bot2"}},
		"no agent":                       {"alice-key", []string{"X-Agent-ID", ""}},
		"two agents":                     {"alice-key", []string{"X-Agent-ID", "bot", "X-Agent-ID", "narrow"}},
		"an agent with a tenant in it":   {"alice-key", []string{"X-Agent-ID", "../acme=2Eio/bot"}},
		"an agent names its twin":        {"bot-key", []string{"X-Agent-ID", "narrow"}},
		"admin: through bob's agent":     {"admin-key", []string{"X-Nexus-Subject", "user:bob", "X-Agent-ID", "bot"}},
		"admin: as bob, through its own": {"boss-key", []string{"X-Nexus-Subject", "user:bob", "X-Agent-ID", "bot"}},
		"admin: as an agent and through": {"boss-key", []string{"X-Nexus-Subject", "agent:bot", "X-Agent-ID", "bot"}},
		"platform: through an agent":     {"boot-key", []string{"X-Nexus-Tenant-ID", "acme.io", "X-Agent-ID", "bot"}},
		"platform without a user":        {"bare-key", []string{"X-Agent-ID", "bot"}},
		"another agent":                  {"bot-key", []string{"X-Agent-ID", "bot2"}},
		"the owner of the agent":         {"bot-key", []string{"X-Nexus-Subject", "user:alice@acme"}},
		"a user called like the agent":   {"bot-key", []string{"X-Nexus-Subject", "user:bot"}},
		"no type":                        {"alice-key", []string{"X-Nexus-Subject", "alice@acme"}},
		"nobody":                         {"alice-key", []string{"X-Nexus-Subject", ""}},
		"no tenant":                      {"alice-key", []string{"X-Nexus-Tenant-ID", ""}},
		"two that differ":                {"alice-key", []string{"X-Nexus-Subject", "user:alice@acme", "X-Nexus-Subject", "user:bob"}},
		"admin: nobody":                  {"admin-key", []string{"X-Nexus-Subject", ""}},
		"admin: one who does not exist":  {"admin-key", []string{"X-Nexus-Subject", "user:nobody"}},
		"admin: another admin":           {"admin-key", []string{"X-Nexus-Subject", "user:chief"}},
		"admin: a service":               {"admin-key", []string{"X-Nexus-Subject", "service:sweeper"}},
		"admin: a key":                   {"admin-key", []string{"X-Nexus-Subject", "key:k4"}},
		"admin: a group":                 {"admin-key", []string{"X-Nexus-Subject", "group:eng"}},
		"admin: empty name":              {"admin-key", []string{"X-Nexus-Subject", "user:"}},
		"admin: out of the tenant":       {"admin-key", []string{"X-Nexus-Subject", "user:../globex/bob"}},
		"admin: another tenant":          {"admin-key", []string{"X-Nexus-Tenant-ID", "globex"}},
		"admin: somebody there":          {"admin-key", []string{"X-Nexus-Tenant-ID", "globex", "X-Nexus-Subject", "user:bob"}},
		"admin: an agent as actor":       {"admin-key", []string{"X-Agent-ID", "bot"}},
		"platform: no such tenant":       {"boot-key", []string{"X-Nexus-Tenant-ID", "initech"}},
		"platform: two tenants":          {"boot-key", []string{"X-Nexus-Tenant-ID", "globex", "X-Tenant-ID", "acme.io"}},
		"platform: own and another":      {"boot-key", []string{"X-Nexus-Tenant-ID", "default", "X-Tenant-ID", "globex"}},
		"platform: another and own":      {"boot-key", []string{"X-Nexus-Tenant-ID", "globex", "X-Tenant-ID", "default"}},
		"platform: itself elsewhere":     {"boot-key", []string{"X-Nexus-Tenant-ID", "globex", "X-Nexus-Subject", "user:admin"}},
		"platform: subject of no tenant": {"bare-key", []string{"X-Nexus-Subject", "user:bob"}},
		"no key: subject":                {"", []string{"X-Nexus-Subject", "user:alice@acme"}},
		"no key: tenant":                 {"", []string{"X-Tenant-ID", "acme.io"}},
		"no key: agent":                  {"", []string{"X-Agent-ID", ""}},
	} {
		who, err := g.NamedPrincipal(request(c.key, c.headers...))
		if !errors.Is(err, errs.Unauthenticated) || errs.RPC(err) != -32003 || !who.IsZero() {
			t.Errorf("%s = %+v, %v, want unauthenticated", name, who, err)
		}
	}
}

func TestRefusalOfAHeaderDoesNotTellWhoExists(t *testing.T) {
	g := guard(t, fixture(), authn.Config{})
	_, admin := g.NamedPrincipal(request("admin-key", "X-Nexus-Subject", "user:chief"))
	_, missing := g.NamedPrincipal(request("admin-key", "X-Nexus-Subject", "user:nobody"))
	if errs.Public(admin) != errs.Public(missing) {
		t.Errorf("an admin: %q, a missing user: %q, want the same words", errs.Public(admin), errs.Public(missing))
	}
}

func TestUserActsThroughAnAgentOfHisOwn(t *testing.T) {
	g := guard(t, fixture(), authn.Config{})
	for name, c := range map[string]struct {
		key, agent string
		mandate    authz.Mandate
	}{
		"default mandate":              {"alice-key", "bot", authz.Mandate{}},
		"a mandate of its own":         {"alice-key", "narrow", authz.Mandate{Permissions: map[string][]string{"file": {"read"}}}},
		"an admin, without his rights": {"boss-key", "bot", authz.Mandate{}},
	} {
		who, err := g.NamedPrincipal(request(c.key, "X-Agent-ID", c.agent))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		want := []authz.Actor{{Ref: ref("agent", "acme=2Eio/"+c.agent), Mandate: c.mandate}}
		if who.Base != ref("user", "acme=2Eio/alice=40acme") || !who.Admin.IsZero() || !who.Owner.IsZero() || !reflect.DeepEqual(who.Actors, want) {
			t.Errorf("%s = %+v, want the agent in front of alice, and no admin key", name, who)
		}
		if own, err := g.Principal(request(c.key, "X-Agent-ID", c.agent)); err != nil || len(own.Actors) > 0 {
			t.Errorf("%s: away from the RPC face the header is read: %+v, %v", name, own, err)
		}
	}
}

func TestAgentThatCannotBeLookedUpStopsTheRequest(t *testing.T) {
	d := fixture()
	g := guard(t, d, authn.Config{})
	if _, err := g.Principal(request("alice-key")); err != nil {
		t.Fatal(err)
	}
	d.brokenAgents = errs.New(errs.Unavailable, "no database")
	if who, err := g.NamedPrincipal(request("alice-key", "X-Agent-ID", "bot")); !errors.Is(err, errs.Unavailable) || !who.IsZero() {
		t.Errorf("with a broken directory = %+v, %v, want nobody and unavailable", who, err)
	}
}

func TestAdminStandsForSomebodyWithinFilesAndRelations(t *testing.T) {
	g := guard(t, fixture(), authn.Config{})
	for header, c := range map[string]struct{ base, owner authz.Ref }{
		"user:bob":  {base: ref("user", "acme=2Eio/bob")},
		"agent:bot": {ref("agent", "acme=2Eio/bot"), ref("user", "acme=2Eio/alice=40acme")},
	} {
		who, err := g.NamedPrincipal(request("admin-key", "X-Nexus-Subject", header))
		if err != nil {
			t.Fatalf("%s: %v", header, err)
		}
		if who.Base != c.base || who.Owner != c.owner || !who.Admin.IsZero() || who.Via.Key != "k3" || len(who.Actors) != 1 {
			t.Fatalf("%s = %+v, want %v of %v with the key in front and no admin beside it", header, who, c.base, c.owner)
		}
		actor := who.Actors[0]
		if actor.Ref != ref("key", "acme=2Eio/k3") {
			t.Errorf("%s: actor %v, want the key", header, actor.Ref)
		}
		may := actor.Mandate.Permissions
		for _, p := range []string{"read", "write", "delete", "owner", "share"} {
			if !contains(may["file"], p) {
				t.Errorf("%s: the mandate lacks %s of files", header, p)
			}
		}
		for _, definition := range []string{"platform", "secret", "sandbox", "agent", "vault"} {
			if len(may[definition]) > 0 {
				t.Errorf("%s: the mandate holds %v of %s", header, may[definition], definition)
			}
		}
		if contains(may["tenant"], "administer") {
			t.Errorf("%s: the mandate administers the tenant", header)
		}
	}
}

func TestPlatformAdminNamesTheTenantItMeans(t *testing.T) {
	g := guard(t, fixture(), authn.Config{})
	for _, key := range []string{"boot-key", "bare-key"} {
		own, err := g.Principal(request(key))
		if err != nil {
			t.Fatal(err)
		}
		for _, header := range []string{"X-Nexus-Tenant-ID", "X-Tenant-ID"} {
			who, err := g.NamedPrincipal(request(key, header, "acme.io"))
			if err != nil || who.Tenant != "acme=2Eio" || who.Base != own.Base || who.Admin != own.Admin {
				t.Errorf("%s with %s = %+v, %v, want %v in acme.io", key, header, who, err, own.Base)
			}
		}
	}
	who, err := g.NamedPrincipal(request("boot-key", "X-Nexus-Tenant-ID", "globex", "X-Nexus-Subject", "user:bob"))
	if err != nil || who.Base != ref("user", "globex/bob") || who.Tenant != "globex" || who.Actors[0].Ref != ref("key", "k4") {
		t.Errorf("bob of globex = %+v, %v, want him behind key k4", who, err)
	}
}

func TestSubjectHeadersAreReadOnTheRPCFaceAlone(t *testing.T) {
	g := guard(t, fixture(), authn.Config{})
	who, err := g.Principal(request("admin-key", "X-Nexus-Subject", "user:bob", "X-Nexus-Tenant-ID", "globex"))
	if err != nil || who.Base != ref("user", "acme=2Eio/root") || who.Tenant != "acme=2Eio" {
		t.Errorf("Principal with headers = %+v, %v, want the key's own subject", who, err)
	}
}

func contains(all []string, one string) bool {
	for _, s := range all {
		if s == one {
			return true
		}
	}
	return false
}
