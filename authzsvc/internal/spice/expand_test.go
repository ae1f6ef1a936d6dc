package spice_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"

	"nexus/authzsvc/authz"
	"nexus/authzsvc/explain"
	"nexus/authzsvc/internal/spice"
	"nexus/authzsvc/internal/spice/spicetest"
	"nexus/authzsvc/internal/sqlds"
	"nexus/internal/errs"
)

func TestExpandFindsEverybodyOfAPermission(t *testing.T) {
	f := open(t)
	at := f.Touch(
		"file:acme/doc#parent@file:acme/dir",
		"file:acme/dir#direct_owner@tenant:acme#administer",
		"file:acme/dir#direct_viewer@group:acme/eng#member",
		"file:acme/dir#direct_viewer@user:acme/alice", // twice: also in the group
		"group:acme/eng#member@group:acme/net#member",
		"group:acme/net#member@user:acme/alice",
		"group:acme/net#member@agent:acme/bot",
		"file:acme/doc#direct_editor@user:acme/bob",
		"tenant:acme#admin@user:acme/root",
		"tenant:acme#platform@platform:nexus",
		"platform:nexus#admin@key:K1",
		"file:acme/other#direct_viewer@user:acme/nobody",
	)
	got, err := f.Expand(t.Context(), at, file("doc"), "read")
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"agent:acme/bot", "group:acme/eng#member", "group:acme/net#member", "key:K1",
		"tenant:acme#administer", "user:acme/alice", "user:acme/bob", "user:acme/root",
	}
	if texts := texts(got); !slices.Equal(texts, want) {
		t.Errorf("Expand(doc, read)\n got %v\nwant %v", texts, want)
	}
	relation, err := f.Expand(t.Context(), at, file("dir"), "direct_viewer")
	if err != nil {
		t.Fatal(err)
	}
	if texts, want := texts(relation), []string{"agent:acme/bot", "group:acme/eng#member", "group:acme/net#member", "user:acme/alice"}; !slices.Equal(texts, want) {
		t.Errorf("Expand(dir, direct_viewer)\n got %v\nwant %v", texts, want)
	}
}

func texts(list []explain.Subject) []string {
	var out []string
	for _, s := range list {
		out = append(out, s.String())
	}
	return out
}

// What Expand lists and what Check allows must be the same people, whatever the relationships.
func TestExpandAgreesWithCheck(t *testing.T) {
	f := open(t)
	var written []string
	for i := range 40 {
		written = append(written,
			fmt.Sprintf("file:acme/f%d#parent@file:acme/f%d", i, 40+i/4),
			fmt.Sprintf("file:acme/f%d#%s@user:acme/u%d", i*13%50, []string{"direct_viewer", "direct_editor", "direct_owner"}[i%3], i*7%20),
			fmt.Sprintf("file:acme/f%d#direct_viewer@group:acme/g%d#member", i*11%50, i%8),
			fmt.Sprintf("group:acme/g%d#member@user:acme/u%d", i%8, i*3%20),
		)
	}
	for i := range 7 {
		written = append(written, fmt.Sprintf("group:acme/g%d#member@group:acme/g%d#member", i, i+1))
	}
	at := f.Touch(written...)
	for i := range 50 {
		for _, permission := range []string{"read", "write", "share", "delete", "direct_viewer"} {
			listed := map[authz.Ref]bool{}
			subjects, err := f.Expand(t.Context(), at, file(fmt.Sprint("f", i)), permission)
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range subjects {
				if s.Type == "user" {
					listed[s.Ref] = true
				}
			}
			allowed := map[authz.Ref]bool{}
			for u := range 20 {
				who := user(fmt.Sprint("u", u))
				if f.HoldsAt(at, who, may(permission, file(fmt.Sprint("f", i)))).Allowed {
					allowed[who] = true
				}
			}
			if !maps.Equal(listed, allowed) {
				t.Fatalf("f%d %s: listed %v, allowed %v", i, permission, listed, allowed)
			}
		}
	}
}

func TestPagesOfAnExpansionJoin(t *testing.T) {
	var list []explain.Subject
	for i := range 23 {
		list = append(list, explain.Subject{Ref: user(fmt.Sprintf("u%02d", i))})
	}
	for size := 1; size < 25; size++ {
		var joined []explain.Subject
		var after explain.Subject
		for more := true; more; {
			var page []explain.Subject
			page, more = spice.Page(list, after, size)
			if len(page) == 0 {
				break
			}
			joined, after = append(joined, page...), page[len(page)-1]
		}
		if !slices.Equal(joined, list) {
			t.Fatalf("pages of %d join to %v", size, texts(joined))
		}
	}
	gone := explain.Subject{Ref: user("u05x")} // no longer in the list
	if page, _ := spice.Page(list, gone, 1); page[0] != list[6] {
		t.Errorf("behind a subject that is gone: %v", page)
	}
}

func TestLookupPagesJoin(t *testing.T) {
	f := open(t)
	written := []string{"file:acme/dir#direct_viewer@user:acme/alice"}
	want := []string{"acme/dir"}
	for i := range 37 {
		written = append(written, fmt.Sprintf("file:acme/f%d#parent@file:acme/dir", i))
		want = append(want, fmt.Sprint("acme/f", i))
	}
	at := f.Touch(written...)
	f.Delete("file:acme/dir#direct_viewer@user:acme/alice") // pages are of the revision, not of now
	slices.Sort(want)
	for _, size := range []int{1, 7, 38, 1000} {
		var joined []string
		for cursor, pages := "", 0; ; pages++ {
			found, err := f.Lookup(t.Context(), at, alice, "file", "read", cursor, size)
			if err != nil {
				t.Fatal(err)
			}
			joined = append(joined, found.IDs...)
			if cursor = found.Next; cursor == "" {
				break
			}
			if pages > 100 {
				t.Fatal("the lookup does not end")
			}
		}
		slices.Sort(joined)
		if joined = slices.Compact(joined); !slices.Equal(joined, want) {
			t.Errorf("pages of %d join to %v", size, joined)
		}
	}
}

func TestListsTooDeepGiveNothing(t *testing.T) {
	f := openUnchecked(t, spice.Options{})
	chain := []string{fmt.Sprintf("file:acme/deep%d#direct_viewer@user:acme/alice", spice.MaxDepth+20)}
	for i := range spice.MaxDepth + 20 {
		chain = append(chain, fmt.Sprintf("file:acme/deep%d#parent@file:acme/deep%d", i, i+1))
	}
	at := f.Touch(chain...)
	if list, err := f.Expand(t.Context(), at, file("deep0"), "read"); !errors.Is(err, errs.Unavailable) {
		t.Errorf("Expand = %v, %v, want unavailable", list, err)
	}
	if found, err := f.Lookup(t.Context(), at, alice, "file", "read", "", 1000); !errors.Is(err, errs.Unavailable) {
		t.Errorf("Lookup = %d ids, %v, want unavailable", len(found.IDs), err)
	}
}

func TestListsOfUnknownWordsRefused(t *testing.T) {
	f := spicetest.Open(t, spicetest.NewDurable(t, sqlds.Options{}), "definition user {}", spice.Options{})
	if _, err := f.Expand(t.Context(), f.Now(), file("a"), "read"); !errors.Is(err, errs.Invalid) {
		t.Errorf("Expand = %v, want invalid", err)
	}
	if _, err := f.Lookup(t.Context(), f.Now(), alice, "file", "read", "", 10); !errors.Is(err, errs.Invalid) {
		t.Errorf("Lookup = %v, want invalid", err)
	}
}
