package node

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// The mistakes of the server that the document describes, each measured on it (wire-rpc.md, section 5): here they are claims
// about this one, over HTTP.

// crowd is a server with alice, who owns a file, and mallory, who owns a folder.
func crowd(t *testing.T) (w *wire, alice, mallory string) {
	t.Helper()
	w = newWire(t, Config{})
	alice, mallory = w.userKey("alice", "default"), w.userKey("mallory", "default")
	w.share("alice", "direct_owner", "/alice")
	w.share("mallory", "direct_owner", "/mine")
	w.put(alice, "/alice/secret.txt", "secret")
	w.put(mallory, "/mine/f", "hers")
	return w, alice, mallory
}

func TestNobodyActsAsAnotherUsersAgent(t *testing.T) {
	w, alice, mallory := crowd(t)
	w.newKey(`{"user_id":"alice","name":"bot","subject_type":"agent","subject_id":"bot"}`)
	w.tuple(alice, `{"subject":["agent","bot"],"relation":"direct_viewer","object":["file","/alice/secret.txt"]}`)
	for _, named := range []header{
		{"X-Agent-ID", "bot"}, {"X-Nexus-Subject", "agent:bot"}, {"X-Nexus-Subject", "user:alice"}, {"X-Nexus-Tenant-ID", "other"},
	} {
		w.mustAnswer(-32003, mallory, "read", `{"path":"/alice/secret.txt"}`, named)
		w.mustAnswer(-32003, mallory, "read", `{"path":"/mine/f"}`, named) // refused, not ignored
	}
}

func TestNobodyReadsAFileByPuttingItIntoAFolderOfHisOwn(t *testing.T) {
	w, alice, mallory := crowd(t)
	for _, params := range []string{
		`{"subject":["file","/mine"],"relation":"parent","object":["file","/alice/secret.txt"]}`,
		`{"subject":["file","/mine"],"relation":"parent","object":["file","/alice"]}`,
		`{"subject":["file","/alice"],"relation":"parent","object":["file","/mine/f"]}`,
		`{"subject":["file","/mine"],"relation":"parent","object":["file","/"]}`,
	} {
		w.mustAnswer(-32004, mallory, "rebac_create", params)
	}
	w.mustAnswer(-32005, mallory, "rebac_create", `{"subject":["file","/mine"],"relation":"link","object":["file","/mine/f"]}`)
	w.mustAnswer(-32004, mallory, "read", `{"path":"/alice/secret.txt"}`)
	w.mustAnswer(0, alice, "read", `{"path":"/alice/secret.txt"}`)
}

// Linking takes both: to share the file, and to write the folder it becomes visible in.
func TestLinkIsEndedByWhoMayShareTheFile(t *testing.T) {
	w, alice, mallory := crowd(t)
	w.share("alice", "direct_editor", "/mine")
	id := w.tuple(alice, `{"subject":["file","/mine"],"relation":"parent","object":["file","/alice/secret.txt"]}`)
	w.mustAnswer(0, mallory, "read", `{"path":"/alice/secret.txt"}`)
	w.mustAnswer(-32005, mallory, "rebac_create", `{"subject":["file","/mine"],"relation":"parent","object":["file","/mine"]}`)
	w.mustAnswer(-32005, w.root.Secret, "rebac_create", `{"subject":["file","/alice/secret.txt"],"relation":"parent","object":["file","/alice"]}`)
	w.mustSay("true", alice, "rebac_delete", `{"tuple_id":"`+id+`"}`)
	w.mustAnswer(-32004, mallory, "read", `{"path":"/alice/secret.txt"}`)
}

func TestNobodyRenamesWhatIsNotHis(t *testing.T) {
	w, alice, mallory := crowd(t)
	for _, params := range []string{
		`{"old_path":"/alice/secret.txt","new_path":"/mine/taken"}`, `{"old_path":"/alice/secret.txt","new_path":"/alice/other"}`,
		`{"old_path":"/mine/f","new_path":"/alice/planted"}`, `{"old_path":"/alice","new_path":"/mine/alice"}`,
	} {
		w.mustAnswer(-32004, mallory, "rename", params)
	}
	w.mustAnswer(0, alice, "read", `{"path":"/alice/secret.txt"}`)
	w.mustSay(`["/alice/secret.txt"]`, alice, "list", `{"path":"/alice"}`)
}

func TestNobodyEndsOrListsTheRelationshipsOfOthers(t *testing.T) {
	w, alice, mallory := crowd(t)
	id := w.tuple(alice, `{"subject":["user","bob"],"relation":"direct_viewer","object":["file","/alice/secret.txt"]}`)
	w.mustSay("false", mallory, "rebac_delete", `{"tuple_id":"`+id+`"}`)
	for _, params := range []string{
		`{}`, `{"limit":10}`, `{"object":["file","/alice/secret.txt"]}`, `{"subject":["user","bob"]}`, `{"relation":"direct_viewer"}`,
		`{"object":["tenant","default"]}`, `{"subject":["user","mallory"],"object":["file","/alice"]}`,
	} {
		if text := w.post(mallory, "rebac_list_tuples", params); strings.Contains(text, "tuple_id") {
			t.Errorf("%s lists %s", params, text)
		}
	}
	w.mustSay(`{"subjects":[]}`, mallory, "rebac_expand", `{"permission":"read","object":["file","/alice/secret.txt"]}`)
	w.mustSay(`{"subjects":[],"complete":true}`, mallory, "list_access", `{"object":["file","/alice/secret.txt"]}`)
	if !w.may("bob", "read", "/alice/secret.txt") {
		t.Error("the relationship is gone")
	}
	if text := w.post(mallory, "rebac_list_tuples", `{"subject":["user","mallory"]}`); !strings.Contains(text, `"/mine"`) || strings.Contains(text, "alice") {
		t.Errorf("her own are %s", text)
	}
}

func TestNobodyMakesFoldersInWhatIsNotHis(t *testing.T) {
	w, _, mallory := crowd(t)
	for _, params := range []string{`{"path":"/alice/d"}`, `{"path":"/alice/d/e/f","parents":true}`, `{"path":"/new","parents":true,"exist_ok":true}`} {
		w.mustAnswer(-32004, mallory, "mkdir", params)
	}
}

// outcomes counts the codes that n calls at once are answered with.
func (w *wire) outcomes(n int, key, method string, params func(i int) string) map[int]int {
	codes := make([]int, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { codes[i] = w.call(key, method, params(i)).code() })
	}
	all.Wait()
	count := map[int]int{}
	for _, c := range codes {
		count[c]++
	}
	return count
}

func TestNoUpdateIsLost(t *testing.T) {
	w, alice, _ := crowd(t)
	version := func(path string) (v struct {
		Version int64
		Etag    string
	}) {
		if err := json.Unmarshal(w.mustAnswer(0, alice, "get_metadata", `{"path":"`+path+`"}`).Result, &v); err != nil {
			t.Fatal(err)
		}
		return v
	}
	content := func(i int) string {
		return fmt.Sprintf(`"content":{"__type__":"bytes","data":"%s"}`, []string{"YQ==", "Yg==", "Yw==", "ZA=="}[i%4])
	}
	etag := version("/alice/secret.txt").Etag
	if got := w.outcomes(8, alice, "write", func(i int) string {
		return `{"path":"/alice/secret.txt",` + content(i) + `,"if_match":"` + etag + `"}`
	}); got[0] != 1 || got[-32006] != 7 {
		t.Errorf("eight writes over one etag: %v, want one", got)
	}
	if got := w.outcomes(8, alice, "write", func(i int) string { return `{"path":"/alice/new",` + content(i) + `,"if_none_match":true}` }); got[0] != 1 || got[-32001] != 7 {
		t.Errorf("eight writes where there is nothing: %v, want one", got)
	}
	before := version("/alice/secret.txt").Version
	if got := w.outcomes(12, alice, "write", func(i int) string { return `{"path":"/alice/secret.txt",` + content(i) + `}` }); got[0] != 12 {
		t.Errorf("twelve writes: %v", got)
	}
	if after := version("/alice/secret.txt").Version; after != before+12 {
		t.Errorf("twelve writes took the version from %d to %d", before, after)
	}
}

func TestDeletedFilesGrantsDoNotOpenTheNextOne(t *testing.T) {
	w, alice, _ := crowd(t)
	bob := w.userKey("bob", "default")
	w.tuple(alice, `{"subject":["user","bob"],"relation":"direct_viewer","object":["file","/alice/secret.txt"]}`)
	w.mustAnswer(0, bob, "read", `{"path":"/alice/secret.txt"}`)
	w.mustAnswer(0, alice, "delete", `{"path":"/alice/secret.txt"}`)
	w.mustAnswer(-32004, bob, "read", `{"path":"/alice/secret.txt"}`)
	w.put(alice, "/alice/secret.txt", "another file")
	w.mustAnswer(-32004, bob, "read", `{"path":"/alice/secret.txt"}`)
}

func TestGrantsWorkAsTheDocumentSays(t *testing.T) {
	w, alice, _ := crowd(t)
	bob := w.userKey("bob", "default")
	read := func(key string) int { return w.call(key, "read", `{"path":"/alice/secret.txt"}`).code() }
	give := func(params string) string {
		t.Helper()
		id := w.tuple(alice, params)
		if got := read(bob); got != 0 {
			t.Errorf("after %s bob is answered %d", params, got)
		}
		return id
	}
	end := func(id string) {
		t.Helper()
		w.mustSay("true", alice, "rebac_delete", `{"tuple_id":"`+id+`"}`)
		if got := read(bob); got != -32004 {
			t.Errorf("afterwards bob is answered %d", got)
		}
	}
	later := time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	w.tuple(w.root.Secret, `{"subject":["user","bob"],"relation":"member","object":["group","engineering"]}`)
	for _, params := range []string{
		`{"subject":["user","bob"],"relation":"direct_viewer","object":["file","alice/secret.txt"]}`,
		`{"subject":["user","bob"],"relation":"viewer-of","object":["file","/alice//secret.txt/"]}`,
		`{"subject":["user","bob"],"relation":"editor-of","object":["workspace","/alice"]}`,
		`{"subject":["group","engineering"],"relation":"direct_editor","object":["file","/alice/secret.txt"]}`,
		`{"subject":["group","engineering","member"],"relation":"direct_owner","object":["file","/alice"]}`,
		`{"subject":["user","bob"],"relation":"direct_viewer","object":["file","/alice/secret.txt"],"expires_at":"` + later + `","tenant_id":"default","column_config":null}`,
		`{"subject":["user","bob"],"relation":"direct_viewer","object":["file","/alice/secret.txt"],"expires_at":{"__type__":"datetime","data":"` + later + `"}}`,
	} {
		id := give(params)
		if again := w.tuple(alice, params); again != id {
			t.Errorf("%s has ids %s and %s", params, id, again)
		}
		end(id)
	}
	w.mustAnswer(-32004, alice, "rebac_create", `{"subject":["user","bob"],"relation":"direct_viewer","object":["file","/alice/secret.txt"],"tenant_id":"other"}`)
	w.mustAnswer(-32005, alice, "rebac_create", `{"subject":["user","*"],"relation":"direct_viewer","object":["file","/alice/secret.txt"]}`)
	w.mustAnswer(-32005, alice, "rebac_create", `{"subject":["user","bob"],"relation":"viewer","object":["file","/alice/secret.txt"]}`)
}

// TestAnswersAboutRelationsAreThoseOfTheDocument: what the original answered with nothing, with text, or not at all.
func TestAnswersAboutRelationsAreThoseOfTheDocument(t *testing.T) {
	w, alice, _ := crowd(t)
	w.userKey("bob", "default")
	w.tuple(w.root.Secret, `{"subject":["user","bob"],"relation":"member","object":["group","engineering"]}`)
	w.tuple(alice, `{"subject":["group","engineering"],"relation":"direct_viewer","object":["file","/alice/secret.txt"]}`)
	var expanded struct{ Subjects [][]string }
	if err := json.Unmarshal(w.mustAnswer(0, alice, "rebac_expand", `{"permission":"read","object":["file","/alice/secret.txt"]}`).Result, &expanded); err != nil {
		t.Fatal(err)
	}
	for _, want := range [][]string{{"user", "alice"}, {"user", "bob"}, {"group", "engineering"}} {
		if !slices.ContainsFunc(expanded.Subjects, func(s []string) bool { return slices.Equal(s, want) }) {
			t.Errorf("rebac_expand = %v, without %v", expanded.Subjects, want)
		}
	}
	var explained struct {
		Allowed bool
		Path    []struct {
			Subject, Object []string
			Relation        string
		}
	}
	if err := json.Unmarshal(w.mustAnswer(0, alice, "rebac_explain", `{"subject":["user","bob"],"permission":"read","object":["file","/alice/secret.txt"]}`).Result, &explained); err != nil {
		t.Fatal(err)
	}
	if p := explained.Path; !explained.Allowed || len(p) != 2 || p[0].Relation != "member" || p[0].Object[1] != "engineering" || p[1].Relation != "direct_viewer" {
		t.Errorf("rebac_explain = %+v", explained)
	}
	for _, permission := range []string{"viewer", "editor", "owner", "read", "write", "share"} { // an owner is all of these
		w.mustSay(`{"allowed":true}`, alice, "rebac_check", `{"subject":["user","alice"],"permission":"`+permission+`","object":["file","alice/secret.txt"]}`)
	}
}
