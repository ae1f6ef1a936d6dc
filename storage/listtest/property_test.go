// Package listtest holds lists against the real engine: apart from package storage, whose tests prepare every statement that
// their binary declares.
package listtest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"nexus/authzsvc"
	"nexus/authzsvc/authz"
	"nexus/authzsvc/gatetest"
	"nexus/authzsvc/relations"
	"nexus/internal/clock"
	"nexus/internal/errs"
	"nexus/internal/sqldb"
	"nexus/schema"
	"nexus/storage"
)

// house is a store over the real engine.
type house struct {
	testing.TB
	db      *sqldb.Lite
	service *authzsvc.Service
	store   *storage.Store
	admin   authz.Principal
	fresh   atomic.Int64
}

func openHouse(t testing.TB, c clock.Clock) *house {
	t.Helper()
	ctx := context.Background()
	db, err := sqldb.OpenLite(ctx, filepath.Join(t.TempDir(), "nexus.db"), sqldb.LiteOptions{})
	if err != nil {
		t.Fatal(err)
	}
	h := &house{TB: t, db: db}
	t.Cleanup(func() { h.check(db.Close()) })
	h.service, err = authzsvc.Open(ctx, authzsvc.Config{
		Database: db, RecordDir: t.TempDir(), Clock: c, Operations: operations,
	})
	h.must(err)
	t.Cleanup(func() { h.check(h.service.Close()) })
	h.must(storage.Migrate(ctx, db))
	blobs, err := storage.OpenBlobDir(t.TempDir())
	h.must(err)
	h.store = storage.New(db, blobs, h.service.Writer(), h.service.Reader(), c)
	key, _, err := h.store.Founding().Found(ctx)
	h.must(err)
	h.admin = gatetest.User(storage.DefaultTenant, "admin")
	h.admin.Admin = authz.Ref{Type: "key", ID: key.ID}
	return h
}

// operations are those that the test asks about, and that the shipped rules name.
var operations = []string{
	"test", "files.read", "files.write", "files.exists", "files.get_metadata", "files.is_directory", "files.copy", "files.rename",
	"versions.get", "versions.list", "versions.rollback", "versions.diff",
}

func (h *house) check(err error) {
	h.Helper()
	if err != nil {
		h.Error(err)
	}
}

func (h *house) must(err error) {
	h.Helper()
	if err != nil {
		h.Fatal(err)
	}
}

// person returns somebody who was never seen before, a member of the tenant.
func (h *house) person() authz.Principal {
	h.Helper()
	who := gatetest.User(storage.DefaultTenant, fmt.Sprintf("u%d", h.fresh.Add(1)))
	h.relate(allow(authz.Ref{Type: "tenant", ID: who.Tenant}, "member", who.Base))
	return who
}

func (h *house) relate(updates ...relations.Update) {
	h.Helper()
	h.must(h.db.Tx(context.Background(), func(ctx context.Context, tx sqldb.Tx) error {
		return h.service.Writer().Write(ctx, tx, updates...)
	}))
}

func allow(object authz.Ref, relation string, subject authz.Ref) relations.Update {
	return relations.Update{Kind: relations.Touch, Relationship: relations.Relationship{Resource: object, Relation: relation, Subject: subject}}
}

// ask decides need for who, as for an effect: decisions that are not might share a record.
func ask[G any](h *house, who authz.Principal, need authz.Need[G]) (G, error) {
	g, _, err := authz.Ask(context.Background(), h.service.Gate(), who, authz.Act{Op: "test", Durable: true}, need)
	return g, err
}

func (h *house) at(path string) schema.Address {
	h.Helper()
	a, err := h.store.Names().Address(context.Background(), storage.DefaultTenant, path)
	h.must(err)
	return a
}

// put makes a file, or a folder where the path ends in a slash.
func (h *house) put(path string) {
	h.Helper()
	clean, folder := strings.CutSuffix(path, "/")
	g, err := ask(h, h.admin, schema.Dir{Address: h.at(clean)}.Write())
	h.must(err)
	if folder {
		h.must(h.store.Files().Mkdir(context.Background(), g, true))
		return
	}
	_, err = h.store.Files().Create(context.Background(), g, []byte("x"), storage.Condition{})
	h.must(err)
}

// page asks for one page as who.
func (h *house) page(who authz.Principal, folder string, o storage.ListOptions) (storage.ListPage, error) {
	s, err := ask(h, who, schema.ReadFilesWithin(h.service.Gate(), schema.Home(who).Access(), "files.read"))
	if err != nil {
		return storage.ListPage{}, err
	}
	a, err := h.store.Names().Address(context.Background(), storage.DefaultTenant, folder)
	if err != nil {
		return storage.ListPage{}, err
	}
	return h.store.Files().List(context.Background(), s, a, o)
}

func keyOf(e storage.Entry) string {
	if e.Folder {
		return slashed(e.Path)
	}
	return e.Path
}

func slashed(path string) string { return strings.TrimSuffix(path, "/") + "/" }

// folders returns the keys of the folders between base and key.
func folders(base, key string) (all []string) {
	for i := len(base); i < len(key)-1; i++ {
		if key[i] == '/' {
			all = append(all, key[:i+1])
		}
	}
	return all
}

// reads asks the engine whether who may read what stands at key.
func (h *house) reads(who authz.Principal, key string) bool {
	h.Helper()
	_, err := ask(h, who, schema.File{Address: h.at(strings.TrimSuffix(key, "/"))}.Read())
	if err != nil && !errors.Is(err, errs.Denied) {
		h.Fatal(err)
	}
	return err == nil
}

// expected is the list as the engine's answers about each of keys make it.
func (h *house) expected(who authz.Principal, keys []string, folder string, o storage.ListOptions) []string {
	h.Helper()
	base, shown := slashed(folder), map[string]bool{}
	for _, key := range keys {
		if !strings.HasPrefix(key, base) || key == base || !h.reads(who, key) {
			continue
		}
		shown[key] = true
		for _, above := range folders(base, key) {
			shown[above] = true
		}
	}
	want := []string{}
	for key := range shown {
		if !o.Recursive && len(folders(base, key)) > 0 || !strings.HasPrefix(strings.TrimSuffix(key, "/"), o.Prefix) {
			continue
		}
		want = append(want, key)
	}
	slices.Sort(want)
	return want
}

// everyPage asks for page after page and returns all keys.
func (h *house) everyPage(t *rapid.T, who authz.Principal, folder string, o storage.ListOptions, bounds func() storage.Bounds) []string {
	all := []string{}
	for range 10_000 {
		o.Bounds = bounds()
		page, err := h.page(who, folder, o)
		if err != nil {
			t.Fatalf("%+v: %v", o, err)
		}
		if o.Limit > 0 && len(page.Entries) > o.Limit {
			t.Fatalf("a page of %d has %d entries", o.Limit, len(page.Entries))
		}
		for _, e := range page.Entries {
			all = append(all, keyOf(e))
		}
		if page.Complete {
			return all
		}
		o.From = page.Next
	}
	t.Fatal("the list does not end")
	return nil
}

// forest is a random tree below a folder of its own, with random grants to somebody.
type forest struct {
	*house
	root string
	keys []string // of all that stands in it
	who  authz.Principal
}

func pick[T any](r *rand.Rand, all []T) T { return all[r.IntN(len(all))] }

var names = []string{"a", "b", "c", "a.", "a-b", "a0", "ab", "é", "~"}

func (h *house) plant(r *rand.Rand, c *gatetest.Clock, links bool) *forest {
	f := &forest{house: h, root: fmt.Sprintf("/t%d", h.fresh.Add(1)), who: h.person()}
	h.put(f.root + "/")
	dirs := []string{f.root}
	seen := map[string]bool{}
	for range r.IntN(90) {
		path := pick(r, dirs) + "/" + pick(r, names)
		if seen[path] || strings.Count(path, "/") > 7 {
			continue
		}
		seen[path] = true
		if r.IntN(3) == 0 {
			dirs = append(dirs, path)
			path += "/"
		}
		h.put(path)
		f.keys = append(f.keys, path)
	}
	slices.Sort(f.keys)
	f.grant(r, c, links)
	return f
}

// grant gives rights of every kind: to the person, to groups in groups, to everybody in the tenant, for a time that is over or
// not, over links.
func (f *forest) grant(r *rand.Rand, c *gatetest.Clock, links bool) {
	inner, outer := f.group(), f.group()
	updates := []relations.Update{
		allow(inner, "member", f.who.Base),
		{Kind: relations.Touch, Relationship: relations.Relationship{Resource: outer, Relation: "member", Subject: inner, SubjectRelation: "member"}},
	}
	for range r.IntN(12) {
		if len(f.keys) == 0 {
			break
		}
		object := f.at(strings.TrimSuffix(pick(r, f.keys), "/")).Named().Ref
		u := allow(object, pick(r, []string{"direct_viewer", "direct_editor", "direct_owner"}), f.who.Base)
		switch r.IntN(7) {
		case 0:
			u.Subject, u.SubjectRelation = inner, "member"
		case 1:
			u.Subject, u.SubjectRelation = outer, "member"
		case 2:
			u.Relation, u.Subject, u.SubjectRelation = "direct_viewer", authz.Ref{Type: "tenant", ID: f.who.Tenant}, "access"
		case 3:
			u.Expires = c.Now().Add(time.Minute)
		case 4:
			u.Expires = c.Now().Add(time.Hour)
		}
		updates = append(updates, u)
	}
	f.relate(updates...)
	if links {
		f.link(r, updates[2:])
	}
	c.Advance(2 * time.Minute)
}

// link links files and folders to what was granted, where that is a folder and the rules of relationships allow it.
func (f *forest) link(r *rand.Rand, granted []relations.Update) {
	for _, u := range granted {
		object := f.at(strings.TrimSuffix(pick(r, f.keys), "/")).Named().Ref
		err := f.db.Tx(context.Background(), func(ctx context.Context, tx sqldb.Tx) error {
			return f.service.Writer().Write(ctx, tx, allow(object, "link", u.Resource))
		})
		if err != nil && !errors.Is(err, errs.Invalid) && !errors.Is(err, errs.Precondition) {
			f.Fatal(err)
		}
	}
}

func (f *forest) group() authz.Ref {
	return authz.Ref{Type: "group", ID: fmt.Sprintf("%s/g%d", f.who.Tenant, f.fresh.Add(1))}
}

// below draws a folder of the forest.
func (f *forest) below(r *rand.Rand) string {
	if r.IntN(2) == 0 {
		return f.root
	}
	dirs := []string{"/"}
	for _, key := range f.keys {
		if dir, ok := strings.CutSuffix(key, "/"); ok {
			dirs = append(dirs, dir)
		}
	}
	return pick(r, dirs)
}

// options draws what is listed, and how.
func (f *forest) options(t *rapid.T, r *rand.Rand, folder string) storage.ListOptions {
	o := storage.ListOptions{
		Recursive: r.IntN(3) > 0, Details: r.IntN(2) == 0,
		Limit: rapid.IntRange(1, 8).Draw(t, "limit"),
	}
	if folder == "/" { // other forests stand there, too
		o.Prefix = f.root + "/"
	}
	if len(f.keys) > 0 && r.IntN(4) == 0 {
		key := pick(r, f.keys)
		for end := range key {
			if end > len(f.root) && r.IntN(2) == 0 {
				o.Prefix = key[:end]
				break
			}
		}
	}
	return o
}

func TestPagesAreTheEnginesAnswersAboutEveryPath(t *testing.T) {
	for name, links := range map[string]bool{"without links": false, "with links": true} {
		t.Run(name, func(t *testing.T) {
			c := gatetest.NewClock()
			h := openHouse(t, c)
			shown, pages := 0, 0
			rapid.Check(t, func(t *rapid.T) {
				r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
				f := h.plant(r, c, links)
				folder := f.below(r)
				o := f.options(t, r, folder)
				keys := f.keys
				want := h.expected(f.who, keys, folder, o)
				got := h.everyPage(t, f.who, folder, o, func() storage.Bounds {
					pages++
					return storage.Bounds{Rows: pick(r, []int{1, 4, 70, 1000}), Places: pick(r, []int{-1, 2, 1000, 1000})}
				})
				if !slices.Equal(got, want) {
					t.Fatalf("%s %+v: pages give %q, want %q", folder, o, got, want)
				}
				shown += len(got)
				o.Limit = 0
				if whole := h.everyPage(t, f.who, folder, o, func() storage.Bounds { return storage.Bounds{} }); !slices.Equal(whole, want) {
					t.Fatalf("%s %+v: the whole list is %q, want %q", folder, o, whole, want)
				}
			})
			if shown < 100 || pages < 150 {
				t.Errorf("%d entries in %d pages: nothing was tested", shown, pages)
			}
		})
	}
}
