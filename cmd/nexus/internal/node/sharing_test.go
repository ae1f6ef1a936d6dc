package node

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"nexus/apiserver/api"
	"nexus/authzsvc/authz"
	"nexus/authzsvc/gatetest"
	"nexus/internal/errs"
	"nexus/storage"
)

// inWords says in a line how somebody comes to a permission.
func inWords(a api.Accessor) string {
	s := fmt.Sprintf("%s %s %s on %s", a.Subject, a.Way, a.Grant, a.On)
	for _, g := range a.Through {
		s += " through " + g.String()
	}
	return s
}

func (k *kit) access(who authz.Principal, path, permission string) (ways []string) {
	k.t.Helper()
	params, _ := json.Marshal(map[string]any{"object": []string{"file", path}, "permission": permission})
	list := k.do(who, "list_access", string(params)).(api.AccessList)
	for _, a := range list.Subjects {
		ways = append(ways, inWords(a))
	}
	if !list.Complete || list.Next != "" {
		k.t.Errorf("list_access %s is not complete", params)
	}
	return ways
}

func TestAccessIsListedWithTheWayToIt(t *testing.T) {
	k := newKit(t, Config{})
	k.member("dan", "olga")
	k.write(k.admin, "/w/d/f", "x")
	k.managed("mia", "eng", "backend")
	k.enrol(k.admin, "bob", "member", "backend")
	k.do(k.admin, "rebac_create", nesting("backend", "eng"))
	k.relate(k.admin, []string{"group", "eng"}, "direct_viewer", []string{"file", "/w"})
	k.share("carl", "direct_editor", "/w/d/f")
	k.share("dan", "direct_viewer", "/w/d")
	k.do(k.admin, "mkdir", `{"path":"/shared"}`)
	k.do(k.admin, "rebac_create", relateParams([]string{"file", "/shared"}, "parent", []string{"file", "/w/d/f"}, time.Time{}))
	k.share("lin", "direct_viewer", "/shared")
	got := k.access(k.admin, "/w/d/f", "read")
	for _, want := range []string{
		"user:carl direct direct_editor on file:/w/d/f",
		"user:dan inherited direct_viewer on file:/w/d",
		"user:lin inherited direct_viewer on file:/shared",
		"group:eng:member inherited direct_viewer on file:/w",
		"group:backend:member inherited direct_viewer on file:/w through group:eng",
		"user:bob inherited direct_viewer on file:/w through group:backend through group:eng",
		"tenant:default:administer inherited direct_owner on file:/",
	} {
		if !slices.Contains(got, strings.ReplaceAll(want, ":member", "#member")) && !slices.Contains(got, strings.ReplaceAll(want, ":administer", "#administer")) {
			t.Errorf("%q is missing from:\n%s", want, strings.Join(got, "\n"))
		}
	}
	if !slices.IsSorted(got) {
		t.Errorf("not in order: %q", got)
	}
	writers := strings.Join(k.access(k.admin, "/w/d/f", "write"), "\n")
	if strings.Contains(writers, "dan") || !strings.Contains(writers, "carl") {
		t.Errorf("writers:\n%s", writers)
	}
	if got := k.access(user("dan"), "/w/d/f", "read"); len(got) > 0 {
		t.Errorf("who may not share lists %q", got)
	}
}

// Who may share a file knows who reads it, but of the folders and groups on the way only those that he may read himself.
func TestWayThroughWhatTheAskerMayNotReadIsHidden(t *testing.T) {
	k := newKit(t, Config{})
	k.write(k.admin, "/secret/f", "x")
	k.share("olga", "direct_owner", "/secret/f")
	k.managed("mia", "spies")
	k.enrol(k.admin, "bob", "member", "spies")
	k.relate(k.admin, []string{"group", "spies"}, "direct_viewer", []string{"file", "/secret"})
	raw, err := json.Marshal(k.do(user("olga"), "list_access", `{"object":["file","/secret/f"]}`))
	if err != nil {
		t.Fatal(err)
	}
	var list struct{ Subjects []api.Accessor }
	if err := json.Unmarshal(raw, &list); err != nil {
		t.Fatal(err)
	}
	for _, a := range list.Subjects {
		if a.Subject.ID() != "bob" {
			continue
		}
		if got := inWords(a); got != "user:bob inherited hidden on hidden:hidden through hidden:hidden" {
			t.Errorf("olga sees %q", got)
		}
	}
	if text := string(raw); strings.Contains(text, `"/secret"`) || strings.Count(text, "spies") > 2 || !strings.Contains(text, `"bob"`) {
		t.Errorf("olga sees %s", text)
	}
}

func TestAccessIsListedInPages(t *testing.T) {
	k := newKit(t, Config{})
	k.write(k.admin, "/w/f", "x")
	for i := range 97 {
		k.share(fmt.Sprintf("u%03d", i), "direct_viewer", "/w/f")
	}
	whole := k.accessPages(1000)
	for _, limit := range []int{7, 99, 100, 101} {
		if got := k.accessPages(limit); !slices.Equal(got, whole) {
			t.Errorf("in pages of %d: %d, the whole has %d", limit, len(got), len(whole))
		}
	}
	if len(whole) < 99 || len(whole) > 101 {
		t.Errorf("%d have access: the pages of 99 to 101 do not end where the list does", len(whole))
	}
	next := k.do(k.admin, "list_access", `{"object":["file","/w/f"],"limit":5}`).(api.AccessList).Next
	for _, params := range []string{`{"object":["file","/w"],"limit":5,"cursor":"X"}`, `{"object":["file","/w/f"],"permission":"write","cursor":"X"}`} {
		k.mustFail(k.admin, "list_access", strings.Replace(params, "X", next, 1), errs.Invalid)
	}
	k.mustFail(k.admin, "shared_with_me", `{"cursor":"`+next+`"}`, errs.Invalid)
	k.mustFail(k.admin, "list_access", `{"object":["file","/w/f"],"limit":1001}`, errs.Invalid)
}

func (k *kit) accessPages(limit int) (subjects []string) {
	k.t.Helper()
	for cursor := ""; ; {
		list := k.do(k.admin, "list_access", fmt.Sprintf(`{"object":["file","/w/f"],"limit":%d,"cursor":%q}`, limit, cursor)).(api.AccessList)
		for _, a := range list.Subjects {
			subjects = append(subjects, a.Subject.String())
		}
		if cursor = list.Next; list.Complete != (cursor == "") {
			k.t.Errorf("complete %v, with cursor %q", list.Complete, cursor)
		}
		if cursor == "" {
			return subjects
		}
	}
}

func (k *kit) sharedWith(who authz.Principal, params string) (paths []string) {
	k.t.Helper()
	for _, f := range k.do(who, "shared_with_me", params).(api.SharedList).Files {
		paths = append(paths, f.Path)
	}
	slices.Sort(paths)
	return paths
}

func TestSharedWithMeIsWhatOthersShareAndICanRead(t *testing.T) {
	now := gatetest.NewClock()
	k := newKit(t, Config{Clock: now})
	k.member("bob", "olga")
	for _, path := range []string{"/w/a", "/w/b", "/w/c", "/w/d/e", "/w/g"} {
		k.write(k.admin, path, "x")
	}
	k.share("olga", "direct_owner", "/w")
	k.share("bob", "direct_owner", "/bob")
	k.write(user("bob"), "/bob/own", "x")
	k.relate(user("bob"), []string{"user", "bob"}, "direct_editor", []string{"file", "/bob/own"})
	k.relate(user("olga"), []string{"user", "bob"}, "direct_viewer", []string{"file", "/w/a"})
	k.relate(user("olga"), []string{"user", "bob"}, "direct_editor", []string{"file", "/w/d"})
	id := k.relate(user("olga"), []string{"user", "bob"}, "direct_viewer", []string{"file", "/w/b"})
	k.do(user("olga"), "rebac_create", relateParams([]string{"user", "bob"}, "direct_viewer", []string{"file", "/w/c"}, now.Now().Add(time.Hour)))
	k.enrol(k.admin, "bob", "member", "eng")
	k.relate(k.admin, []string{"group", "eng"}, "direct_viewer", []string{"file", "/w/g"})
	k.relate(k.admin, []string{"tenant", "default", "access"}, "direct_viewer", []string{"file", "/w"})

	if got, want := fmt.Sprint(k.sharedWith(user("bob"), `{}`)), "[/bob /w/a /w/b /w/c /w/d /w/g]"; got != want {
		t.Errorf("shared with bob: %s, want %s", got, want)
	}
	if got := fmt.Sprint(k.sharedWith(user("bob"), `{"permission":"write"}`)); got != "[/bob /w/d]" {
		t.Errorf("bob may write %s", got)
	}
	if got := fmt.Sprint(k.sharedWith(user("bob"), `{"permission":"share"}`)); got != "[/bob]" {
		t.Errorf("bob may share %s", got)
	}
	for _, f := range k.do(user("bob"), "shared_with_me", `{}`).(api.SharedList).Files {
		if f.Path == "/w/d" && (!f.IsDirectory || f.By.ID() != "olga" || f.Relation != "direct_editor" || f.Since.IsZero()) ||
			f.Path == "/w/g" && f.With.String() != "group:eng#member" || f.Path == "/w/c" != !f.Expires.IsZero() {
			t.Errorf("shared: %+v", f)
		}
	}
	k.unshare(id)
	now.Advance(time.Hour)
	if got, want := fmt.Sprint(k.sharedWith(user("bob"), `{}`)), "[/bob /w/a /w/d /w/g]"; got != want {
		t.Errorf("shared with bob: %s, want %s", got, want)
	}
	k.mustFail(user("bob"), "shared_with_me", `{"permission":"delete"}`, errs.Invalid)
	k.mustFail(user("stranger"), "shared_with_me", `{}`, errs.Denied)
}

func TestTuplesAreListedInPagesOrAsTheyWere(t *testing.T) {
	w := newWire(t, Config{})
	w.put(w.root.Secret, "/w/f", "x")
	for i := range 9 {
		w.share(fmt.Sprint("u", i), "direct_viewer", "/w/f")
	}
	var bare []api.Tuple
	if err := json.Unmarshal(w.call(w.root.Secret, "rebac_list_tuples", `{"object":["file","/w/f"]}`).Result, &bare); err != nil || len(bare) != 11 {
		t.Fatalf("the bare list: %d, %v", len(bare), err)
	}
	var ids []string
	for cursor, last := "", false; !last; {
		var page api.TupleList
		params := fmt.Sprintf(`{"object":["file","/w/f"],"limit":4,"cursor":%q}`, cursor)
		if err := json.Unmarshal(w.call(w.root.Secret, "rebac_list_tuples", params).Result, &page); err != nil {
			t.Fatal(err)
		}
		for _, one := range page.Tuples {
			ids = append(ids, one.ID)
		}
		cursor, last = page.Next, page.Complete
	}
	for i, one := range bare {
		if ids[i] != one.ID {
			t.Fatalf("the pages have %q", ids)
		}
	}
	w.mustAnswer(-32005, w.root.Secret, "rebac_list_tuples", `{"object":["file","/w/f"],"limit":4,"cursor":"forged"}`)
	w.mustAnswer(-32005, w.root.Secret, "rebac_list_tuples", `{"limit":-1}`)
	w.mustSay(`{"tuples":[],"complete":true}`, w.userKey("bob", "default"), "rebac_list_tuples", `{"object":["file","/w/f"],"limit":4}`)
}

func TestExpiredGrantsAreSweptWithThePathsTheyKept(t *testing.T) {
	now := gatetest.NewClock()
	k := newKit(t, Config{Clock: now, Limits: storage.Limits{Reserved: 3}})
	grant := relateParams([]string{"user", "bob"}, "direct_viewer", []string{"file", "/not/yet/there"}, now.Now().Add(time.Hour))
	first := k.do(k.admin, "rebac_create", grant)
	other := relateParams([]string{"user", "bob"}, "direct_viewer", []string{"file", "/x"}, time.Time{})
	_, err := k.try(k.admin, "rebac_create", other)
	if errs.RPC(err) != -32005 {
		t.Errorf("one path too many: %v, want -32005", err)
	}
	now.Advance(time.Hour)
	k.chore(sweepRelations)
	k.do(k.admin, "rebac_create", other)
	if gone := k.do(k.admin, "rebac_delete", `{"tuple_id":"`+string(first.(api.TupleID))+`"}`); gone != false {
		t.Error("the id of what was swept is still known")
	}
	if d := k.lastDecision(sweepRelations); !d.Allowed || d.Base.Type != "service" {
		t.Errorf("the sweep is recorded as %+v", d)
	}
}
