package storagetest

import (
	"fmt"
	"slices"
	"time"

	"nexus/authzsvc/authz"
	"nexus/authzsvc/relations"
	"nexus/internal/errs"
	"nexus/internal/sqldb"
	"nexus/schema"
	"nexus/storage"
)

// groups are claims about groups as such: how they begin and how they end.
var groups = []func(*kit){
	groupsAreFoundedOnce,
	groupsAreListedInOrder,
	whatNamesAGroupThatIsNotThereIsRefused,
	deletedGroupGoesWithAllItWasRelatedTo,
	deletedGroupOfManyGoesStepByStep,
	groupsRightsEndAtOnceWhereOneSideIsSmall,
	nestingIsEndedFromEitherSide,
}

func (k *kit) group(name string) schema.Group {
	k.Helper()
	g, err := schema.GroupOf(storage.DefaultTenant, name)
	if err != nil {
		k.Fatal(err)
	}
	return g
}

// membersOf is the subject that a group is.
func (k *kit) membersOf(name string) storage.Subject {
	k.Helper()
	return storage.Subject{Ref: k.group(name).Named().Ref, Relation: "member"}
}

func (k *kit) enrol(name, group string) error {
	_, err := k.store.Shares().Found(k.Context(), grant(k, schema.Home(k.ann).Administer()), k.group(group), "member", user(name), time.Time{})
	return err
}

func (k *kit) mustEnrol(name, group string) {
	k.Helper()
	if err := k.enrol(name, group); err != nil {
		k.Fatalf("enrol %s in %s: %v", name, group, err)
	}
}

func (k *kit) shareWithGroup(path, group string) error {
	_, err := k.store.Shares().ShareFile(k.Context(), grant(k, k.file(path).Share()), "direct_viewer", k.membersOf(group), time.Time{})
	return err
}

// named returns the relationships that name a group, on either side.
func (k *kit) named(group string) (found []relations.Relationship) {
	ref := k.group(group).Named().Ref
	for _, r := range k.rels.All() {
		if r.Resource == ref || r.Subject == ref {
			found = append(found, r)
		}
	}
	return found
}

var countTuples = sqldb.SQL(`SELECT id, id FROM tuples WHERE subject_id = 'default/eng' OR resource_id = 'default/eng'`)

func (k *kit) mustBeGone(group string) {
	k.Helper()
	if left := k.named(group); len(left) > 0 {
		k.Errorf("of the group %d relationships are left: %v", len(left), left[0])
	}
	if left := k.pairs(countTuples); len(left) > 0 {
		k.Errorf("%d ids are left", len(left))
	}
}

// overdue sweeps until there is nothing to do, and returns how often.
func (k *kit) overdue() (steps int) {
	k.Helper()
	for more := true; more; steps++ {
		var err error
		if more, err = k.store.Shares().Sweep(k.Context(), grant(k, schema.Home(k.ann).Sweep())); err != nil {
			k.Fatalf("sweep: %v", err)
		}
	}
	if due, err := k.store.Chores().Overdue(k.Context()); err != nil || len(due) > 0 {
		k.Errorf("after the sweep there is something to do in %v, %v", due, err)
	}
	return steps
}

func groupsAreListedInOrder(k *kit) {
	var want []string
	for i := range 25 {
		name := fmt.Sprintf("g%02d", i)
		want = append(want, name)
		k.mustEnrol("bob", name)
	}
	k.found("other")
	for _, limit := range []int{1, 7, 24, 25, 26} {
		var got []string
		for after := ""; ; {
			page, next, err := k.store.Groups().List(k.Context(), grant(k, schema.ViewGroupsWithin(k.gate, schema.Home(k.ann).Access(), "test")), after, limit)
			if err != nil {
				k.Fatal(err)
			}
			for _, g := range page {
				got = append(got, g.Name)
			}
			if next == "" {
				break
			}
			after = next
		}
		if !slices.Equal(got, want) {
			k.Errorf("in pages of %d: %q", limit, got)
		}
	}
}

// What is related to a name that nobody answers to would fall to whoever founds a group of that name.
func whatNamesAGroupThatIsNotThereIsRefused(k *kit) {
	k.mustPut("/f", "x")
	before := len(k.rels.All())
	k.mustFail("share", k.shareWithGroup("/f", "eng"), errs.Invalid, errs.NotValid)
	k.mustFail("share what does not exist yet", k.shareWithGroup("/r/s", "eng"), errs.Invalid, errs.NotValid)
	_, err := k.store.Shares().Appoint(k.Context(), grant(k, schema.Home(k.ann).Administer()), "admin", k.membersOf("eng"), time.Time{})
	k.mustFail("appoint", err, errs.Invalid, errs.NotValid)
	_, err = k.store.Shares().Found(k.Context(), grant(k, schema.Home(k.ann).Administer()), k.group("all"), "member", k.membersOf("eng"), time.Time{})
	k.mustFail("found with it as a member", err, errs.Invalid, errs.NotValid)
	_, err = k.store.Shares().Enrol(k.Context(), grant(k, k.group("eng").Manage()), "member", user("bob"), time.Time{})
	k.mustFail("enrol in it", err, errs.Invalid, errs.NotValid)
	if after := len(k.rels.All()); after != before {
		k.Errorf("%d relationships, there were %d", after, before)
	}
	k.mustEnrol("bob", "eng")
	if err := k.shareWithGroup("/f", "eng"); err != nil {
		k.Errorf("share with one that is there: %v", err)
	}
}

func deletedGroupGoesWithAllItWasRelatedTo(k *kit) {
	k.mustPut("/f", "x")
	k.mustEnrol("bob", "eng")
	k.mustEnrol("bob", "all")
	for _, path := range []string{"/f", "/r/s"} {
		if err := k.shareWithGroup(path, "eng"); err != nil {
			k.Fatal(err)
		}
	}
	nest := storage.NestGrant{Into: grant(k, k.group("all").Manage()), Group: grant(k, k.group("eng").Manage())}
	if _, err := k.store.Shares().Nest(k.Context(), nest, "member", time.Time{}); err != nil {
		k.Fatal(err)
	}
	over, err := k.store.Groups().Delete(k.Context(), grant(k, k.group("eng").Manage()))
	if err != nil || !over {
		k.Fatalf("Delete = %v, %v", over, err)
	}
	k.mustBeGone("eng")
	if a := k.at("/r/s"); a.HasRow() {
		k.Errorf("what only the group's grant kept: %+v", a)
	}
	_, err = k.store.Groups().Delete(k.Context(), grant(k, k.group("eng").Manage()))
	k.mustFail("delete again", err, errs.Invalid, errs.NotValid)
	k.mustEnrol("eve", "eng")
	if all := k.named("eng"); len(all) != 2 {
		k.Errorf("a new group of that name has %v", all)
	}
}

func deletedGroupOfManyGoesStepByStep(k *kit) {
	const many = 210
	k.mustEnrol("bob", "eng")
	for i := range many {
		k.mustEnrol(fmt.Sprint("u", i), "eng")
		k.mustPut(fmt.Sprint("/d/f", i), "x")
		if err := k.shareWithGroup(fmt.Sprint("/d/f", i), "eng"); err != nil {
			k.Fatal(err)
		}
	}
	late := grant(k, k.file("/d/f0").Share()) // decided before
	over, err := k.store.Groups().Delete(k.Context(), grant(k, k.group("eng").Manage()))
	if err != nil || over {
		k.Fatalf("Delete = %v, %v, want more to come", over, err)
	}
	k.mustFail("found again too early", k.enrol("eve", "eng"), errs.Precondition, "")
	k.mustFail("share with what is going", k.shareWithGroup("/d/f0", "eng"), errs.Precondition, "")
	_, err = k.store.Shares().ShareFile(k.Context(), late, "direct_viewer", k.membersOf("eng"), time.Time{})
	k.mustFail("share as decided before", err, errs.Precondition, "")
	_, err = k.store.Shares().Enrol(k.Context(), grant(k, k.group("eng").Manage()), "member", user("eve"), time.Time{})
	k.mustFail("enrol in what is going", err, errs.Precondition, "")
	if listed, _, err := k.store.Groups().List(k.Context(), grant(k, schema.ViewGroupsWithin(k.gate, schema.Home(k.ann).Access(), "test")), "", 10); err != nil || len(listed) > 0 {
		k.Errorf("listed: %v, %v", listed, err)
	}
	if steps := k.overdue(); steps < 2 {
		k.Errorf("gone in %d steps: a step held the writer too long", steps)
	}
	k.mustBeGone("eng")
	k.mustEnrol("eve", "eng")
}

func groupsRightsEndAtOnceWhereOneSideIsSmall(k *kit) {
	k.mustPut("/f", "x")
	for i := range 205 {
		k.mustEnrol(fmt.Sprint("u", i), "eng")
	}
	if err := k.shareWithGroup("/f", "eng"); err != nil {
		k.Fatal(err)
	}
	over, err := k.store.Groups().Delete(k.Context(), grant(k, k.group("eng").Manage()))
	if err != nil || !over {
		k.Errorf("Delete = %v, %v, want every right gone", over, err)
	}
	for _, r := range k.named("eng") {
		if r.Subject == k.group("eng").Named().Ref {
			k.Errorf("%s is left", r)
		}
	}
	k.overdue()
	k.mustBeGone("eng")
}

func nestingIsEndedFromEitherSide(k *kit) {
	k.mustEnrol("bob", "eng")
	k.mustEnrol("bob", "all")
	nest := func() string {
		k.Helper()
		id, err := k.store.Shares().Nest(k.Context(), storage.NestGrant{
			Into: grant(k, k.group("all").Manage()), Group: grant(k, k.group("eng").Manage()),
		}, "member", time.Time{})
		if err != nil {
			k.Fatal(err)
		}
		return id
	}
	id := nest()
	if ended, err := k.store.Shares().Withdraw(k.Context(), grant(k, k.group("all").Manage()), id); err != nil || ended {
		k.Errorf("withdrawn as another group: %v, %v", ended, err)
	}
	if ended, err := k.store.Shares().Withdraw(k.Context(), grant(k, k.group("eng").Manage()), id); err != nil || !ended {
		k.Errorf("Withdraw = %v, %v", ended, err)
	}
	id = nest()
	if ended, err := k.store.Shares().Expel(k.Context(), grant(k, k.group("eng").Manage()), id); err != nil || ended {
		k.Errorf("expelled as another group: %v, %v", ended, err)
	}
	if ended, err := k.store.Shares().Expel(k.Context(), grant(k, k.group("all").Manage()), id); err != nil || !ended {
		k.Errorf("Expel = %v, %v", ended, err)
	}
	if k.related(k.group("all").Named().Ref, "member", k.group("eng").Named().Ref) {
		k.Error("it still stands in the other")
	}
}

func groupsAreFoundedOnce(k *kit) {
	eng, err := schema.GroupOf(storage.DefaultTenant, "eng")
	if err != nil {
		k.Fatal(err)
	}
	found := func(name string) (string, error) {
		return k.store.Shares().Found(k.Context(), grant(k, schema.Home(k.ann).Administer()), eng, "member", user(name), time.Time{})
	}
	for _, name := range []string{"ann", "bob"} {
		if _, err := found(name); err != nil {
			k.Fatal(err)
		}
	}
	home := authz.Ref{Type: "tenant", ID: "default"}
	n := 0
	for _, r := range k.rels.All() {
		if r.Resource == eng.Named().Ref && r.Relation == "tenant" {
			n++
		}
	}
	if n != 1 || !k.related(eng.Named().Ref, "tenant", home) {
		k.Errorf("the group belongs to %d tenants", n)
	}
	tenants, err := k.store.Shares().OnGroup(k.Context(), grant(k, eng.Manage()), relations.Filter{Relation: "tenant"}, page)
	if err != nil || len(tenants.Tuples) != 1 {
		k.Fatalf("the group's tenants: %v, %v", tenants, err)
	}
	for _, t := range tenants.Tuples {
		if t.Relation == "tenant" {
			_, err := k.store.Shares().Expel(k.Context(), grant(k, eng.Manage()), t.ID)
			k.mustFail("end the group's tenant", err, errs.Invalid, errs.NotValid)
		}
	}
}
