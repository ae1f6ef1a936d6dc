package node

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
)

// wire is a node that is served over HTTP.
type wire struct {
	*kit
	url    string
	client *http.Client
	roots  []string // platform keys that took the first one's place, the newest last
	stop   func()   // the server, and waits until it has
}

func newWire(t *testing.T, c Config) *wire {
	t.Helper()
	return newWireBehind(t, c)
}

// newWireBehind trusts proxies to say where requests come from.
func newWireBehind(t *testing.T, c Config, proxies ...netip.Prefix) *wire {
	t.Helper()
	w := &wire{kit: newKit(t, c), client: &http.Client{Transport: &http.Transport{}}}
	w.serve(t, proxies...)
	return w
}

// serve serves the kit's node until the test ends. A key can have two streams.
func (w *wire) serve(t *testing.T, proxies ...netip.Prefix) {
	t.Helper()
	server, err := w.Server(Face{Log: slog.New(slog.DiscardHandler), Proxies: proxies, Streams: 2, MCP: &MCP{}})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(ctx, l) }()
	w.stop = sync.OnceFunc(func() {
		w.client.CloseIdleConnections()
		stop()
		if err := <-ended; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	t.Cleanup(w.stop)
	w.url = "http://" + l.Addr().String() + "/api/nfs/"
}

// header is one that a request carries beside its key.
type header struct{ name, value string }

// post calls a method with a key and returns the body of the answer.
func (w *wire) post(key, method, params string, more ...header) string {
	w.t.Helper()
	body := `{"jsonrpc":"2.0","id":1,"method":"` + method + `","params":` + params + `}`
	r, err := http.NewRequest(http.MethodPost, w.url+method, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	if key != "" {
		r.Header.Set("Authorization", "Bearer "+key)
	}
	for _, h := range more {
		r.Header.Set(h.name, h.value)
	}
	answer, err := w.client.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		w.t.Fatalf("%s: status %d, %s, %v", method, answer.StatusCode, text, err)
	}
	return string(text)
}

// reply is an answer of JSON-RPC.
type reply struct {
	Result json.RawMessage
	Error  *struct {
		Code    int
		Message string
		Data    map[string]string
	}
}

func (r reply) code() int {
	if r.Error == nil {
		return 0
	}
	return r.Error.Code
}

func (w *wire) call(key, method, params string, more ...header) reply {
	w.t.Helper()
	var r reply
	if err := json.Unmarshal([]byte(w.post(key, method, params, more...)), &r); err != nil {
		w.t.Fatal(err)
	}
	return r
}

// mustAnswer calls a method that must answer with that code; 0 is success.
func (w *wire) mustAnswer(code int, key, method, params string, more ...header) reply {
	w.t.Helper()
	r := w.call(key, method, params, more...)
	if r.code() != code {
		w.t.Errorf("%s %s %v = %s %+v, want code %d", method, params, more, r.Result, r.Error, code)
	}
	return r
}

// mustSay calls a method whose result must be that JSON.
func (w *wire) mustSay(want, key, method, params string, more ...header) {
	w.t.Helper()
	if r := w.call(key, method, params, more...); r.Error != nil || string(r.Result) != want {
		w.t.Errorf("%s %s %v = %s %+v, want %s", method, params, more, r.Result, r.Error, want)
	}
}

// newKey makes a key with the platform admin's and returns it.
func (w *wire) newKey(params string) string {
	w.t.Helper()
	return w.keyBy(w.root.Secret, params)
}

func (w *wire) keyBy(key, params string) string {
	w.t.Helper()
	var made struct {
		APIKey string `json:"api_key"`
	}
	r := w.mustAnswer(0, key, "admin_create_key", params)
	if err := json.Unmarshal(r.Result, &made); err != nil || made.APIKey == "" {
		w.t.Fatalf("admin_create_key %s = %s, %v", params, r.Result, err)
	}
	return made.APIKey
}

func (w *wire) userKey(name, tenant string) string {
	w.t.Helper()
	return w.newKey(`{"user_id":"` + name + `","name":"key","tenant_id":"` + tenant + `"}`)
}

func (w *wire) put(key, path, text string, more ...header) {
	w.t.Helper()
	w.mustAnswer(0, key, "write", writeParams(path, text), more...)
}

// tuple relates by key, and returns the id.
func (w *wire) tuple(key, params string, more ...header) string {
	w.t.Helper()
	var id string
	r := w.mustAnswer(0, key, "rebac_create", params, more...)
	if err := json.Unmarshal(r.Result, &id); err != nil {
		w.t.Fatalf("rebac_create %s = %s", params, r.Result)
	}
	return id
}

// canceled is a context that has ended.
func canceled(t *testing.T) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}
