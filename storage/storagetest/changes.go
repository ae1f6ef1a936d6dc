package storagetest

import (
	"slices"
	"strings"
	"time"

	"nexus/authzsvc/authz"
	"nexus/authzsvc/gatetest"
	"nexus/schema"
	"nexus/storage"
)

// changes are claims about following what changes.
var changes = []func(*kit){
	changesAreToldInOrderAndOnce,
	changeOfWhatOneMayNotReadIsNotTold,
	deletionIsToldToWhoReadsTheFolderItWasIn,
	deletionFromAFolderThatWentWithItIsToldAboveIt,
	moveIsToldByTheSidesThatOneMayRead,
	changeInAFolderThatMovedSinceIsToldAboveItAlone,
	folderInTheSamePlaceDoesNotTellOfTheOneBefore,
	changeThatARuleHidesIsNotTold,
	changesBelowAFolderAreToldAlone,
	forgottenChangesAreKnownToBeForgotten,
	waitingFollowerHearsOfACommitAlone,
	changesOfOneTenantAreNotAnothers,
}

// follow returns what somebody is told of the changes behind a sequence.
func (k *kit) follow(after int64, under string, gate *authz.Gate) (all []string, next int64) {
	k.Helper()
	s, _, err := authz.Ask(k.Context(), gate, k.ann, authz.Act{Op: "events.follow"},
		schema.ReadFilesWithin(gate, schema.Home(k.ann).Access(), "files.read"))
	if err != nil {
		k.Fatal(err)
	}
	for more := true; more; {
		page, err := k.store.Changes().After(k.Context(), s, after, under, 2)
		if err != nil {
			k.Fatal(err)
		}
		for _, c := range page.Changes {
			if c.Seq <= after || c.Seq > page.Next || c.At.IsZero() {
				k.Errorf("a change of the page behind %d up to %d is %+v", after, page.Next, c)
			}
			text := string(c.Kind) + " " + c.Path
			if c.Old != "" {
				text += " from " + c.Old
			}
			all = append(all, text)
		}
		after, more = page.Next, page.More
	}
	return all, after
}

// reader is a gate for somebody who enters the tenant and reads these objects, by their ids, and nothing else.
func (k *kit) reader(ids ...string) *authz.Gate {
	k.Helper()
	gate, _ := gatetest.Config{Relations: func(_ []authz.Ref, c authz.Check) bool {
		return c.Type == "tenant" || c.Permission == "read" && slices.Contains(ids, c.ID)
	}}.Gate(k.T)
	return gate
}

func (k *kit) mustTell(gate *authz.Gate, after int64, want ...string) {
	k.Helper()
	if got, _ := k.follow(after, "/", gate); !slices.Equal(got, want) {
		k.Errorf("told is %q, want %q", got, want)
	}
}

// now returns the last sequence of the tenant.
func (k *kit) now() int64 {
	k.Helper()
	span, err := k.store.Changes().Span(k.Context(), k.scope())
	if err != nil {
		k.Fatal(err)
	}
	return span.Last
}

func changesAreToldInOrderAndOnce(k *kit) {
	from := k.now()
	k.mustMkdir("/d")
	k.mustPut("/d/f", "one")
	k.mustPut("/d/f", "two")
	k.mustMove("/d/f", "/d/g")
	k.share("/d/g", "bob") // is no change of the tree
	k.mustDelete("/d/g")
	all := []string{"created /d", "created /d/f", "written /d/f", "moved /d/g from /d/f", "deleted /d/g"}
	got, next := k.follow(from, "/", k.gate)
	if !slices.Equal(got, all) {
		k.Errorf("told is %q, want %q", got, all)
	}
	if again, _ := k.follow(next, "/", k.gate); len(again) > 0 {
		k.Errorf("told twice: %q", again)
	}
	if half, _ := k.follow(from+2, "/", k.gate); !slices.Equal(half, all[2:]) {
		k.Errorf("from the middle on %q, want %q", half, all[2:])
	}
}

func changeOfWhatOneMayNotReadIsNotTold(k *kit) {
	from := k.now()
	k.mustPut("/mine", "x")
	k.mustPut("/others", "x")
	k.mustPut("/others", "y")
	k.mustTell(k.reader(k.at("/mine").Anchor), from, "created /mine")
	k.mustTell(k.reader(), from)
}

func deletionIsToldToWhoReadsTheFolderItWasIn(k *kit) {
	k.mustMkdir("/d")
	k.mustPut("/d/f", "x")
	file, folder, root := k.at("/d/f").Anchor, k.at("/d").Anchor, k.at("/").Anchor
	from := k.now()
	k.mustPut("/d/f", "y")
	k.mustDelete("/d/f")
	k.mustTell(k.reader(folder), from, "written /d/f", "deleted /d/f")
	k.mustTell(k.reader(file), from) // whoever read the file alone learns nothing from its being gone
	k.mustTell(k.reader(root), from) // a gate without inheritance: reading the root is not reading the folder
}

// deletionFromAFolderThatWentWithItIsToldAboveIt: a folder that nobody made goes with the last that is in it.
func deletionFromAFolderThatWentWithItIsToldAboveIt(k *kit) {
	k.mustMkdir("/d")
	k.mustPut("/d/implied/deeper/f", "x")
	above := k.at("/d").Anchor
	from := k.now()
	k.mustDelete("/d/implied/deeper/f")
	k.mustExist(false, "/d/implied")
	k.mustTell(k.reader(above), from, "deleted /d/implied/deeper/f")
	k.mustTell(k.reader(k.at("/").Anchor), from)
}

func moveIsToldByTheSidesThatOneMayRead(k *kit) {
	k.mustMkdir("/a")
	k.mustMkdir("/b")
	k.mustPut("/a/f", "x")
	file, a, b := k.at("/a/f").Anchor, k.at("/a").Anchor, k.at("/b").Anchor
	from := k.now()
	k.mustMove("/a/f", "/b/g")
	k.mustTell(k.reader(file, a), from, "moved /b/g from /a/f")
	k.mustTell(k.reader(a), from, "deleted /a/f")
	k.mustTell(k.reader(file), from, "created /b/g")
	k.mustTell(k.reader(b), from) // the object is still there, and reading it is another right in a gate without inheritance
}

func changeInAFolderThatMovedSinceIsToldAboveItAlone(k *kit) {
	k.mustMkdir("/d")
	k.mustMkdir("/d/old")
	k.mustPut("/d/old/f", "x")
	file, folder, above := k.at("/d/old/f").Anchor, k.at("/d/old").Anchor, k.at("/d").Anchor
	from := k.now() - 1
	k.mustMove("/d/old", "/d/new")
	k.mustTell(k.reader(above), from, "created /d/old/f", "deleted /d/old")
	k.mustTell(k.reader(file), from)
	k.mustTell(k.reader(folder), from, "created /d/new")
}

func folderInTheSamePlaceDoesNotTellOfTheOneBefore(k *kit) {
	k.mustMkdir("/d")
	k.mustPut("/d/secret", "x")
	from := k.now() - 1
	k.mustRmdir("/d")
	k.mustMkdir("/d")
	k.mustPut("/d/open", "x")
	k.mustTell(k.reader(k.at("/d").Anchor, k.at("/d/open").Anchor), from, "created /d", "created /d/open")
}

func changeThatARuleHidesIsNotTold(k *kit) {
	from := k.now()
	k.mustPut("/d/notes", "x")
	k.mustPut("/d/id_rsa", "x")
	k.mustDelete("/d/id_rsa")
	k.mustDelete("/d/notes")
	gate, _ := gatetest.Config{RefuseObject: func(op string, o authz.Named) bool {
		return op == "files.read" && strings.HasSuffix(o.Name, "/id_rsa")
	}}.Gate(k.T)
	k.mustTell(gate, from, "created /d/notes", "deleted /d/notes")
}

func changesBelowAFolderAreToldAlone(k *kit) {
	from := k.now()
	k.mustPut("/a/f", "x")
	k.mustPut("/ab/f", "x")
	k.mustMove("/a/f", "/c/f")
	k.mustMove("/ab/f", "/a/g")
	got, _ := k.follow(from, "/a", k.gate)
	if want := []string{"created /a/f", "deleted /a/f", "created /a/g"}; !slices.Equal(got, want) {
		k.Errorf("below /a told is %q, want %q", got, want)
	}
}

func forgottenChangesAreKnownToBeForgotten(k *kit) {
	from := k.now()
	k.mustPut("/old", "x")
	k.share("/old", "bob")
	k.mustPut("/old", "y")
	cut := k.now()
	k.clock.Advance(time.Hour)
	k.mustPut("/new", "x")
	at := k.clock.Now().Add(-time.Minute)
	sweep := grant(k, schema.Home(k.ann).Sweep())
	if more, err := k.store.Changes().Forget(k.Context(), sweep, at); err != nil || more {
		k.Fatalf("Forget = %v, %v", more, err)
	}
	span, err := k.store.Changes().Span(k.Context(), k.scope())
	if err != nil || span.Forgotten != cut || span.Last != k.now() {
		k.Errorf("the span is %+v, %v, want forgotten up to %d", span, err, cut)
	}
	if got, _ := k.follow(from, "/", k.gate); !slices.Equal(got, []string{"created /new"}) {
		k.Errorf("told is %q", got)
	}
	if _, err := k.store.Changes().Forget(k.Context(), sweep, at); err != nil {
		k.Fatal(err)
	}
	if again, err := k.store.Changes().Span(k.Context(), k.scope()); err != nil || again != span {
		k.Errorf("forgetting nothing makes the span %+v, %v", again, err)
	}
	if left, err := k.store.Chores().Forgetting(k.Context(), at); err != nil || len(left) > 0 {
		k.Errorf("work waits in %q, %v", left, err)
	}
	if left, err := k.store.Chores().Forgetting(k.Context(), k.clock.Now().Add(time.Hour)); err != nil || len(left) != 1 {
		k.Errorf("later, work waits in %q, %v", left, err)
	}
}

func waitingFollowerHearsOfACommitAlone(k *kit) {
	hears := func() func() bool {
		grown, err := k.store.Changes().Grown(k.scope())
		if err != nil {
			k.Fatal(err)
		}
		return func() bool {
			select {
			case <-grown:
				return true
			default:
				return false
			}
		}
	}
	heard := hears()
	if _, err := k.put("/f", "x", storage.Condition{Match: "another"}); err == nil {
		k.Fatal("a write over another etag succeeds")
	}
	if heard() {
		k.Error("a write that was rolled back is heard")
	}
	k.mustPut("/f", "x")
	if !heard() {
		k.Error("a write is not heard")
	}
	if hears()() {
		k.Error("who listens later hears what was before")
	}
}

func changesOfOneTenantAreNotAnothers(k *kit) {
	k.found("acme")
	eve := gatetest.User("acme", "eve")
	heard, err := k.store.Changes().Grown(k.scope())
	if err != nil {
		k.Fatal(err)
	}
	from := k.now()
	if _, err := k.putAs(eve, "/theirs", "x", storage.Condition{}); err != nil {
		k.Fatal(err)
	}
	k.mustTell(k.gate, from)
	select {
	case <-heard:
		k.Error("a change of another tenant is heard")
	default:
	}
}
