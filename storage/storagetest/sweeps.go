package storagetest

import (
	"fmt"
	"time"

	"nexus/internal/errs"
	"nexus/internal/sqldb"
	"nexus/storage"
)

// sweeps are claims about what ends by itself.
var sweeps = []func(*kit){
	sweptRelationshipLeavesNothing,
	sweptReservationGoesWithItsLastGrant,
	renewedGrantIsNotSwept,
	grantOfUnknownEndIsLookedUp,
	sweepGoesOnWhereItWas,
	sameRelationshipEndsWhenTheNewerSays,
	reservedPathsAreLimited,
}

// shareUntil shares a path with somebody for a time.
func (k *kit) shareUntil(path, name string, d time.Duration) string {
	k.Helper()
	id, err := k.store.Shares().ShareFile(k.Context(), grant(k, k.file(path).Share()), "direct_viewer", user(name), k.clock.Now().Add(d))
	if err != nil {
		k.Fatalf("share %s: %v", path, err)
	}
	return id
}

func (k *kit) mustKnow(id string, want bool) {
	k.Helper()
	if _, found, err := k.store.Names().Tuple(k.Context(), storage.DefaultTenant, id); err != nil || found != want {
		k.Errorf("id %s is known: %v, %v, want %v", id, found, err, want)
	}
}

func sweptRelationshipLeavesNothing(k *kit) {
	k.mustPut("/f", "x")
	id := k.shareUntil("/f", "bob", time.Hour)
	stays := k.share("/f", "carl")
	k.clock.Advance(time.Hour - time.Microsecond)
	if n := k.overdue(); n != 1 {
		k.Errorf("%d steps though nothing was due", n)
	}
	k.mustKnow(id, true)
	k.clock.Advance(time.Microsecond)
	k.overdue()
	k.mustKnow(id, false)
	k.mustKnow(stays, true)
	if k.related(k.at("/f").Named().Ref, "direct_viewer", user("bob").Ref) {
		k.Error("the relationship is still stored")
	}
	if again := k.shareUntil("/f", "bob", time.Hour); again == id {
		k.Error("the id came back")
	}
}

func sweptReservationGoesWithItsLastGrant(k *kit) {
	before := len(k.rels.All())
	k.shareUntil("/r/s/f", "bob", time.Hour)
	k.shareUntil("/r/s/f", "carl", 2*time.Hour)
	k.clock.Advance(time.Hour)
	k.overdue()
	if a := k.at("/r/s/f"); !a.HasRow() {
		k.Fatal("the row went with the first of two grants")
	}
	k.clock.Advance(time.Hour)
	k.overdue()
	if a := k.at("/r/s/f"); a.Rest != "r/s/f" {
		k.Errorf("address = %+v, want nothing below the root", a)
	}
	if after := len(k.rels.All()); after != before {
		k.Errorf("%d relationships are left, there were %d", after, before)
	}
	k.shareUntil("/q/f", "bob", time.Hour)
	k.mustPut("/q/f", "real")
	k.clock.Advance(time.Hour)
	k.overdue()
	k.mustRead("/q/f", "real")
}

func renewedGrantIsNotSwept(k *kit) {
	k.mustPut("/f", "x")
	id := k.shareUntil("/f", "bob", time.Hour)
	k.clock.Advance(30 * time.Minute)
	if again := k.shareUntil("/f", "bob", time.Hour); again != id {
		k.Errorf("renewed, it has id %s, had %s", again, id)
	}
	k.clock.Advance(30 * time.Minute)
	k.overdue()
	k.mustKnow(id, true)
	k.clock.Advance(30 * time.Minute)
	k.overdue()
	k.mustKnow(id, false)
}

var forgetExpiries = sqldb.SQL(`UPDATE tuples SET expires = -1`)

// Rows of an older version of the program do not say when their relationship ends.
func grantOfUnknownEndIsLookedUp(k *kit) {
	k.mustPut("/f", "x")
	ends, stays := k.shareUntil("/f", "bob", time.Hour), k.share("/f", "carl")
	k.statement(forgetExpiries)
	k.overdue()
	k.mustKnow(ends, true)
	k.mustKnow(stays, true)
	k.clock.Advance(time.Hour)
	k.overdue()
	k.mustKnow(ends, false)
	k.mustKnow(stays, true)
}

func sweepGoesOnWhereItWas(k *kit) {
	k.mustPut("/f", "x")
	for i := range 120 {
		k.shareUntil("/f", fmt.Sprint("u", i), time.Hour)
	}
	k.clock.Advance(time.Hour)
	if steps := k.overdue(); steps != 2 {
		k.Errorf("120 relationships were swept in %d steps", steps)
	}
	if left := k.tuplesOn("/f"); len(left) != 2 {
		k.Errorf("left %v, want parent and owner", left)
	}
}

func sameRelationshipEndsWhenTheNewerSays(k *kit) {
	k.mustPut("/f", "x")
	ends := func() time.Time { return k.tuplesOn("/f")["direct_viewer@default/bob"].Expires }
	id := k.shareUntil("/f", "bob", time.Hour)
	first := ends()
	if again := k.shareUntil("/f", "bob", 2*time.Hour); again != id || !ends().Equal(first.Add(time.Hour)) {
		k.Errorf("id %s and %s, ended %v and ends %v", id, again, first, ends())
	}
	if again := k.shareUntil("/f", "bob", time.Minute); again != id || !ends().Before(first) {
		k.Errorf("id %s and %s, ended %v and ends %v", id, again, first, ends())
	}
	if again := k.share("/f", "bob"); again != id || !ends().IsZero() {
		k.Errorf("id %s and %s, ends %v, want never", id, again, ends())
	}
}

func reservedPathsAreLimited(k *kit) {
	k.store.Limit(storage.Limits{Reserved: 5})
	reserve := func(path string) error {
		_, err := k.store.Shares().ShareFile(k.Context(), grant(k, k.file(path).Share()), "direct_viewer", user("bob"), time.Time{})
		return err
	}
	for _, path := range []string{"/a/b/c", "/a/b/d"} { // four rows
		if err := reserve(path); err != nil {
			k.Fatalf("%s: %v", path, err)
		}
	}
	k.mustFail("two more", reserve("/x/y"), errs.Exhausted, errs.NotValid)
	if err := reserve("/x"); err != nil {
		k.Errorf("the last: %v", err)
	}
	k.mustFail("one more", reserve("/y"), errs.Exhausted, errs.NotValid)
	if err := reserve("/a/b/c"); err != nil {
		k.Errorf("again on one that is reserved: %v", err)
	}
	k.mustPut("/a/b/c", "real")
	k.mustPut("/y", "real")
	if err := reserve("/y"); err != nil {
		k.Errorf("on what exists: %v", err)
	}
	k.found("other")
	if err := reserve("/z/z"); err != nil {
		k.Errorf("where others became real: %v", err)
	}
}
