package node

import (
	"strings"
	"testing"
)

// What the caller may not see. The names are equally long, so that answers can only differ by what is told on purpose.
var unseen = []string{"/v/file.one", "/v/missings", "/v/a.folder", "/v/reserved", "/v/be.l/ow1", "/nowhere/11"}

// unseenCases are every method that names a path or a group, with X in place of the name, and the answer for what the
// caller may not see.
var unseenCases = []struct{ method, params, want string }{
	{"read", `{"path":"X"}`, `-32004`},
	{"read", `{"path":"X","return_metadata":true}`, `-32004`},
	{"write", `{"path":"X","content":{"__type__":"bytes","data":"eA=="}}`, `-32004`},
	{"write", `{"path":"X","content":{"__type__":"bytes","data":"eA=="},"if_match":"abc"}`, `-32004`},
	{"write", `{"path":"X","content":{"__type__":"bytes","data":"eA=="},"if_none_match":true}`, `-32004`},
	{"write", `{"path":"X","content":{"__type__":"bytes","data":"eA=="},"force":true}`, `-32004`},
	{"mkdir", `{"path":"X"}`, `-32004`},
	{"mkdir", `{"path":"X","parents":true,"exist_ok":true}`, `-32004`},
	{"mkdir", `{"path":"X/below","parents":true}`, `-32004`},
	{"exists", `{"path":"X"}`, `false`},
	{"get_metadata", `{"path":"X"}`, `null`},
	{"list", `{"path":"X"}`, `[]`},
	{"list", `{"path":"X","recursive":false,"details":true}`, `[]`},
	{"list", `{"prefix":"X"}`, `[]`},
	{"rebac_create", `{"subject":["user","bob"],"relation":"direct_viewer","object":["file","X"]}`, `-32004`},
	{"rebac_create", `{"subject":["file","/mine"],"relation":"parent","object":["file","X"]}`, `-32004`},
	{"rebac_create", `{"subject":["file","X"],"relation":"parent","object":["file","/mine/f"]}`, `-32004`},
	{"rebac_check", `{"subject":["user","bob"],"permission":"read","object":["file","X"]}`, `{"allowed":false}`},
	{"rebac_check", `{"subject":["user","carl"],"permission":"read","object":["file","X"]}`, `{"allowed":false}`},
	{"rebac_expand", `{"permission":"read","object":["file","X"]}`, `{"subjects":[]}`},
	{"rebac_explain", `{"subject":["user","bob"],"permission":"read","object":["file","X"]}`, `"allowed":false`},
	{"rebac_explain", `{"subject":["user","carl"],"permission":"read","object":["file","X"],"full":true}`, `"allowed":false`},
	{"rebac_list_tuples", `{"object":["file","X"]}`, `[]`},
	{"rebac_list_tuples", `{"subject":["file","X"]}`, `[]`},
}

func TestWhatMayNotBeSeenAnswersAsWhatIsMissing(t *testing.T) {
	w := newWire(t, Config{})
	bob, admin := w.userKey("bob", "default"), w.root.Secret
	w.userKey("carl", "default")
	w.put(admin, "/v/file.one", "secret")
	w.put(admin, "/v/a.folder/f", "secret")
	w.put(admin, "/v/be.l", "secret")
	w.put(admin, "/mine/f", "bob's")
	w.tuple(admin, `{"subject":["user","bob"],"relation":"direct_owner","object":["file","/mine"]}`)
	w.tuple(admin, `{"subject":["user","carl"],"relation":"direct_viewer","object":["file","/v/reserved"]}`)
	for _, c := range unseenCases {
		t.Run(c.method, func(t *testing.T) {
			first := ""
			for _, path := range unseen {
				params := strings.ReplaceAll(c.params, "X", path)
				answer := w.post(bob, c.method, params)
				if !strings.Contains(answer, c.want) {
					t.Errorf("%s %s = %s, want %s", c.method, params, answer, c.want)
				}
				answer = strings.ReplaceAll(answer, path, "X")
				if first == "" {
					first = answer
				}
				if answer != first {
					t.Errorf("%s %s = %s, for %s it is %s", c.method, params, answer, unseen[0], first)
				}
			}
		})
	}
}

func TestGroupOfOthersAnswersAsOneThatIsMissing(t *testing.T) {
	w := newWire(t, Config{})
	bob := w.userKey("bob", "default")
	w.tuple(w.root.Secret, `{"subject":["user","carl"],"relation":"member","object":["group","alpha"]}`)
	for _, c := range []struct{ method, params, want string }{
		{"rebac_create", `{"subject":["user","bob"],"relation":"member","object":["group","X"]}`, `-32004`},
		{"rebac_create", `{"subject":["user","bob"],"relation":"manager","object":["group","X"]}`, `-32004`},
		{"rebac_check", `{"subject":["user","bob"],"permission":"manage","object":["group","X"]}`, `{"allowed":false}`},
		{"rebac_check", `{"subject":["user","carl"],"permission":"member","object":["group","X"]}`, `{"allowed":false}`},
		{"rebac_expand", `{"permission":"member","object":["group","X"]}`, `{"subjects":[]}`},
		{"rebac_explain", `{"subject":["user","bob"],"permission":"member","object":["group","X"]}`, `"allowed":false`},
		{"rebac_explain", `{"subject":["user","carl"],"permission":"member","object":["group","X"]}`, `"allowed":false`},
		{"rebac_list_tuples", `{"object":["group","X"]}`, `[]`},
	} {
		there := w.post(bob, c.method, strings.ReplaceAll(c.params, "X", "alpha"))
		missing := w.post(bob, c.method, strings.ReplaceAll(c.params, "X", "bravo"))
		if !strings.Contains(there, c.want) || strings.ReplaceAll(there, "alpha", "X") != strings.ReplaceAll(missing, "bravo", "X") {
			t.Errorf("%s %s: %s\nfor one that is missing: %s", c.method, c.params, there, missing)
		}
	}
}

func TestRelationshipOfOthersAnswersAsOneThatIsMissing(t *testing.T) {
	w := newWire(t, Config{})
	bob := w.userKey("bob", "default")
	w.put(w.root.Secret, "/v/f", "secret")
	id := w.tuple(w.root.Secret, `{"subject":["user","carl"],"relation":"direct_viewer","object":["file","/v/f"]}`)
	missing := "00000000-0000-4000-8000-000000000000"
	there, not := w.post(bob, "rebac_delete", `{"tuple_id":"`+id+`"}`), w.post(bob, "rebac_delete", `{"tuple_id":"`+missing+`"}`)
	if there != not || !strings.Contains(there, `"result":false`) {
		t.Errorf("there: %s\nmissing: %s", there, not)
	}
	if !w.may("carl", "read", "/v/f") {
		t.Error("the relationship is gone")
	}
}

func TestMissingBelowWhatMayBeSeenIsNotFound(t *testing.T) {
	w := newWire(t, Config{})
	bob := w.userKey("bob", "default")
	w.put(w.root.Secret, "/v/f", "x")
	w.tuple(w.root.Secret, `{"subject":["user","bob"],"relation":"direct_viewer","object":["file","/v"]}`)
	for _, path := range []string{"/v/missing", "/v/not/there/either", "/v/f/below"} {
		r := w.mustAnswer(-32000, bob, "read", `{"path":"`+path+`"}`)
		if r.Error != nil && r.Error.Data["path"] != path {
			t.Errorf("data of %s = %v, want the path", path, r.Error.Data)
		}
		w.mustSay("false", bob, "exists", `{"path":"`+path+`"}`)
		w.mustSay("null", bob, "get_metadata", `{"path":"`+path+`"}`)
		w.mustAnswer(-32004, bob, "write", writeParams(path, "x"))
		w.mustAnswer(-32004, bob, "mkdir", `{"path":"`+path+`"}`)
	}
	w.mustAnswer(-32000, w.root.Secret, "mkdir", `{"path":"/v/no/parent"}`)
	w.mustAnswer(-32001, w.root.Secret, "mkdir", `{"path":"/v"}`)
	w.mustAnswer(-32001, bob, "mkdir", `{"path":"/v"}`)
	w.mustAnswer(-32001, w.root.Secret, "write", `{"path":"/v/f","content":{"__type__":"bytes","data":""},"if_none_match":true}`)
	w.mustAnswer(-32006, w.root.Secret, "write", `{"path":"/v/f","content":{"__type__":"bytes","data":""},"if_match":"other"}`)
}

func TestFolderIsSeenByWhoSeesAnythingBelow(t *testing.T) {
	w := newWire(t, Config{})
	bob := w.userKey("bob", "default")
	w.put(w.root.Secret, "/v/deep/er/f", "x")
	w.put(w.root.Secret, "/v/deep/g", "x")
	w.tuple(w.root.Secret, `{"subject":["user","bob"],"relation":"direct_viewer","object":["file","/v/deep/er/f"]}`)
	w.mustSay(`["/v/","/v/deep/","/v/deep/er/","/v/deep/er/f"]`, bob, "list", `{}`)
	w.mustSay(`["/v/"]`, bob, "list", `{"recursive":false}`)
	for _, path := range []string{"/", "/v", "/v/deep", "/v/deep/er", "/v/deep/er/f"} {
		w.mustSay("true", bob, "exists", `{"path":"`+path+`"}`)
	}
	w.mustSay("false", bob, "exists", `{"path":"/v/deep/g"}`)
	w.mustSay("null", bob, "get_metadata", `{"path":"/v/deep"}`)
}
