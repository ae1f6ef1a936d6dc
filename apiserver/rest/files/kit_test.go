package files_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
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

	"nexus/apiserver/authn"
	"nexus/apiserver/op"
	"nexus/apiserver/ops"
	"nexus/apiserver/rest/files"
	"nexus/authzsvc/authz"
	"nexus/authzsvc/gatetest"
	"nexus/internal/clock"
	"nexus/internal/errs"
	"nexus/internal/sqldb"
	"nexus/storage"
	"nexus/storage/storagetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is the face over a store whose gate does as the test says.
type world struct {
	*testing.T
	url      string
	blobs    string
	gate     gatetest.Config
	recorder *gatetest.Recorder
	client   *http.Client
	engine   *gin.Engine

	mu     sync.Mutex // guards what follows
	turned []files.Turned
	seen   []error
}

// start serves the face over a store of its own.
func start(t *testing.T, gate gatetest.Config, limit int64, idle time.Duration) *world {
	t.Helper()
	w := build(t, gate, limit, idle)
	server := httptest.NewUnstartedServer(w.engine)
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	server.Start()
	t.Cleanup(func() {
		w.client.CloseIdleConnections()
		server.Close()
	})
	w.url = server.URL + files.Prefix
	return w
}

// build makes the face over a store of its own.
func build(t *testing.T, gate gatetest.Config, limit int64, idle time.Duration) *world {
	t.Helper()
	w := &world{T: t, client: &http.Client{Transport: &http.Transport{DisableCompression: true, ExpectContinueTimeout: time.Minute}}}
	ctx, dir := context.Background(), t.TempDir()
	db, err := sqldb.OpenLite(ctx, filepath.Join(dir, "nexus.db"), sqldb.LiteOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	if err := storage.Migrate(ctx, db); err != nil {
		t.Fatal(err)
	}
	w.blobs = filepath.Join(dir, "blobs")
	blobs, err := storage.OpenBlobDir(w.blobs)
	if err != nil {
		t.Fatal(err)
	}
	rels := storagetest.NewRelations()
	store := storage.New(db, blobs, rels, rels, clock.System{})
	if _, _, err := store.Founding().Found(ctx); err != nil {
		t.Fatal(err)
	}
	decider, recorder := gate.Gate(t)
	w.recorder = recorder
	table := op.NewTable(decider)
	if err := ops.Fill(table, ops.Deps{Store: store}); err != nil {
		t.Fatal(err)
	}
	guard, err := authn.New(authn.Config{Credentials: keys{}, Clock: clock.System{}})
	if err != nil {
		t.Fatal(err)
	}
	face, err := files.New(files.Config{
		Table: table, Guard: guard, MaxBody: limit, Idle: idle, Log: slog.New(slog.DiscardHandler),
		Observe: func(_ string, err error, _ time.Duration) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.seen = append(w.seen, err)
		},
		Turned: func(_ context.Context, t files.Turned) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.turned = append(w.turned, t)
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	gin.SetMode(gin.ReleaseMode)
	w.engine = gin.New()
	face.Routes(w.engine)
	return w
}

// keys knows the keys of ann, and of bob, whose key reads alone. A key is its user's name.
type keys struct{}

func (keys) ByHash(_ context.Context, sum [32]byte) (authn.Credential, error) {
	for _, name := range []string{"ann", "bob"} {
		if sum == sha256.Sum256([]byte(name)) {
			c := authn.Credential{KeyID: "k-" + name, Tenant: "default", SubjectType: "user", SubjectName: name, User: name}
			if name == "bob" {
				c.Scopes = []string{"read"}
			}
			return c, nil
		}
	}
	return authn.Credential{}, errs.New(errs.NotFound, "no such key")
}

func (keys) Subject(context.Context, string, string, string) (bool, bool, error) {
	return false, false, nil
}

func (keys) Owner(context.Context, string, string) (string, error) { return "", nil }

func (keys) Agent(context.Context, string, string) (string, authz.Mandate, error) {
	return "", authz.Mandate{}, nil
}

func (keys) Tenant(context.Context, string) (bool, error) { return true, nil }

func (keys) Used(string, time.Time) {}

// answer is a response with its body.
type answer struct {
	*http.Response
	body string
}

// header is one of a request.
type header struct{ name, value string }

// as sends a request with a key. Headers of the same name add up.
func (w *world) as(key, method, path string, body io.Reader, more ...header) answer {
	w.Helper()
	r, err := http.NewRequest(method, w.url+path, body)
	if err != nil {
		w.Fatal(err)
	}
	if key != "" {
		r.Header.Set("Authorization", "Bearer "+key)
	}
	for _, h := range more {
		r.Header.Add(h.name, h.value)
	}
	resp, err := w.client.Do(r)
	if err != nil {
		w.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		w.Fatal(err)
	}
	return answer{resp, string(text)}
}

func (w *world) do(method, path, body string, more ...header) answer {
	w.Helper()
	var r io.Reader
	if body != "" {
		r = strings.NewReader(body)
	}
	return w.as("ann", method, path, r, more...)
}

// must sends a request that is answered with a status.
func (w *world) must(status int, method, path, body string, more ...header) answer {
	w.Helper()
	a := w.do(method, path, body, more...)
	if a.StatusCode != status {
		w.Errorf("%s %s %v = %d %.200q, want %d", method, path, more, a.StatusCode, a.body, status)
	}
	if status >= 400 && method != http.MethodHead {
		w.mustBeProblem(a)
	}
	return a
}

// mustBeProblem checks the form of an error.
func (w *world) mustBeProblem(a answer) {
	w.Helper()
	var p struct {
		Type, Title, Detail string
		Status              int
	}
	if err := json.Unmarshal([]byte(a.body), &p); err != nil || a.Header.Get("Content-Type") != "application/problem+json" ||
		!strings.HasPrefix(p.Type, "urn:nexus:problem:") || p.Status != a.StatusCode || p.Title == "" || p.Detail == "" {
		w.Errorf("%d %s %q is no problem of RFC 9457", a.StatusCode, a.Header.Get("Content-Type"), a.body)
	}
}

func etagOf(body string) string {
	sum := sha256.Sum256([]byte(body))
	return `"` + hex.EncodeToString(sum[:]) + `"`
}

func long(text string) string { return strings.Repeat(text, 50_000/len(text)) }

// mustHoldNoTemp checks that nothing half received is left.
func (w *world) mustHoldNoTemp() {
	w.Helper()
	left, err := os.ReadDir(filepath.Join(w.blobs, ".tmp"))
	if err != nil || len(left) > 0 {
		w.Errorf("%d files are left half received, %v", len(left), err)
	}
}
