package node

import (
	"errors"
	"strings"
	"testing"
	"time"

	"nexus/apiserver/api"
	"nexus/internal/errs"
)

func expiryOf(t *testing.T, made any) time.Time {
	t.Helper()
	key, ok := made.(api.NewKey)
	if !ok {
		t.Fatalf("made %T", made)
	}
	return key.Expires.Time
}

func TestGroupMeansItsMembersHoweverNested(t *testing.T) {
	k := newKit(t, Config{})
	k.write(k.admin, "/w/deep/f", "x")
	k.relate(k.admin, []string{"user", "bob"}, "member", []string{"group", "backend"})
	k.relate(k.admin, []string{"group", "backend"}, "member", []string{"group", "eng"})            // plain form
	k.relate(k.admin, []string{"group", "eng", "member"}, "member", []string{"group", "all"})      // three parts
	k.relate(k.admin, []string{"group", "all", "member"}, "direct_viewer", []string{"file", "/w"}) // a folder above
	k.mustRead(user("bob"), "/w/deep/f", "x")
	k.mustNotRead(user("carl"), "/w/deep/f")
	subjects := k.do(k.admin, "rebac_expand", `{"permission":"read","object":["file","/w/deep/f"]}`).(api.Subjects).Subjects
	found := false
	for _, s := range subjects {
		found = found || s.Type() == "user" && s.ID() == "bob"
	}
	if !found {
		t.Errorf("rebac_expand = %v, want bob among them", subjects)
	}
	k.mustFail(k.admin, "rebac_create", relateParams([]string{"group", "all"}, "member", []string{"group", "backend"}, time.Time{}), errs.Invalid)
}

func TestGroupIsManagedByItsManagers(t *testing.T) {
	k := newKit(t, Config{})
	k.member("mia", "bob")
	join := relateParams([]string{"user", "bob"}, "member", []string{"group", "eng"}, time.Time{})
	k.mustFail(user("mia"), "rebac_create", join, errs.Denied)
	k.relate(k.admin, []string{"user", "mia"}, "manager", []string{"group", "eng"})
	id := string(k.do(user("mia"), "rebac_create", join).(api.TupleID))
	k.mustFail(user("bob"), "rebac_create", relateParams([]string{"user", "carl"}, "member", []string{"group", "eng"}, time.Time{}), errs.Denied)
	if gone := k.do(user("bob"), "rebac_delete", `{"tuple_id":"`+id+`"}`); gone != false {
		t.Errorf("a member ends a membership: %v", gone)
	}
	if gone := k.do(user("mia"), "rebac_delete", `{"tuple_id":"`+id+`"}`); gone != true {
		t.Errorf("the manager ends a membership: %v", gone)
	}
}

func TestOlderNamesOfRelationsAreUnderstood(t *testing.T) {
	k := newKit(t, Config{})
	k.write(k.admin, "/w/f", "x")
	for name, want := range map[string]string{"owner-of": "direct_owner", "editor-of": "direct_editor", "viewer-of": "direct_viewer"} {
		if old, now := k.share("bob", name, "/w/f"), k.share("bob", want, "/w/f"); old != now {
			t.Errorf("%s is not %s", name, want)
		}
	}
	old := k.relate(k.admin, []string{"user", "bob"}, "member-of", []string{"group", "eng"})
	if now := k.relate(k.admin, []string{"user", "bob"}, "member", []string{"group", "eng"}); old != now {
		t.Error("member-of is not member")
	}
}

func TestRelationThatCannotBeStoredIsRefused(t *testing.T) {
	k := newKit(t, Config{})
	k.write(k.admin, "/w/f", "x")
	bob := []string{"user", "bob"}
	for _, relation := range []string{"owner", "editor", "viewer", "read", "write", "share"} {
		_, err := k.try(k.admin, "rebac_create", relateParams(bob, relation, []string{"file", "/w/f"}, time.Time{}))
		if !errors.Is(err, errs.Invalid) || errs.From(err).Reason != errs.ComputedRelation || errs.RPC(err) != -32005 {
			t.Errorf("%s on a file: %v", relation, err)
		}
	}
	for _, c := range []struct{ subject, object []string }{
		{[]string{"user", "*"}, []string{"file", "/w/f"}},
		{[]string{"file", "/w/f"}, []string{"file", "/w"}},
		{[]string{"tenant", "default"}, []string{"file", "/w/f"}},
		{[]string{"user", "bob", "member"}, []string{"file", "/w/f"}},
		{[]string{"service", "sweep"}, []string{"file", "/w/f"}},
		{[]string{"platform", "nexus"}, []string{"file", "/w/f"}},
	} {
		r, err := k.try(k.admin, "rebac_create", relateParams(c.subject, "direct_viewer", c.object, time.Time{}))
		if c.subject[1] == "*" && err == nil {
			k.mustNotRead(user("bob"), "/w/f") // a user whose name is a star, and nobody else
			continue
		}
		if errs.RPC(err) != -32005 {
			t.Errorf("%v on %v = %v, %v, want -32005", c.subject, c.object, r, err)
		}
	}
	for _, c := range [][2]string{{"agent", "default"}, {"platform", "default"}, {"guest_agent", "default"}, {"access", "default"}} {
		if _, err := k.try(k.admin, "rebac_create", relateParams(bob, c[0], []string{"tenant", c[1]}, time.Time{})); errs.RPC(err) != -32005 {
			t.Errorf("%s on a tenant: %v", c[0], err)
		}
	}
}

func TestPathsOfRelationshipsAreNormalised(t *testing.T) {
	k := newKit(t, Config{})
	k.write(k.admin, "/w/f", "x")
	id := k.share("bob", "direct_viewer", "/w/f")
	for _, path := range []string{"w/f", "//w//f", "/w/f/", "w//f//"} {
		if again := k.share("bob", "direct_viewer", path); again != id {
			t.Errorf("%q is another object", path)
		}
		if !k.may("bob", "read", path) {
			t.Errorf("rebac_check on %q is refused", path)
		}
	}
	if workspace := k.relate(k.admin, []string{"user", "bob"}, "direct_viewer", []string{"workspace", "/w/f"}); workspace != id {
		t.Error("a workspace is not its folder")
	}
}

func TestLinkShowsAFileToWhoSeesTheFolder(t *testing.T) {
	k := newKit(t, Config{})
	k.write(k.admin, "/w/f", "x")
	k.do(k.admin, "mkdir", `{"path":"/shared"}`)
	k.share("bob", "direct_viewer", "/shared")
	k.share("mallory", "direct_owner", "/mallory")
	k.write(user("mallory"), "/mallory/f", "x")
	link := relateParams([]string{"file", "/shared"}, "parent", []string{"file", "/w/f"}, time.Time{})
	k.mustFail(user("mallory"), "rebac_create", link, errs.Denied)
	k.mustFail(user("mallory"), "rebac_create", relateParams([]string{"file", "/mallory"}, "parent", []string{"file", "/w/f"}, time.Time{}), errs.Denied)
	k.mustFail(user("mallory"), "rebac_create", relateParams([]string{"file", "/w"}, "parent", []string{"file", "/mallory/f"}, time.Time{}), errs.Denied)
	k.mustNotRead(user("bob"), "/w/f")
	k.mustFail(k.admin, "rebac_create", relateParams([]string{"file", "/shared", "viewer"}, "parent", []string{"file", "/w/f"}, time.Time{}), errs.Invalid)
	k.mustFail(k.admin, "rebac_create", relateParams([]string{"user", "bob"}, "parent", []string{"file", "/w/f"}, time.Time{}), errs.Invalid)
	id := k.do(k.admin, "rebac_create", link).(api.TupleID)
	k.mustRead(user("bob"), "/w/f", "x")
	k.unshare(string(id))
	k.mustNotRead(user("bob"), "/w/f")
	k.mustFail(k.admin, "rebac_create", relateParams([]string{"file", "/w"}, "parent", []string{"file", "/"}, time.Time{}), errs.Invalid)
}

func TestTuplesOfAPathWithoutARowAreNone(t *testing.T) {
	k := newKit(t, Config{})
	k.write(k.admin, "/w/f", "x")
	for _, params := range []string{`{"subject":["file","/missing"]}`, `{"object":["file","/missing"]}`, `{"object":["file","/w/f/below"]}`} {
		if all := k.do(k.admin, "rebac_list_tuples", params).(api.TupleList).Tuples; len(all) != 0 {
			t.Errorf("tuples %s = %+v, want none", params, all)
		}
	}
	if all := k.do(k.admin, "rebac_list_tuples", `{"subject":["file","/w"]}`).(api.TupleList).Tuples; len(all) != 1 || all[0].ObjectID != "/w/f" {
		t.Errorf("tuples of the folder = %+v, want its file", all)
	}
}

func TestOnlyWhoMayShareShares(t *testing.T) {
	k := newKit(t, Config{})
	k.write(k.admin, "/w/f", "x")
	k.share("ed", "direct_editor", "/w/f")
	k.share("olga", "direct_owner", "/w")
	to := func(path string) string {
		return relateParams([]string{"user", "bob"}, "direct_viewer", []string{"file", path}, time.Time{})
	}
	k.mustFail(user("ed"), "rebac_create", to("/w/f"), errs.Denied)
	k.mustFail(user("olga"), "rebac_create", to("/other"), errs.Denied)
	k.do(user("olga"), "rebac_create", to("/w/f"))
	k.do(user("olga"), "rebac_create", to("/w/not/yet/there"))
	k.mustRead(user("bob"), "/w/f", "x")
	k.mustFail(user("bob"), "read", `{"path":"/w/not/yet/there"}`, errs.NotFound)
	k.write(user("olga"), "/w/not/yet/there", "now")
	k.mustRead(user("bob"), "/w/not/yet/there", "now")
	k.mustNotRead(user("bob"), "/w/not/yet")
}

func TestPathAsDeepAsAllowedIsDecided(t *testing.T) {
	k := newKit(t, Config{})
	deep := strings.Repeat("/d", 99) + "/f"
	k.write(k.admin, deep, "deep")
	k.share("bob", "direct_viewer", "/d")
	k.mustRead(user("bob"), deep, "deep")
	k.mustNotRead(user("carl"), deep)
	k.mustFail(k.admin, "read", `{"path":"`+deep+`/g"}`, errs.Invalid)
}
