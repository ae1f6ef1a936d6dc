package node

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"nexus/apiserver/api"
	"nexus/authzsvc/authz"
	"nexus/internal/errs"
)

// enrol makes somebody something in a group, by who.
func (k *kit) enrol(who authz.Principal, name, relation, group string) string {
	k.t.Helper()
	return k.relate(who, []string{"user", name}, relation, []string{"group", group})
}

func nesting(sub, group string) string {
	return relateParams([]string{"group", sub}, "member", []string{"group", group}, time.Time{})
}

// managed makes groups that somebody manages.
func (k *kit) managed(name string, groups ...string) {
	k.t.Helper()
	for _, g := range groups {
		k.enrol(k.admin, name, "manager", g)
	}
}

func TestOnlyManagersAndAdminsChangeAGroup(t *testing.T) {
	k := newKit(t, Config{})
	k.member("mia", "bob", "eve")
	k.managed("mia", "eng", "docs")
	k.managed("eve", "evil")
	in := k.enrol(user("mia"), "bob", "member", "eng")
	k.enrol(user("mia"), "lea", "manager", "docs")
	for _, who := range []string{"bob", "eve", "stranger"} {
		for _, relation := range []string{"member", "manager"} {
			k.mustFail(user(who), "rebac_create", relateParams([]string{"user", who}, relation, []string{"group", "eng"}, time.Time{}), errs.Denied)
		}
		k.mustFail(user(who), "group_delete", `{"group_id":"eng"}`, errs.Denied)
		if gone := k.do(user(who), "rebac_delete", `{"tuple_id":"`+in+`"}`); gone != false {
			t.Errorf("%s ends a membership", who)
		}
		if all := k.do(user(who), "rebac_list_tuples", `{"object":["group","eng"]}`).(api.TupleList).Tuples; len(all) > 0 {
			t.Errorf("%s lists %v", who, all)
		}
	}
	if gone := k.do(k.admin, "rebac_delete", `{"tuple_id":"`+in+`"}`); gone != true {
		t.Error("the tenant's admin does not end a membership")
	}
	k.do(user("lea"), "group_delete", `{"group_id":"docs"}`)
}

// Whoever could put a group of others into a chain of his own could use up the levels that they have, and read who they are.
func TestNestingNeedsBothGroupsManagers(t *testing.T) {
	k := newKit(t, Config{})
	k.member("mia", "eve")
	k.managed("mia", "eng")
	k.managed("eve", "evil")
	k.mustFail(user("eve"), "rebac_create", nesting("eng", "evil"), errs.Denied)
	k.mustFail(user("eve"), "rebac_create", nesting("evil", "eng"), errs.Denied)
	_, refused := k.try(user("eve"), "rebac_create", nesting("eng", "evil"))
	_, missing := k.try(user("eve"), "rebac_create", nesting("nix", "evil"))
	if strings.ReplaceAll(errs.Public(refused), "eng", "nix") != errs.Public(missing) || errs.RPC(refused) != errs.RPC(missing) {
		t.Errorf("a group of others: %v, one that is missing: %v", refused, missing)
	}
	k.managed("eve", "eng")
	id := k.do(user("eve"), "rebac_create", nesting("eng", "evil")).(api.TupleID)
	k.mustFail(user("eve"), "rebac_create", relateParams([]string{"group", "eng", "manage"}, "member", []string{"group", "evil"}, time.Time{}), errs.Invalid)

	all := k.do(user("mia"), "rebac_list_tuples", `{"subject":["group","eng"]}`).(api.TupleList).Tuples
	if len(all) != 1 || all[0].ID != string(id) {
		t.Errorf("the group's manager lists %v, want where it stands", all)
	}
	if gone := k.do(user("mia"), "rebac_delete", `{"tuple_id":"`+string(id)+`"}`); gone != true {
		t.Error("the group's manager cannot take it out again")
	}
	k.share("bob", "direct_owner", "/w")
	k.relate(user("bob"), []string{"group", "eng"}, "direct_viewer", []string{"file", "/w/f"})
	if all := k.do(user("mia"), "rebac_list_tuples", `{"subject":["group","eng"]}`).(api.TupleList).Tuples; len(all) != 0 {
		t.Errorf("the group's manager lists what others share with it: %v", all)
	}
	if all := k.do(k.admin, "rebac_list_tuples", `{"subject":["group","eng"]}`).(api.TupleList).Tuples; len(all) != 1 {
		t.Errorf("the admin lists %v", all)
	}
}

// tower nests groups name0 … namen-1 into one another, the higher in the lower.
func (k *kit) tower(name string, n int) {
	k.t.Helper()
	for i := range n {
		k.managed("mia", fmt.Sprint(name, i))
		if i > 0 {
			k.do(k.admin, "rebac_create", nesting(fmt.Sprint(name, i), fmt.Sprint(name, i-1)))
		}
	}
}

func TestGroupsNestSixteenDeepAndNotOneMore(t *testing.T) {
	k := newKit(t, Config{})
	k.write(k.admin, "/w/f", "x")
	k.tower("g", 17) // sixteen edges
	k.enrol(k.admin, "bob", "member", "g16")
	k.relate(k.admin, []string{"group", "g0"}, "direct_viewer", []string{"file", "/w/f"})
	k.mustRead(user("bob"), "/w/f", "x")
	k.managed("mia", "deeper", "higher")
	for _, params := range []string{nesting("deeper", "g16"), nesting("g0", "higher"), nesting("g0", "g16"), nesting("g3", "g9")} {
		_, err := k.try(k.admin, "rebac_create", params)
		if errs.RPC(err) != -32005 || strings.Contains(err.Error(), "default/") {
			t.Errorf("%s: %v, want -32005 without ids", params, err)
		}
	}
	k.mustRead(user("bob"), "/w/f", "x")
	k.mustNotRead(user("carl"), "/w/f")
}

// Of two chains that together are too long, the one who joins them is refused, and what relied on either still answers.
func TestForeignChainCannotBeDeepened(t *testing.T) {
	k := newKit(t, Config{})
	k.write(k.admin, "/w/f", "x")
	k.tower("a", 10)
	k.tower("b", 10)
	k.enrol(k.admin, "bob", "member", "a9")
	k.relate(k.admin, []string{"group", "a0"}, "direct_viewer", []string{"file", "/w/f"})
	for _, params := range []string{nesting("b0", "a9"), nesting("a0", "b9")} {
		if _, err := k.try(user("mia"), "rebac_create", params); errs.RPC(err) != -32005 {
			t.Errorf("%s: %v, want -32005", params, err)
		}
	}
	k.mustRead(user("bob"), "/w/f", "x")
	k.mustNotRead(user("carl"), "/w/f")
	k.do(user("mia"), "rebac_create", nesting("b0", "a5")) // 5 + 1 + 9
	k.mustRead(user("bob"), "/w/f", "x")
}

func TestOfTwoWritersWhoCloseACycleOneIsRefused(t *testing.T) {
	k := newKit(t, Config{})
	k.write(k.admin, "/w/f", "x")
	for round := range 10 {
		a, b := fmt.Sprint("a", round), fmt.Sprint("b", round)
		k.managed("mia", a, b)
		k.enrol(k.admin, "bob", "member", a)
		k.relate(k.admin, []string{"group", a}, "direct_viewer", []string{"file", "/w/f"})
		var closing sync.WaitGroup
		failed := make([]error, 2)
		for i, params := range []string{nesting(a, b), nesting(b, a)} {
			closing.Go(func() {
				_, failed[i] = k.Table.Method("rebac_create").Invoke(context.Background(), user("mia"), []byte(params))
			})
		}
		closing.Wait()
		if (failed[0] == nil) == (failed[1] == nil) || errs.RPC(errors.Join(failed...)) != -32005 {
			t.Errorf("round %d: %v and %v, want one refused", round, failed[0], failed[1])
		}
		k.mustRead(user("bob"), "/w/f", "x")
		k.mustNotRead(user("carl"), "/w/f")
		if d := k.lastDecision("files.read"); d.Incomplete {
			t.Errorf("round %d: the engine gave up", round)
		}
	}
}

func TestMembersOfAGroupSeeWhoIsInIt(t *testing.T) {
	k := newKit(t, Config{})
	k.member("mia", "bob", "eve", "dan")
	k.managed("mia", "eng", "db")
	k.enrol(k.admin, "bob", "member", "eng")
	k.enrol(k.admin, "dan", "member", "db")
	k.do(k.admin, "rebac_create", nesting("db", "eng"))
	for _, name := range []string{"bob", "dan", "mia"} {
		list := k.do(user(name), "group_members", `{"group_id":"eng"}`).(api.MemberList)
		var got []string
		for _, m := range list.Members {
			got = append(got, m.Relation+" "+m.Subject.String())
		}
		if want := []string{"manager user:mia", "member group:db#member", "member user:bob"}; !slices.Equal(got, want) || !list.Complete {
			t.Errorf("%s sees %q, want %q", name, got, want)
		}
	}
	if list := k.do(user("eve"), "group_members", `{"group_id":"eng"}`).(api.MemberList); len(list.Members) > 0 {
		t.Errorf("a stranger sees %v", list)
	}
	for name, want := range map[string]string{"bob": "[eng]", "dan": "[db eng]", "mia": "[db eng]", "eve": "[]"} {
		if got := fmt.Sprint(k.groupNames(user(name))); got != want {
			t.Errorf("%s lists groups %s, want %s", name, got, want)
		}
	}
	if got := fmt.Sprint(k.groupNames(k.admin)); got != "[db eng]" {
		t.Errorf("the admin lists groups %s", got)
	}
}

func (k *kit) groupNames(who authz.Principal) (names []string) {
	k.t.Helper()
	for _, g := range k.do(who, "group_list", `{}`).(api.GroupList).Groups {
		names = append(names, g.ID)
	}
	return names
}

func TestRightsEndWithTheirGroup(t *testing.T) {
	k := newKit(t, Config{})
	k.member("bob")
	k.write(k.admin, "/w/f", "x")
	k.managed("mia", "eng")
	k.enrol(k.admin, "bob", "member", "eng")
	k.relate(k.admin, []string{"group", "eng"}, "direct_viewer", []string{"file", "/w"})
	k.relate(k.admin, []string{"group", "eng"}, "admin", []string{"tenant", "default"})
	k.mustRead(user("bob"), "/w/f", "x")
	if gone := k.do(user("mia"), "group_delete", `{"group_id":"eng"}`).(api.GroupDeleted); !gone.Success || !gone.Over {
		t.Errorf("deleted: %+v", gone)
	}
	k.mustNotRead(user("bob"), "/w/f")
	k.mustFail(user("mia"), "group_delete", `{"group_id":"eng"}`, errs.Denied)
	k.mustFail(user("mia"), "rebac_create", relateParams([]string{"user", "mia"}, "member", []string{"group", "eng"}, time.Time{}), errs.Denied)
	k.enrol(k.admin, "bob", "member", "eng")
	k.mustNotRead(user("bob"), "/w/f")
	k.mustFail(user("mia"), "group_delete", `{"group_id":"eng"}`, errs.Denied)
}

// TestDeletedGroupGoesOnGoingAfterARestart deletes a group with many members and many grants, and ends the server in between.
func TestDeletedGroupGoesOnGoingAfterARestart(t *testing.T) {
	k := newKit(t, Config{})
	k.managed("mia", "eng")
	for i := range 210 {
		k.enrol(k.admin, fmt.Sprint("u", i), "member", "eng")
		k.relate(k.admin, []string{"group", "eng"}, "direct_viewer", []string{"file", fmt.Sprint("/w/f", i)})
	}
	if gone := k.do(k.admin, "group_delete", `{"group_id":"eng"}`).(api.GroupDeleted); gone.Over {
		t.Fatal("nothing is left to be removed: the test shows nothing")
	}
	found := relateParams([]string{"user", "eve"}, "member", []string{"group", "eng"}, time.Time{})
	k.mustFail(k.admin, "rebac_create", found, errs.Precondition)
	k.restart()
	k.mustFail(k.admin, "rebac_create", found, errs.Precondition)
	k.chore(sweepRelations)
	k.do(k.admin, "rebac_create", found)
	if all := k.do(k.admin, "rebac_list_tuples", `{"subject":["group","eng"]}`).(api.TupleList).Tuples; len(all) > 0 {
		t.Errorf("the new group has %v", all)
	}
	if all := k.do(k.admin, "rebac_list_tuples", `{"object":["group","eng"]}`).(api.TupleList).Tuples; len(all) != 2 {
		t.Errorf("the new group has %v, want its tenant and one member", all)
	}
}

func TestEveryMemberOfALargeGroupIsExpanded(t *testing.T) {
	const n = 1500
	k := newKit(t, Config{})
	k.write(k.admin, "/w/f", "x")
	k.managed("mia", "all")
	for i := range n {
		k.enrol(k.admin, fmt.Sprintf("u%04d", i), "member", "all")
	}
	k.relate(k.admin, []string{"group", "all"}, "direct_viewer", []string{"file", "/w/f"})
	users := 0
	for _, s := range k.do(k.admin, "rebac_expand", `{"permission":"read","object":["file","/w/f"]}`).(api.Subjects).Subjects {
		if s.Type() == "user" && strings.HasPrefix(s.ID(), "u") {
			users++
		}
	}
	if users != n {
		t.Errorf("%d of %d members are expanded", users, n)
	}
	if all := k.do(k.admin, "rebac_list_tuples", `{"object":["group","all"]}`).(api.TupleList).Tuples; len(all) != n+2 {
		t.Errorf("%d of %d relationships are listed", len(all), n+2)
	}
}
