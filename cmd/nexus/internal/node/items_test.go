package node

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"nexus/apiserver/api"
	"nexus/internal/errs"
)

// TestTypesNobodyMaySeeLookLikeNone: a type is no more to be seen by who may not enter than an object.
func TestTypesNobodyMaySeeLookLikeNone(t *testing.T) {
	d := newDefining(t)
	d.define(0, d.adminA, "doc", document2)
	d.relate(d.adminA, `["user","alice"]`, "reader", "doc", "d")
	for _, stranger := range []string{d.outsider("stranger"), d.userKey("member", "a")} {
		d.mustSeeNoType(stranger)
	}
}

// mustSeeNoType checks that who holds the key can tell the type doc, of which there is an object d, from no type by nothing.
func (d *defining) mustSeeNoType(stranger string) {
	d.t.Helper()
	for _, method := range []string{"rebac_check", "rebac_explain"} {
		one := d.post(stranger, method, `{"subject":["user","alice"],"permission":"read","object":["doc","d"]}`)
		other := d.post(stranger, method, `{"subject":["user","alice"],"permission":"read","object":["nox","d"]}`)
		if strings.ReplaceAll(one, "doc", "nox") != other {
			d.t.Errorf("%s: %s, and of no type %s", method, one, other)
		}
	}
	d.mustSay(`{"subjects":[]}`, stranger, "rebac_expand", `{"permission":"read","object":["doc","d"]}`)
	d.mustSay(`{"subjects":[]}`, stranger, "rebac_expand", `{"permission":"read","object":["nox","d"]}`)
	for _, typ := range []string{"doc", "nox"} {
		d.mustAnswer(-32004, stranger, "rebac_create", `{"subject":["user","stranger"],"relation":"reader","object":["`+typ+`","d"]}`)
		d.mustSay(`[]`, stranger, "rebac_list_tuples", `{"object":["`+typ+`","d"]}`)
	}
}

const document2 = `{"relations":{"reader":{},"owner":{"subjects":["user"]}},"permissions":{"read":["reader","owner"]}}`

func TestWhoHoldsTheSharingPermissionShares(t *testing.T) {
	d := newDefining(t)
	d.define(0, d.adminA, "doc", document2)
	d.define(0, d.adminA, "note", `{"relations":{"owner":{},"boss":{}},"permissions":{"share":["boss"]}}`)
	d.define(0, d.adminA, "memo", folder) // nobody but administrators
	for _, typ := range []string{"doc", "note"} {
		d.relate(d.adminA, `["user","alice"]`, "owner", typ, "d")
	}
	d.relate(d.adminA, `["user","alice"]`, "reader", "memo", "d")
	id := d.relate(d.alice, `["user","bob"]`, "reader", "doc", "d")
	if !d.may(d.alice, "bob", "read", "doc", "d") {
		t.Error("the owner may not ask about others, or his sharing had no effect")
	}
	d.mustAnswer(-32004, d.alice, "rebac_create", `{"subject":["user","bob"],"relation":"reader","object":["doc","other"]}`)
	d.mustAnswer(-32004, d.alice, "rebac_create", `{"subject":["user","bob"],"relation":"owner","object":["note","d"]}`) // share decides, not owner
	d.mustAnswer(-32004, d.alice, "rebac_create", `{"subject":["user","bob"],"relation":"reader","object":["memo","d"]}`)
	bob := d.userKey("bob", "a")
	d.mustSay("false", bob, "rebac_delete", `{"tuple_id":"`+id+`"}`)
	d.mustSay("false", d.adminB, "rebac_delete", `{"tuple_id":"`+id+`"}`)
	if r := d.mustAnswer(0, d.alice, "rebac_list_tuples", `{"object":["doc","d"]}`); strings.Count(string(r.Result), "tuple_id") != 2 {
		t.Errorf("the owner lists %s", r.Result)
	}
	d.mustSay("true", d.alice, "rebac_delete", `{"tuple_id":"`+id+`"}`)
	if d.may(d.adminA, "bob", "read", "doc", "d") {
		t.Error("bob reads after his relationship has ended")
	}
	d.mustAnswer(-32005, d.alice, "rebac_create", `{"subject":["user","bob"],"relation":"read","object":["doc","d"]}`)
	d.mustAnswer(-32005, d.alice, "rebac_create", `{"subject":["user","bob"],"relation":"ghost","object":["doc","d"]}`)
}

func TestAgentsAndGroupsAreSubjectsOfOwnTypes(t *testing.T) {
	k := newKit(t, Config{})
	k.do(k.admin, "namespace_create", `{"object_type":"doc","config":`+document2+`}`)
	bot := k.newAgent("bot", "olga")
	k.relate(k.admin, []string{"agent", "bot"}, "reader", []string{"doc", "d"})
	k.relate(k.admin, []string{"user", "bob"}, "member", []string{"group", "eng"})
	k.relate(k.admin, []string{"group", "eng"}, "reader", []string{"doc", "d"})
	if !k.ask("bob", "read", "doc", "d") {
		t.Error("a member of the group does not read")
	}
	if r := fmt.Sprint(k.do(bot, "rebac_check", `{"subject":["agent","bot"],"permission":"read","object":["doc","d"]}`)); r != "{true}" {
		t.Errorf("the agent asks about itself: %s", r)
	}
}

func (k *kit) ask(name, permission, typ, id string) bool {
	k.t.Helper()
	r := k.do(k.admin, "rebac_check", fmt.Sprintf(`{"subject":["user",%q],"permission":%q,"object":[%q,%q]}`, name, permission, typ, id))
	return slices.Contains([]string{"{true}"}, fmt.Sprint(r))
}

// conditional is a type that is read on weekdays, or by whom a day was set for.
const conditional = "caveat on_day(day string, allowed string) {\n  day == allowed\n}\ndefinition doc {\n  relation reader: user | user with on_day\n  permission read = reader\n}"

func TestConditionsAreTakenWhereTheOperatorAllowsThem(t *testing.T) {
	k := newKit(t, Config{})
	k.mustFail(k.admin, "schema_write", `{"schema":"`+escaped(conditional)+`"}`, errs.Invalid)

	k = newKit(t, Config{Caveats: true})
	k.do(k.admin, "schema_write", `{"schema":"`+escaped(conditional)+`"}`)
	id := k.do(k.admin, "rebac_create", `{"subject":["user","bob"],"relation":"reader","object":["doc","d"],"caveat":"on_day","caveat_context":{"allowed":"monday"}}`)
	for context, want := range map[string]bool{"": false, `{"day":"monday"}`: true, `{"day":"sunday"}`: false, `{"unknown":1}`: false, `{"day":"sunday","allowed":"sunday"}`: false} {
		params := `{"subject":["user","bob"],"permission":"read","object":["doc","d"]`
		if context != "" {
			params += `,"caveat_context":` + context
		}
		if got := k.do(k.admin, "rebac_check", params+"}").(api.Allowed).Allowed; got != want {
			t.Errorf("with %q: %v, want %v", context, got, want)
		}
		if e := k.do(k.admin, "rebac_explain", params+"}").(api.Explanation); e.Allowed != want {
			t.Errorf("explained with %q: %v, want %v", context, e.Allowed, want)
		}
	}
	e := k.do(k.admin, "rebac_explain", `{"subject":["user","bob"],"permission":"read","object":["doc","d"]}`).(api.Explanation)
	if !slices.Equal(e.Context, []string{"day"}) {
		t.Errorf("missing context %q, want day", e.Context)
	}
	list := k.do(k.admin, "rebac_list_tuples", `{"object":["doc","d"]}`).(api.TupleList)
	if len(list.Tuples) != 1 || list.Tuples[0].Caveat != "on_day" || string(list.Tuples[0].Context) != `{"allowed":"monday"}` {
		t.Errorf("listed %+v", list.Tuples)
	}
	for _, wrong := range []string{
		`"caveat":"never"`, `"caveat":"on_day","caveat_context":{"other":1}`, `"caveat":"on_day","caveat_context":{"day":1}`, `"caveat_context":{"day":"x"}`,
		`"caveat":"on_day","caveat_context":{"day":"` + strings.Repeat("x", 5000) + `"}`,
	} {
		k.mustFail(k.admin, "rebac_create", `{"subject":["user","carl"],"relation":"reader","object":["doc","d"],`+wrong+`}`, errs.Invalid)
	}
	k.write(k.admin, "/f", "x")
	k.mustFail(k.admin, "rebac_create", `{"subject":["user","carl"],"relation":"direct_viewer","object":["file","/f"],"caveat":"on_day"}`, errs.Invalid)
	// The same relationship without its condition is the same relationship, and holds at once.
	if again := k.do(k.admin, "rebac_create", `{"subject":["user","bob"],"relation":"reader","object":["doc","d"]}`); again != id {
		t.Errorf("ids %v and %v", id, again)
	}
	if !k.ask("bob", "read", "doc", "d") {
		t.Error("without its condition the relationship does not hold")
	}
	k.mustFail(k.admin, "schema_write", `{"schema":"definition doc {\n\trelation reader: user with expiration\n}"}`, errs.Invalid)
	k.mustFail(k.admin, "schema_write", `{"schema":""}`, errs.Precondition)
}

// escaped is text inside a JSON string.
func escaped(text string) string { return strings.ReplaceAll(text, "\n", `\n`) }
