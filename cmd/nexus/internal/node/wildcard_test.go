package node

import "testing"

// Everybody is tenant#access: no relationship admits a wildcard, and a name that looks like one is not taken for a name.
func TestWildcardSubjectRefused(t *testing.T) {
	w := newWire(t, Config{})
	w.put(w.root.Secret, "/w/a.txt", "text")
	for _, params := range []string{
		`{"subject":["user","*"],"relation":"direct_viewer","object":["file","/w"]}`,
		`{"subject":["group","*"],"relation":"direct_viewer","object":["file","/w"]}`,
		`{"subject":["user","ann"],"relation":"member","object":["group","*"]}`,
	} {
		w.mustAnswer(-32005, w.root.Secret, "rebac_create", params)
	}
	w.mustAnswer(-32005, w.root.Secret, "admin_create_key", `{"user_id":"*","name":"key"}`)
	ann := w.userKey("ann", "default")
	w.mustAnswer(-32004, ann, "read", `{"path":"/w/a.txt"}`)
	w.tuple(w.root.Secret, `{"subject":["tenant","default","access"],"relation":"direct_viewer","object":["file","/w"]}`)
	w.mustAnswer(0, ann, "read", `{"path":"/w/a.txt"}`)
}
