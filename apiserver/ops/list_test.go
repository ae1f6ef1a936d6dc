package ops_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"

	"nexus/apiserver/api"
	"nexus/authzsvc/authz"
	"nexus/authzsvc/gatetest"
	"nexus/internal/errs"
	"nexus/storage"
)

// lister asks for lists in a store with some files.
type lister struct {
	*testing.T
	list func(who authz.Principal, p api.ListParams) (api.ListResult, error)
	who  authz.Principal
}

func newLister(t *testing.T) lister {
	t.Helper()
	k := newKit(t)
	k.fixture(t)
	gate, _ := gatetest.AllowAll(t)
	table := k.table(t, gate)
	for i := range 7 {
		raw := fmt.Sprintf(`{"path":"/sample/é/%d","content":{"__type__":"bytes","data":""}}`, i)
		if _, err := table.Method("write").Invoke(context.Background(), k.owner, json.RawMessage(raw)); err != nil {
			t.Fatal(err)
		}
	}
	return lister{t, func(who authz.Principal, p api.ListParams) (api.ListResult, error) {
		raw, err := json.Marshal(p)
		if err != nil {
			return api.ListResult{}, err
		}
		r, err := table.Method("list").Invoke(context.Background(), who, raw)
		if err != nil {
			return api.ListResult{}, err
		}
		return r.(api.ListResult), nil
	}, k.owner}
}

func (l lister) must(p api.ListParams) api.ListResult {
	l.Helper()
	r, err := l.list(l.who, p)
	if err != nil {
		l.Fatalf("%+v: %v", p, err)
	}
	return r
}

func names(r api.ListResult) (all []string) {
	for _, e := range r.Entries {
		all = append(all, e.Path)
	}
	return all
}

func TestPagesTogetherAreTheList(t *testing.T) {
	l := newLister(t)
	for _, p := range []api.ListParams{
		{Path: "/", Recursive: true}, {Path: "/sample", Details: true}, {Path: "/sample/é"},
		{Path: "/", Recursive: true, Prefix: "/sample/e\u0301/"}, // in another form than that of paths
	} {
		whole := l.must(p)
		if whole.Paged || !whole.Complete || whole.Next != "" || len(whole.Entries) == 0 {
			t.Errorf("%+v: %+v, want the whole list", p, whole)
		}
		var all []string
		for page := (api.ListResult{}); !page.Complete; p.Cursor = page.Next {
			p.Limit = 2
			page = l.must(p)
			all = append(all, names(page)...)
			if !page.Paged || len(page.Entries) > 2 || page.Complete != (page.Next == "") {
				t.Fatalf("%+v: a page %+v", p, page)
			}
		}
		if !slices.Equal(all, names(whole)) {
			t.Errorf("%+v: pages give %q, want %q", p, all, names(whole))
		}
	}
}

func TestCursorServesItsQuestionAlone(t *testing.T) {
	l := newLister(t)
	p := api.ListParams{Path: "/sample", Recursive: true, Limit: 2}
	p.Cursor = l.must(p).Next
	other := gatetest.User(storage.DefaultTenant, "other")
	admin := l.who
	admin.Admin = authz.Ref{Type: "key", ID: "k"}
	for name, try := range map[string]func(api.ListParams) (api.ListResult, error){
		"another person": func(p api.ListParams) (api.ListResult, error) { return l.list(other, p) },
		"another right":  func(p api.ListParams) (api.ListResult, error) { return l.list(admin, p) },
		"through an actor": func(p api.ListParams) (api.ListResult, error) {
			return l.list(gatetest.Behind(l.who, other.Base, authz.Mandate{}), p)
		},
		"another folder":    func(p api.ListParams) (api.ListResult, error) { p.Path = "/"; return l.list(l.who, p) },
		"another depth":     func(p api.ListParams) (api.ListResult, error) { p.Recursive = false; return l.list(l.who, p) },
		"another prefix":    func(p api.ListParams) (api.ListResult, error) { p.Prefix = "/sample"; return l.list(l.who, p) },
		"what is no cursor": func(p api.ListParams) (api.ListResult, error) { p.Cursor = "x"; return l.list(l.who, p) },
		"a limit below one": func(p api.ListParams) (api.ListResult, error) { p.Limit = -1; return l.list(l.who, p) },
		"a limit too high": func(p api.ListParams) (api.ListResult, error) {
			p.Limit = api.MaxListLimit + 1
			return l.list(l.who, p)
		},
		"a prefix of no use": func(p api.ListParams) (api.ListResult, error) { p.Prefix = "/a\x00"; return l.list(l.who, p) },
	} {
		if r, err := try(p); !errors.Is(err, errs.Invalid) {
			t.Errorf("%s: %+v, %v, want invalid", name, r, err)
		}
	}
	whole := names(l.must(api.ListParams{Path: "/sample", Recursive: true}))
	p.Limit, p.Details = 0, true // these may change
	if r, err := l.list(l.who, p); err != nil || !r.Complete || !slices.Equal(names(r), whole[2:]) || r.Entries[0].Created.IsZero() {
		t.Errorf("the rest is %+v, %v, want all but two of %q with details", r, err, whole)
	}
}
