package rpc_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"nexus/authzsvc/gatetest"
)

// FuzzBody sends arbitrary bodies. The answer is 204, or JSON-RPC that answers as many calls as a lenient reader finds.
func FuzzBody(f *testing.F) {
	for _, seed := range []string{
		`{"jsonrpc":"2.0","id":1,"method":"read","params":{"path":"/docs/a.txt"}}`,
		`[{"id":"a","method":"exists","params":{"path":"/docs/a.txt"}},{"method":"null"},7]`,
		`{"id":null,"method":"write","params":{"path":"/a","content":{"__type__":"bytes","data":"aGk="}}}`,
		`{"id":1,"\u006dethod":"list","params":{"path":"\ud800\\\""}}`,
		`{"id":-0.5e+3,"method":"rebac_check","params":{"subject":["user","a"],"permission":"read","object":["file","a"]}}`,
		`[]`, `[[]]`, `{}`, `"`, "\xff", ` `, `{"id":1`, `{"a":{"b":[{"c":"}]"}]},"method":"null","id":9}`,
	} {
		f.Add([]byte(seed), false)
		f.Add([]byte(seed), true)
	}
	gate, _ := gatetest.Config{Relations: nil}.Gate(f)
	s := onStage(f, gate)
	f.Fuzz(func(t *testing.T, body []byte, known bool) {
		key := "Bearer alice-key"
		if !known {
			key = ""
		}
		w := s.post("/api/nfs", string(body), "Authorization", key)
		switch {
		case w.Code == http.StatusNoContent && w.Body.Len() == 0:
		case w.Code != http.StatusOK:
			t.Fatalf("%q: status %d", body, w.Code)
		case strings.HasPrefix(w.Body.String(), "["):
			if n := len(decodeAll(t, w.Body.String())); n == 0 || n > sent(t, body) {
				t.Fatalf("%q: %d answers to %d requests", body, n, sent(t, body))
			}
		default:
			decode(t, w.Body.String())
		}
		if strings.Contains(w.Body.String(), "-32603") {
			t.Fatalf("%q: %s", body, w.Body)
		}
	})
}

// sent returns how many items a batch has.
func sent(t *testing.T, body []byte) int {
	t.Helper()
	var items []json.RawMessage
	if err := json.Unmarshal(bytes.TrimSpace(body), &items); err != nil {
		t.Fatalf("%q was answered as a batch: %v", body, err)
	}
	return len(items)
}
