package storagetest

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"nexus/internal/errs"
	"nexus/internal/sqldb"
	"nexus/storage"
)

// purges are claims about the end of what was deleted.
var purges = []func(*kit){
	deletedTooLongAgoIsAsIfItHadNeverBeen,
	deletedIsKeptForEverWhereNothingElseIsSaid,
	purgeLeavesNothing,
	purgeLeavesWhatIsNotOldEnough,
	purgeWaitsForTheSweep,
	purgeGoesOnWhereAnotherDied,
	purgeOfManyVersionsGoesInSteps,
	purgeEndsWorkspacesInTheFolder,
	purgeLeavesContentsToTheBlobSweep,
	purgeKeepsWhatASnapshotShows,
	purgeKeepsWhatASnapshotShowedElsewhere,
	purgeKeepsNothingForOtherWorkspaces,
	purgeTakesWhatWasHeldOnceTheSnapshotsEnd,
	restoreBringsBackAnyStateThatWasPurged,
	undeleteAfterAPurgeBeganFindsNothing,
	undeleteBesideAPurgeLosesNothing,
	followersAreToldOfWhatWasPurged,
}

// rows names every row about something in the tree.
var rows = sqldb.SQL(`SELECT 'dirs', id FROM dirs UNION ALL SELECT 'files', id FROM files UNION ALL SELECT 'versions', file FROM versions
	UNION ALL SELECT 'places', id FROM places UNION ALL SELECT 'trash', id FROM trash UNION ALL SELECT 'purged', id FROM purged
	UNION ALL SELECT 'tuples', resource_id FROM tuples UNION ALL SELECT 'workspaces', id FROM workspaces
	UNION ALL SELECT 'snapshots', workspace FROM snapshots`)

// remains returns every row about something in the tree, and every relationship.
func (k *kit) remains() []string {
	k.Helper()
	all := k.pairs(rows)
	for _, r := range k.rels.All() {
		all = append(all, r.String())
	}
	slices.Sort(all)
	return all
}

func (k *kit) mustRemain(want []string) {
	k.Helper()
	if got := k.remains(); !slices.Equal(got, want) {
		k.Errorf("there remain %d rows and relationships: %q\nwant %d: %q", len(got), got, len(want), want)
	}
}

// purgeStep takes one step in ending what was deleted.
func (k *kit) purgeStep(at storage.PurgePlace) (next storage.PurgePlace, more bool) {
	k.Helper()
	next, more, err := k.files.PurgeTrash(k.Context(), k.broom(storage.DefaultTenant), at)
	if err != nil {
		k.Fatalf("purge: %v", err)
	}
	return next, more
}

// purge ends what was deleted too long ago, and returns in how many steps.
func (k *kit) purge() (steps int) {
	k.Helper()
	for at, more := (storage.PurgePlace{}), true; more; steps++ {
		at, more = k.purgeStep(at)
		if steps > 10_000 {
			k.Fatal("purging does not end")
		}
	}
	return steps
}

// age lets everything that was deleted become too old to be brought back, and forgets the changes of then.
func (k *kit) age() {
	k.Helper()
	k.sweep()
	k.clock.Advance(storage.DefaultTrashKeep + time.Microsecond)
	for more := true; more; {
		var err error
		if more, err = k.store.Changes().Forget(k.Context(), k.broom(storage.DefaultTenant), k.clock.Now()); err != nil {
			k.Fatal(err)
		}
	}
}

func deletedTooLongAgoIsAsIfItHadNeverBeen(k *kit) {
	k.mustPut("/a/f", "x")
	k.mustPut("/a/g", "x")
	k.mustDelete("/a/f")
	at := k.clock.Now()
	never := k.undelete("/a/never")
	found, _, err := k.files.Deleted(k.Context(), grant(k, k.dir("/a").Write()), storage.DeletedPlace{}, 10)
	if err != nil || len(found) != 1 || !found[0].Until.Equal(at.Add(storage.DefaultTrashKeep)) {
		k.Errorf("deleted = %+v, %v, want /a/f until %v", found, err, at.Add(storage.DefaultTrashKeep))
	}
	k.clock.Advance(storage.DefaultTrashKeep)
	k.mustUndelete("/a/f")
	k.mustDelete("/a/f")
	k.clock.Advance(storage.DefaultTrashKeep + time.Microsecond)
	for _, when := range []string{"before the purge", "after it"} {
		if got := k.deleted("/", 10); len(got) > 0 {
			k.Errorf("%s, deleted = %q", when, got)
		}
		err := k.undelete("/a/f")
		k.mustFail("undelete "+when, err, errs.From(never).Kind, errs.From(never).Reason)
		k.purge()
	}
	k.mustRead("/a/g", "x")
}

func deletedIsKeptForEverWhereNothingElseIsSaid(k *kit) {
	k.store.KeepTrash(0)
	k.mustPut("/f", "x")
	k.mustDelete("/f")
	k.clock.Advance(100 * 365 * 24 * time.Hour)
	if waiting, err := k.store.Chores().Purging(k.Context()); err != nil || len(waiting) > 0 {
		k.Errorf("Purging = %q, %v", waiting, err)
	}
	k.purge()
	found, _, err := k.files.Deleted(k.Context(), grant(k, k.dir("/").Write()), storage.DeletedPlace{}, 10)
	if err != nil || len(found) != 1 || !found[0].Until.IsZero() {
		k.Errorf("deleted = %+v, %v, want /f for ever", found, err)
	}
	k.mustUndelete("/f")
	k.mustRead("/f", "x")
}

func purgeLeavesNothing(k *kit) {
	k.mustPut("/kept", "x")
	before := k.remains()
	k.many("/a", 130)
	k.mustMkdir("/a/d1/empty/deep")
	k.mustPut("/a/d1/f1", "again")
	k.mustMove("/a/d2/f2", "/a/d3/moved")
	k.share("/a/d3/f3", "bob")
	k.share("/a/reserved/name", "bob")
	k.mustPut("/b/f", "x")
	k.mustDelete("/b/f")
	k.mustRmdir("/a")
	k.age()
	waiting, err := k.store.Chores().Purging(k.Context())
	if err != nil || !slices.Equal(waiting, []string{storage.DefaultTenant}) {
		k.Errorf("Purging = %q, %v", waiting, err)
	}
	if steps := k.purge(); steps < 5 {
		k.Errorf("purged in %d steps: a step is to be short", steps)
	}
	left := slices.DeleteFunc(k.remains(), func(row string) bool { return slices.Contains(before, row) })
	if len(left) != 1 || left[0][:6] != "places" { // of /b, which was not deleted but went with the last that was in it
		k.Errorf("there remain %q", left)
	}
	if waiting, err := k.store.Chores().Purging(k.Context()); err != nil || len(waiting) > 0 {
		k.Errorf("Purging = %q, %v, want nobody", waiting, err)
	}
}

func purgeLeavesWhatIsNotOldEnough(k *kit) {
	k.mustPut("/old/f", "x")
	k.mustPut("/new/f", "y")
	k.mustRmdir("/old")
	k.sweep()
	k.clock.Advance(time.Hour)
	k.mustRmdir("/new")
	k.sweep()
	k.clock.Advance(storage.DefaultTrashKeep - time.Minute)
	k.purge()
	k.mustUndelete("/new")
	k.mustList("/", whole, "/new/", "/new/f")
	k.mustFail("undelete /old", k.undelete("/old"), errs.NotFound, errs.FileNotFound)
}

func purgeWaitsForTheSweep(k *kit) {
	k.mustPut("/a/f", "x")
	k.share("/a/f", "bob")
	k.mustRmdir("/a")
	k.clock.Advance(2 * storage.DefaultTrashKeep)
	before := k.remains()
	k.purge()
	k.mustRemain(before)
}

// purgeGoesOnWhereAnotherDied forgets after each step how far it came, as who starts anew does.
func purgeGoesOnWhereAnotherDied(k *kit) {
	before := k.remains()
	k.many("/a", 120)
	k.mustRmdir("/a")
	k.age()
	for more := true; more; {
		_, more = k.purgeStep(storage.PurgePlace{})
		k.mustBeConsistent()
		k.mustFail("undelete", k.undelete("/a"), errs.NotFound, errs.FileNotFound)
	}
	k.mustRemain(before)
}

func purgeOfManyVersionsGoesInSteps(k *kit) {
	before := k.remains()
	for i := range 450 {
		k.mustPut("/f", fmt.Sprint(i))
	}
	k.mustDelete("/f")
	k.age()
	steps := 0
	for at, more := (storage.PurgePlace{}), true; more; steps++ {
		at, more = k.purgeStep(at)
		k.mustBeConsistent()
	}
	if steps < 4 {
		k.Errorf("450 versions went in %d steps", steps)
	}
	k.mustRemain(before)
}

func purgeEndsWorkspacesInTheFolder(k *kit) {
	before := k.remains()
	k.mustRegister("/a/w")
	k.mustRegister("/a")
	k.mustPut("/a/w/f", "x")
	k.snapshot("/a/w")
	k.snapshot("/a")
	k.mustRmdir("/a")
	k.age()
	k.purge()
	k.mustRemain(before)
}

func purgeLeavesContentsToTheBlobSweep(k *kit) {
	gone, shared := k.mustPut("/gone", long("gone")), k.mustPut("/shared", long("shared"))
	k.mustPut("/other", long("shared"))
	k.mustDelete("/gone")
	k.mustDelete("/shared")
	k.age()
	k.purge()
	for range 2 {
		k.clock.Advance(48 * time.Hour)
		k.sweepBlobs(time.Hour)
	}
	if k.stored(gone) || !k.stored(shared) {
		k.Errorf("stored are %v and %v, want only what another file holds", k.stored(gone), k.stored(shared))
	}
	k.mustRead("/other", long("shared"))
}

func undeleteAfterAPurgeBeganFindsNothing(k *kit) {
	k.mustPut("/a/f", "x")
	k.mustRmdir("/a")
	back := grant(k, k.dir("/a").Write())
	k.sweep()
	k.clock.Advance(storage.DefaultTrashKeep + time.Microsecond)
	k.purgeStep(storage.PurgePlace{})
	k.store.KeepTrash(2 * storage.DefaultTrashKeep) // as by another server, or by its clock
	_, err := k.files.Undelete(k.Context(), back)
	k.mustFail("undelete", err, errs.NotFound, errs.FileNotFound)
	if got := k.deleted("/", 10); len(got) > 0 {
		k.Errorf("deleted = %q", got)
	}
}

// undeleteBesideAPurgeLosesNothing: either the folder comes back whole, or there is none.
func undeleteBesideAPurgeLosesNothing(k *kit) {
	for round := range 20 {
		folder := fmt.Sprint("/a", round)
		k.mustPut(folder+"/b/f", "x")
		k.mustPut(folder+"/g", "y")
		k.mustRmdir(folder)
		k.sweep()
		back := grant(k, k.dir(folder).Write())
		k.clock.Advance(storage.DefaultTrashKeep) // to the microsecond: the end is a matter of who comes first
		var undone error
		var both sync.WaitGroup
		both.Go(func() { _, undone = k.files.Undelete(k.Context(), back) })
		both.Go(func() {
			k.clock.Advance(time.Microsecond)
			k.purge()
		})
		both.Wait()
		if undone == nil {
			k.mustList(folder, whole, folder+"/b/", folder+"/b/f", folder+"/g")
			continue
		}
		if !errors.Is(undone, errs.NotFound) {
			k.Fatalf("undelete: %v", undone)
		}
		k.mustExist(false, folder, folder+"/g")
	}
}

// followersAreToldOfWhatWasPurged: who follows changes may come later than the end of what they are about.
func followersAreToldOfWhatWasPurged(k *kit) {
	k.mustMkdir("/a")
	start := k.now()
	k.mustPut("/a/f", "x")
	k.mustDelete("/a/f")
	told, _ := k.follow(start, "/", k.gate)
	k.clock.Advance(storage.DefaultTrashKeep + time.Microsecond)
	k.purge()
	if len(k.deleted("/", 10)) > 0 {
		k.Error("it was not purged")
	}
	if after, _ := k.follow(start, "/", k.gate); !slices.Contains(after, told[len(told)-1]) {
		k.Errorf("told after the purge: %q, before: %q", after, told)
	}
}
