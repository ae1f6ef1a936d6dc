package cache_test

import (
	"cmp"
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"nexus/authzsvc/authz"
	"nexus/authzsvc/internal/cache"
	"nexus/internal/sqldb"
)

// These tests put a write at the worst moment of a question, each time the same one.

// agrees asks and compares with the engine at the revision that the answer names.
func (h *house) agrees(subject, question string) authz.Answer {
	h.Helper()
	f, err := h.cache.Ask(context.Background(), []authz.Ref{ref(subject)}, []authz.Check{check(question)})
	must(h, err)
	want, err := h.engine.Engine.Check(context.Background(), revision(h, f.Revision), []authz.Ref{ref(subject)}, []authz.Check{check(question)})
	must(h, err)
	if f.Answers[0].Allowed != want[0].Allowed {
		h.Errorf("%s for %s at %s: %v from memory %v, the engine says %v",
			question, subject, f.Revision, f.Answers[0].Allowed, f.Answers[0].Cached, want[0].Allowed)
	}
	return f.Answers[0]
}

func TestRevokeWhileTheEngineThinksIsNotMissed(t *testing.T) {
	h := open(t, cache.Options{})
	small(h)
	h.engine.beforeCheck = func() { h.write("-file:acme/a#direct_viewer@group:acme/out#member") }
	if !h.agrees(ann, "file:acme/f#read").Allowed {
		t.Error("the answer is not that of the revision before the revoke")
	}
	h.want(ann, "file:acme/f#read", false, false)
}

func TestRevokeInAnOpenTransactionIsNotMissed(t *testing.T) {
	h := open(t, cache.Options{})
	small(h)
	must(t, h.db.Tx(t.Context(), func(ctx context.Context, tx sqldb.Tx) error {
		err := h.store.Writer().Write(ctx, tx, update(t, "-file:acme/a#direct_viewer@group:acme/out#member"))
		h.want(ann, "file:acme/f#read", true, false) // nothing is committed yet, and nothing may be remembered
		return err
	}))
	h.want(ann, "file:acme/f#read", false, false)
}

func TestNewerAnswerIsNotGivenForAnOlderRevision(t *testing.T) {
	h := open(t, cache.Options{})
	small(h)
	h.engine.afterHead = func() {
		h.write("-file:acme/a#direct_viewer@group:acme/out#member")
		h.want(ann, "file:acme/f#read", false, false) // remembered at the newer revision
	}
	if a := h.agrees(ann, "file:acme/f#read"); a.Cached {
		t.Error("an answer of a later revision was given for an earlier one")
	}
}

func TestForgottenStampIsNotForgiven(t *testing.T) {
	h := open(t, cache.Options{Journal: 4})
	small(h)
	h.engine.afterHead = func() {
		h.write("-file:acme/a#direct_viewer@group:acme/out#member")
		for i := range 8 { // the journal forgets the revoke, and the collector the folder
			h.write(fmt.Sprintf("file:acme/new%d#parent@file:acme/r", i))
			runtime.GC()
		}
	}
	if !h.agrees(ann, "file:acme/f#read").Allowed {
		t.Error("the answer is not that of the revision before the revoke")
	}
	h.want(ann, "file:acme/f#read", false, false)
}

func TestMovedFileDependsOnItsNewFolder(t *testing.T) {
	h := open(t, cache.Options{})
	small(h)
	h.want(ann, "file:acme/f#read", true, false)
	h.write("file:acme/s#direct_viewer@"+ann, "-file:acme/f#parent@file:acme/b", "file:acme/f#parent@file:acme/s")
	h.want(ann, "file:acme/f#read", true, false)
	h.want(ann, "file:acme/f#read", true, true)
	h.write("-file:acme/s#direct_viewer@" + ann)
	h.want(ann, "file:acme/f#read", false, false)
}

// flat is a folder nobody but its admins may read, with so many files that they are not asked about one by one.
func flat(h *house, n int) []authz.Member {
	texts := []string{"tenant:acme#admin@user:acme/root", "file:acme/r#direct_owner@tenant:acme#administer", "file:acme/p#parent@file:acme/r"}
	members := make([]authz.Member, n)
	for i := range n {
		texts = append(texts, fmt.Sprintf("file:acme/x%d#parent@file:acme/p", i))
		members[i] = authz.Member{Object: ref(fmt.Sprintf("file:acme/x%d", i)), In: ref("file:acme/p")}
	}
	h.write(texts...)
	h.read = h.head()
	return members
}

// head is the newest revision, as a decision names it.
func (h *house) head() string {
	h.Helper()
	head, err := h.reader.Head(context.Background())
	must(h, err)
	return fmt.Sprint(head)
}

// sift sifts members that were read at h.read, or just now where that is not set.
func (h *house) sift(who, permission string, members []authz.Member) (pass int, got []bool) {
	h.Helper()
	got, err := h.cache.Sift(context.Background(), []authz.Ref{ref(who)}, permission, cmp.Or(h.read, h.head()), members)
	must(h, err)
	for _, p := range got {
		if p {
			pass++
		}
	}
	return pass, got
}

// A file stood in a folder that bob could not read, moved to another such, and only then the first was shared with bob: at
// no time could he read it.
func TestListDoesNotShowWhatMovedAwayBeforeItsFolderWasShared(t *testing.T) {
	h := open(t, cache.Options{})
	members := flat(h, 40) // read by storage here
	h.write("file:acme/q#parent@file:acme/r")
	h.write("-file:acme/x7#parent@file:acme/p", "file:acme/x7#parent@file:acme/q")
	h.write("file:acme/p#direct_viewer@" + bob)
	n, got := h.sift(bob, "read", members)
	if n != 39 || got[7] {
		t.Errorf("%d of 40 pass, the one that moved away: %v; want 39 without it", n, got[7])
	}
}

// The same, with the move and the share after the list has chosen its revision, and remembered by others at once.
func TestListStaysAtItsRevision(t *testing.T) {
	h := open(t, cache.Options{})
	members := flat(h, 40)
	h.write("file:acme/q#direct_viewer@" + bob)
	h.engine.afterHead = func() {
		h.write("-file:acme/x7#parent@file:acme/p", "file:acme/x7#parent@file:acme/q", "-file:acme/q#direct_viewer@"+bob)
		h.want(bob, "file:acme/x7#read", false, false)
	}
	if n, _ := h.sift(bob, "read", members); n != 0 {
		t.Errorf("%d of 40 pass, though bob could never read one", n)
	}
}

func TestListSeesLinksOfAWriteThatWasOpenDuringTheLast(t *testing.T) {
	h := open(t, cache.Options{})
	members := flat(h, 40)
	h.write("file:acme/q#direct_viewer@" + bob)
	must(t, h.db.Tx(t.Context(), func(ctx context.Context, tx sqldb.Tx) error {
		err := h.store.Writer().Write(ctx, tx, update(t, "file:acme/x7#link@file:acme/q"))
		if n, _ := h.sift(bob, "read", members); n != 0 {
			t.Errorf("%d of 40 pass before the link is committed", n)
		}
		return err
	}))
	for range 2 {
		if n, got := h.sift(bob, "read", members); n != 1 || !got[7] {
			t.Errorf("%d of 40 pass, the linked one: %v; want that one", n, got[7])
		}
	}
	h.write("-file:acme/x7#link@file:acme/q")
	if n, _ := h.sift(bob, "read", members); n != 0 {
		t.Errorf("%d of 40 pass after the link is gone", n)
	}
}

func TestListSeesOldLinks(t *testing.T) {
	h := open(t, cache.Options{Journal: 4})
	members := flat(h, 40)
	h.write("file:acme/q#direct_viewer@"+bob, "file:acme/x7#link@file:acme/q")
	for i := range 8 {
		h.write(fmt.Sprintf("file:acme/new%d#parent@file:acme/r", i))
		if i == 5 {
			h.write("-file:acme/x7#link@file:acme/q", "file:acme/x8#link@file:acme/q")
			h.write("file:acme/x7#link@file:acme/q", "-file:acme/x8#link@file:acme/q")
		}
		if n, got := h.sift(bob, "read", members); n != 1 || !got[7] {
			t.Fatalf("%d of 40 pass, the linked one: %v; want that one", n, got[7])
		}
	}
}

func TestGroupLeftWhileGroupsAreReadIsNotMissed(t *testing.T) {
	h := open(t, cache.Options{})
	members := flat(h, 40)
	h.write("group:acme/g#member@"+bob, "file:acme/x7#direct_viewer@group:acme/g#member")
	h.reader.afterGranted = func() { h.write("-group:acme/g#member@" + bob) }
	if n, _ := h.sift(bob, "read", members); n != 1 {
		t.Errorf("%d of 40 pass at the revision before bob left the group, want 1", n)
	}
	if n, _ := h.sift(bob, "read", members); n != 0 {
		t.Errorf("%d of 40 pass after bob left the group, want none", n)
	}
}

func TestRevokeIsNeverOvertaken(t *testing.T) {
	h := open(t, cache.Options{})
	small(h)
	ways := []string{"file:acme/f#direct_viewer@" + bob, "file:acme/a#direct_viewer@" + bob, "group:acme/in#member@" + bob}
	fromMemory := 0
	for i := range 90 {
		way := ways[i%len(ways)]
		h.write(way)
		var revoked atomic.Bool // acknowledged
		var readers sync.WaitGroup
		for range 4 {
			readers.Go(func() {
				for range 40 {
					before := revoked.Load()
					if a, _ := h.ask(bob, "file:acme/f#read"); a.Allowed && before {
						t.Errorf("allowed after the revoke of %s was acknowledged, from memory: %v", way, a.Cached)
					}
				}
			})
		}
		h.write("-" + way)
		revoked.Store(true)
		for range 3 {
			a, _ := h.ask(bob, "file:acme/f#read")
			if a.Allowed {
				t.Errorf("allowed after the revoke of %s was acknowledged, from memory: %v", way, a.Cached)
			}
			if a.Cached {
				fromMemory++
			}
		}
		readers.Wait()
	}
	if fromMemory == 0 {
		t.Error("no refusal ever came from memory, so nothing was tested")
	}
}

func TestListSeesALinkThatABurstOfWritesHasBuried(t *testing.T) {
	h := open(t, cache.Options{Journal: 4})
	members := flat(h, 40)
	h.write("file:acme/q#direct_viewer@" + bob)
	if n, _ := h.sift(bob, "read", members); n != 0 {
		t.Errorf("%d of 40 pass before there is a link", n)
	}
	h.write("file:acme/x7#link@file:acme/q")
	for i := range 8 {
		h.write(fmt.Sprintf("file:acme/new%d#parent@file:acme/r", i))
	}
	if n, got := h.sift(bob, "read", members); n != 1 || !got[7] {
		t.Errorf("%d of 40 pass, the linked one: %v; want that one", n, got[7])
	}
}
