package sqlds

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/authzed/spicedb/pkg/datastore"
	"github.com/authzed/spicedb/pkg/datastore/options"
	"github.com/authzed/spicedb/pkg/tuple"
	"pgregory.net/rapid"

	"nexus/authzsvc/relations"
	"nexus/internal/sqldb"
)

// names is a small world of values for each column, so that filters and cursors meet rows often.
var names = map[string][]string{
	"rt": {"doc", "dir"}, "ro": {"a", "ab", "b", "c"}, "rr": {"read", "write"},
	"st": {"user", "team"}, "so": {"x", "y", "z"}, "sr": {"...", "member"},
}

func anyKey() *rapid.Generator[key] {
	return rapid.Custom(func(t *rapid.T) key {
		pick := func(c string) string { return rapid.SampledFrom(names[c]).Draw(t, c) }
		return key{pick("rt"), pick("ro"), pick("rr"), pick("st"), pick("so"), pick("sr")}
	})
}

func maybe(t *rapid.T, c string) string {
	return rapid.SampledFrom(append([]string{""}, names[c]...)).Draw(t, c)
}

func anyCursor(t *rapid.T, label string) options.Cursor {
	if rapid.Bool().Draw(t, label) {
		return nil
	}
	k := anyKey().Draw(t, label)
	return options.Cursor(&tuple.Relationship{RelationshipReference: k.reference()})
}

// world is a store with random rows, and the rows.
func world(t *testing.T) (*Datastore, []key) {
	t.Helper()
	d := openStore(t, Options{Unchecked: true}, sqldb.LiteOptions{})
	all := map[key]bool{}
	for i := range 120 {
		all[anyKey().Example(i)] = true
	}
	var keys []key
	var changes []change
	for k := range all {
		keys = append(keys, k)
		changes = append(changes, change{kind: relations.Touch, key: k, expiry: never})
	}
	err := d.db.Tx(context.Background(), func(ctx context.Context, tx sqldb.Tx) error {
		j, err := d.join(tx)
		if err != nil {
			return err
		}
		return j.apply(ctx, changes, nil)
	})
	if err != nil {
		t.Fatal(err)
	}
	return d, keys
}

// expect sorts and cuts rows by the plain meaning of order, cursors and limit.
func expect(keys []key, o order, after, upTo options.Cursor, limit int, keep func(*key) bool) []string {
	compare := func(a, b *key) int {
		for _, c := range o {
			if d := strings.Compare(a.column(c), b.column(c)); d != 0 {
				return d
			}
		}
		return 0
	}
	var some []key
	for _, k := range keys {
		if keep(&k) && (after == nil || compare(&k, cursor(after)) > 0) && (upTo == nil || compare(&k, cursor(upTo)) <= 0) {
			some = append(some, k)
		}
	}
	slices.SortFunc(some, func(a, b key) int { return compare(&a, &b) })
	if limit > 0 && len(some) > limit {
		some = some[:limit]
	}
	var all []string
	for _, k := range some {
		all = append(all, fmt.Sprint(k))
	}
	return all
}

func got(t *rapid.T, found datastore.RelationshipIterator, err error) []string {
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for rel, err := range found {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, fmt.Sprint(keyOf(rel.RelationshipReference)))
	}
	return all
}

func anySelector(t *rapid.T) datastore.SubjectsSelector {
	s := datastore.SubjectsSelector{OptionalSubjectType: maybe(t, "st")}
	s.OptionalSubjectIds = rapid.SliceOfN(rapid.SampledFrom(names["so"]), 0, 3).Draw(t, "ids")
	switch rapid.IntRange(0, 4).Draw(t, "sr") {
	case 1:
		s.RelationFilter = s.RelationFilter.WithEllipsisRelation()
	case 2:
		s.RelationFilter = s.RelationFilter.WithNonEllipsisRelation("member")
	case 3:
		s.RelationFilter = s.RelationFilter.WithNonEllipsisRelation("member").WithEllipsisRelation()
	case 4:
		s.RelationFilter = s.RelationFilter.WithOnlyNonEllipsisRelations()
	}
	return s
}

func TestForwardQueriesMeanWhatTheirFiltersSay(t *testing.T) {
	d, keys := world(t)
	r := d.SnapshotReader(DatastoreRevision(headOf(t, d)))
	rapid.Check(t, func(t *rapid.T) {
		f := datastore.RelationshipsFilter{OptionalResourceType: maybe(t, "rt"), OptionalResourceRelation: maybe(t, "rr")}
		if rapid.Bool().Draw(t, "by prefix") {
			f.OptionalResourceIDPrefix = rapid.SampledFrom([]string{"", "a", "b"}).Draw(t, "prefix")
		} else {
			f.OptionalResourceIds = rapid.SliceOfN(rapid.SampledFrom(names["ro"]), 0, 3).Draw(t, "ro")
		}
		for range rapid.IntRange(0, 2).Draw(t, "selectors") {
			f.OptionalSubjectsSelectors = append(f.OptionalSubjectsSelectors, anySelector(t))
		}
		after, upTo := anyCursor(t, "after"), anyCursor(t, "up to")
		limit := uint64(rapid.IntRange(0, 5).Draw(t, "limit"))
		sort := rapid.SampledFrom([]options.SortOrder{options.ByResource, options.BySubject}).Draw(t, "sort")
		found, err := r.QueryRelationships(context.Background(), f,
			options.WithSort(sort), options.WithAfter(after), options.WithBeforeOrEqual(upTo), options.WithLimit(&limit))
		want := expect(keys, forwardOrder(sort), after, upTo, int(limit), func(k *key) bool {
			return fits(f.OptionalResourceType, k.rt) && matcher(f)(k) && strings.HasPrefix(k.ro, f.OptionalResourceIDPrefix) &&
				(len(f.OptionalResourceIds) == 0 || slices.Contains(f.OptionalResourceIds, k.ro))
		})
		if got := got(t, found, err); !slices.Equal(got, want) {
			t.Fatalf("got  %v\nwant %v", got, want)
		}
	})
}

func TestReverseQueriesMeanWhatTheirFiltersSay(t *testing.T) {
	d, keys := world(t)
	r := d.SnapshotReader(DatastoreRevision(headOf(t, d)))
	rapid.Check(t, func(t *rapid.T) {
		s := anySelector(t)
		s.OptionalSubjectType = rapid.SampledFrom(names["st"]).Draw(t, "subject type")
		f := datastore.SubjectsFilter{SubjectType: s.OptionalSubjectType, OptionalSubjectIds: s.OptionalSubjectIds, RelationFilter: s.RelationFilter}
		after := anyCursor(t, "after")
		limit := uint64(rapid.IntRange(0, 5).Draw(t, "limit"))
		sort := rapid.SampledFrom([]options.SortOrder{options.ByResource, options.BySubject, options.ChooseEfficient}).Draw(t, "sort")
		how := []options.ReverseQueryOptionsOption{options.WithSortForReverse(sort), options.WithAfterForReverse(after), options.WithLimitForReverse(&limit)}
		rt, rr := "", ""
		if rapid.Bool().Draw(t, "of a relation") {
			rt, rr = rapid.SampledFrom(names["rt"]).Draw(t, "rt"), rapid.SampledFrom(names["rr"]).Draw(t, "rr")
			how = append(how, options.WithResRelation(&options.ResourceRelation{Namespace: rt, Relation: rr}))
		}
		found, err := r.ReverseQueryRelationships(context.Background(), f, how...)
		want := expect(keys, reverseOrder(sort), after, nil, int(limit), func(k *key) bool {
			return selects(s, k) && fits(rt, k.rt) && fits(rr, k.rr)
		})
		if got := got(t, found, err); !slices.Equal(got, want) {
			t.Fatalf("got  %v\nwant %v", got, want)
		}
	})
}

func TestLongListsAndManyPages(t *testing.T) {
	d := productStore(t, Options{})
	var ids []string
	var all []relations.Update
	for i := range 2*pageRows + 500 {
		ids = append(ids, fmt.Sprint("acme/f", i))
		all = append(all, touch(viewer(fmt.Sprint("f", i), "ann")))
	}
	seed(t, d, all)
	f := datastore.RelationshipsFilter{OptionalResourceType: "file", OptionalResourceIds: ids}
	r := d.SnapshotReader(DatastoreRevision(headOf(t, d)))
	found, err := r.QueryRelationships(context.Background(), f)
	if n := countAll(t, found, err); n != len(ids) {
		t.Errorf("a list of %d ids found %d", len(ids), n)
	}
	if n := reverseCount(t, d, DatastoreRevision(headOf(t, d)), "ann"); n != len(ids) {
		t.Errorf("from the subject's side %d, want %d", n, len(ids))
	}
}

func TestPrefixesEndWhereTheyShould(t *testing.T) {
	for p, want := range map[string]string{"a": "b", "a\xff": "b", "az": "a{", "\xff\xff": ""} {
		if end, ok := afterPrefix(p); end != want || ok != (want != "") {
			t.Errorf("afterPrefix(%q) = %q, %v, want %q", p, end, ok, want)
		}
	}
}

// Damaged entries of the log are an error, never a panic or a wrong change.
func FuzzUnpackChanges(f *testing.F) {
	f.Add(packChanges([]change{{kind: relations.Touch, key: key{"file", "acme/f", "parent", "file", "acme/d", "..."}, expiry: never, extra: []byte{1}}}))
	f.Add([]byte{1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		changes, err := unpackChanges(b)
		if err != nil {
			return
		}
		again, err := unpackChanges(packChanges(changes))
		if err != nil || fmt.Sprint(again) != fmt.Sprint(changes) {
			t.Errorf("%v came back as %v, %v", changes, again, err)
		}
	})
}
