package node

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"nexus/apiserver/api"
	"nexus/authzsvc/audit"
	"nexus/schema"
)

// Agents are tried here as an attacker would: over HTTP, with keys that are what they are.

// registered is the answer of register_agent.
type registered struct {
	ID     string `json:"agent_id"`
	User   string `json:"user_id"`
	HasKey bool   `json:"has_api_key"`
	APIKey string `json:"api_key"`
}

func (w *wire) registerAgent(key, params string, more ...header) registered {
	w.t.Helper()
	var out registered
	r := w.mustAnswer(0, key, "register_agent", params, more...)
	if err := json.Unmarshal(r.Result, &out); err != nil {
		w.t.Fatalf("register_agent %s = %s", params, r.Result)
	}
	return out
}

func through(agent string) header { return header{"X-Agent-ID", agent} }

func TestRegisteringAnAgentGainsNothing(t *testing.T) {
	w := newWire(t, Config{})
	mallory := w.userKey("mallory", "default")
	w.put(w.root.Secret, "/secret/plan.txt", "plan")
	w.put(w.root.Secret, "/open/a.txt", "open")
	w.tuple(w.root.Secret, `{"subject":["tenant","default","access"],"relation":"direct_viewer","object":["file","/open"]}`)
	made := w.registerAgent(mallory, `{"agent_id":"tool","name":"Tool","generate_api_key":true}`)
	if !strings.HasPrefix(made.APIKey, "nxa_live_") || made.User != "mallory" {
		t.Fatalf("registered %+v", made)
	}
	for _, way := range []struct {
		name, key string
		more      []header
	}{{"the agent's key", made.APIKey, nil}, {"its owner through it", mallory, []header{through("tool")}}} {
		for _, call := range [][2]string{
			{"read", `{"path":"/secret/plan.txt"}`}, {"write", writeParams("/secret/plan.txt", "x")}, {"write", writeParams("/new.txt", "x")},
			{"rebac_create", `{"subject":["agent","tool"],"relation":"direct_viewer","object":["file","/secret"]}`},
			{"rebac_create", `{"subject":["agent","tool"],"relation":"agent","object":["tenant","default"]}`},
			{"admin_create_key", `{"user_id":"admin","name":"k","is_admin":true}`},
			{"register_agent", `{"agent_id":"second","name":"Second","generate_api_key":true}`},
			{"register_agent", `{"agent_id":"tool","name":"Tool","mandate":{"permissions":{"file":["share"],"agent":["manage"]}}}`},
			{"audit_list", `{}`},
		} {
			if r := w.call(way.key, call[0], call[1], way.more...); r.code() != -32004 && r.code() != -32005 {
				t.Errorf("%s: %s %s = %s %+v, want a refusal", way.name, call[0], call[1], r.Result, r.Error)
			}
		}
		w.mustSay(`false`, way.key, "delete_agent", `{"agent_id":"tool"}`, way.more...)
	}
	w.mustAnswer(-32004, made.APIKey, "read", `{"path":"/open/a.txt"}`) // a guest is nobody of the tenant
	w.mustAnswer(0, mallory, "read", `{"path":"/open/a.txt"}`, through("tool"))
	if r := w.call(made.APIKey, "list", `{}`); r.code() != -32004 {
		t.Errorf("a guest lists %s %+v", r.Result, r.Error)
	}
}

func TestAgentIsNotTakenOver(t *testing.T) {
	w := newWire(t, Config{})
	alice, mallory := w.userKey("alice", "default"), w.userKey("mallory", "default")
	first := w.registerAgent(alice, `{"agent_id":"bot","name":"Bot","generate_api_key":true}`)
	stranger := w.newKey(`{"user_id":"eve","name":"key","tenant_id":"globex"}`)
	taken := w.call(mallory, "register_agent", `{"agent_id":"bot","name":"Mine","generate_api_key":true}`)
	if taken.code() != -32004 || len(taken.Error.Data) > 0 {
		t.Errorf("mallory registers bot = %s %+v", taken.Result, taken.Error)
	}
	w.mustAnswer(0, stranger, "register_agent", `{"agent_id":"bot","name":"Another tenant's"}`)
	again := w.registerAgent(alice, `{"agent_id":"bot","name":"Bot 2","generate_api_key":true}`)
	if again.APIKey != "" || !again.HasKey {
		t.Errorf("registered again = %+v, want no key shown", again)
	}
	var got struct{ Name, User_id string }
	r := w.mustAnswer(0, alice, "get_agent", `{"agent_id":"bot"}`)
	if err := json.Unmarshal(r.Result, &got); err != nil || got.Name != "Bot 2" || got.User_id != "alice" {
		t.Errorf("get_agent = %s", r.Result)
	}
	w.mustSay(`false`, mallory, "delete_agent", `{"agent_id":"bot"}`)
	w.mustSay(`null`, stranger, "get_agent", `{"agent_id":"nobody"}`)
	w.mustSay(`false`, stranger, "delete_agent", `{"agent_id":"nobody"}`)
	w.mustAnswer(-32004, mallory, "admin_create_key", `{"user_id":"alice","name":"k","subject_type":"agent","subject_id":"bot"}`)
	w.put(w.root.Secret, "/a.txt", "x")
	w.tuple(w.root.Secret, `{"subject":["agent","bot"],"relation":"direct_viewer","object":["file","/a.txt"]}`)
	w.mustAnswer(0, first.APIKey, "read", `{"path":"/a.txt"}`)
}

// TestRefusedRegistrationDoesNotTellWhoExists: who may register nothing learns nothing by trying.
func TestRefusedRegistrationDoesNotTellWhoExists(t *testing.T) {
	w := newWire(t, Config{})
	alice := w.userKey("alice", "default")
	guest := w.registerAgent(alice, `{"agent_id":"bot","name":"Bot","generate_api_key":true}`).APIKey
	outsider := w.userKey("outsider", "default")
	for _, tuple := range w.tuplesOf("outsider") {
		w.unshare(tuple)
	}
	for who, key := range map[string]string{"an agent": guest, "one who was put out": outsider} {
		there := w.post(key, "register_agent", `{"agent_id":"bot","name":"X"}`)
		missing := strings.ReplaceAll(w.post(key, "register_agent", `{"agent_id":"bat","name":"X"}`), "bat", "bot")
		if there != missing || !strings.Contains(there, "-32004") {
			t.Errorf("%s is told apart:\n%s\n%s", who, there, missing)
		}
	}
}

// tuplesOf returns the ids of a user's relationships to the tenant.
func (w *wire) tuplesOf(user string) (all []string) {
	w.t.Helper()
	for _, tuple := range w.do(w.admin, "rebac_list_tuples", `{"subject":["user","`+user+`"]}`).(api.TupleList).Tuples {
		all = append(all, tuple.ID)
	}
	return all
}

func TestOnlyOnesOwnAgentIsNamed(t *testing.T) {
	w := newWire(t, Config{})
	alice, bob := w.userKey("alice", "default"), w.userKey("bob", "default")
	abroad := w.userKey("alice", "globex")
	w.registerAgent(bob, `{"agent_id":"bobs","name":"Bob's"}`)
	own := w.registerAgent(alice, `{"agent_id":"own","name":"Own","generate_api_key":true}`)
	twin := w.registerAgent(alice, `{"agent_id":"twin","name":"Twin","generate_api_key":true}`)
	for name, c := range map[string]struct {
		key  string
		more []header
	}{
		"another's agent":                 {alice, []header{through("bobs")}},
		"no agent":                        {alice, []header{through("nobody")}},
		"an empty name":                   {alice, []header{through("")}},
		"one's own, of another tenant":    {abroad, []header{through("own")}},
		"an agent names its twin":         {own.APIKey, []header{through("twin")}},
		"the twin names the first":        {twin.APIKey, []header{through("own")}},
		"an admin names a user's":         {w.root.Secret, []header{through("own")}},
		"an admin as alice, through hers": {w.root.Secret, []header{{"X-Nexus-Subject", "user:alice"}, through("own")}},
		"an agent as a subject":           {alice, []header{{"X-Nexus-Subject", "agent:own"}}},
		"nobody":                          {"", []header{through("own")}},
		"a quoted form of another's":      {alice, []header{through("default/bobs")}},
		"the name in another case":        {alice, []header{through("OWN")}},
	} {
		if r := w.call(c.key, "exists", `{"path":"/"}`, c.more...); r.code() != -32003 {
			t.Errorf("%s = %s %+v, want -32003", name, r.Result, r.Error)
		}
	}
	w.mustAnswer(0, alice, "exists", `{"path":"/"}`, through("own"))
	w.mustAnswer(0, own.APIKey, "get_agent", `{"agent_id":"own"}`, through("own"))
	w.mustSay(`true`, alice, "delete_agent", `{"agent_id":"own"}`)
	w.mustAnswer(-32003, alice, "exists", `{"path":"/"}`, through("own"))
	w.mustAnswer(-32003, own.APIKey, "get_agent", `{"agent_id":"own"}`)
}

func TestAgentActsForItsOwnerWithinItsMandate(t *testing.T) {
	w := newWire(t, Config{})
	alice := w.userKey("alice", "default")
	w.do(w.admin, "mkdir", `{"path":"/home"}`)
	w.share("alice", "direct_owner", "/home")
	w.put(alice, "/home/a.txt", "mine")
	w.registerAgent(alice, `{"agent_id":"plain","name":"Plain"}`)
	w.registerAgent(alice, `{"agent_id":"reader","name":"Reader","mandate":{"permissions":{"file":["read"]}}}`)
	w.registerAgent(alice, fmt.Sprintf(`{"agent_id":"late","name":"Late","mandate":{"expires_at":%q}}`, time.Now().Add(-time.Minute).UTC().Format(time.RFC3339)))
	w.mustAnswer(-32005, alice, "register_agent", `{"agent_id":"x","name":"X","mandate":{"permissions":{"file":["fly"]}}}`)
	if r := w.call(alice, "register_agent", `{"agent_id":"x","name":"X","mandate":{"permissions":{"file":["read"]},"only_on_sundays":true}}`); r.code() == 0 {
		t.Errorf("a bound that nobody knows was passed over: %s", r.Result)
	}

	w.put(alice, "/home/b.txt", "through plain", through("plain"))
	d := w.lastDecision("files.write")
	if d.Base != user("alice").Base || len(d.Actors) != 1 || d.Actors[0] != agent("plain", "alice").Base {
		t.Errorf("recorded base %v, actors %v, want alice behind plain", d.Base, d.Actors)
	}
	share := `{"subject":["user","bob"],"relation":"direct_viewer","object":["file","/home/a.txt"]}`
	w.mustAnswer(-32004, alice, "rebac_create", share, through("plain"))
	if d := w.lastDecision("relations.create"); d.Reason != "OUTSIDE_MANDATE" || len(d.Actors) != 1 {
		t.Errorf("recorded %+v, want a refusal outside the mandate", d)
	}
	w.mustAnswer(0, alice, "rebac_create", share)
	w.mustAnswer(0, alice, "read", `{"path":"/home/a.txt"}`, through("reader"))
	w.mustAnswer(-32004, alice, "write", writeParams("/home/a.txt", "x"), through("reader"))
	w.mustAnswer(-32004, alice, "read", `{"path":"/home/a.txt"}`, through("late"))

	w.put(alice, "/home/sub/c.txt", "c")
	w.registerAgent(alice, `{"agent_id":"rooted","name":"Rooted","mandate":{"roots":["/home/sub"]}}`)
	w.mustAnswer(0, alice, "read", `{"path":"/home/sub/c.txt"}`, through("rooted"))
	w.mustAnswer(-32004, alice, "read", `{"path":"/home/a.txt"}`, through("rooted"))
	w.registerAgent(alice, `{"agent_id":"rooted","name":"Rooted","mandate":{"roots":[]}}`)
	w.mustAnswer(-32004, alice, "read", `{"path":"/home/sub/c.txt"}`, through("rooted"))
	w.put(w.root.Secret, "/private/p.txt", "p")
	there := w.post(alice, "register_agent", `{"agent_id":"probe","name":"P","mandate":{"roots":["/private/p.txt"]}}`)
	missing := w.post(alice, "register_agent", `{"agent_id":"probe","name":"P","mandate":{"roots":["/private/q.txt"]}}`)
	if !strings.Contains(there, "-32004") || there != strings.ReplaceAll(missing, "q.txt", "p.txt") {
		t.Errorf("a root that alice may not see is told apart:\n%s\n%s", there, missing)
	}
	w.mustAnswer(-32000, alice, "register_agent", `{"agent_id":"probe","name":"P","mandate":{"roots":["/home/none"]}}`)

	admin := w.newKey(`{"user_id":"chief","name":"key","is_admin":true}`)
	w.registerAgent(admin, `{"agent_id":"aide","name":"Aide"}`)
	w.mustAnswer(0, admin, "read", `{"path":"/home/a.txt"}`)
	w.mustAnswer(-32004, admin, "read", `{"path":"/home/a.txt"}`, through("aide")) // it acts for the user, not with the admin's key
	w.mustAnswer(-32004, admin, "admin_create_key", `{"user_id":"z","name":"z"}`, through("aide"))
}

func TestAgentsAreListedToTheirOwners(t *testing.T) {
	w := newWire(t, Config{})
	alice, bob := w.userKey("alice", "default"), w.userKey("bob", "default")
	for _, name := range []string{"a1", "a2", "a3"} {
		w.registerAgent(alice, `{"agent_id":"`+name+`","name":"A"}`)
	}
	guest := w.registerAgent(bob, `{"agent_id":"b1","name":"B","generate_api_key":true}`)
	listed := func(key, params string) (names []string, next string) {
		t.Helper()
		r := w.mustAnswer(0, key, "list_agents", params)
		var page struct {
			Agents []registered
			Next   string `json:"next_cursor"`
		}
		if err := json.Unmarshal(r.Result, &page); err != nil {
			if err := json.Unmarshal(r.Result, &page.Agents); err != nil {
				t.Fatalf("list_agents = %s", r.Result)
			}
		}
		for _, a := range page.Agents {
			names = append(names, a.ID)
		}
		return names, page.Next
	}
	for key, want := range map[string]string{alice: "[a1 a2 a3]", bob: "[b1]", w.root.Secret: "[a1 a2 a3 b1]"} {
		if got, _ := listed(key, `{}`); fmt.Sprint(got) != want {
			t.Errorf("list_agents = %v, want %s", got, want)
		}
	}
	w.mustSay(`[]`, guest.APIKey, "list_agents", `{}`)
	first, next := listed(alice, `{"limit":2}`)
	second, last := listed(alice, `{"limit":2,"cursor":"`+next+`"}`)
	if fmt.Sprint(first, second) != "[a1 a2] [a3]" || last != "" {
		t.Errorf("pages = %v, %v, %q", first, second, last)
	}
	if r := w.call(bob, "list_agents", `{"limit":2,"cursor":"`+next+`"}`); r.code() == 0 {
		t.Errorf("another's cursor is taken: %s", r.Result)
	}
}

func TestDeletedAgentsNameIsFreedInTheBackground(t *testing.T) {
	k := newKit(t, Config{})
	k.member("alice", "mallory")
	k.do(user("alice"), "register_agent", `{"agent_id":"bot","name":"Bot"}`)
	k.write(k.admin, "/s/a.txt", "x")
	k.relate(k.admin, []string{"agent", "bot"}, "direct_editor", []string{"file", "/s"})
	k.do(user("alice"), "delete_agent", `{"agent_id":"bot"}`)
	k.chore(buryAgents)
	if d := k.lastDecision(buryAgents); d.Base != schema.Staff("default", schema.Sweeper) || !d.Allowed {
		t.Errorf("recorded %+v, want the sweeper's decision", d)
	}
	k.do(user("mallory"), "register_agent", `{"agent_id":"bot","name":"Bot"}`)
	k.mustNotRead(agent("bot", "mallory"), "/s/a.txt")
	if got := k.recorded(audit.Query{Types: []audit.Type{audit.TypeDecided}, Op: buryAgents}); len(got) == 0 {
		t.Error("nothing of it is recorded")
	}
}
