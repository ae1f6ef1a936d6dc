package sqlds

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"nexus/authzsvc/authz"
	"nexus/authzsvc/relations"
	"nexus/internal/sqldb"
)

// granting is a store with n files of two owners and a viewer on every third, of which one viewer's right expires.
func granting(t *testing.T, n int) relationReader {
	t.Helper()
	d := openStore(t, Options{Unchecked: true}, sqldb.LiteOptions{})
	var updates []relations.Update
	add := func(id, relation, subject, set string) {
		updates = append(updates, relations.Update{Kind: relations.Touch, Relationship: relations.Relationship{
			Resource: authz.Ref{Type: "file", ID: id}, Relation: relation,
			Subject: authz.Ref{Type: "user", ID: subject}, SubjectRelation: set,
		}})
	}
	for i := range n {
		id := fmt.Sprintf("acme/%04d", i)
		add(id, "direct_owner", "acme/o", "")
		add(id, "direct_owner", "acme/p", "")
		if i%3 == 0 {
			add(id, "direct_viewer", "acme/v", "")
		}
	}
	add("acme/0001", "direct_viewer", "acme/v", "kin")
	err := d.db.Tx(t.Context(), func(ctx context.Context, tx sqldb.Tx) error {
		j, err := d.join(tx)
		if err != nil {
			return err
		}
		changes := make([]change, len(updates))
		for i, u := range updates {
			changes[i] = changeOf(u)
		}
		return j.apply(ctx, changes, nil)
	})
	if err != nil {
		t.Fatal(err)
	}
	return relationReader{d}
}

func TestReadManyReadsWhatReadReads(t *testing.T) {
	r := granting(t, 1500)
	at, err := r.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, count := range []int{1, 3, 64, 65, 1400} {
		var ids []string
		want := map[string]int{}
		for i := range count {
			id := fmt.Sprintf("acme/%04d", (i*7)%1500)
			ids = append(ids, id, id) // a twin is no second answer
			err := r.Read(t.Context(), at, relations.Filter{ResourceType: "file", ResourceID: id}, func(one relations.Relationship) bool {
				if one.Relation == "direct_viewer" {
					want[one.String()] = 1
				}
				return true
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		got := map[string]int{}
		err := r.ReadMany(t.Context(), at, "file", ids, []string{"direct_viewer"}, nil, func(one relations.Relationship) bool {
			got[one.String()]++
			return true
		})
		if err != nil {
			t.Fatal(err)
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("ReadMany of %d gives %d relationships, Read gives %d", count, len(got), len(want))
		}
	}
}

func TestReadManyStopsWhenTold(t *testing.T) {
	r := granting(t, 600)
	at, err := r.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for i := range 600 {
		ids = append(ids, fmt.Sprintf("acme/%04d", i))
	}
	n := 0
	err = r.ReadMany(t.Context(), at, "file", ids, []string{"direct_owner"}, nil, func(relations.Relationship) bool { n++; return n < 5 })
	if err != nil || n != 5 {
		t.Errorf("yield was called %d times, %v; want 5", n, err)
	}
}

func TestReadGrantedTellsSubjectsFromTheirSets(t *testing.T) {
	r := granting(t, 1500)
	at, err := r.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	most := 2000
	read := func(relation, subject, set, first, last string) []string {
		ids, err := r.ReadGranted(t.Context(), at, "file", relation, authz.Ref{Type: "user", ID: subject}, set, first, last, most)
		if err != nil {
			t.Fatal(err)
		}
		return ids
	}
	const all = "\U0010ffff"
	if ids := read("direct_owner", "acme/o", "", "", all); len(ids) != 1500 || !slices.IsSorted(ids) {
		t.Errorf("%d files of the owner, want 1500 in order", len(ids))
	}
	if ids := read("direct_viewer", "acme/v", "", "", all); len(ids) != 500 {
		t.Errorf("%d files of the viewer, want 500", len(ids))
	}
	if ids := read("direct_viewer", "acme/v", "kin", "", all); !slices.Equal(ids, []string{"acme/0001"}) {
		t.Errorf("files of the viewer's kin are %v, want one", ids)
	}
	if ids := read("direct_owner", "acme/o", "", "acme/0010", "acme/0012"); !slices.Equal(ids, []string{"acme/0010", "acme/0011", "acme/0012"}) {
		t.Errorf("files from 10 to 12 are %v", ids)
	}
	most = 2
	if ids := read("direct_owner", "acme/o", "", "acme/0010", "acme/0012"); !slices.Equal(ids, []string{"acme/0010", "acme/0011"}) {
		t.Errorf("the first two files from 10 to 12 are %v", ids)
	}
}

func TestReadGrantedLeavesOutWhatHasExpired(t *testing.T) {
	d := openStore(t, Options{Unchecked: true}, sqldb.LiteOptions{})
	soon := time.Now().Add(5 * time.Millisecond)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(d.db.Tx(t.Context(), func(ctx context.Context, tx sqldb.Tx) error {
		j, err := d.join(tx)
		if err != nil {
			return err
		}
		return j.apply(ctx, []change{changeOf(relations.Update{Kind: relations.Touch, Relationship: relations.Relationship{
			Resource: authz.Ref{Type: "file", ID: "acme/f"}, Relation: "direct_viewer",
			Subject: authz.Ref{Type: "user", ID: "acme/v"}, Expires: soon,
		}})}, nil)
	}))
	r := relationReader{d}
	for {
		at, err := r.Head(t.Context())
		must(err)
		ids, err := r.ReadGranted(t.Context(), at, "file", "direct_viewer", authz.Ref{Type: "user", ID: "acme/v"}, "", "", "z", 2)
		must(err)
		if over := int64(at) >= soon.UnixNano(); len(ids) == 1 == over {
			t.Fatalf("%d files at %d, the right ends at %d", len(ids), at, soon.UnixNano())
		} else if over {
			return
		}
	}
}

func TestReadLinkedReadsEveryLinkThatIsThere(t *testing.T) {
	d := productStore(t, Options{})
	mustWrite(t, d, touch(parent("a", "top")), touch(rel("a", "link", "file", "other", "")), touch(rel("a", "link", "file", "third", "")),
		touch(rel("b", "link", "file", "other", "")), touch(rel("c", "link", "file", "other", "")))
	r := relationReader{d}
	before, err := r.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	mustWrite(t, d, remove(rel("b", "link", "file", "other", "")))
	now, err := r.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for at, want := range map[relations.Revision]string{before: "[acme/a acme/a acme/b acme/c]", now: "[acme/a acme/a acme/c]"} {
		var got []string
		if err := r.ReadLinked(t.Context(), at, "file", func(id string) bool { got = append(got, id); return true }); err != nil {
			t.Fatal(err)
		}
		if fmt.Sprint(got) != want {
			t.Errorf("links %v, want %s", got, want)
		}
	}
	if plan := explain(t, d, textLinked, []any{"file", "", 1, 1, 1, 10}); !strings.Contains(plan, "COVERING INDEX rel_link") {
		t.Errorf("links are read by %s", plan)
	}
}

func TestReadManyOfSubjectsLeavesOutOthers(t *testing.T) {
	d := productStore(t, Options{})
	mustWrite(t, d, touch(viewer("a", "ann")), touch(viewer("a", "bob")), touch(viewer("b", "bob")))
	r := relationReader{d}
	at, err := r.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, ids := range [][]string{{"acme/a", "acme/b"}, padded(100, "acme/a", "acme/b")} { // from the object cache, and from the table
		var got []string
		err := r.ReadMany(t.Context(), at, "file", ids, []string{"direct_viewer"}, []string{"acme/ann", "acme/eve"}, func(one relations.Relationship) bool {
			got = append(got, one.String())
			return true
		})
		if err != nil || fmt.Sprint(got) != "[file:acme/a#direct_viewer@user:acme/ann]" {
			t.Errorf("of %d: %v, %v", len(ids), got, err)
		}
	}
}

// padded returns n ids of nothing behind those given.
func padded(n int, ids ...string) []string {
	for i := range n {
		ids = append(ids, fmt.Sprintf("acme/none%d", i))
	}
	return ids
}
