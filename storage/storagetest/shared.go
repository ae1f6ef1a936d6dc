package storagetest

import (
	"fmt"
	"slices"
	"time"

	"nexus/authzsvc/authz"
	"nexus/authzsvc/gatetest"
	"nexus/schema"
	"nexus/storage"
)

// shared are claims about the list of what others share with one.
var shared = []func(*kit){
	sharedIsWhatOthersShared,
	sharedThroughGroupsSaysSo,
	sharedEndsWithItsGrant,
	sharedShowsNothingThatIsNotThere,
	pagesOfSharedJoinToTheWhole,
}

// bob is somebody with whom ann shares.
var bob = gatetest.User(storage.DefaultTenant, "bob")

// sharedPage returns one page of what is shared with bob.
func (k *kit) sharedPage(from storage.SharedPlace, limit int) ([]storage.Shared, storage.SharedPlace, bool) {
	k.Helper()
	in := grantTo(k, bob, schema.ReadFilesWithin(k.gate, schema.Home(bob).Access(), "files.read"))
	found, next, more, err := storage.SharedWith(k.Context(), k.store.Shares(), in, from, limit)
	if err != nil {
		k.Fatal(err)
	}
	return found, next, more
}

// withBob returns the paths that are shared with bob, as a walk in pages shows them.
func (k *kit) withBob(limit int) []string {
	k.Helper()
	paths := []string{}
	for from, more := (storage.SharedPlace{}), true; more; {
		var found []storage.Shared
		found, from, more = k.sharedPage(from, limit)
		if len(found) > limit {
			k.Errorf("a page of %d has %d", limit, len(found))
		}
		for _, s := range found {
			paths = append(paths, s.Path+" "+s.Grant+" "+s.With.ID)
		}
	}
	return paths
}

func (k *kit) mustBeShared(want ...string) {
	k.Helper()
	got := k.withBob(100)
	slices.Sort(got)
	if slices.Sort(want); !slices.Equal(got, want) {
		k.Errorf("shared %q, want %q", got, want)
	}
}

func sharedIsWhatOthersShared(k *kit) {
	k.mustPut("/f", "x")
	k.mustMkdir("/d")
	k.mustPut("/carls", "x")
	k.share("/carls", "carl")
	if _, err := k.putAs(bob, "/own", "x", storage.Condition{}); err != nil {
		k.Fatal(err)
	}
	k.tuplesOn("/own") // listed once, so that it has ids
	k.share("/f", "bob")
	k.shareAs("/d", "direct_owner", "bob")
	k.mustBeShared("/d direct_owner default/bob", "/f direct_viewer default/bob")

	on := grantTo(k, bob, k.file("/own").Share())
	if _, err := k.store.Shares().ShareFile(k.Context(), on, "direct_editor", user("bob"), time.Time{}); err != nil {
		k.Fatal(err)
	}
	k.mustBeShared("/d direct_owner default/bob", "/f direct_viewer default/bob")
	found, _, _ := k.sharedPage(storage.SharedPlace{}, 10)
	for _, s := range found {
		if s.By != k.ann.Base || s.Since.IsZero() || s.Folder != (s.Path == "/d") || s.ID == "" {
			k.Errorf("shared %+v", s)
		}
	}
}

func sharedThroughGroupsSaysSo(k *kit) {
	k.mustPut("/f", "x")
	k.mustEnrol("bob", "backend")
	k.mustEnrol("zoe", "eng")
	k.mustEnrol("zoe", "others")
	nest := storage.NestGrant{Into: grant(k, k.group("eng").Manage()), Group: grant(k, k.group("backend").Manage())}
	if _, err := k.store.Shares().Nest(k.Context(), nest, "member", time.Time{}); err != nil {
		k.Fatal(err)
	}
	for _, group := range []string{"eng", "backend", "others"} {
		if err := k.shareWithGroup("/f", group); err != nil {
			k.Fatal(err)
		}
	}
	k.share("/f", "bob")
	k.mustBeShared("/f direct_viewer default/eng", "/f direct_viewer default/backend", "/f direct_viewer default/bob")
}

func sharedEndsWithItsGrant(k *kit) {
	k.mustPut("/f", "x")
	k.mustPut("/g", "x")
	id := k.share("/f", "bob")
	k.shareUntil("/g", "bob", time.Hour)
	if found, _, _ := k.sharedPage(storage.SharedPlace{}, 10); len(found) != 2 || found[0].Expires.Equal(found[1].Expires) {
		k.Errorf("shared %+v", found)
	}
	k.unshare("/f", id)
	k.mustBeShared("/g direct_viewer default/bob")
	k.clock.Advance(time.Hour) // and nobody has swept
	k.mustBeShared()
}

func sharedShowsNothingThatIsNotThere(k *kit) {
	k.share("/r/s/f", "bob")
	k.mustBeShared()
	k.mustPut("/r/s/f", "x")
	k.mustBeShared("/r/s/f direct_viewer default/bob")
	hidden := k.at("/r/s/f").Anchor
	k.gate, k.notes = gatetest.Config{Relations: func(_ []authz.Ref, c authz.Check) bool { return c.ID != hidden }}.Gate(k.T)
	k.mustBeShared() // he may not read it, whatever the grant says
}

func pagesOfSharedJoinToTheWhole(k *kit) {
	k.mustEnrol("bob", "eng")
	const n = 101
	for i := range n {
		path := fmt.Sprintf("/d%d/f%03d", i%3, i)
		k.mustPut(path, "x")
		if i%4 == 0 {
			if err := k.shareWithGroup(path, "eng"); err != nil {
				k.Fatal(err)
			}
			continue
		}
		k.share(path, "bob")
	}
	for i := range 30 { // between them what is not shown
		k.share(fmt.Sprintf("/reserved%02d", i), "bob")
	}
	whole := k.withBob(1000)
	if len(whole) != n {
		k.Fatalf("%d are shared, want %d", len(whole), n)
	}
	for _, limit := range []int{1, 7, 99, 100, 101, 102} {
		if got := k.withBob(limit); !slices.Equal(got, whole) {
			k.Errorf("in pages of %d: %d, the whole has %d", limit, len(got), len(whole))
		}
	}
	if found, _, more := k.sharedPage(storage.SharedPlace{}, n); len(found) != n || more && len(found) == 0 {
		k.Errorf("a page of all: %d, more %v", len(found), more)
	}
}
