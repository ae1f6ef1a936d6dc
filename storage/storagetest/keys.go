package storagetest

import (
	"context"
	"crypto/sha256"
	"fmt"
	"time"

	"nexus/authzsvc/authz"
	"nexus/authzsvc/gatetest"
	"nexus/internal/errs"
	"nexus/internal/sqldb"
	"nexus/schema"
	"nexus/storage"
)

// keys are claims about changing keys, and about who administers.
var keys = []func(*kit){
	adminsRevokingEachOtherLeaveOne,
	usersDisablingEachOtherLeaveOne,
	expiredAdminCountsAsNone,
	rightToAdministerFollowsTheKey,
	holderIsForgottenWithTheCommit,
	holderIsKeptThroughARollback,
	memoryOfHoldersIsBounded,
}

// reachOf returns the right to administer as a gate grants it: the platform, or the tenant alone.
func (k *kit) reachOf(who authz.Principal, platform bool) storage.Reach {
	k.Helper()
	gate, _ := gatetest.Config{Relations: func(_ []authz.Ref, c authz.Check) bool { return platform || c.Type != "platform" }}.Gate(k)
	need := authz.Either(schema.ThePlatform.Administer(), schema.Home(who).Administer())
	g, _, err := authz.Ask(k.Context(), gate, who, authz.Act{Op: "test", Durable: true}, need)
	if err != nil {
		k.Fatal(err)
	}
	return g
}

func (k *kit) platform() storage.Reach { return k.reachOf(k.ann, true) }

func (k *kit) platformKey(user string) storage.Key {
	k.Helper()
	key, err := k.store.Keys().CreatePlatform(k.Context(), grant(k, schema.ThePlatform.Administer()), spec(user))
	if err != nil {
		k.Fatal(err)
	}
	return key
}

// standing lists the platform admins' keys that are good.
func (k *kit) standing() []storage.KeyState {
	k.Helper()
	all, _, err := k.store.Keys().List(k.Context(), k.platform(), storage.KeyFilter{PlatformOnly: true}, 1000, 0)
	if err != nil {
		k.Fatal(err)
	}
	return all
}

// adminsRevokingEachOtherLeaveOne has them work in two tenants, so that nothing but the guard brings them in order.
func adminsRevokingEachOtherLeaveOne(k *kit) {
	k.found("other")
	survivor := k.standing()[0].ID
	for round := range 8 {
		rival := k.platformKey(fmt.Sprintf("rival%d", round)).ID
		reaches := []storage.Reach{k.platform(), k.reachOf(gatetest.User("other", "ann"), true)}
		outcomes := race(2, func(i int) error {
			return k.store.Keys().Revoke(k.Context(), reaches[i], []string{rival, survivor}[i])
		})
		left := k.standing()
		if len(left) != 1 || (outcomes[0] == nil) == (outcomes[1] == nil) {
			k.Fatalf("round %d: %d admins are left after %v", round, len(left), outcomes)
		}
		for _, err := range outcomes {
			if err != nil {
				k.mustFail("revoking the last admin", err, errs.Precondition, errs.LastAdmin)
			}
		}
		survivor = left[0].ID
	}
}

func usersDisablingEachOtherLeaveOne(k *kit) {
	k.found("other")
	k.platformKey("rival")
	names := []string{"rival", "admin"}
	for round := range 8 {
		reaches := []storage.Reach{k.platform(), k.reachOf(gatetest.User("other", "ann"), true)}
		outcomes := race(2, func(i int) error {
			_, err := k.store.Users().Disable(k.Context(), reaches[i], "default", names[i])
			return err
		})
		if (outcomes[0] == nil) == (outcomes[1] == nil) {
			k.Fatalf("round %d: %v, want one admin disabled", round, outcomes)
		}
		for _, name := range names {
			if _, err := k.store.Users().Enable(k.Context(), k.platform(), "default", name); err != nil {
				k.Fatal(err)
			}
		}
	}
}

func expiredAdminCountsAsNone(k *kit) {
	first := k.standing()[0].ID
	s := spec("second")
	s.Lifetime = time.Hour
	if _, err := k.store.Keys().CreatePlatform(k.Context(), grant(k, schema.ThePlatform.Administer()), s); err != nil {
		k.Fatal(err)
	}
	if _, admin, err := k.store.Credentials().Subject(k.Context(), "default", "user", "second"); err != nil || !admin {
		k.Errorf("before its end: admin = %v, %v", admin, err)
	}
	k.clock.Advance(time.Hour)
	if _, admin, err := k.store.Credentials().Subject(k.Context(), "default", "user", "second"); err != nil || admin {
		k.Errorf("after its end: admin = %v, %v", admin, err)
	}
	k.mustFail("revoking the only admin that has not ended", k.store.Keys().Revoke(k.Context(), k.platform(), first), errs.Precondition, errs.LastAdmin)
	_, err := k.store.Keys().Update(k.Context(), k.platform(), first, storage.KeyChange{Lifetime: new(time.Hour)})
	k.mustFail("giving it an end", err, errs.Precondition, errs.LastAdmin)
}

func rightToAdministerFollowsTheKey(k *kit) {
	tenant := authz.Ref{Type: "tenant", ID: "default"}
	key := k.mustCreateKey(spec("bob"))
	ref := authz.Ref{Type: "key", ID: "default/" + key.ID}
	change := func(c storage.KeyChange) {
		k.Helper()
		if _, err := k.store.Keys().Update(k.Context(), k.platform(), key.ID, c); err != nil {
			k.Fatal(err)
		}
	}
	ends := func() (time.Time, bool) {
		for _, r := range k.rels.All() {
			if r.Resource == tenant && r.Relation == "admin" && r.Subject == ref {
				return r.Expires, true
			}
		}
		return time.Time{}, false
	}
	if _, there := ends(); there {
		k.Error("a plain key administers")
	}
	change(storage.KeyChange{Admin: new(true)})
	if at, there := ends(); !there || !at.IsZero() {
		k.Errorf("promoted: %v, %v", there, at)
	}
	change(storage.KeyChange{Lifetime: new(time.Hour)})
	if at, there := ends(); !there || !at.Equal(k.clock.Now().Add(time.Hour)) {
		k.Errorf("given an end: %v, %v", there, at)
	}
	change(storage.KeyChange{Forever: true})
	if at, there := ends(); !there || !at.IsZero() {
		k.Errorf("its end taken away: %v, %v", there, at)
	}
	change(storage.KeyChange{Admin: new(false)})
	if _, there := ends(); there {
		k.Error("a demoted key administers")
	}
	change(storage.KeyChange{Admin: new(true)})
	if err := k.store.Keys().Revoke(k.Context(), k.platform(), key.ID); err != nil {
		k.Fatal(err)
	}
	if _, there := ends(); there {
		k.Error("a revoked key administers")
	}
}

func holderIsForgottenWithTheCommit(k *kit) {
	c := k.store.Credentials().Remember(10)
	good := func(key storage.Key) bool {
		_, err := c.ByHash(k.Context(), sha256.Sum256([]byte(key.Secret)))
		return err == nil
	}
	key, bot := k.mustCreateKey(spec("bob")), k.mustCreateKey(agentSpec("bot", "bob"))
	for range 2 {
		if !good(key) || !good(bot) {
			k.Fatal("a good key is refused")
		}
	}
	if _, err := k.store.Users().Disable(k.Context(), k.platform(), "default", "bob"); err != nil {
		k.Fatal(err)
	}
	if good(key) || good(bot) {
		k.Error("keys of a disabled user are remembered as good")
	}
	if _, err := k.store.Users().Enable(k.Context(), k.platform(), "default", "bob"); err != nil {
		k.Fatal(err)
	}
	if !good(key) || !good(bot) {
		k.Error("keys of an enabled user are refused")
	}
	if err := k.store.Keys().Revoke(k.Context(), k.platform(), key.ID); err != nil {
		k.Fatal(err)
	}
	if good(key) || !good(bot) {
		k.Error("the revoked key is good, or another is not")
	}
	short := spec("carl")
	short.Lifetime = time.Hour
	ending := k.mustCreateKey(short)
	if !good(ending) {
		k.Error("a key is refused before its end")
	}
	k.clock.Advance(time.Hour)
	if good(ending) {
		k.Error("a key that ended is remembered as good")
	}
}

var brokenSQL = sqldb.SQL(`INSERT INTO settings (name, value) VALUES ('twice', ''), ('twice', '')`)

func holderIsKeptThroughARollback(k *kit) {
	key := k.mustCreateKey(spec("bob"))
	store := k.with(func(ctx context.Context, tx sqldb.Tx) error {
		_, err := tx.Exec(ctx, brokenSQL)
		return err
	})
	if err := store.Keys().Revoke(k.Context(), k.platform(), key.ID); err == nil {
		k.Fatal("a broken transaction revoked")
	}
	if _, err := k.holder(key.Secret); err != nil {
		k.Errorf("the key whose revocation came to nothing: %v", err)
	}
}

func memoryOfHoldersIsBounded(k *kit) {
	c := k.store.Credentials().Remember(3)
	var all []storage.Key
	for i := range 8 {
		all = append(all, k.mustCreateKey(spec(fmt.Sprintf("u%d", i))))
	}
	for range 2 {
		for _, key := range all {
			h, err := c.ByHash(k.Context(), sha256.Sum256([]byte(key.Secret)))
			if err != nil || h.KeyID != key.ID {
				k.Errorf("holder = %+v, %v, want %s", h, err, key.ID)
			}
		}
	}
}
