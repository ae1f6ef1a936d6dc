package rpc_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"go.uber.org/goleak"

	"nexus/apiserver/api"
	"nexus/apiserver/authn"
	"nexus/apiserver/op"
	"nexus/apiserver/rpc"
	"nexus/authzsvc/authz"
	"nexus/authzsvc/gatetest"
	"nexus/internal/errs"
	"nexus/internal/ids"
	"nexus/schema"
)

func TestMain(m *testing.M) {
	gin.SetMode(gin.ReleaseMode)
	goleak.VerifyTestMain(m)
}

// directory knows one key, of alice at acme.
type directory struct{}

func (directory) ByHash(_ context.Context, hash [32]byte) (authn.Credential, error) {
	if hash != sha256.Sum256([]byte("alice-key")) {
		return authn.Credential{}, errs.New(errs.NotFound, "no such key")
	}
	return authn.Credential{KeyID: "k1", Tenant: "acme", SubjectType: "user", SubjectName: "alice", User: "alice"}, nil
}

func (directory) Used(string, time.Time) {}

func (directory) Subject(context.Context, string, string, string) (exists, admin bool, err error) {
	return false, false, nil
}

func (directory) Owner(context.Context, string, string) (string, error) { return "", nil }

func (directory) Agent(context.Context, string, string) (string, authz.Mandate, error) {
	return "", authz.Mandate{}, nil
}

func (directory) Tenant(context.Context, string) (bool, error) { return false, nil }

// stage is a face over operations made for the test, and what the test looks at.
type stage struct {
	table *op.Table
	gate  *authz.Gate
	log   bytes.Buffer

	mu   sync.Mutex // guards seen
	seen []string   // operation and kind of every call observed

	handler http.Handler
}

// onStage returns a stage whose operations gate decides.
func onStage(t testing.TB, gate *authz.Gate, change ...func(*rpc.Config)) *stage {
	t.Helper()
	s := &stage{table: op.NewTable(gate), gate: gate}
	s.files()
	s.searches()
	s.oddities()
	if err := s.table.Check(nil); err == nil || !strings.Contains(err.Error(), "0 declared") {
		t.Fatalf("the table of the test: %v", err)
	}
	guard, err := authn.New(authn.Config{Credentials: directory{}})
	if err != nil {
		t.Fatal(err)
	}
	c := rpc.Config{
		Table: s.table, Guard: guard, Log: slog.New(slog.NewTextHandler(&s.log, nil)),
		Observe: func(operation string, err error, _ time.Duration) {
			s.mu.Lock()
			defer s.mu.Unlock()
			kind := "ok"
			if err != nil {
				kind = errs.KindOf(err).String()
			}
			s.seen = append(s.seen, operation+" "+kind)
		},
	}
	for _, f := range change {
		f(&c)
	}
	face, err := rpc.New(c)
	if err != nil {
		t.Fatal(err)
	}
	engine := gin.New()
	face.Routes(engine)
	s.handler = engine
	return s
}

func allowing(t testing.TB, change ...func(*rpc.Config)) *stage {
	t.Helper()
	gate, _ := gatetest.AllowAll(t)
	return onStage(t, gate, change...)
}

// sample is the one file there is.
var sample = api.Metadata{
	Path: "/docs/a.txt", Size: 5, Etag: "e1", Version: 3, ContentType: "text/plain", Tenant: "acme",
	Created: api.Time{Time: noon.Add(-time.Hour)}, Modified: api.Time{Time: noon},
}

var folder = api.Metadata{Path: "/docs/sub", IsDirectory: true, Tenant: "acme", Created: sample.Created, Modified: sample.Modified}

var noon = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

func fileNeed(who authz.Principal, path string) schema.File {
	return schema.File{Address: schema.Address{Tenant: who.Tenant, Path: path, Anchor: who.Tenant + "/" + ids.Quote(path)}}
}

func readNeed(_ context.Context, who authz.Principal, p *api.PathParams) (authz.Need[schema.ReadFile], error) {
	return fileNeed(who, p.Path).Read(), nil
}

func tenantNeed[P any](_ context.Context, who authz.Principal, _ *P) (authz.Need[schema.AccessTenant], error) {
	return schema.Home(who).Access(), nil
}

func publicNeed[P any](context.Context, authz.Principal, *P) (authz.Need[authz.None], error) {
	return authz.Public(), nil
}

func missing(path string) error {
	return errs.New(errs.NotFound, "no file %q", path).Marked(errs.FileNotFound).With("path", path)
}

// files handles contracts of the product over one file and one folder.
func (s *stage) files() {
	op.Handle(s.table, api.Read,
		func(_ context.Context, who authz.Principal, p *api.ReadParams) (authz.Need[schema.ReadFile], error) {
			return fileNeed(who, p.Path).Read(), nil
		},
		func(_ context.Context, _ authz.Principal, p *api.ReadParams, g schema.ReadFile) (api.ReadResult, error) {
			if _, err := g.Use(); err != nil {
				return api.ReadResult{}, err
			}
			if p.Path != sample.Path {
				return api.ReadResult{}, missing(p.Path)
			}
			return api.ReadResult{Content: []byte("hello"), WithMetadata: p.Metadata, Meta: sample}, nil
		})
	op.Handle(s.table, api.Write,
		func(_ context.Context, who authz.Principal, p *api.WriteParams) (authz.Need[schema.WriteFile], error) {
			return fileNeed(who, p.Path).Write(), nil
		},
		func(_ context.Context, _ authz.Principal, p *api.WriteParams, _ schema.WriteFile) (api.WriteResult, error) {
			if p.IfMatch != "" && p.IfMatch != sample.Etag {
				return api.WriteResult{}, errs.New(errs.Conflict, "the file has changed").Marked(errs.EtagMismatch).
					With("path", p.Path).With("expected_etag", p.IfMatch).With("current_etag", sample.Etag)
			}
			return api.WriteResult{Etag: string(p.Content), Version: 4, Size: int64(len(p.Content)), Modified: sample.Modified}, nil
		})
	op.Handle(s.table, api.FileExists, readNeed,
		func(_ context.Context, _ authz.Principal, p *api.PathParams, _ schema.ReadFile) (api.Exists, error) {
			return api.Exists{Exists: p.Path == sample.Path}, nil
		})
	op.Handle(s.table, api.GetMetadata, readNeed,
		func(_ context.Context, _ authz.Principal, p *api.PathParams, _ schema.ReadFile) (*api.Metadata, error) {
			if p.Path != sample.Path {
				return nil, nil
			}
			m := sample
			return &m, nil
		})
	op.Handle(s.table, api.List, tenantNeed,
		func(_ context.Context, _ authz.Principal, p *api.ListParams, _ schema.AccessTenant) (api.ListResult, error) {
			r := api.ListResult{Details: p.Details, Paged: p.Paged(), Complete: p.Paged() && p.Cursor != ""}
			if p.Path == "/docs" && p.Cursor == "" {
				r.Entries, r.Next = []api.Metadata{sample, folder}, "more"
			}
			return r, nil
		})
	op.Handle(s.table, api.Check, tenantNeed,
		func(_ context.Context, _ authz.Principal, p *api.AskParams, _ schema.AccessTenant) (api.Allowed, error) {
			return api.Allowed{Allowed: p.Permission == "read"}, nil
		})
	op.Handle(s.table, api.Expand, tenantNeed,
		func(context.Context, authz.Principal, *api.ExpandParams, schema.AccessTenant) (api.Subjects, error) {
			return api.Subjects{Subjects: []api.Ref{{"user", "alice"}, {"group", "eng", "member"}}}, nil
		})
	op.Handle(s.table, api.Unrelate, tenantNeed,
		func(_ context.Context, _ authz.Principal, p *api.UnrelateParams, _ schema.AccessTenant) (bool, error) {
			return p.ID == "t1", nil
		})
	op.Handle(s.table, api.Whoami, tenantNeed,
		func(_ context.Context, who authz.Principal, _ *api.Nothing, _ schema.AccessTenant) (api.WhoamiResult, error) {
			return api.WhoamiResult{Authenticated: true, SubjectType: who.Base.Type, SubjectID: schema.NameOf(who.Base), Tenant: who.Tenant, User: "alice"}, nil
		})
	op.Handle(s.table, api.Health, publicNeed,
		func(context.Context, authz.Principal, *api.Nothing, authz.None) (api.HealthResult, error) {
			return api.HealthResult{Status: "healthy", Service: "nexus-rpc"}, nil
		})
}

func contract[P, R any](method string) *op.Contract[P, R] {
	return &op.Contract[P, R]{Decl: op.Decl{Name: "test." + method, Method: method, Access: op.Reads, Summary: "For the test."}}
}

// failParams choose the error of method fail.
type failParams struct {
	How string `json:"how"`
}

var failures = map[string]func() error{
	"refusal": func() error {
		return authz.Refusal("test.fail", []authz.Named{{Name: "/secret"}}).Because(errs.New(errs.Internal, "no relation"))
	},
	"refused miss": func() error {
		return authz.Refusal("test.fail", []authz.Named{{Name: "/secret"}}).Marked(errs.PolicyRefused).With("path", "/secret")
	},
	"foreign": func() error { return io.ErrUnexpectedEOF },
	"unavailable": func() error {
		return errs.New(errs.Unavailable, "the decision could not be made").Because(io.ErrClosedPipe)
	},
	"exists":     func() error { return errs.New(errs.Exists, "there is one").Marked(errs.FileExists).With("path", "/a") },
	"validation": func() error { return errs.New(errs.Invalid, "a rule is broken").Marked(errs.NotValid) },
	"quota":      func() error { return errs.New(errs.Exhausted, "too much") },
	"path":       func() error { return errs.New(errs.Invalid, "path is odd").Marked(errs.InvalidPath) },
}

// oddities handles operations that go wrong, or answer oddly.
func (s *stage) oddities() {
	op.Handle(s.table, contract[failParams, api.Success]("fail"), tenantNeed,
		func(_ context.Context, _ authz.Principal, p *failParams, _ schema.AccessTenant) (api.Success, error) {
			if p.How == "panic" {
				panic("the roof is on fire")
			}
			return api.Success{}, failures[p.How]()
		})
	op.Handle(s.table, contract[api.Nothing, []api.Tuple]("nothing"), tenantNeed,
		func(context.Context, authz.Principal, *api.Nothing, schema.AccessTenant) ([]api.Tuple, error) {
			return nil, nil
		})
	op.Handle(s.table, contract[api.Nothing, *api.Success]("null"), tenantNeed,
		func(context.Context, authz.Principal, *api.Nothing, schema.AccessTenant) (*api.Success, error) {
			return nil, nil
		})
	op.Handle(s.table, contract[api.Nothing, chan int]("unsayable"), tenantNeed,
		func(context.Context, authz.Principal, *api.Nothing, schema.AccessTenant) (chan int, error) {
			return nil, nil
		})
	op.Handle(s.table, contract[api.Nothing, api.Success]("wait"), tenantNeed,
		func(ctx context.Context, _ authz.Principal, _ *api.Nothing, _ schema.AccessTenant) (api.Success, error) {
			<-ctx.Done()
			return api.Success{}, ctx.Err()
		})
	op.Handle(s.table, contract[echoParams, string]("echo"), tenantNeed,
		func(_ context.Context, _ authz.Principal, p *echoParams, _ schema.AccessTenant) (string, error) {
			return p.Text, nil
		})
}

type echoParams struct {
	Text string `json:"text"`
}

// post sends body to path, with alice's key, and headers given as name, value, name, value.
func (s *stage) post(path, body string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
	r.RemoteAddr = "192.0.2.7:4711"
	r.Header.Set("Authorization", "Bearer alice-key")
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
		if headers[i+1] == "" {
			r.Header.Del(headers[i])
		}
	}
	return s.send(r)
}

func (s *stage) send(r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, r)
	return w
}

// call posts a request of method and returns the whole answer.
func (s *stage) call(t testing.TB, method, params string, headers ...string) string {
	t.Helper()
	return s.callAs(t, "1", method, params, headers...)
}

func (s *stage) callAs(t testing.TB, id, method, params string, headers ...string) string {
	t.Helper()
	w := s.post("/api/nfs/"+method, `{"jsonrpc":"2.0","id":`+id+`,"method":"`+method+`","params":`+params+`}`, headers...)
	if w.Code != http.StatusOK {
		t.Fatalf("%s: status %d, want 200", method, w.Code)
	}
	return w.Body.String()
}

// answer is a decoded answer.
type answer struct {
	Version string          `json:"jsonrpc"`
	ID      json.RawMessage `json:"id"`
	Result  json.RawMessage `json:"result"`
	Error   *struct {
		Code    int               `json:"code"`
		Message string            `json:"message"`
		Data    map[string]string `json:"data"`
	} `json:"error"`
}

func decode(t testing.TB, body string) answer {
	t.Helper()
	var a answer
	if err := json.Unmarshal([]byte(body), &a); err != nil || a.Version != "2.0" || (a.Result == nil) == (a.Error == nil) {
		t.Fatalf("%s is no JSON-RPC answer: %v", body, err)
	}
	return a
}

func gunzip(t testing.TB, body []byte) string {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
