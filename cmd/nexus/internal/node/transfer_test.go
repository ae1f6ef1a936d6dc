package node

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"nexus/apiserver/api"
	"nexus/authzsvc/audit"
	"nexus/authzsvc/gatetest"
)

// transfer calls admin_transfer_user once.
func (w *wire) transfer(params string) (out api.UserTransfer) {
	w.t.Helper()
	r := w.mustAnswer(0, w.root.Secret, "admin_transfer_user", params)
	if err := json.Unmarshal(r.Result, &out); err != nil {
		w.t.Fatal(err)
	}
	return out
}

func TestTransferMovesWhatHeOwnedAndNothingElse(t *testing.T) {
	const files = 230
	now := gatetest.NewClock()
	w := newWire(t, Config{Clock: now})
	root := w.root.Secret
	bob, ann := w.makeKey(root, `{"user_id":"bob","name":"k"}`), w.makeKey(root, `{"user_id":"ann","name":"k"}`)
	bot := w.makeKey(root, `{"user_id":"bob","name":"k","subject_type":"agent","subject_id":"bot"}`)
	file := func(path string) string { return `"object":["file","` + path + `"]` }
	bobs := func(relation, object string) string {
		return w.tuple(root, `{"subject":["user","bob"],"relation":"`+relation+`",`+object+`}`)
	}
	bobs("direct_editor", file("/in"))
	for i := range files {
		w.put(bob.key, fmt.Sprintf("/in/f%d", i), "x")
	}
	w.put(root, "/shared", "x")
	bobs("direct_viewer", file("/shared"))
	bobs("direct_owner", file("/reserved/for/later"))
	until := now.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	w.put(root, "/short", "x")
	w.tuple(root, `{"subject":["user","bob"],"relation":"direct_owner",`+file("/short")+`,"expires_at":"`+until+`"}`)
	w.put(root, "/both", "x")
	bobs("direct_owner", file("/both"))
	w.tuple(root, `{"subject":["user","ann"],"relation":"direct_owner",`+file("/both")+`,"expires_at":"`+until+`"}`)
	bobs("manager", `"object":["group","eng"]`)
	bobs("member", `"object":["group","eng"]`)

	params := `{"from_user":"bob","to_user":"ann"}`
	last := w.transfer(params)
	if !last.Complete || last.Moved != files+5 || last.Files != files+3 || last.Groups != 1 || last.Agents != 1 || last.Finished.IsZero() || last.Started.IsZero() {
		t.Errorf("transfer = %+v", last)
	}
	if again := w.transfer(params); again.Moved != 0 || !again.Complete || again.Files != last.Files || !again.Finished.Equal(last.Finished.Time) {
		t.Errorf("once more: %+v, want what it was", again)
	}
	may := func(user, permission, path string) bool {
		t.Helper()
		r := w.mustAnswer(0, root, "rebac_check", `{"subject":["user","`+user+`"],"permission":"`+permission+`",`+file(path)+`}`)
		return string(r.Result) == `{"allowed":true}`
	}
	for _, path := range []string{"/in/f0", "/in/f229", "/short", "/both", "/reserved/for/later"} {
		if !may("ann", "share", path) || may("bob", "share", path) {
			t.Errorf("%s is not ann's alone", path)
		}
	}
	if !may("bob", "read", "/shared") || may("ann", "read", "/shared") || !may("bob", "write", "/in/f0") {
		t.Error("what was shared with bob moved, too")
	}
	w.mustAnswer(0, ann.key, "rebac_create", `{"subject":["user","carl"],"relation":"member","object":["group","eng"]}`)
	w.mustAnswer(-32004, bob.key, "rebac_create", `{"subject":["user","carl"],"relation":"member","object":["group","eng"]}`)
	w.mustAnswer(-32003, bot.key, "list", `{}`) // bob knows that key
	if who := w.makeKey(root, `{"user_id":"ann","name":"k","subject_type":"agent","subject_id":"bot"}`); who.id == "" {
		t.Error("the agent is not ann's")
	}
	now.Advance(2 * time.Hour)
	if may("ann", "share", "/short") {
		t.Error("a right that had an end lost it on its way")
	}
	if !may("ann", "share", "/both") {
		t.Error("a right without end took over the end of the one that was there")
	}
	if n := len(w.recorded(audit.Query{Types: []audit.Type{audit.TypeDecided}, Op: "users.transfer"})); n != 4 {
		t.Errorf("%d decisions are recorded, of three steps and one that had nothing to do", n)
	}
	w.mustVerify()
}

func TestTransferIsRefusedToWhoCannotTakeIt(t *testing.T) {
	w := newWire(t, Config{})
	root := w.root.Secret
	w.makeKey(root, `{"user_id":"bob","name":"k"}`)
	w.makeKey(root, `{"user_id":"ann","name":"k"}`)
	w.makeKey(root, `{"user_id":"far","name":"k","tenant_id":"other"}`)
	w.disable(root, "ann")
	for params, code := range map[string]int{
		`{"from_user":"bob","to_user":"ann"}`:                       -32005,
		`{"from_user":"bob","to_user":"bob"}`:                       -32005,
		`{"from_user":"bob","to_user":"far"}`:                       -32000,
		`{"from_user":"far","to_user":"bob"}`:                       -32000,
		`{"from_user":"bob","to_user":"far","tenant_id":"other"}`:   -32000,
		`{"from_user":"bob","to_user":""}`:                          -32005,
		`{"from_user":"bob"}`:                                       -32602,
		`{"from_user":"nobody","to_user":"bob"}`:                    -32000,
		`{"from_user":"bob","to_user":"ann","tenant_id":"nowhere"}`: -32000,
	} {
		w.mustAnswer(code, root, "admin_transfer_user", params)
	}
}

func TestKeysOfTransferredAgentsGoOnWhenAsked(t *testing.T) {
	w := newWire(t, Config{})
	root := w.root.Secret
	w.makeKey(root, `{"user_id":"bob","name":"k"}`)
	w.makeKey(root, `{"user_id":"ann","name":"k"}`)
	bot := w.makeKey(root, `{"user_id":"bob","name":"k","subject_type":"agent","subject_id":"bot"}`)
	w.mustAnswer(0, bot.key, "list", `{}`)
	w.disable(root, "bob")
	w.mustAnswer(-32003, bot.key, "list", `{}`)
	if s := w.transfer(`{"from_user":"bob","to_user":"ann","keep_agent_keys":true}`); s.Agents != 1 || !s.Complete {
		t.Errorf("transfer = %+v", s)
	}
	w.mustAnswer(0, bot.key, "list", `{}`)
	w.put(root, "/w/f", "x")
	w.tuple(root, `{"subject":["agent","bot"],"relation":"direct_editor","object":["file","/w"]}`)
	w.put(bot.key, "/w/made", "x")
	w.mustSay(`{"allowed":true}`, root, "rebac_check", `{"subject":["user","ann"],"permission":"share","object":["file","/w/made"]}`)
	w.mustSay(`{"allowed":false}`, root, "rebac_check", `{"subject":["user","bob"],"permission":"read","object":["file","/w/made"]}`)
	w.disable(root, "ann")
	w.mustAnswer(-32003, bot.key, "list", `{}`)
}
