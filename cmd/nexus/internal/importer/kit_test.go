package importer

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"nexus/apiserver/client"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// write is a call as it arrived.
type write struct {
	Path    string `json:"path"`
	Content struct {
		Data []byte `json:"data"`
	} `json:"content"`
	IfNoneMatch bool `json:"if_none_match"`
}

// receiver is a server that keeps what is written to it. answer says what becomes of a write: an error's kind, or "".
type receiver struct {
	*httptest.Server
	answer func(w write, try int) (kind string)

	mu      sync.Mutex // guards what follows
	files   map[string]string
	tries   map[string]int
	batches [][]string // paths, in the order of arrival
	streams []string   // paths of what came by itself
	longest int        // body of a batch, in bytes
}

func newReceiver(t *testing.T) *receiver {
	r := &receiver{files: map[string]string{}, tries: map[string]int{}, answer: func(write, int) string { return "" }}
	r.Server = httptest.NewServer(http.HandlerFunc(r.serve))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) serve(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if req.Method == http.MethodPut {
		r.stream(w, req, body)
		return
	}
	var calls []struct {
		ID     int64  `json:"id"`
		Method string `json:"method"`
		Params write  `json:"params"`
	}
	if err != nil || json.Unmarshal(body, &calls) != nil {
		http.Error(w, "no batch", http.StatusBadRequest)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.longest = max(r.longest, len(body))
	var answers []map[string]any
	var paths []string
	for _, c := range calls {
		paths = append(paths, c.Params.Path)
		answers = append(answers, r.take(c.ID, c.Params))
	}
	r.batches = append(r.batches, paths)
	_ = json.NewEncoder(w).Encode(answers)
}

// stream takes a body of PUT.
func (r *receiver) stream(w http.ResponseWriter, req *http.Request, body []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	sent := write{Path: strings.TrimPrefix(req.URL.Path, "/api/files"), IfNoneMatch: req.Header.Get("If-None-Match") == "*"}
	sent.Content.Data = body
	r.streams = append(r.streams, sent.Path)
	if kind := r.keep(sent); kind != "" {
		w.WriteHeader(http.StatusConflict)
		_ = json.NewEncoder(w).Encode(map[string]any{"type": "urn:nexus:problem:" + kind, "title": kind, "status": 409, "detail": "no: " + kind})
		return
	}
	sum := sha256.Sum256(body)
	_ = json.NewEncoder(w).Encode(map[string]any{"etag": hex.EncodeToString(sum[:]), "version": 1, "size": len(body)})
}

// keep keeps a write, unless the test says otherwise.
func (r *receiver) keep(w write) (kind string) {
	r.tries[w.Path]++
	kind = r.answer(w, r.tries[w.Path])
	if _, there := r.files[w.Path]; there && w.IfNoneMatch {
		kind = "exists"
	}
	if kind == "" {
		r.files[w.Path] = string(w.Content.Data)
	}
	return kind
}

func (r *receiver) take(id int64, w write) map[string]any {
	if kind := r.keep(w); kind != "" {
		return map[string]any{"jsonrpc": "2.0", "id": id, "error": map[string]any{"code": -32000, "message": "no: " + kind, "data": map[string]string{"kind": kind}}}
	}
	return map[string]any{"jsonrpc": "2.0", "id": id, "result": map[string]any{"etag": "e", "version": 1}}
}

// run imports dir to path, and returns what befell single files.
func (r *receiver) run(t *testing.T, o Options) (Result, map[string]string, error) {
	t.Helper()
	c, err := client.New(r.URL, "key")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	failed := map[string]string{}
	o.Client, o.firstWait = c, 1
	o.Failed = func(path string, err error) { failed[path] = err.Error() }
	result, err := Run(t.Context(), o)
	return result, failed, err
}

// tree makes files below a new folder, by their names.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}
