package storagetest

import (
	"maps"
	"math/rand/v2"
	"strings"
	"time"

	"nexus/internal/errs"
	"nexus/internal/sqldb"
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
	restoreIsWatchedByWhoReads,
	secondRestoreAtOnceRefused,
	restoreThatEndedEarlyIsGoneOnWith,
	whatOthersChangeMeanwhileStays,
	whatComesIntoADiscardedFolderStays,
	copiesOfARestoreAreNotMadeTwice,
	restoreOfAWorkspaceThatEndsMeanwhileEnds,
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

// begin begins a restore, or goes on with one.
func (k *kit) begin(path string, number int64) *storage.Restore {
	k.Helper()
	r, err := k.store.Workspaces().Restore(k.Context(), k.restoreGrant(path), number)
	if err != nil {
		k.Fatalf("restore %d: %v", number, err)
	}
	return r
}

func (k *kit) replan(r *storage.Restore, path string) {
	k.Helper()
	if err := r.Plan(k.Context(), k.restoreGrant(path)); err != nil {
		k.Fatalf("plan: %v", err)
	}
}

// step takes one step of a restore.
func (k *kit) step(r *storage.Restore, path string) {
	k.Helper()
	if err := r.Step(k.Context(), k.restoreGrant(path)); err != nil {
		k.Fatalf("%d left: %v", r.State().Left, err)
	}
}

func (k *kit) end(r *storage.Restore) {
	k.Helper()
	if err := r.Close(k.Context()); err != nil {
		k.Fatal(err)
	}
}

func (k *kit) restore(path string, number int64) storage.RestoreState {
	k.Helper()
	r := k.begin(path, number)
	defer k.end(r)
	for !r.Done() {
		k.step(r, path)
	}
	return r.State()
}

// restoring returns what is told of the last restore to who may read the workspace.
func (k *kit) restoring(path string) *storage.RestoreState {
	k.Helper()
	s, err := k.store.Workspaces().Restoring(k.Context(), grant(k, k.file(path).Read()))
	if err != nil {
		k.Fatal(err)
	}
	return s
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
		if done.Hidden+done.Kept+done.Left > 0 || !done.Done || done.Running {
			k.Errorf("restored %d: %+v, want nothing left out where one does everything", number, done)
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
	k.snapshot("/w")
	k.restore("/w", 1)
	r := k.begin("/w", 2)
	steps := 0
	for left := r.State().Left; !r.Done(); steps++ {
		k.step(r, "/w")
		if s := r.State(); left-s.Left > 100 {
			k.Errorf("one step does %d things", left-s.Left)
		} else {
			left = s.Left
		}
	}
	k.end(r)
	if steps < 3 {
		k.Errorf("%d steps, want several short ones", steps)
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
	r := k.begin("/w", 1)
	k.mustPut("/w/f", "another")
	k.mustBeStale("a step over what came between", r.Step(k.Context(), k.restoreGrant("/w")))
	k.mustRead("/w/f", "another")
	k.end(r)
	_, err := k.store.Workspaces().Restore(k.Context(), k.restoreGrant("/w"), 9)
	k.mustFail("a snapshot that is not there", err, errs.NotFound, errs.FileNotFound)
}

func restoreIsWatchedByWhoReads(k *kit) {
	k.mustRegister("/w")
	k.many("/w", 150)
	k.snapshot("/w")
	if s := k.restoring("/w"); s != nil {
		k.Errorf("told of %+v before there was a restore", s)
	}
	k.mustRmdir("/w/d0")
	r := k.begin("/w", 1)
	begun := *k.restoring("/w")
	k.clock.Advance(time.Second)
	for !r.Done() {
		k.step(r, "/w")
		s := *k.restoring("/w")
		if s.Running == s.Done || s.Done != (s.Left == 0) || s.Changed+s.Left != begun.Left || !s.Updated.After(s.Started) {
			k.Errorf("of %+v comes %+v", begun, s)
		}
	}
	k.end(r)
	s := *k.restoring("/w")
	if !s.Done || s.Running || s.ID != begun.ID || s.Finished.IsZero() || s.Author != k.ann.Base || s.Number != 1 {
		k.Errorf("at the end %+v", s)
	}
}

func secondRestoreAtOnceRefused(k *kit) {
	k.mustRegister("/w")
	k.mustPut("/w/f", "one")
	k.snapshot("/w")
	k.mustPut("/w/f", "two")
	k.snapshot("/w")
	r := k.begin("/w", 1)
	for _, number := range []int64{1, 2} {
		_, err := k.store.Workspaces().Restore(k.Context(), k.restoreGrant("/w"), number)
		k.mustFail("a second one", err, errs.Conflict, "")
	}
	k.step(r, "/w")
	k.end(r)
	k.mustRead("/w/f", "one")
	k.restore("/w", 2)
	k.mustRead("/w/f", "two")
}

// restoreThatEndedEarlyIsGoneOnWith ends it in every way there is: by its caller, and with its server.
func restoreThatEndedEarlyIsGoneOnWith(k *kit) {
	k.mustRegister("/w")
	k.many("/w", 250)
	tree, _ := k.contents()
	k.snapshot("/w")
	for _, path := range k.list("/w", storage.ListOptions{}) {
		k.mustRmdir(strings.TrimSuffix(path, "/"))
	}
	r := k.begin("/w", 1)
	id, steps := r.State().ID, 0
	for ; !r.Done(); steps++ {
		k.step(r, "/w")
		if r.Done() {
			break
		}
		switch steps % 3 {
		case 0:
			k.end(r)
		case 1:
			k.store = storage.New(k.db, k.blobs, k.rels, k.rels, k.clock)
			if err := k.store.Founding().Recover(k.Context()); err != nil {
				k.Fatal(err)
			}
			if k.db.Dialect() == sqldb.Postgres { // where another server may be at it
				k.clock.Advance(3 * time.Minute)
			}
		case 2:
			k.clock.Advance(3 * time.Minute) // nothing is heard of the call
		}
		if s := k.restoring("/w"); s.Running || s.Done {
			k.Errorf("it ended early, and is told as %+v", s)
		}
		before := r
		r = k.begin("/w", 1)
		k.mustFail("a step of the call that was gone", before.Step(k.Context(), k.restoreGrant("/w")), errs.Conflict, "")
	}
	k.end(r)
	if s := r.State(); s.ID != id || s.Changed < 250 || steps < 3 {
		k.Errorf("after %d steps %+v, want all of it to be restore %s", steps, s, id)
	}
	if got, _ := k.contents(); !maps.Equal(got, tree) {
		k.Errorf("%d files are back, want %d", len(got), len(tree))
	}
	for path := range tree {
		if e := k.stat("/" + path); e.Version != 1 {
			k.Fatalf("%s has version %d: it was restored twice", path, e.Version)
		}
	}
}

// whatOthersChangeMeanwhileStays is about a restore that is gone on with after others have worked on.
func whatOthersChangeMeanwhileStays(k *kit) {
	k.mustRegister("/w")
	for _, path := range []string{"/w/a/f", "/w/a/g", "/w/b/f", "/w/old/f", "/w/moves/f", "/w/x"} {
		k.mustPut(path, "then")
	}
	k.snapshot("/w")
	for _, path := range []string{"/w/a/f", "/w/a/g", "/w/b/f", "/w/old/f", "/w/moves/f", "/w/extra/f", "/w/extra/g", "/w/gone/f"} {
		k.mustPut(path, "now")
	}
	k.mustDelete("/w/x")
	r := k.begin("/w", 1)
	k.end(r)
	k.mustPut("/w/a/f", "later")
	k.mustPut("/w/extra/f", "later")
	k.mustPut("/w/new/f", "later")
	k.mustPut("/w/x/f", "in the way")
	k.mustMove("/w/moves", "/w/moved")
	k.mustDelete("/w/b/f")
	s := k.restore("/w", 1)
	for path, want := range map[string]string{
		"/w/a/f": "later", "/w/a/g": "then", "/w/b/f": "then", "/w/old/f": "then", "/w/moved/f": "now", "/w/extra/f": "later",
		"/w/new/f": "later", "/w/x/f": "in the way",
	} {
		k.mustRead(path, want)
	}
	k.mustExist(false, "/w/extra/g", "/w/gone", "/w/moves/f")
	if s.Kept != 6 || s.Hidden != 0 || !s.Done { // five files, and the one that another is in the way of
		k.Errorf("%+v, want 6 left as they are", s)
	}
	k.restore("/w", 1) // a new one knows of all that
	k.mustList("/w", whole, "/w/a/", "/w/a/f", "/w/a/g", "/w/b/", "/w/b/f", "/w/moves/", "/w/moves/f", "/w/old/", "/w/old/f", "/w/x")
}

// whatComesIntoADiscardedFolderStays: between the plan and its step.
func whatComesIntoADiscardedFolderStays(k *kit) {
	k.mustRegister("/w")
	k.snapshot("/w")
	k.mustPut("/w/d/old", "x")
	r := k.begin("/w", 1)
	k.mustPut("/w/d/e/new", "y")
	k.mustBeStale("to discard a folder over what came into it", r.Step(k.Context(), k.restoreGrant("/w")))
	k.replan(r, "/w")
	for !r.Done() {
		k.step(r, "/w")
	}
	k.end(r)
	k.mustList("/w", whole, "/w/d/", "/w/d/e/", "/w/d/e/new")
}

func copiesOfARestoreAreNotMadeTwice(k *kit) {
	k.mustRegister("/w")
	k.mustPut("/w/f", "x")
	k.snapshot("/w")
	k.mustMove("/w/f", "/elsewhere/f")
	k.restore("/w", 1)
	copied := k.at("/w/f").Anchor
	if s := k.restore("/w", 1); s.Changed+s.Deleted+s.Hidden+s.Kept != 0 || k.at("/w/f").Anchor != copied {
		k.Errorf("restored again: %+v", s)
	}
}

func restoreOfAWorkspaceThatEndsMeanwhileEnds(k *kit) {
	k.mustRegister("/w")
	k.mustPut("/w/f", "one")
	k.snapshot("/w")
	k.mustPut("/w/f", "two")
	r := k.begin("/w", 1)
	if _, err := k.store.Workspaces().Unregister(k.Context(), grant(k, k.file("/w").Own())); err != nil {
		k.Fatal(err)
	}
	k.mustFail("a step", r.Step(k.Context(), k.restoreGrant("/w")), errs.Conflict, "")
	k.end(r)
	k.mustRead("/w/f", "two")
	k.mustRegister("/w")
	if s := k.restoring("/w"); s != nil {
		k.Errorf("the new workspace is told of %+v", s)
	}
}
