package client_test

import (
	"context"
	"crypto/sha256"
	"log/slog"
	"net/http/httptest"
	"testing"
	"time"

	"go.uber.org/goleak"

	"nexus/apiserver"
	"nexus/apiserver/api"
	"nexus/apiserver/authn"
	"nexus/apiserver/op"
	"nexus/apiserver/rpc"
	"nexus/authzsvc/authz"
	"nexus/authzsvc/gatetest"
	"nexus/internal/errs"
	"nexus/schema"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

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

var (
	noon   = api.Time{Time: time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)}
	sample = api.Metadata{Path: "/docs/a.txt", Size: 5, Etag: "e1", Version: 3, ContentType: "text/plain", Tenant: "acme", Created: noon, Modified: noon}
	line   = api.GrepMatch{File: "/a", Line: 2, Content: "a needle", Match: "needle"}
	folder = api.Metadata{Path: "/docs/sub", IsDirectory: true, Tenant: "acme", Created: noon, Modified: noon}
)

// fixture is a whole server over operations made for the test. Examples have no testing.TB: theirs is one that fails by panic.
type fixture struct{ *httptest.Server }

type example struct{ testing.TB }

func (example) Helper() {}

func newFixture(t testing.TB) fixture {
	gate, _ := gatetest.AllowAll(t)
	table := op.NewTable(gate)
	handle(table)
	guard, err := authn.New(authn.Config{Credentials: directory{}})
	if err != nil {
		panic(err)
	}
	log := slog.New(slog.DiscardHandler)
	face, err := rpc.New(rpc.Config{Table: table, Guard: guard, Log: log})
	if err != nil {
		panic(err)
	}
	server, err := apiserver.New(apiserver.Config{Faces: []apiserver.Face{face}, Log: log})
	if err != nil {
		panic(err)
	}
	return fixture{httptest.NewServer(server)}
}

func access[P any](_ context.Context, who authz.Principal, _ *P) (authz.Need[schema.AccessTenant], error) {
	return schema.Home(who).Access(), nil
}

// answer makes a deed that looks at the parameters alone.
func answer[P, R any](f func(p *P) (R, error)) func(context.Context, authz.Principal, *P, schema.AccessTenant) (R, error) {
	return func(_ context.Context, _ authz.Principal, p *P, _ schema.AccessTenant) (R, error) { return f(p) }
}

func handle(t *op.Table) {
	op.Handle(t, api.Read, access, answer(func(p *api.ReadParams) (api.ReadResult, error) {
		if p.Path != sample.Path {
			return api.ReadResult{}, errs.New(errs.NotFound, "no file %q", p.Path).Marked(errs.FileNotFound).With("path", p.Path)
		}
		return api.ReadResult{Content: []byte("hello"), WithMetadata: p.Metadata, Meta: sample}, nil
	}))
	op.Handle(t, api.Write, access, answer(func(p *api.WriteParams) (api.WriteResult, error) {
		if p.IfMatch == "old" {
			return api.WriteResult{}, errs.New(errs.Conflict, "the file has changed").Marked(errs.EtagMismatch).With("current_etag", "e1")
		}
		return api.WriteResult{Etag: string(p.Content), Version: 4, Size: int64(len(p.Content)), Modified: noon}, nil
	}))
	op.Handle(t, api.FileExists, access, answer(func(p *api.PathParams) (api.Exists, error) {
		return api.Exists{Exists: p.Path == sample.Path}, nil
	}))
	op.Handle(t, api.GetMetadata, access, answer(func(p *api.PathParams) (*api.Metadata, error) {
		if p.Path != sample.Path {
			return nil, nil
		}
		m := sample
		return &m, nil
	}))
	op.Handle(t, api.Glob, access, answer(func(p *api.GlobParams) (api.GlobResult, error) {
		if p.Paged() {
			return api.GlobResult{Paged: true, Matches: []string{"/a"}, NextCursor: "c"}, nil
		}
		return api.GlobResult{Matches: []string{"/a"}, Complete: true}, nil
	}))
	op.Handle(t, api.Grep, access, answer(func(p *api.GrepParams) (api.GrepResult, error) {
		r := api.GrepResult{Paged: p.Paged, Results: []api.GrepMatch{line}}
		if p.MaxResults == 1 {
			r.Truncated, r.Reason, r.NextCursor = true, "max_results", "c"
		}
		return r, nil
	}))
	op.Handle(t, api.List, access, answer(func(p *api.ListParams) (api.ListResult, error) {
		r := api.ListResult{Details: p.Details, Paged: p.Paged(), Complete: true}
		switch {
		case p.Path == "/endless": // pages without a way on
			r.Complete = false
		case p.Path == "/docs" && p.Limit == 1 && p.Cursor == "":
			r.Entries, r.Next, r.Complete = []api.Metadata{sample}, "empty", false
		case p.Cursor == "empty": // a page may hold nothing
			r.Next, r.Complete = "last", false
		case p.Cursor == "last":
			r.Entries = []api.Metadata{folder}
		case p.Path == "/docs" || p.Recursive:
			r.Entries = []api.Metadata{sample, folder}
		}
		return r, nil
	}))
	op.Handle(t, api.Check, access, answer(func(p *api.AskParams) (api.Allowed, error) {
		return api.Allowed{Allowed: p.Permission == "read"}, nil
	}))
	op.Handle(t, api.Expand, access, answer(func(*api.ExpandParams) (api.Subjects, error) {
		return api.Subjects{Subjects: []api.Ref{{"user", "alice"}, {"group", "eng", "member"}}}, nil
	}))
	op.Handle(t, api.Relate, access, answer(func(*api.RelateParams) (api.TupleID, error) { return "t1", nil }))
	op.Handle(t, api.Unrelate, access, answer(func(p *api.UnrelateParams) (bool, error) { return p.ID == "t1", nil }))
	op.Handle(t, api.Whoami, access, answer(func(*api.Nothing) (api.WhoamiResult, error) {
		return api.WhoamiResult{Authenticated: true, SubjectType: "user", SubjectID: "alice", Tenant: "acme", User: "alice"}, nil
	}))
	op.Handle(t, failing, access, answer(func(p *failParams) (api.Success, error) {
		return api.Success{}, &errs.Error{Kind: errs.Kind(p.Kind), Reason: errs.Reason(p.Reason), Text: "it failed"}
	}))
	op.Handle(t, waiting, access,
		func(ctx context.Context, _ authz.Principal, _ *api.Nothing, _ schema.AccessTenant) (api.Success, error) {
			<-ctx.Done()
			return api.Success{}, ctx.Err()
		})
}

type failParams struct {
	Kind   int    `json:"kind"`
	Reason string `json:"reason"`
}

var (
	failing = contract[failParams, api.Success]("fail")
	waiting = contract[api.Nothing, api.Success]("wait")
)

func contract[P, R any](method string) *op.Contract[P, R] {
	return &op.Contract[P, R]{Decl: op.Decl{Name: "test." + method, Method: method, Access: op.Reads, Summary: "For the test."}}
}
