package storagetest

import (
	"context"
	"crypto/sha256"
	"errors"
	"time"

	"nexus/authzsvc/authz"
	"nexus/authzsvc/gatetest"
	"nexus/internal/errs"
	"nexus/internal/sqldb"
	"nexus/schema"
	"nexus/storage"
)

// people are claims about tenants, users, agents and keys.
var people = []func(*kit){
	storeIsFoundedOnce,
	keyAnswersWhoHoldsIt,
	revokedAndExpiredKeysAnswerNobody,
	agentOfAnotherUserRefused,
	adminKeyAdministersItsTenantAlone,
	tenantsHaveTreesOfTheirOwn,
	sameNameInTwoTenantsIsTwoPeople,
	subjectsAreKnownByTypeAndTenant,
	lastUseIsKept,
}

var (
	revokeKey = sqldb.SQL(`UPDATE api_keys SET revoked = $2 WHERE id = $1`)
	lastUse   = sqldb.SQL(`SELECT last_used FROM api_keys WHERE id = $1`)
)

func storeIsFoundedOnce(k *kit) {
	for _, err := range race(4, func(int) error {
		if _, founded, err := k.store.Founding().Found(k.Context()); err != nil || founded {
			return errors.Join(err, errors.New("founded again"))
		}
		return nil
	}) {
		if err != nil {
			k.Error(err)
		}
	}
}

func spec(name string) storage.KeySpec {
	return storage.KeySpec{Name: name + "'s key", Prefix: "nxk_", User: name, SubjectType: "user", Subject: name, Scopes: []string{"read", "write"}}
}

func agentSpec(agent, owner string) storage.KeySpec {
	s := spec(owner)
	s.SubjectType, s.Subject = "agent", agent
	return s
}

// found makes a tenant, by its first key.
func (k *kit) found(tenant string) storage.Key {
	k.Helper()
	key, err := k.store.Keys().CreateIn(k.Context(), grant(k, schema.ThePlatform.Administer()), tenant, spec("first"))
	if err != nil {
		k.Fatal(err)
	}
	return key
}

func (k *kit) createKey(s storage.KeySpec) (storage.Key, error) {
	k.Helper()
	return k.store.Keys().Create(k.Context(), grant(k, schema.Home(k.ann).Administer()), s)
}

func (k *kit) mustCreateKey(s storage.KeySpec) storage.Key {
	k.Helper()
	key, err := k.createKey(s)
	if err != nil {
		k.Fatal(err)
	}
	return key
}

func (k *kit) holder(secret string) (storage.Holder, error) {
	return k.store.Credentials().ByHash(k.Context(), sha256.Sum256([]byte(secret)))
}

func keyAnswersWhoHoldsIt(k *kit) {
	key := k.mustCreateKey(agentSpec("bot", "olga"))
	h, err := k.holder(key.Secret)
	if err != nil || h.KeyID != key.ID || h.Tenant != "default" || h.SubjectType != "agent" || h.Subject != "bot" || h.User != "olga" || h.Admin || h.Platform {
		k.Errorf("holder = %+v, %v", h, err)
	}
	for _, unknown := range []string{"", "nxk_", key.Secret[1:], key.Secret + "x"} {
		_, err := k.holder(unknown)
		k.mustFail("an unknown key", err, errs.NotFound, "")
	}
	if other := k.mustCreateKey(spec("olga")); other.Secret == key.Secret || other.ID == key.ID {
		k.Error("two keys are one")
	}
}

func revokedAndExpiredKeysAnswerNobody(k *kit) {
	s := spec("bob")
	s.Lifetime = time.Hour
	expiring, revoked := k.mustCreateKey(s), k.mustCreateKey(spec("bob"))
	if h, err := k.holder(expiring.Secret); err != nil || !h.Expires.Equal(k.clock.Now().Add(time.Hour)) || !h.Expires.Equal(expiring.Expires) {
		k.Errorf("before its end: %+v, %v", h, err)
	}
	k.statement(revokeKey, revoked.ID, k.clock.Now().UnixMicro())
	k.clock.Advance(time.Hour)
	for _, key := range []storage.Key{expiring, revoked} {
		_, err := k.holder(key.Secret)
		k.mustFail("a key that has ended", err, errs.NotFound, "")
	}
}

func agentOfAnotherUserRefused(k *kit) {
	k.mustCreateKey(agentSpec("bot", "olga"))
	k.mustCreateKey(agentSpec("bot", "olga")) // a second key of the same owner
	before := len(k.rels.All())
	_, err := k.createKey(agentSpec("bot", "mallory"))
	k.mustFail("taking over an agent", err, errs.Exists, errs.NotValid)
	if owner, err := k.store.Credentials().Owner(k.Context(), "default", "bot"); err != nil || owner != "olga" {
		k.Errorf("bot belongs to %q, %v", owner, err)
	}
	if exists, _, err := k.store.Credentials().Subject(k.Context(), "default", "user", "mallory"); err != nil || exists {
		k.Errorf("a refused key left its user behind: %v, %v", exists, err)
	}
	if after := len(k.rels.All()); after != before {
		k.Errorf("%d relationships, there were %d", after, before)
	}
}

func adminKeyAdministersItsTenantAlone(k *kit) {
	k.found("other")
	s := spec("bob")
	s.Admin = true
	key := k.mustCreateKey(s)
	ref := authz.Ref{Type: "key", ID: "default/" + key.ID}
	if !k.related(authz.Ref{Type: "tenant", ID: "default"}, "admin", ref) {
		k.Error("the key does not administer its tenant")
	}
	for _, r := range k.rels.All() {
		if r.Subject == ref && r.Resource.ID != "default" {
			k.Errorf("the key has %s", r)
		}
	}
	if _, admin, err := k.store.Credentials().Subject(k.Context(), "default", "user", "bob"); err != nil || !admin {
		k.Errorf("bob is no admin: %v, %v", admin, err)
	}
	platform, err := k.store.Keys().CreatePlatform(k.Context(), grant(k, schema.ThePlatform.Administer()), spec("root"))
	if err != nil {
		k.Fatal(err)
	}
	if h, err := k.holder(platform.Secret); err != nil || !h.Platform || !h.Admin {
		k.Errorf("holder = %+v, %v", h, err)
	}
	if !k.related(schema.Platform, "admin", authz.Ref{Type: "key", ID: platform.ID}) {
		k.Error("the key does not administer the platform")
	}
}

func tenantsHaveTreesOfTheirOwn(k *kit) {
	k.found("other")
	them := gatetest.User("other", "ann")
	k.mustPut("/f", "ours")
	k.mustPut("/only/here", "ours")
	if _, err := k.putAs(them, "/f", "theirs", storage.Condition{}); err != nil {
		k.Fatal(err)
	}
	k.mustRead("/f", "ours")
	if k.at("/f").Anchor == k.in("other", "/f").Anchor {
		k.Error("two tenants share a file")
	}
	if a := k.in("other", "/only/here"); a.Rest != "only/here" || a.Tenant != "other" {
		k.Errorf("another tenant's file resolves to %+v", a)
	}
	k.mustList("/", whole, "/f", "/only/", "/only/here")
	_, err := k.store.Names().Address(k.Context(), "nowhere", "/f")
	k.mustFail("a path of no tenant", err, errs.Denied, "")
}

func sameNameInTwoTenantsIsTwoPeople(k *kit) {
	k.found("other")
	ours := k.mustCreateKey(agentSpec("bot", "olga"))
	theirs, err := k.store.Keys().CreateIn(k.Context(), grant(k, schema.ThePlatform.Administer()), "other", agentSpec("bot", "mallory"))
	if err != nil {
		k.Fatalf("the same agent name in another tenant: %v", err)
	}
	one, err := k.holder(ours.Secret)
	other, err2 := k.holder(theirs.Secret)
	if err != nil || err2 != nil || one.Tenant != "default" || other.Tenant != "other" || one.User != "olga" || other.User != "mallory" {
		k.Errorf("holders = %+v, %v and %+v, %v", one, err, other, err2)
	}
}

func subjectsAreKnownByTypeAndTenant(k *kit) {
	k.found("other")
	k.mustCreateKey(agentSpec("bot", "olga"))
	for _, c := range []struct {
		tenant, typ, name string
		want              bool
	}{
		{"default", "user", "olga", true}, {"default", "agent", "bot", true}, {"default", "agent", "olga", false},
		{"default", "user", "bot", false}, {"other", "user", "olga", false}, {"other", "agent", "bot", false},
		{"default", "service", "sweep", false}, {"default", "user", "OLGA", false}, {"default", "", "", false},
	} {
		exists, _, err := k.store.Credentials().Subject(k.Context(), c.tenant, c.typ, c.name)
		if err != nil || exists != c.want {
			k.Errorf("%s %s:%s exists = %v, %v", c.tenant, c.typ, c.name, exists, err)
		}
	}
	for name, want := range map[string]bool{"default": true, "other": true, "Default": false, "": false, "*": false} {
		if has, err := k.store.Credentials().Tenant(k.Context(), name); err != nil || has != want {
			k.Errorf("tenant %q exists = %v, %v", name, has, err)
		}
	}
}

func lastUseIsKept(k *kit) {
	key := k.mustCreateKey(spec("bob"))
	c := k.store.Credentials()
	c.Used(key.ID, k.clock.Now())
	ended, end := context.WithCancel(k.Context())
	end()
	if err := c.Run(ended, func(err error) { k.Error(err) }); err != nil {
		k.Fatal(err)
	}
	var at int64
	if err := k.db.Row(k.Context(), lastUse, key.ID).Scan(&at); err != nil || at != k.clock.Now().UnixMicro() {
		k.Errorf("last used = %d, %v", at, err)
	}
}
