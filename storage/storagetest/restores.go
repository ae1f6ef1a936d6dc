package storagetest

import (
	"maps"
	"math/rand/v2"

	"nexus/internal/errs"
	"nexus/schema"
	"nexus/storage"
)

// restores are claims about bringing a workspace back to what it was.
var restores = []func(*kit){
	restoreBringsBackAnyState,
	restoreIsANewStateAndNothingIsLost,
	restoreOfWhatIsAsItWasChangesNothing,
	restoreKeepsTheGrantsOfWhatMoved,
	restoreGivesNoGrantsBack,
	restoreBringsFilesBackOutOfADeletedFolder,
	restoreCopiesWhatHasLeft,
	restoreGoesInSteps,
	restoreOverAChangeIsStale,
}

func (k *kit) restoreGrant(path string) storage.RestoreGrant {
	k.Helper()
	access := schema.Home(k.ann).Access()
	return storage.RestoreGrant{
		Root:    grant(k, k.file(path).Write()),
		Changed: grant(k, schema.WriteFilesWithin(k.gate, access, "files.write")),
		Source:  grant(k, schema.ReadFilesWithin(k.gate, access, "files.read")),
	}
}

func (k *kit) restore(path string, number int64) *storage.Restore {
	k.Helper()
	r, err := k.store.Workspaces().Plan(k.Context(), k.restoreGrant(path), number)
	if err != nil {
		k.Fatalf("plan to restore %d: %v", number, err)
	}
	for r.Left() > 0 {
		if err := r.Step(k.Context(), k.restoreGrant(path)); err != nil {
			k.Fatalf("restore %d, %d left: %v", number, r.Left(), err)
		}
	}
	return r
}

// restoreBringsBackAnyState does what people do, goes back to some state now and then, and goes on from there.
func restoreBringsBackAnyState(k *kit) {
	r := rand.New(rand.NewPCG(11, 11))
	k.mustRegister("/")
	var was []map[string]string
	for range 100 {
		k.change(r)
		tree, _ := k.contents()
		was = append(was, tree)
		k.snapshot("/")
		if r.IntN(4) > 0 {
			continue
		}
		number := r.IntN(len(was)) + 1
		done := k.restore("/", int64(number))
		got, bytes := k.contents()
		if want := was[number-1]; !maps.Equal(got, want) {
			k.Fatalf("restored %d: %q, want %q", number, got, want)
		}
		if done.Hidden > 0 {
			k.Errorf("restored %d: %d are hidden from who may do everything", number, done.Hidden)
		}
		was = append(was, got)
		if s := k.snapshot("/"); s.Files != int64(len(got)) || s.Bytes != bytes {
			k.Fatalf("restored %d: %d files of %d bytes are counted, there are %d of %d", number, s.Files, s.Bytes, len(got), bytes)
		}
	}
}

func restoreIsANewStateAndNothingIsLost(k *kit) {
	k.mustRegister("/w")
	k.mustPut("/w/f", "one")
	k.snapshot("/w")
	k.mustPut("/w/f", "two")
	k.mustPut("/w/g", "later")
	k.snapshot("/w")
	k.restore("/w", 1)
	k.mustList("/w", whole, "/w/f")
	k.mustRead("/w/f", "one")
	if e := k.stat("/w/f"); e.Version != 3 {
		k.Errorf("version = %d, want a new one", e.Version)
	}
	k.mustVersion("/w/f", 2, "two")
	k.restore("/w", 2)
	k.mustRead("/w/f", "two")
	k.mustRead("/w/g", "later")
}

func restoreOfWhatIsAsItWasChangesNothing(k *kit) {
	k.mustRegister("/w")
	k.mustPut("/w/a/f", "x")
	k.snapshot("/w")
	if r := k.restore("/w", 1); r.Changed+r.Deleted+r.Hidden != 0 {
		k.Errorf("restored %+v", r)
	}
	if e := k.stat("/w/a/f"); e.Version != 1 {
		k.Errorf("version = %d, want 1", e.Version)
	}
}

func restoreKeepsTheGrantsOfWhatMoved(k *kit) {
	k.mustRegister("/w")
	k.mustPut("/w/a/f", "x")
	k.share("/w/a/f", "bob")
	k.snapshot("/w")
	k.mustMove("/w/a/f", "/w/b/c/g")
	k.restore("/w", 1)
	k.mustList("/w", whole, "/w/a/", "/w/a/f")
	if k.grantsFor("bob") != 1 {
		k.Error("the grant on what moved is gone")
	}
}

func restoreGivesNoGrantsBack(k *kit) {
	k.mustRegister("/w")
	k.mustPut("/w/f", "x")
	id := k.at("/w/f").Anchor
	k.share("/w/f", "bob")
	k.snapshot("/w")
	k.mustDelete("/w/f")
	k.restore("/w", 1)
	k.mustRead("/w/f", "x")
	k.mustHaveNoGrantsFor("bob")
	if k.at("/w/f").Anchor != id {
		k.Error("what came back is another file")
	}
}

func restoreBringsFilesBackOutOfADeletedFolder(k *kit) {
	k.mustRegister("/w")
	k.mustPut("/w/a/b/f", "x")
	k.share("/w/a/b/f", "bob")
	k.snapshot("/w")
	k.mustRmdir("/w/a")
	k.restore("/w", 1) // before the sweep
	k.mustRead("/w/a/b/f", "x")
	k.mustHaveNoGrantsFor("bob")
	k.sweep()
	k.mustRead("/w/a/b/f", "x")
}

func restoreCopiesWhatHasLeft(k *kit) {
	k.mustRegister("/w")
	k.mustPut("/w/f", "x")
	k.snapshot("/w")
	k.mustMove("/w/f", "/elsewhere/f")
	k.mustPut("/elsewhere/f", "changed")
	k.restore("/w", 1)
	k.mustRead("/w/f", "x")
	k.mustRead("/elsewhere/f", "changed")
}

func restoreGoesInSteps(k *kit) {
	k.mustRegister("/w")
	k.snapshot("/w")
	k.many("/w", 250)
	r, err := k.store.Workspaces().Plan(k.Context(), k.restoreGrant("/w"), 1)
	if err != nil {
		k.Fatal(err)
	}
	k.snapshot("/w")
	k.restore("/w", 1)
	if r.Left() == 0 {
		k.Error("there was nothing to do")
	}
	steps := 0
	r, err = k.store.Workspaces().Plan(k.Context(), k.restoreGrant("/w"), 2)
	for ; err == nil && r.Left() > 0; steps++ {
		err = r.Step(k.Context(), k.restoreGrant("/w"))
	}
	if err != nil || steps < 3 {
		k.Errorf("%d steps, %v, want several short ones", steps, err)
	}
	if tree, _ := k.contents(); len(tree) != 250 {
		k.Errorf("%d files are back, want 250", len(tree))
	}
}

func restoreOverAChangeIsStale(k *kit) {
	k.mustRegister("/w")
	k.mustPut("/w/f", "one")
	k.snapshot("/w")
	k.mustDelete("/w/f")
	r, err := k.store.Workspaces().Plan(k.Context(), k.restoreGrant("/w"), 1)
	if err != nil {
		k.Fatal(err)
	}
	k.mustPut("/w/f", "another")
	k.mustBeStale("a step over what came between", r.Step(k.Context(), k.restoreGrant("/w")))
	k.mustRead("/w/f", "another")
	_, err = k.store.Workspaces().Plan(k.Context(), k.restoreGrant("/w"), 9)
	k.mustFail("a snapshot that is not there", err, errs.NotFound, errs.FileNotFound)
}
