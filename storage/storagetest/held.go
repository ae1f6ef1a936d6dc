package storagetest

import (
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"nexus/internal/errs"
)

// Claims about what snapshots show of what was deleted; purges lists them.

func purgeKeepsWhatASnapshotShows(k *kit) {
	k.mustRegister("/w")
	k.mustPut("/w/x/f", "one")
	k.mustMkdir("/w/x/empty")
	k.mustPut("/w/g", "g")
	k.snapshot("/w")
	k.mustPut("/w/x/f", "two")
	k.mustPut("/w/x/later", "later")
	later := k.at("/w/x/later").Anchor
	k.mustDelete("/w/g")
	k.mustRmdir("/w/x")
	k.age()
	k.purge()
	for _, path := range []string{"/w/x", "/w/g"} {
		k.mustFail("undelete "+path, k.undelete(path), errs.NotFound, errs.FileNotFound)
	}
	if slices.ContainsFunc(k.pairs(rows), func(row string) bool { return row == "files in "+later }) {
		k.Error("what no snapshot shows is still there")
	}
	k.restore("/w", 1)
	k.mustList("/w", whole, "/w/g", "/w/x/", "/w/x/empty/", "/w/x/f")
	k.mustRead("/w/x/f", "one")
	k.mustRead("/w/g", "g")
}

func purgeKeepsWhatASnapshotShowedElsewhere(k *kit) {
	k.mustMkdir("/other")
	k.mustRegister("/w")
	k.mustPut("/w/a/f", "x")
	k.snapshot("/w")
	k.mustMove("/w/a", "/other/b")
	k.mustMove("/other/b/f", "/other/f")
	k.mustDelete("/other/f")
	k.age()
	k.purge()
	k.restore("/w", 1)
	k.mustRead("/w/a/f", "x")
}

func purgeKeepsNothingForOtherWorkspaces(k *kit) {
	k.mustMkdir("/w")
	k.mustMkdir("/other")
	k.mustRegister("/other")
	k.snapshot("/other")
	before := k.remains()
	k.mustPut("/w/f", "x")
	k.snapshot("/other")
	k.mustMove("/w/f", "/other/f") // between two snapshots
	k.mustMove("/other/f", "/w/f")
	k.snapshot("/other")
	k.mustDelete("/w/f")
	k.age()
	k.purge()
	left := slices.DeleteFunc(k.remains(), func(row string) bool { return slices.Contains(before, row) })
	if len(left) > 0 {
		k.Errorf("there remain %q", left)
	}
}

func purgeTakesWhatWasHeldOnceTheSnapshotsEnd(k *kit) {
	k.mustMkdir("/w")
	before := k.remains()
	k.mustRegister("/w")
	k.mustPut("/w/x/f", "one")
	k.snapshot("/w")
	k.mustRmdir("/w/x")
	k.age()
	k.purge()
	held := k.remains()
	k.clock.Advance(48 * time.Hour)
	k.purge()
	k.mustRemain(held)
	if _, err := k.store.Workspaces().Unregister(k.Context(), grant(k, k.file("/w").Own())); err != nil {
		k.Fatal(err)
	}
	k.clock.Advance(48 * time.Hour)
	k.purge()
	k.mustRemain(before)
}

// restoreBringsBackAnyStateThatWasPurged is restoreBringsBackAnyState where what was deleted ends in between.
func restoreBringsBackAnyStateThatWasPurged(k *kit) {
	r := rand.New(rand.NewPCG(5, 5))
	k.mustRegister("/")
	var was []map[string]string
	for range 80 {
		k.change(r)
		tree, _ := k.contents()
		was = append(was, tree)
		k.snapshot("/")
		if r.IntN(3) > 0 {
			continue
		}
		k.age()
		k.purge()
		number := r.IntN(len(was)) + 1
		k.restore("/", int64(number))
		got, _ := k.contents()
		if want := was[number-1]; !maps.Equal(got, want) {
			k.Fatalf("restored %d: %q, want %q", number, got, want)
		}
		was = append(was, got)
		k.snapshot("/")
	}
}
