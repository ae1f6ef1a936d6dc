package node

import (
	"encoding/base64"
	"strings"
	"testing"
)

// ruled is a node over HTTP with files that the shipped rules are about, and the key of an agent that may read them.
func ruled(t *testing.T, disabled ...string) (w *wire, agent string) {
	t.Helper()
	w = newWire(t, Config{Disabled: disabled})
	w.put(w.root.Secret, "/w/id_rsa", "private")
	w.put(w.root.Secret, "/w/.env", "API_KEY=s3cret\n")
	agent = w.newKey(`{"user_id":"olga","name":"key","tenant_id":"default","subject_type":"agent","subject_id":"bot"}`)
	w.tuple(w.root.Secret, `{"subject":["agent","bot"],"relation":"direct_viewer","object":["file","/w"]}`)
	return w, agent
}

func TestRuleOverHTTPRefusesUntilItIsRemoved(t *testing.T) {
	const read = `{"path":"/w/id_rsa"}`
	w, agent := ruled(t)
	if r := w.mustAnswer(-32004, agent, "read", read); r.Error == nil || !strings.Contains(r.Error.Message, "an agent does not handle private keys") {
		t.Errorf("the refusal does not say why: %+v", r.Error)
	}
	w.mustSay("false", agent, "exists", read)
	w.mustSay("null", agent, "get_metadata", read)
	w.mustSay(`["/w/.env"]`, agent, "list", `{"path":"/w"}`)

	w, agent = ruled(t, "private_keys")
	w.mustAnswer(0, agent, "read", read)
	w.mustSay("true", agent, "exists", read)
	w.mustSay(`["/w/.env","/w/id_rsa"]`, agent, "list", `{"path":"/w"}`)
}

func TestObligationOverHTTPMasksUntilItIsRemoved(t *testing.T) {
	read := func(w *wire, key string) string {
		return string(w.mustAnswer(0, key, "read", `{"path":"/w/.env"}`).Result)
	}
	plain := base64.StdEncoding.EncodeToString([]byte("API_KEY=s3cret\n"))
	w, agent := ruled(t)
	if got := read(w, agent); strings.Contains(got, plain) || !strings.Contains(got, base64.StdEncoding.EncodeToString([]byte("API_KEY=********\n"))) {
		t.Errorf("the agent reads %s", got)
	}
	if got := read(w, w.root.Secret); !strings.Contains(got, plain) {
		t.Errorf("a person reads %s", got)
	}
	w, agent = ruled(t, "mask_env")
	if got := read(w, agent); !strings.Contains(got, plain) {
		t.Errorf("without the rule the agent reads %s", got)
	}
}
