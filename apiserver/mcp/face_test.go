package mcp_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"nexus/apiserver/authn"
	"nexus/apiserver/mcp"
	"nexus/authzsvc/authz"
	"nexus/authzsvc/gatetest"
	"nexus/internal/errs"
)

func TestEveryRequestShowsItsKey(t *testing.T) {
	s := allowing(t)
	session := s.open("owner-key")
	const list = `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{}}`
	for name, headers := range map[string][]string{
		"no key":                        nil,
		"an unknown key":                as("nobody's"),
		"a session without its key":     {"Mcp-Session-Id", session, "Mcp-Protocol-Version", "2025-11-25"},
		"a session with an unknown key": s.within("nobody's", session),
		"basic":                         {"Authorization", "Basic b3duZXI6a2V5"},
		"two keys":                      {"Authorization", "Bearer owner-key", "Authorization", "Bearer read-key"},
		"somebody else's agent":         append(as("owner-key"), "X-Agent-ID", "stranger"),
		"another subject":               append(as("owner-key"), "X-Nexus-Subject", "user:admin"),
	} {
		for _, method := range []string{http.MethodPost, http.MethodGet, http.MethodDelete} {
			answer, text := s.send(method, list, headers...)
			challenge := answer.Header.Get("WWW-Authenticate")
			if answer.StatusCode != http.StatusUnauthorized || !strings.HasPrefix(challenge, "Bearer ") ||
				!strings.Contains(challenge, `resource_metadata="https://nexus.example.com/.well-known/oauth-protected-resource"`) {
				t.Errorf("%s %s: %d %q %s, want 401 with a challenge", method, name, answer.StatusCode, challenge, text)
			}
		}
	}
	if len(s.recorder.Decided()) > 0 {
		t.Error("something was decided for strangers")
	}
	if err := <-s.turned; err.Kind != errs.Unauthenticated {
		t.Errorf("told of %v", err)
	}
}

func TestStolenSessionIsNotTakenOver(t *testing.T) {
	s := allowing(t)
	session := s.open("owner-key")
	const call = `{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"files_read","arguments":{"path":"/sample/file.txt"}}}`
	for name, headers := range map[string][]string{
		"another key of the same user":   s.within("other-key", session),
		"a key with less":                s.within("read-key", session),
		"the same key, through an agent": s.within("owner-key", session, "X-Agent-ID", "helper"),
	} {
		for _, method := range []string{http.MethodPost, http.MethodGet, http.MethodDelete} {
			if answer, text := s.send(method, call, headers...); answer.StatusCode != http.StatusForbidden {
				t.Errorf("%s, %s: %d %s, want 403", method, name, answer.StatusCode, text)
			}
		}
	}
	if answer, text := s.send(http.MethodPost, call, s.within("owner-key", session)...); !strings.Contains(text, `"sample"`) {
		t.Errorf("the session's own key: %d %s", answer.StatusCode, text)
	}
	s.people.revoke("owner-key")
	if answer, _ := s.send(http.MethodPost, call, s.within("owner-key", session)...); answer.StatusCode != http.StatusUnauthorized {
		t.Errorf("after its key was revoked the session answers %d", answer.StatusCode)
	}
}

func TestRevisionIsChosenByItsNameAndNotByTheMethod(t *testing.T) {
	s := allowing(t)
	for _, method := range []string{"initialize", "ping", "logging/setLevel", "resources/subscribe", "no/such"} {
		body, headers := newer("owner-key", method, `{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"1"},"level":"info","uri":"x:y"}`)
		answer, text := s.send(http.MethodPost, body, headers...)
		if answer.StatusCode != http.StatusNotFound || !strings.Contains(text, "-32601") {
			t.Errorf("%s in 2026-07-28: %d %s, want 404 and -32601", method, answer.StatusCode, text)
		}
	}
	session := s.open("owner-key")
	for _, c := range []struct{ method, want string }{{"ping", `"result":{}`}, {"server/discover", "-32601"}} {
		_, text := s.send(http.MethodPost, `{"jsonrpc":"2.0","id":5,"method":"`+c.method+`","params":{}}`, s.within("owner-key", session)...)
		if !strings.Contains(text, c.want) {
			t.Errorf("%s in 2025-11-25: %s, want %s", c.method, text, c.want)
		}
	}
	body, headers := newer("owner-key", "server/discover", `{}`)
	_, text := s.send(http.MethodPost, body, headers...)
	for _, want := range []string{`"2026-07-28"`, `"2025-11-25"`, `"ttlMs"`, `"cacheScope"`, `"resultType":"complete"`} {
		if !strings.Contains(text, want) {
			t.Errorf("server/discover = %s, want %s", text, want)
		}
	}
	body, _ = newer("owner-key", "tools/list", `{}`)
	for name, headers := range map[string][]string{
		"without the header":    append(as("owner-key"), "Mcp-Method", "tools/list"),
		"with an older header":  append(as("owner-key"), "Mcp-Method", "tools/list", "Mcp-Protocol-Version", "2025-11-25"),
		"with another method":   append(as("owner-key"), "Mcp-Method", "ping", "Mcp-Protocol-Version", "2026-07-28"),
		"without the method":    append(as("owner-key"), "Mcp-Protocol-Version", "2026-07-28"),
		"with a later revision": append(as("owner-key"), "Mcp-Method", "tools/list", "Mcp-Protocol-Version", "2099-01-01"),
	} {
		if answer, text := s.send(http.MethodPost, body, headers...); answer.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: %d %s, want 400", name, answer.StatusCode, text)
		}
	}
	if answer, _ := s.send(http.MethodGet, "", append(as("owner-key"), "Mcp-Protocol-Version", "2026-07-28")...); answer.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("GET in 2026-07-28: %d, want 405", answer.StatusCode)
	}
}

func TestRequestsOfForeignPagesAreRefused(t *testing.T) {
	s := allowing(t)
	body, headers := newer("owner-key", "tools/list", `{}`)
	for name, c := range map[string]struct {
		headers []string
		want    int
	}{
		"no origin":               {nil, 200},
		"this machine":            {[]string{"Origin", "http://localhost:3000"}, 200},
		"the server's own":        {[]string{"Origin", "https://nexus.example.com"}, 200},
		"the server's name":       {[]string{"Host", "nexus.example.com"}, 200},
		"a page":                  {[]string{"Origin", "https://evil.example"}, 403},
		"a page of a likely name": {[]string{"Origin", "https://nexus.example.com.evil.example"}, 403},
		"another scheme":          {[]string{"Origin", "http://nexus.example.com"}, 403},
		"no page":                 {[]string{"Origin", "null"}, 403},
		"two origins":             {[]string{"Origin", "https://nexus.example.com", "Origin", "https://evil.example"}, 403},
		"a name that leads here":  {[]string{"Host", "evil.example:8765"}, 403},
		"a name that looks local": {[]string{"Host", "localhost.evil.example"}, 403},
	} {
		if answer, text := s.send(http.MethodPost, body, append(headers, c.headers...)...); answer.StatusCode != c.want {
			t.Errorf("%s: %d %s, want %d", name, answer.StatusCode, text, c.want)
		}
	}
}

func TestKeyWithoutTheScopeIsToldWhichOne(t *testing.T) {
	s := allowing(t)
	body, headers := newer("read-key", "tools/call", `{"name":"files_write","arguments":{"path":"/sample/new.txt","content":"x"}}`)
	answer, text := s.send(http.MethodPost, body, headers...)
	challenge := answer.Header.Get("WWW-Authenticate")
	if answer.StatusCode != http.StatusForbidden || !strings.Contains(challenge, `error="insufficient_scope"`) || !strings.Contains(challenge, `scope="write"`) {
		t.Errorf("a read key writes: %d %q %s", answer.StatusCode, challenge, text)
	}
	if r := s.call("read-key", "files_read", `{"path":"/sample/file.txt"}`); r.Result.IsError {
		t.Errorf("a read key reads: %+v", r)
	}
	if d := s.recorder.Decided(); len(d) != 1 || d[0].Op != "files.read" {
		t.Errorf("decided: %+v", d)
	}
}

func TestRefusalTellsWhatIsMissingAndNotWhetherItExists(t *testing.T) {
	s := denying(t)
	for _, c := range []struct{ tool, there, missing string }{
		{"files_read", `{"path":"/sample/file.txt"}`, `{"path":"/sample/none.txt"}`},
		{"files_write", `{"path":"/sample/file.txt","content":"x"}`, `{"path":"/sample/none.txt","content":"x"}`},
		{"files_mkdir", `{"path":"/sample/file.txt/x"}`, `{"path":"/sample/none.txt/x"}`},
	} {
		there, missing := s.call("owner-key", c.tool, c.there), s.call("owner-key", c.tool, c.missing)
		if !there.Result.IsError || !missing.Result.IsError {
			t.Fatalf("%s: %+v %+v, want refusals", c.tool, there, missing)
		}
		one, _ := json.Marshal(there.Result)
		other, _ := json.Marshal(missing.Result)
		if string(one) != strings.ReplaceAll(string(other), "none.txt", "file.txt") {
			t.Errorf("%s: what exists is told apart:\n%s\n%s", c.tool, one, other)
		}
	}
	r := s.call("owner-key", "files_read", `{"path":"/sample/file.txt"}`)
	for _, want := range []string{`"code":-32004`, `"permission":"read"`, `"name":"/sample/file.txt"`, `"subject":"user:sample-owner"`, `"relation":"direct_viewer"`} {
		if !strings.Contains(string(r.Result.StructuredContent), want) {
			t.Errorf("refusal = %s, want %s", r.Result.StructuredContent, want)
		}
	}
	through := s.call("owner-key", "files_read", `{"path":"/sample/file.txt"}`, "X-Agent-ID", "helper")
	if !strings.Contains(string(through.Result.StructuredContent), `"through":"agent:helper"`) {
		t.Errorf("refusal through an agent = %s", through.Result.StructuredContent)
	}
}

func TestCallsAreDecidedAsTheOperation(t *testing.T) {
	s := allowing(t)
	if r := s.call("owner-key", "files_write", `{"path":"/sample/text.txt","content":"<héllo> & more"}`); r.Result.IsError {
		t.Fatalf("write = %+v", r)
	}
	r := s.call("owner-key", "files_read", `{"path":"/sample/text.txt"}`, "X-Agent-ID", "helper")
	if r.Result.Content[0].Text != "<héllo> & more" || !strings.Contains(string(r.Result.StructuredContent), `"encoding":"utf-8"`) {
		t.Errorf("read = %+v %s", r, r.Result.StructuredContent)
	}
	d := s.recorder.Decided()
	last := d[len(d)-1]
	if last.Op != "files.read" || last.Params["path"] != "/sample/text.txt" || last.Base.ID != "default/sample-owner" ||
		len(last.Actors) != 1 || last.Actors[0] != (authz.Ref{Type: "agent", ID: "default/helper"}) {
		t.Errorf("decided %+v", last)
	}
	picture := s.call("owner-key", "files_read", `{"path":"/sample/picture.png"}`)
	if c := picture.Result.Content[0]; c.Type != "resource" || c.Resource.Blob != "iVBORw0KGgr/" || c.Resource.URI != "nexus://files/sample/picture.png" {
		t.Errorf("a file that is no text = %+v", picture)
	}
	if r := s.call("owner-key", "files_list", `{"path":"/sample"}`); string(r.Result.StructuredContent) != `{"paths":["/sample/file.txt","/sample/folder/","/sample/picture.png","/sample/text.txt","/sample/workspace/"],"count":5}` {
		t.Errorf("list = %s", r.Result.StructuredContent)
	}
	if r := s.call("owner-key", "agents_get", `{"agent_id":"nobody"}`); string(r.Result.StructuredContent) != `{"result":null}` {
		t.Errorf("get of no agent = %s", r.Result.StructuredContent)
	}
	for arguments, want := range map[string]string{`{}`: "missing parameter: path", `{"path":3}`: "must not be a number", `[]`: "object", `{"path":"/a/../b"}`: "path"} {
		if r := s.call("owner-key", "files_read", arguments); !r.Result.IsError || !strings.Contains(r.Result.Content[0].Text, want) {
			t.Errorf("files_read %s = %+v, want an error that says %q", arguments, r, want)
		}
	}
	for _, tool := range []string{"keys_create", "agents_register", "server_health", "files.read", "no_such"} {
		body, headers := newer("owner-key", "tools/call", `{"name":"`+tool+`","arguments":{}}`)
		if answer, text := s.send(http.MethodPost, body, headers...); !strings.Contains(text, "-32602") {
			t.Errorf("%s is a tool: %d %s", tool, answer.StatusCode, text)
		}
	}
}

func TestLimitsAreKept(t *testing.T) {
	s := allowing(t, func(c *mcp.Config, a *authn.Config) {
		c.MaxBody = 4096
		a.Rates.Key = authn.Rate{PerSecond: 0.001, Burst: 5}
	})
	body, headers := newer("owner-key", "tools/call", `{"name":"files_write","arguments":{"path":"/a","content":"`+strings.Repeat("x", 5000)+`"}}`)
	if answer, text := s.send(http.MethodPost, body, headers...); answer.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("a long body: %d %s", answer.StatusCode, text)
	}
	if answer, text := s.send(http.MethodPost, `[{"jsonrpc":"2.0","id":1,"method":"ping"}]`, as("owner-key")...); answer.StatusCode != http.StatusBadRequest {
		t.Errorf("a batch: %d %s", answer.StatusCode, text)
	}
	if answer, text := s.send(http.MethodPost, `{"jsonrpc":`, as("owner-key")...); answer.StatusCode != http.StatusBadRequest || !strings.Contains(text, "-32700") {
		t.Errorf("no JSON: %d %s", answer.StatusCode, text)
	}
	for range 2 {
		_, _ = s.send(http.MethodPost, `{}`, as("owner-key")...)
	}
	answer, text := s.send(http.MethodPost, body, headers...)
	if answer.StatusCode != http.StatusTooManyRequests || answer.Header.Get("Retry-After") == "" {
		t.Errorf("one request too many: %d %s", answer.StatusCode, text)
	}
	if answer, _ := s.send(http.MethodPost, `{}`, as("other-key")...); answer.StatusCode == http.StatusTooManyRequests {
		t.Error("another key pays for it")
	}
}

func TestKeyHoldsSoManySessions(t *testing.T) {
	s := allowing(t)
	first := ""
	for i := range 64 {
		if id := s.open("owner-key"); i == 0 {
			first = id
		}
	}
	if answer, text := s.initialize("owner-key"); answer.StatusCode != http.StatusTooManyRequests {
		t.Errorf("one session too many: %d %s", answer.StatusCode, text)
	}
	s.open("other-key")
	if answer, _ := s.send(http.MethodDelete, "", s.within("owner-key", first)...); answer.StatusCode != http.StatusNoContent {
		t.Fatalf("DELETE: %d", answer.StatusCode)
	}
	s.open("owner-key")
}

func TestStreamsEndWhenTheServerStops(t *testing.T) {
	s := allowing(t)
	session := s.open("owner-key")
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/mcp", nil)
	if err != nil {
		t.Fatal(err)
	}
	headers := s.within("owner-key", session, "Accept", "text/event-stream")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := client.Do(r)
	if err != nil || answer.StatusCode != http.StatusOK || answer.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("GET = %+v, %v", answer, err)
	}
	defer answer.Body.Close()
	s.face.Stop()
	for lines := bufio.NewScanner(answer.Body); lines.Scan(); { // ends with the stream
		if text := lines.Text(); text != "" && !strings.HasPrefix(text, ":") {
			t.Errorf("the stream sends %q", text)
		}
	}
}

func TestServerSaysWhatItIsUnderItsOwnNameAlone(t *testing.T) {
	s := allowing(t)
	for _, path := range []string{"/.well-known/oauth-protected-resource", "/.well-known/oauth-protected-resource/mcp"} {
		r, _ := http.NewRequestWithContext(context.Background(), http.MethodGet, s.url+path, nil)
		r.Host = "evil.example"
		client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
		answer, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		var got map[string]any
		if err := json.NewDecoder(answer.Body).Decode(&got); err != nil || got["resource"] != "https://nexus.example.com/mcp" {
			t.Errorf("%s = %v, %v", path, got, err)
		}
		_ = answer.Body.Close()
	}
	unnamed := allowing(t, func(c *mcp.Config, _ *authn.Config) { c.Base = "" })
	answer, _ := unnamed.send(http.MethodPost, `{}`)
	if challenge := answer.Header.Get("WWW-Authenticate"); answer.StatusCode != 401 || strings.Contains(challenge, "resource_metadata") {
		t.Errorf("a server without a name challenges with %q", challenge)
	}
	for _, base := range []string{"nexus.example.com", "ftp://x", "https://nexus.example.com/nexus", "::"} {
		gate, _ := gatetest.AllowAll(t)
		all, _ := table(t, gate)
		guard, err := authn.New(authn.Config{Credentials: &directory{}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := mcp.New(mcp.Config{Table: all, Guard: guard, Base: base}); err == nil {
			t.Errorf("base %q was accepted", base)
		}
	}
}

func TestTraceOfTheCallerNamesTheRequest(t *testing.T) {
	s := allowing(t)
	const trace = "4bf92f3577b34da6a3ce929d0e0e4736"
	for traceparent, want := range map[string]bool{
		"00-" + trace + "-00f067aa0ba902b7-01":                    true,
		"00-" + trace + "-00f067aa0ba902b7-01-x":                  false,
		"00-" + strings.ToUpper(trace) + "-00f067aa0ba902b7-01":   false,
		"00-00000000000000000000000000000000-00f067aa0ba902b7-01": false,
		"ff-" + trace + "-00f067aa0ba902b7-01":                    false,
		"nonsense":                                                false,
	} {
		body, headers := newer("owner-key", "tools/call", fmt.Sprintf(`{"name":"files_read","arguments":{"path":"/sample/file.txt"},"_meta":{"traceparent":%q}}`, traceparent))
		answer, _ := s.send(http.MethodPost, body, headers...)
		d := s.recorder.Decided()
		if got := d[len(d)-1].Request == trace; got != want || answer.Header.Get("X-Request-ID") == trace != want {
			t.Errorf("%s: request %q, answered %q", traceparent, d[len(d)-1].Request, answer.Header.Get("X-Request-ID"))
		}
	}
}
