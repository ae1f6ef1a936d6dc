package storagetest

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"nexus/internal/errs"
	"nexus/schema"
	"nexus/storage"
)

// retention are claims about versions that need not stay.
var retention = []func(*kit){
	newestVersionsStay,
	youngVersionsStay,
	whatSnapshotsSeeStaysWhateverHappens,
	versionsGoWhenTheirSnapshotsDo,
	droppedVersionIsAsOneThatNeverWas,
	retentionGoesInShortSteps,
	contentsOfDroppedVersionsGo,
}

// keepVersions makes a round through all versions, in which nothing is too young to go, and returns how many steps it took.
func (k *kit) keepVersions(newest int64) (steps int) {
	k.Helper()
	return k.keepVersionsFor(storage.VersionsKept{Newest: newest})
}

func (k *kit) keepVersionsFor(keep storage.VersionsKept) (steps int) {
	k.Helper()
	var at storage.VersionsPlace
	for more := true; more; more = at != (storage.VersionsPlace{}) {
		var err error
		if at, err = k.files.DropVersions(k.Context(), grant(k, schema.Home(k.ann).Sweep()), keep, at); err != nil {
			k.Fatal(err)
		}
		steps++
	}
	return steps
}

// numbers returns the versions that a file has, the newest first.
func (k *kit) numbers(path string) (all []int64) {
	k.Helper()
	found, _, err := k.files.Versions(k.Context(), grant(k, k.file(path).Read()), 0, 1000)
	if err != nil {
		k.Fatal(err)
	}
	for _, v := range found {
		all = append(all, v.Number)
	}
	return all
}

func (k *kit) mustHave(path string, want ...int64) {
	k.Helper()
	if got := k.numbers(path); !slices.Equal(got, want) {
		k.Errorf("%s has the versions %v, want %v", path, got, want)
	}
}

func (k *kit) puts(path string, n int) {
	k.Helper()
	for i := range n {
		k.mustPut(path, fmt.Sprint(path, " ", i))
	}
}

func newestVersionsStay(k *kit) {
	k.puts("/five", 5)
	k.puts("/two", 2)
	k.keepVersions(2)
	k.mustHave("/five", 5, 4)
	k.mustHave("/two", 2, 1)
	k.keepVersions(3)
	k.mustHave("/five", 5, 4)
	k.puts("/five", 1)
	k.keepVersions(3)
	k.mustHave("/five", 6, 5, 4)
	k.keepVersions(1)
	k.mustHave("/five", 6)
	k.mustRead("/five", "/five 0")
	_, err := k.files.DropVersions(k.Context(), grant(k, schema.Home(k.ann).Sweep()), storage.VersionsKept{}, storage.VersionsPlace{})
	k.mustFail("to keep not even the current one", err, errs.Internal, "")
}

func youngVersionsStay(k *kit) {
	day := 24 * time.Hour
	for range 4 {
		k.puts("/f", 1)
		k.clock.Advance(day)
	}
	k.keepVersionsFor(storage.VersionsKept{Newest: 1, For: 4 * day})
	k.mustHave("/f", 4, 3, 2, 1)
	k.keepVersionsFor(storage.VersionsKept{Newest: 1, For: 2*day + time.Hour})
	k.mustHave("/f", 4, 3, 2)
	k.keepVersionsFor(storage.VersionsKept{Newest: 3})
	k.mustHave("/f", 4, 3, 2)
}

// whatSnapshotsSeeStaysWhateverHappens does what people do, in two workspaces, one in the other, and keeps no version that it need
// not keep: every snapshot compares and is restored as before.
func whatSnapshotsSeeStaysWhateverHappens(k *kit) {
	r := rand.New(rand.NewPCG(17, 4))
	k.mustRegister("/")
	k.mustMkdir("/a")
	k.mustRegister("/a")
	inner := k.at("/a").Anchor
	was := map[int64]map[string]string{}
	nested := int64(0)
	for range 150 {
		k.change(r)
		if r.IntN(3) == 0 {
			tree, _ := k.contents()
			was[k.snapshot("/").Number] = tree
		}
		if k.at("/a").Anchor == inner && r.IntN(4) == 0 {
			nested = k.snapshot("/a").Number
		}
		if r.IntN(5) == 0 {
			k.keepVersions(1)
		}
	}
	k.keepVersions(1)
	all := slices.Sorted(maps.Keys(was))
	for range 60 {
		one, two := all[r.IntN(len(all))], all[r.IntN(len(all))]
		want, same := lines(was[one], was[two])
		if got, unchanged := k.compare("/", one, two); !slices.Equal(got, want) || same != unchanged {
			k.Fatalf("from %d to %d: %q and %d unchanged, want %q and %d", one, two, got, unchanged, want, same)
		}
	}
	for range 12 {
		number := all[r.IntN(len(all))]
		k.restore("/", number)
		k.keepVersions(1)
		if got, _ := k.contents(); !maps.Equal(got, was[number]) {
			k.Fatalf("restored %d: %q, want %q", number, got, was[number])
		}
	}
	if len(all) < 20 || nested < 2 {
		k.Errorf("%d and %d snapshots show little", len(all), nested)
	}
}

func versionsGoWhenTheirSnapshotsDo(k *kit) {
	k.mustRegister("/w")
	k.puts("/w/f", 2)
	k.puts("/out", 2)
	k.snapshot("/w")
	k.puts("/w/f", 2)
	k.puts("/out", 2)
	k.keepVersions(1)
	k.mustHave("/w/f", 4, 2)
	k.mustHave("/out", 4)
	if _, err := k.store.Workspaces().Unregister(k.Context(), grant(k, k.file("/w").Own())); err != nil {
		k.Fatal(err)
	}
	k.keepVersions(1)
	k.mustHave("/w/f", 4)
}

func droppedVersionIsAsOneThatNeverWas(k *kit) {
	k.puts("/f", 3)
	k.keepVersions(1)
	for _, number := range []int64{2, 4} {
		_, err := k.version("/f", number)
		k.mustFail(fmt.Sprint(number), err, errs.NotFound, errs.FileNotFound)
		_, err = k.files.Rollback(k.Context(), grant(k, k.file("/f").Write()), number)
		k.mustFail(fmt.Sprint("rollback to ", number), err, errs.NotFound, errs.FileNotFound)
	}
	k.mustHave("/f", 3)
}

func retentionGoesInShortSteps(k *kit) {
	k.puts("/a", 230)
	k.puts("/b", 3)
	var before, least int
	count := func() int { return len(k.numbers("/a")) + len(k.numbers("/b")) }
	before = count()
	var at storage.VersionsPlace
	steps := 0
	for more := true; more; more = at != (storage.VersionsPlace{}) {
		var err error
		if at, err = k.files.DropVersions(k.Context(), grant(k, schema.Home(k.ann).Sweep()), storage.VersionsKept{Newest: 1}, at); err != nil {
			k.Fatal(err)
		}
		now := count()
		if before-now > 101 {
			k.Errorf("one step drops %d versions", before-now)
		}
		before, steps = now, steps+1
	}
	if least = count(); least != 2 || steps < 3 {
		k.Errorf("%d versions are left after %d steps, want 2 after several", least, steps)
	}
}

func contentsOfDroppedVersionsGo(k *kit) {
	gone := k.mustPut("/f", long("gone"))
	stays := k.mustPut("/f", long("stays"))
	k.keepVersions(1)
	k.clock.Advance(2 * time.Hour)
	k.sweepBlobs(time.Hour)
	k.sweepBlobs(time.Hour)
	if k.stored(gone) || !k.stored(stays) {
		k.Errorf("contents of the dropped version are stored: %t, of the current one: %t", k.stored(gone), k.stored(stays))
	}
	k.mustRead("/f", long("stays"))
}
