package storage_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"nexus/authzsvc/authz"
	"nexus/authzsvc/gatetest"
	"nexus/internal/clock"
	"nexus/internal/errs"
	"nexus/schema"
	"nexus/storage"
	"nexus/storage/storagetest"
)

// searchKit is a store of files below a search.
type searchKit struct {
	*testing.T
	store  *storage.Store
	search *storage.Search
	gate   *authz.Gate
	ann    authz.Principal
}

func newSearchKit(t *testing.T) *searchKit {
	t.Helper()
	db := openLite(t)
	t.Cleanup(func() { _ = db.Close() })
	rels := storagetest.NewRelations()
	if err := storage.Migrate(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	blobs, err := storage.OpenBlobDir(filepath.Join(t.TempDir(), "blobs"))
	if err != nil {
		t.Fatal(err)
	}
	k := &searchKit{T: t, store: storage.New(db, blobs, rels, rels, clock.System{}), ann: gatetest.User(storage.DefaultTenant, "ann")}
	k.gate, _ = gatetest.AllowAll(t)
	if _, _, err := k.store.Founding().Found(t.Context()); err != nil {
		t.Fatal(err)
	}
	if k.search, err = k.store.OpenSearch(t.TempDir()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.search.Close)
	return k
}

// follow lets the index follow the files one step.
func (k *searchKit) follow() (more bool) {
	k.Helper()
	who := schema.Servant(k.ann.Tenant, schema.Indexer)
	more, err := k.search.Index(k.Context(), gatetest.Grant(k.T, who, schema.Home(who).Reindex()))
	if err != nil {
		k.Fatal(err)
	}
	return more
}

// TestWalkThatTheIndexHelpsFindsWhatOneWithoutDoes: what the index does not know yet is looked at.
func TestWalkThatTheIndexHelpsFindsWhatOneWithoutDoes(t *testing.T) {
	k := newSearchKit(t)
	k.search.Walk()
	var want []string
	for i := range 40 {
		path := fmt.Sprintf("/d%d/f%02d", i/10, i)
		text := fmt.Sprintf("number %d", i)
		if i%3 == 0 {
			text = "a needle, " + text
			want = append(want, path+":1")
		}
		k.write(path, text)
		if found, _ := k.grep("needle"); !slices.Equal(found, want) {
			t.Fatalf("after %d files: found %q, want %q", i+1, found, want)
		}
		if i%4 == 0 {
			k.follow()
		}
	}
	for k.follow() {
	}
	if found, _ := k.grep("needle"); !slices.Equal(found, want) {
		t.Errorf("found %q, want %q", found, want)
	}
	if found, _ := k.grep("nothing"); len(found) > 0 {
		t.Errorf("found %q, want nothing", found)
	}
}

func (k *searchKit) at(path string) schema.Address {
	k.Helper()
	a, err := k.store.Names().Address(k.Context(), k.ann.Tenant, path)
	if err != nil {
		k.Fatal(err)
	}
	return a
}

func (k *searchKit) write(path, text string) {
	k.Helper()
	into := gatetest.Grant(k.T, k.ann, schema.Dir{Address: k.at(path)}.Write())
	if _, err := k.store.Files().Create(k.Context(), into, []byte(text), storage.Condition{}); err != nil {
		k.Fatal(err)
	}
}

// grep searches page by page, and returns the lines as file:line and why each page ended.
func (k *searchKit) grep(pattern string) (found []string, cuts []storage.Cut) {
	k.Helper()
	q, err := storage.ParseGrep(storage.GrepOptions{Pattern: pattern, Max: 100})
	if err != nil {
		k.Fatal(err)
	}
	for at := (storage.GrepPlace{}); len(cuts) < 100; {
		scope := gatetest.Grant(k.T, k.ann, schema.ReadFilesWithin(k.gate, schema.Home(k.ann).Access(), "files.read"))
		f, err := k.search.Grep(k.Context(), scope, k.at("/"), q, at)
		if err != nil {
			k.Fatal(err)
		}
		for _, h := range f.Hits {
			found = append(found, fmt.Sprintf("%s:%d", h.File, h.Line))
		}
		if cuts = append(cuts, f.Cut); f.Next == nil {
			return found, cuts
		}
		at = *f.Next
	}
	k.Fatal("the pages have no end")
	return nil, nil
}

func TestGrepThatIsCutByTimeGoesOnToTheEnd(t *testing.T) {
	k := newSearchKit(t)
	var want []string
	for i := range 5 {
		k.write(fmt.Sprintf("/d/f%d", i), "hay\nneedle\n")
		want = append(want, fmt.Sprintf("/d/f%d:2", i))
	}
	k.write("/d/f9", "needle and "+strings.Repeat("hay ", 100_000)) // a line that takes longer than a search may
	k.write("/e/last", "needle")
	k.search.Bound(time.Nanosecond, 1<<30, 1<<30)
	found, cuts := k.grep("need[l]e.$|needle$")
	if want = append(want, "/e/last:1"); !slices.Equal(found, want) {
		t.Errorf("found %q, want %q", found, want)
	}
	if len(cuts) < 6 || cuts[0] != storage.CutTime {
		t.Errorf("cut %q, want each page cut by time", cuts)
	}
}

func TestGrepThatIsCutByBytesGoesOnToTheEnd(t *testing.T) {
	k := newSearchKit(t)
	var want []string
	for i := range 5 {
		k.write(fmt.Sprintf("/d/f%d", i), strings.Repeat("hay\n", i)+"needle\n")
		want = append(want, fmt.Sprintf("/d/f%d:%d", i, i+1))
	}
	k.search.Bound(time.Minute, 25, 1<<30)
	found, cuts := k.grep("needle")
	if !slices.Equal(found, want) {
		t.Errorf("found %q, want %q", found, want)
	}
	if len(cuts) < 2 || cuts[0] != storage.CutBytes {
		t.Errorf("cut %q, want pages cut by bytes", cuts)
	}
}

func TestGrepSaysThatALongFileWasNotSearchedToItsEnd(t *testing.T) {
	k := newSearchKit(t)
	k.write("/a", "needle\nhay\nhay\nneedle\n")
	k.write("/b", "needle\n")
	k.search.Bound(time.Minute, 1<<30, 12)
	found, cuts := k.grep("needle")
	if want := []string{"/a:1", "/b:1"}; !slices.Equal(found, want) || !slices.Equal(cuts, []storage.Cut{storage.CutBytes}) {
		t.Errorf("found %q, cut %q, want %q and one page that says so", found, cuts, want)
	}
}

func TestWholeGlobThatTakesTooLongIsRefusedAndPagesGoOn(t *testing.T) {
	k := newSearchKit(t)
	var want []string
	for i := range 8 {
		path := fmt.Sprintf("/d%d/f", i)
		k.write(path, "x")
		want = append(want, path)
	}
	p, err := storage.ParsePathPattern("**/f")
	if err != nil {
		t.Fatal(err)
	}
	glob := func(o storage.GlobOptions) (storage.Globbed, error) {
		scope := gatetest.Grant(t, k.ann, schema.ReadFilesWithin(k.gate, schema.Home(k.ann).Access(), "files.read"))
		return k.search.Glob(t.Context(), scope, k.at("/"), p, o)
	}
	short := storage.Bounds{Rows: 1, Time: time.Nanosecond}
	if g, err := glob(storage.GlobOptions{}); err != nil || !slices.Equal(g.Paths, want) || !g.Complete {
		t.Errorf("found %+v, %v, want %q", g, err, want)
	}
	var got []string
	for o, pages := (storage.GlobOptions{Limit: 3, Bounds: short}), 0; pages < 50; pages++ {
		g, err := glob(o)
		if err != nil {
			t.Fatal(err)
		}
		if got = append(got, g.Paths...); g.Complete {
			break
		}
		o.From = g.Next
	}
	if !slices.Equal(got, want) {
		t.Errorf("pages hold %q, want %q", got, want)
	}
	for i := range 2000 {
		k.write(fmt.Sprintf("/many/x%04d", i), "x")
	}
	if g, err := glob(storage.GlobOptions{Bounds: short}); errs.From(err) == nil || errs.From(err).Kind != errs.Exhausted {
		t.Errorf("a whole answer that takes too long is %d paths, complete %v, %v, want a refusal", len(g.Paths), g.Complete, err)
	}
}
