package mcp_test

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"go.uber.org/goleak"

	"nexus/apiserver/api"
	"nexus/apiserver/authn"
	"nexus/apiserver/mcp"
	"nexus/apiserver/op"
	"nexus/apiserver/ops"
	"nexus/authzsvc/authz"
	"nexus/authzsvc/gatetest"
	"nexus/internal/clock"
	"nexus/internal/errs"
	"nexus/internal/sqldb"
	"nexus/storage"
	"nexus/storage/storagetest"
)

var update = flag.Bool("update", false, "write golden files")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s is not what the table says (run with -update and review):\n%s", path, got)
	}
}

// table returns the operations over a store of their own, with what their samples are about, and the parameters that only the
// fixture knows.
func table(t *testing.T, gate *authz.Gate) (*op.Table, map[string]json.RawMessage) {
	t.Helper()
	db, err := sqldb.OpenLite(t.Context(), filepath.Join(t.TempDir(), "nexus.db"), sqldb.LiteOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	if err := storage.Migrate(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	rels := storagetest.NewRelations()
	blobs, err := storage.OpenBlobDir(filepath.Join(t.TempDir(), "blobs"))
	if err != nil {
		t.Fatal(err)
	}
	store := storage.New(db, blobs, rels, rels, clock.System{})
	search, err := store.OpenSearch(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(search.Close)
	if _, _, err := store.Founding().Found(t.Context()); err != nil {
		t.Fatal(err)
	}
	cursors, err := store.Cursors(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	fill := func(gate *authz.Gate) *op.Table {
		all := op.NewTable(gate)
		if err := ops.Fill(all, ops.Deps{Store: store, Cursors: cursors, Search: search}); err != nil {
			t.Fatal(err)
		}
		return all
	}
	open, _ := gatetest.AllowAll(t)
	do := func(method, params string) any {
		r, err := fill(open).Method(method).Invoke(t.Context(), owner, json.RawMessage(params))
		if err != nil {
			t.Fatalf("%s %s: %v", method, params, err)
		}
		return r
	}
	do("mkdir", `{"path":"/sample/folder","parents":true}`)
	do("write", `{"path":"/sample/file.txt","content":{"__type__":"bytes","data":"c2FtcGxl"}}`)
	do("write", `{"path":"/sample/deleted.txt","content":{"__type__":"bytes","data":"c2FtcGxl"}}`)
	do("delete", `{"path":"/sample/deleted.txt"}`)
	do("register_workspace", `{"path":"/sample/workspace"}`)
	do("write", `{"path":"/sample/picture.png","content":{"__type__":"bytes","data":"iVBORw0KGgr/"}}`)
	do("register_agent", `{"agent_id":"sample-agent","name":"Sample"}`)
	id := do("rebac_create", `{"subject":["user","sample-editor"],"relation":"direct_editor","object":["file","/sample/file.txt"]}`).(api.TupleID)
	return fill(gate), map[string]json.RawMessage{api.Unrelate.Name: json.RawMessage(`{"tuple_id":"` + string(id) + `"}`)}
}

var owner = gatetest.User(storage.DefaultTenant, "sample-owner")

// directory is authn.Credentials in memory. Keys are added and taken away while it is asked.
type directory struct {
	mu   sync.Mutex
	keys map[string]authn.Credential
}

func (d *directory) ByHash(_ context.Context, sum [32]byte) (authn.Credential, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for key, c := range d.keys {
		if sha256.Sum256([]byte(key)) == sum {
			return c, nil
		}
	}
	return authn.Credential{}, errs.New(errs.NotFound, "no such key")
}

func (d *directory) revoke(key string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.keys, key)
}

func (*directory) Used(string, time.Time) {}

func (*directory) Subject(context.Context, string, string, string) (bool, bool, error) {
	return false, false, nil
}

func (*directory) Owner(context.Context, string, string) (string, error) { return "", nil }

func (*directory) Agent(_ context.Context, _, agent string) (string, authz.Mandate, error) {
	if agent != "helper" {
		return "", authz.Mandate{}, errs.New(errs.NotFound, "no such agent")
	}
	return "sample-owner", authz.Mandate{}, nil
}

func (*directory) Tenant(context.Context, string) (bool, error) { return false, nil }

func credential(id, user string, scopes ...string) authn.Credential {
	return authn.Credential{KeyID: id, Tenant: storage.DefaultTenant, SubjectType: "user", SubjectName: user, User: user, Scopes: scopes}
}

// stage is a served face.
type stage struct {
	t        *testing.T
	url      string
	face     *mcp.Face
	people   *directory
	recorder *gatetest.Recorder
	turned   chan *errs.Error
}

type setting func(*mcp.Config, *authn.Config)

func newStage(t *testing.T, gate *authz.Gate, recorder *gatetest.Recorder, settings ...setting) *stage {
	t.Helper()
	s := &stage{t: t, recorder: recorder, turned: make(chan *errs.Error, 1000), people: &directory{keys: map[string]authn.Credential{
		"owner-key": credential("k1", "sample-owner", "read", "write"),
		"other-key": credential("k2", "sample-owner", "read", "write"),
		"read-key":  credential("k3", "sample-owner", "read"),
	}}}
	all, _ := table(t, gate)
	c := mcp.Config{
		Table: all, Version: "test", Base: "https://nexus.example.com", Log: slog.New(slog.DiscardHandler),
		Turned: func(_ context.Context, turned mcp.Turned) { s.turned <- turned.Err },
	}
	a := authn.Config{Credentials: s.people}
	for _, set := range settings {
		set(&c, &a)
	}
	guard, err := authn.New(a)
	if err != nil {
		t.Fatal(err)
	}
	c.Guard = guard
	if s.face, err = mcp.New(c); err != nil {
		t.Fatal(err)
	}
	gin.SetMode(gin.ReleaseMode)
	engine := gin.New()
	s.face.Routes(engine)
	server := httptest.NewServer(engine)
	t.Cleanup(func() {
		s.face.Stop()
		server.Close()
		s.face.Close()
	})
	s.url = server.URL
	return s
}

func allowing(t *testing.T, settings ...setting) *stage {
	gate, recorder := gatetest.AllowAll(t)
	return newStage(t, gate, recorder, settings...)
}

func denying(t *testing.T, settings ...setting) *stage {
	gate, recorder := gatetest.DenyAll(t)
	return newStage(t, gate, recorder, settings...)
}

// send posts body with headers given as name, value, name, value.
func (s *stage) send(method, body string, headers ...string) (*http.Response, string) {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), method, s.url+"/mcp", strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json, text/event-stream")
	for i := 0; i+1 < len(headers); i += 2 {
		if headers[i] == "Host" {
			r.Host = headers[i+1]
			continue
		}
		r.Header.Add(headers[i], headers[i+1])
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := client.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		s.t.Fatal(err)
	}
	return answer, payload(string(text))
}

// payload returns the message of an answer that is one event.
func payload(text string) string {
	for line := range strings.Lines(text) {
		if data, ok := strings.CutPrefix(line, "data: "); ok {
			return strings.TrimSpace(data)
		}
	}
	return text
}

func as(key string) []string { return []string{"Authorization", "Bearer " + key} }

// newer returns the body and the headers of a call in the revision without sessions.
func newer(key, method, params string, more ...string) (string, []string) {
	var p map[string]any
	if err := json.Unmarshal([]byte(params), &p); err != nil {
		panic(err)
	}
	meta := map[string]any{
		"io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": map[string]any{},
		"io.modelcontextprotocol/clientInfo": map[string]any{"name": "test", "version": "1"},
	}
	if given, ok := p["_meta"].(map[string]any); ok {
		for k, v := range given {
			meta[k] = v
		}
	}
	p["_meta"] = meta
	body, _ := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": 1, "method": method, "params": p})
	headers := append(as(key), "Mcp-Protocol-Version", "2026-07-28", "Mcp-Method", method)
	if name, ok := p["name"].(string); ok {
		headers = append(headers, "Mcp-Name", name)
	}
	return string(body), append(headers, more...)
}

// result is the answer to a tool call.
type result struct {
	Result struct {
		IsError    bool
		ResultType string
		Content    []struct {
			Type, Text string
			Resource   struct{ URI, MimeType, Blob string }
		}
		StructuredContent json.RawMessage
	}
	Error *struct {
		Code    int
		Message string
	}
}

// call calls a tool in the revision without sessions.
func (s *stage) call(key, tool, arguments string, more ...string) result {
	s.t.Helper()
	body, headers := newer(key, "tools/call", `{"name":"`+tool+`","arguments":`+arguments+`}`, more...)
	answer, text := s.send(http.MethodPost, body, headers...)
	var r result
	if err := json.Unmarshal([]byte(text), &r); err != nil || answer.StatusCode != http.StatusOK {
		s.t.Fatalf("%s %s: %d %s", tool, arguments, answer.StatusCode, text)
	}
	return r
}

// open opens a session and returns its id.
func (s *stage) open(key string, more ...string) string {
	s.t.Helper()
	answer, text := s.initialize(key, more...)
	id := answer.Header.Get("Mcp-Session-Id")
	if answer.StatusCode != http.StatusOK || id == "" {
		s.t.Fatalf("initialize: %d %s", answer.StatusCode, text)
	}
	answer, text = s.send(http.MethodPost, `{"jsonrpc":"2.0","method":"notifications/initialized"}`, s.within(key, id, more...)...)
	if answer.StatusCode != http.StatusAccepted {
		s.t.Fatalf("initialized: %d %s", answer.StatusCode, text)
	}
	return id
}

func (s *stage) initialize(key string, more ...string) (*http.Response, string) {
	s.t.Helper()
	return s.send(http.MethodPost, `{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25",`+
		`"capabilities":{},"clientInfo":{"name":"test","version":"1"}}}`, append(as(key), more...)...)
}

func (s *stage) within(key, session string, more ...string) []string {
	return append(append(as(key), "Mcp-Session-Id", session, "Mcp-Protocol-Version", "2025-11-25"), more...)
}
