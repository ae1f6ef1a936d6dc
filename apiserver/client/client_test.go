package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	"nexus/apiserver/api"
	"nexus/apiserver/client"
	"nexus/apiserver/op"
	"nexus/internal/errs"
)

func connect(t *testing.T, key string) *client.Client {
	t.Helper()
	f := newFixture(t)
	t.Cleanup(f.Close)
	c, err := client.New(f.URL+"/", key)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// same calls an operation, alone and in a batch, and compares both results with want.
func same[P, R any](t *testing.T, c *client.Client, contract *op.Contract[P, R], params P, want R) {
	t.Helper()
	got, err := client.Call(t.Context(), c, contract, params)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%s(%+v) = %+v, %v, want %+v", contract.Name, params, got, err, want)
	}
	b := c.Batch()
	p := client.Add(b, contract, params)
	if err := b.Do(t.Context()); err != nil {
		t.Errorf("%s in a batch: %v", contract.Name, err)
	}
	if got, err := p.Result(); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%s(%+v) in a batch = %+v, %v, want %+v", contract.Name, params, got, err, want)
	}
}

func TestResultsArriveAsTheOperationReturnedThem(t *testing.T) {
	c := connect(t, "alice-key")
	path, none := api.PathParams{Path: sample.Path}, api.PathParams{Path: "/none"}
	file := api.Ref{"file", "/docs/a.txt"}
	same(t, c, api.Read, api.ReadParams{PathParams: path}, api.ReadResult{Content: []byte("hello")})
	same(t, c, api.Read, api.ReadParams{PathParams: path, Metadata: true}, api.ReadResult{Content: []byte("hello"), WithMetadata: true, Meta: sample})
	same(t, c, api.Write, api.WriteParams{PathParams: path, Content: api.Bytes("\x00\xff")}, api.WriteResult{Etag: "\x00\ufffd", Version: 4, Size: 2, Modified: noon})
	same(t, c, api.Write, api.WriteParams{PathParams: path, Content: api.Bytes{}}, api.WriteResult{Version: 4, Modified: noon})
	same(t, c, api.FileExists, path, api.Exists{Exists: true})
	same(t, c, api.FileExists, none, api.Exists{})
	same(t, c, api.GetMetadata, path, &sample)
	same(t, c, api.GetMetadata, none, nil)
	same(t, c, api.Glob, api.GlobParams{Pattern: "*"}, api.GlobResult{Matches: []string{"/a"}, Complete: true})
	same(t, c, api.Glob, api.GlobParams{Pattern: "*", Limit: 1}, api.GlobResult{Paged: true, Matches: []string{"/a"}, NextCursor: "c"})
	same(t, c, api.Grep, api.GrepParams{Pattern: "x", MaxResults: 9}, api.GrepResult{Results: []api.GrepMatch{line}})
	same(t, c, api.Grep, api.GrepParams{Pattern: "x", MaxResults: 1}, api.GrepResult{Results: []api.GrepMatch{line}, Truncated: true})
	same(t, c, api.Grep, api.GrepParams{Pattern: "x", MaxResults: 1, Paged: true},
		api.GrepResult{Paged: true, Results: []api.GrepMatch{line}, Truncated: true, Reason: "max_results", NextCursor: "c"})
	same(t, c, api.List, api.ListParams{Path: "/docs", Details: true}, api.ListResult{Details: true, Complete: true, Entries: []api.Metadata{sample, folder}})
	same(t, c, api.List, api.ListParams{Path: "/docs"}, api.ListResult{Complete: true, Entries: []api.Metadata{{Path: "/docs/a.txt"}, {Path: "/docs/sub", IsDirectory: true}}})
	same(t, c, api.List, api.ListParams{Path: "/none"}, api.ListResult{Complete: true, Entries: []api.Metadata{}})
	same(t, c, api.Check, api.AskParams{Subject: api.Ref{"user", "bob"}, Permission: "read", Object: file}, api.Allowed{Allowed: true})
	same(t, c, api.Check, api.AskParams{Subject: api.Ref{"user", "bob"}, Permission: "write", Object: file}, api.Allowed{})
	same(t, c, api.Expand, api.ExpandParams{Permission: "read", Object: file}, api.Subjects{Subjects: []api.Ref{{"user", "alice"}, {"group", "eng", "member"}}})
	same(t, c, api.Relate, api.RelateParams{Subject: api.Ref{"user", "bob"}, Relation: "direct_viewer", Object: file}, "t1")
	same(t, c, api.Unrelate, api.UnrelateParams{ID: "t1"}, true)
}

func TestPlainRouteIsCalledByItsContract(t *testing.T) {
	who, err := client.Call(t.Context(), connect(t, "alice-key"), api.Whoami, api.Nothing{})
	if err != nil || who.SubjectID != "alice" || !who.Authenticated {
		t.Errorf("whoami = %+v, %v", who, err)
	}
	_, err = client.Call(t.Context(), connect(t, ""), api.Whoami, api.Nothing{})
	if !errors.Is(err, errs.Unauthenticated) || errs.Public(err) != "authentication required" {
		t.Errorf("whoami without a key = %v, want unauthenticated", err)
	}
}

func TestDefaultsAreThoseOfTheOperation(t *testing.T) {
	if p := client.Defaults(api.List); !p.Recursive || p.Path != "/" {
		t.Errorf("defaults of list = %+v, want recursive from /", p)
	}
	if p := client.Defaults(api.GetMetadata); p != (api.PathParams{}) {
		t.Errorf("defaults of get_metadata = %+v, want none", p)
	}
}

func TestErrorsComeBackWithTheirKind(t *testing.T) {
	c := connect(t, "alice-key")
	for _, kind := range errs.Kinds() {
		_, err := client.Call(t.Context(), c, failing, failParams{Kind: int(kind)})
		if !errors.Is(err, kind) {
			t.Errorf("an error of kind %s came back as %v", kind, err)
		}
	}
	for _, reason := range []errs.Reason{errs.InvalidPath, errs.NotValid, errs.BodyTooLarge, errs.InvalidRequest, errs.ParseFailed} {
		_, err := client.Call(t.Context(), c, failing, failParams{Kind: int(errs.Invalid), Reason: string(reason)})
		if e := errs.From(err); e == nil || e.Kind != errs.Invalid || e.Reason != reason || e.Text != "it failed" {
			t.Errorf("reason %s came back as %+v", reason, e)
		}
	}
	_, err := client.Call(t.Context(), c, api.Write, api.WriteParams{PathParams: api.PathParams{Path: "/a"}, Content: api.Bytes{}, IfMatch: "old"})
	if e := errs.From(err); e == nil || e.Kind != errs.Conflict || e.Reason != errs.EtagMismatch || e.Fields["current_etag"] != "e1" {
		t.Errorf("a conflict came back as %+v", e)
	}
	_, err = c.Raw(t.Context(), "open/../../health", nil)
	if e := errs.From(err); e == nil || e.Kind != errs.Invalid || e.Reason != errs.InvalidRequest {
		t.Errorf("a method with slashes came back as %+v", e)
	}
	_, err = c.Raw(t.Context(), "open", nil)
	if e := errs.From(err); e == nil || e.Kind != errs.Unsupported || e.Reason != errs.MethodNotFound {
		t.Errorf("an unknown method came back as %+v", e)
	}
	_, err = client.Call(t.Context(), connect(t, "no-such-key"), api.FileExists, api.PathParams{Path: "/a"})
	if !errors.Is(err, errs.Unauthenticated) {
		t.Errorf("a wrong key came back as %v", err)
	}
}

func TestRawResultIsWhatTravelled(t *testing.T) {
	raw, err := connect(t, "alice-key").Raw(t.Context(), "list", map[string]any{"path": "/docs", "recursive": false})
	if err != nil || string(raw) != `["/docs/a.txt","/docs/sub/"]` {
		t.Errorf("list = %s, %v", raw, err)
	}
}

func TestCallEndsWithItsContext(t *testing.T) {
	c := connect(t, "alice-key")
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() {
		_, err := client.Call(ctx, c, waiting, api.Nothing{})
		ended <- err
	}()
	cancel()
	if err := <-ended; !errors.Is(err, errs.Canceled) {
		t.Errorf("a cancelled call = %v, want canceled", err)
	}
}

func TestServerThatIsNotThereIsUnavailable(t *testing.T) {
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	c, err := client.New(gone.URL, "alice-key")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Call(t.Context(), c, api.FileExists, api.PathParams{Path: "/a"}); !errors.Is(err, errs.Unavailable) {
		t.Errorf("a call to nobody = %v, want unavailable", err)
	}
}

func TestAnswersOfSomethingElseAreErrors(t *testing.T) {
	for name, c := range map[string]struct {
		status int
		body   string
		want   errs.Kind
	}{
		"a page":               {200, `<html>`, errs.Unavailable},
		"another id":           {200, `{"jsonrpc":"2.0","id":99,"result":true}`, errs.Unavailable},
		"no id":                {200, `{"jsonrpc":"2.0","result":true}`, errs.Unavailable},
		"another type":         {200, `{"jsonrpc":"2.0","id":1,"result":"yes"}`, errs.Unavailable},
		"error without id":     {200, `{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"no"}}`, errs.Invalid},
		"data of another form": {200, `{"jsonrpc":"2.0","id":1,"error":{"code":-32004,"message":"no","data":[1]}}`, errs.Denied},
		"an unknown code":      {200, `{"jsonrpc":"2.0","id":1,"error":{"code":-1,"message":"no"}}`, errs.Internal},
		"a proxy's refusal":    {403, `Forbidden`, errs.Denied},
		"a proxy's overload":   {502, `Bad Gateway`, errs.Unavailable},
		"a redirect":           {307, ``, errs.Unavailable},
		"overload":             {503, `{"error":"unavailable","message":"too many requests at once"}`, errs.Unavailable},
		"rate":                 {429, `{"error":"exhausted","message":"too many requests"}`, errs.Exhausted},
	} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(c.status)
			_, _ = w.Write([]byte(c.body))
		}))
		cl, err := client.New(s.URL, "")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := client.Call(t.Context(), cl, api.FileExists, api.PathParams{Path: "/a"}); !errors.Is(err, c.want) {
			t.Errorf("%s = %v, want kind %s", name, err, c.want)
		}
		cl.Close()
		s.Close()
	}
}

func TestBatchGivesEachCallItsOwnResult(t *testing.T) {
	c := connect(t, "alice-key")
	b := c.Batch()
	var all []*client.Pending[api.Exists]
	for i := range 200 {
		path := sample.Path
		if i%2 == 1 {
			path = fmt.Sprint("/none/", i)
		}
		all = append(all, client.Add(b, api.FileExists, api.PathParams{Path: path}))
	}
	bad := client.Add(b, api.Read, api.ReadParams{PathParams: api.PathParams{Path: "/none"}})
	if _, err := all[0].Result(); !errors.Is(err, errs.Precondition) {
		t.Errorf("a result before Do = %v, want a precondition error", err)
	}
	if err := b.Do(t.Context()); err != nil {
		t.Fatal(err)
	}
	for i, p := range all {
		if r, err := p.Result(); err != nil || r.Exists != (i%2 == 0) {
			t.Errorf("call %d = %+v, %v", i, r, err)
		}
	}
	if _, err := bad.Result(); !errors.Is(err, errs.NotFound) {
		t.Errorf("the bad call = %v, want not found", err)
	}
	if err := b.Do(t.Context()); !errors.Is(err, errs.Precondition) {
		t.Errorf("a second Do = %v, want a precondition error", err)
	}
	if r, err := all[0].Result(); err != nil || !r.Exists {
		t.Errorf("a result after the second Do = %+v, %v, want it as it was", r, err)
	}
}

func TestBatchThatCannotBeSentFailsEachCall(t *testing.T) {
	c := connect(t, "alice-key")
	if err := c.Batch().Do(t.Context()); err != nil {
		t.Errorf("an empty batch = %v, want nil", err)
	}
	b := c.Batch()
	var last *client.Pending[api.Exists]
	for range client.MaxBatch + 1 {
		last = client.Add(b, api.FileExists, api.PathParams{Path: "/a"})
	}
	if err := b.Do(t.Context()); !errors.Is(err, errs.Invalid) {
		t.Errorf("a batch that is too long = %v, want invalid", err)
	}
	if _, err := last.Result(); !errors.Is(err, errs.Invalid) {
		t.Errorf("a call of it = %v, want invalid", err)
	}
	if _, err := client.Add(c.Batch(), api.Whoami, api.Nothing{}).Result(); !errors.Is(err, errs.Unsupported) {
		t.Errorf("a plain route in a batch = %v, want unsupported", err)
	}
}

func TestHeadersAreSentWithEachRequest(t *testing.T) {
	f := newFixture(t)
	defer f.Close()
	c, err := client.New(f.URL, "alice-key", client.WithHeader("X-Nexus-Subject", "user:bob"), client.WithHTTP(f.Client()))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Call(t.Context(), c, api.FileExists, api.PathParams{Path: "/a"}); !errors.Is(err, errs.Unauthenticated) {
		t.Errorf("a call that names bob = %v, want unauthenticated", err)
	}
}

func TestClientIsMadeFromTheEnvironment(t *testing.T) {
	f := newFixture(t)
	defer f.Close()
	t.Setenv(client.EnvURL, f.URL)
	t.Setenv(client.EnvKey, "alice-key")
	c, err := client.FromEnv()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if r, err := client.Call(t.Context(), c, api.FileExists, api.PathParams{Path: sample.Path}); err != nil || !r.Exists {
		t.Errorf("exists = %+v, %v", r, err)
	}
	for _, address := range []string{"localhost:8765", "ftp://host", "http://", "http://host?x=1", "::"} {
		t.Setenv(client.EnvURL, address)
		if _, err := client.FromEnv(); !errors.Is(err, errs.Invalid) {
			t.Errorf("address %q = %v, want invalid", address, err)
		}
	}
}

func TestPrintingAClientDoesNotPrintItsKey(t *testing.T) {
	c, err := client.New("http://localhost:1", "nxk_live_secret")
	if err != nil {
		t.Fatal(err)
	}
	for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
		if text := fmt.Sprintf(format, c); strings.Contains(text, "secret") {
			t.Errorf("%s prints %s", format, text)
		}
	}
}

func TestParametersThatCannotBeEncodedAreInvalid(t *testing.T) {
	if _, err := connect(t, "alice-key").Raw(t.Context(), "exists", map[string]any{"path": func() {}}); !errors.Is(err, errs.Invalid) {
		t.Errorf("a function as parameter = %v, want invalid", err)
	}
	var syntax *json.SyntaxError
	_, err := connect(t, "alice-key").Raw(t.Context(), "exists", json.RawMessage(`{`))
	if !errors.Is(err, errs.Invalid) || !errors.As(err, &syntax) {
		t.Errorf("broken JSON as parameters = %v, want invalid because of the syntax", err)
	}
}
