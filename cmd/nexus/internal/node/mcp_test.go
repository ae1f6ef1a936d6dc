package node

import (
	"context"
	"net/http"
	"strings"
	"testing"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
)

// keyed sends a key, and what else a client was told to, with every request.
type keyed struct {
	key   string
	more  []header
	below http.RoundTripper
}

func (k keyed) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+k.key)
	for _, h := range k.more {
		r.Header.Set(h.name, h.value)
	}
	return k.below.RoundTrip(r)
}

// model connects a client of the protocol with a key.
func (w *wire) model(key string, more ...header) *sdk.ClientSession {
	w.t.Helper()
	client := sdk.NewClient(&sdk.Implementation{Name: "model", Version: "1"}, nil)
	s, err := client.Connect(context.Background(), &sdk.StreamableClientTransport{
		Endpoint:   strings.Replace(w.url, "/api/nfs/", "/mcp", 1),
		HTTPClient: &http.Client{Transport: keyed{key, more, w.client.Transport}},
	}, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = s.Close() })
	return s
}

// says calls a tool and returns its text, and whether it is an error.
func (w *wire) says(s *sdk.ClientSession, tool string, arguments map[string]any) (string, bool) {
	w.t.Helper()
	r, err := s.CallTool(context.Background(), &sdk.CallToolParams{Name: tool, Arguments: arguments})
	if err != nil {
		w.t.Fatalf("%s: %v", tool, err)
	}
	return r.Content[0].(*sdk.TextContent).Text, r.IsError
}

func TestModelsWorkWithinTheRightsOfTheirKeys(t *testing.T) {
	w := newWire(t, Config{})
	alice := w.userKey("alice", "default")
	w.put(w.root.Secret, "/shared/a.txt", "hello")
	w.put(w.root.Secret, "/secret/b.txt", "secret")
	w.share("alice", "direct_owner", "/shared")
	guest := w.registerAgent(alice, `{"agent_id":"bot","name":"Bot","generate_api_key":true}`).APIKey
	file := func(path string) map[string]any { return map[string]any{"path": path} }

	bot := w.model(guest)
	for _, path := range []string{"/shared/a.txt", "/secret/b.txt", "/none.txt"} {
		if said, failed := w.says(bot, "files_read", file(path)); !failed || !strings.Contains(said, "permission denied") {
			t.Errorf("a new agent reads %s: %q", path, said)
		}
	}
	id := w.tuple(alice, `{"subject":["agent","bot"],"relation":"direct_viewer","object":["file","/shared"]}`)
	if said, failed := w.says(bot, "files_read", file("/shared/a.txt")); failed || said != "hello" {
		t.Errorf("an agent reads what is shared with it: %q", said)
	}
	w.mustSay(`true`, alice, "rebac_delete", `{"tuple_id":"`+id+`"}`)
	if said, failed := w.says(bot, "files_read", file("/shared/a.txt")); !failed {
		t.Errorf("an agent reads what was shared with it: %q", said)
	}

	helper := w.model(alice, through("bot"))
	if said, failed := w.says(helper, "files_write", map[string]any{"path": "/shared/a.txt", "content": "changed"}); failed {
		t.Errorf("a user writes through his agent: %q", said)
	}
	if d := w.lastDecision("files.write"); d.Base != user("alice").Base || len(d.Actors) != 1 {
		t.Errorf("recorded base %v, actors %v", d.Base, d.Actors)
	}
	share := map[string]any{"subject": []string{"user", "bob"}, "relation": "direct_viewer", "object": []string{"file", "/shared"}}
	if said, failed := w.says(helper, "relations_create", share); !failed {
		t.Errorf("an agent shares what is its user's: %q", said)
	}
	w.mustSay(`true`, alice, "delete_agent", `{"agent_id":"bot"}`)
	for name, s := range map[string]*sdk.ClientSession{"its key": bot, "its user": helper} {
		if r, err := s.CallTool(context.Background(), &sdk.CallToolParams{Name: "files_read", Arguments: file("/shared/a.txt")}); err == nil {
			t.Errorf("after the agent was deleted %s still works: %+v", name, r)
		}
	}
}
