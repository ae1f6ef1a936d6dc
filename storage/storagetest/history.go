package storagetest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"nexus/internal/errs"
	"nexus/storage"
)

// history are claims about workspaces and the tree as it was.
var history = []func(*kit){
	snapshotsDifferAsTheTreesDid,
	snapshotOfWhatIsNoWorkspaceRefused,
	workspaceIsRegisteredOnce,
	workspaceThatIsNotThereIsMade,
	workspaceStaysWhenNothingIsInIt,
	workspaceMovesWithItsFolder,
	nestedWorkspacesCountForThemselves,
	snapshotThatIsNotThereIsMissing,
	workspaceStaysWhenItIsEmptied,
}

func (k *kit) register(path string) error {
	k.Helper()
	spec := storage.WorkspaceSpec{Name: "w"}
	if !k.at(path).Exists() {
		_, err := k.store.Workspaces().RegisterNew(k.Context(), grant(k, k.dir(path).Write()), spec)
		return err
	}
	_, err := k.store.Workspaces().Register(k.Context(), grant(k, k.file(path).Own()), spec)
	return err
}

func (k *kit) mustRegister(path string) {
	k.Helper()
	if err := k.register(path); err != nil {
		k.Fatalf("register %s: %v", path, err)
	}
}

func (k *kit) snapshot(path string) storage.Snapshot {
	k.Helper()
	s, err := k.store.Workspaces().Snapshot(k.Context(), grant(k, k.file(path).Write()), storage.SnapshotSpec{Description: "s"})
	if err != nil {
		k.Fatalf("snapshot %s: %v", path, err)
	}
	return s
}

// compare returns a difference as lines: +path, -path, ~path.
func (k *kit) compare(path string, one, two int64) ([]string, int) {
	k.Helper()
	g := storage.CompareGrant{Root: grant(k, k.file(path).Read()), Members: k.scope()}
	d, err := k.store.Workspaces().Compare(k.Context(), g, one, two)
	if err != nil {
		k.Fatalf("compare %d and %d: %v", one, two, err)
	}
	if d.Hidden > 0 {
		k.Errorf("compare %d and %d: %d are hidden from who may read everything", one, two, d.Hidden)
	}
	all := []string{}
	for sign, list := range map[string][]storage.Change{"+": d.Added, "-": d.Removed, "~": d.Modified} {
		for _, c := range list {
			all = append(all, sign+c.Path)
		}
	}
	slices.Sort(all)
	return all, d.Unchanged
}

// contents returns the files below the root with their contents, and how large they are together.
func (k *kit) contents() (all map[string]string, bytes int64) {
	k.Helper()
	all = map[string]string{}
	for _, path := range k.list("/", whole) {
		if strings.HasSuffix(path, "/") {
			continue
		}
		body, err := k.read(path)
		if err != nil {
			k.Fatal(err)
		}
		all[path[1:]], bytes = body, bytes+int64(len(body))
	}
	return all, bytes
}

// lines is what compare returns for two trees.
func lines(one, two map[string]string) (all []string, same int) {
	all = []string{}
	for path, body := range two {
		switch old, there := one[path]; {
		case !there:
			all = append(all, "+"+path)
		case old != body:
			all = append(all, "~"+path)
		default:
			same++
		}
	}
	for path := range one {
		if _, there := two[path]; !there {
			all = append(all, "-"+path)
		}
	}
	slices.Sort(all)
	return all, same
}

// snapshotsDifferAsTheTreesDid does what people do, keeps a snapshot of each state, and looks back on all of them.
func snapshotsDifferAsTheTreesDid(k *kit) {
	r := rand.New(rand.NewPCG(7, 7))
	k.mustRegister("/")
	var was []map[string]string
	for range 120 {
		k.change(r)
		tree, bytes := k.contents()
		was = append(was, tree)
		if s := k.snapshot("/"); s.Files != int64(len(tree)) || s.Bytes != bytes {
			k.Fatalf("snapshot %d counts %d files of %d bytes, there are %d of %d", s.Number, s.Files, s.Bytes, len(tree), bytes)
		}
	}
	for range 200 {
		one, two := r.IntN(len(was)), r.IntN(len(was))
		want, same := lines(was[one], was[two])
		got, unchanged := k.compare("/", int64(one+1), int64(two+1))
		if !slices.Equal(got, want) || same != unchanged {
			k.Fatalf("from %d to %d: %q and %d unchanged, want %q and %d", one+1, two+1, got, unchanged, want, same)
		}
	}
}

// change does one thing that people do, or fails to.
func (k *kit) change(r *rand.Rand) {
	k.Helper()
	path := func() string {
		p := ""
		for range 1 + r.IntN(3) {
			p += fmt.Sprintf("/%c", 'a'+r.IntN(3))
		}
		return p
	}
	from, to := path(), path()
	there := k.at(from).Exists()
	switch r.IntN(9) {
	case 0, 1, 2, 3:
		_, _ = k.put(from, fmt.Sprint(r.IntN(100)), storage.Condition{}) // a folder may stand there, as in what follows
	case 4, 5:
		if there {
			_ = k.move(from, to)
		}
	case 6:
		if there {
			_ = k.delete(from)
		}
	case 7:
		if there {
			_ = k.rmdir(from, true)
		}
	case 8:
		k.sweep()
		if all := k.deleted("/", 100); len(all) > 0 {
			_ = k.undelete(all[r.IntN(len(all))])
		}
	}
}

func snapshotOfWhatIsNoWorkspaceRefused(k *kit) {
	k.mustPut("/a/f", "x")
	for _, path := range []string{"/a", "/a/f", "/"} {
		_, err := k.store.Workspaces().Snapshot(k.Context(), grant(k, k.file(path).Write()), storage.SnapshotSpec{})
		k.mustFail(path, err, errs.Invalid, "")
	}
}

func workspaceIsRegisteredOnce(k *kit) {
	k.mustPut("/a/f", "x")
	k.mustRegister("/a")
	k.mustFail("again", k.register("/a"), errs.Invalid, "")
	k.mustFail("a file", k.register("/a/f"), errs.Invalid, errs.NotValid)
	was, err := k.store.Workspaces().Unregister(k.Context(), grant(k, k.file("/a").Own()))
	if err != nil || !was {
		k.Errorf("Unregister = %v, %v", was, err)
	}
	if was, err = k.store.Workspaces().Unregister(k.Context(), grant(k, k.file("/a").Own())); err != nil || was {
		k.Errorf("Unregister again = %v, %v", was, err)
	}
	k.mustRead("/a/f", "x")
	k.mustRegister("/a")
}

func workspaceThatIsNotThereIsMade(k *kit) {
	k.mustRegister("/a/b/w")
	k.mustList("/", whole, "/a/", "/a/b/", "/a/b/w/")
	k.mustBeOwned("/a/b/w", "user:default/ann")
}

// workspaceStaysWhenNothingIsInIt: also where nobody made the folder, and what was in it alone kept it.
func workspaceStaysWhenNothingIsInIt(k *kit) {
	k.mustPut("/w/f", "x")
	k.mustRegister("/w")
	k.snapshot("/w")
	k.mustDelete("/w/f")
	k.mustList("/", whole, "/w/")
	k.restore("/w", 1)
	k.mustRead("/w/f", "x")
}

func workspaceMovesWithItsFolder(k *kit) {
	k.mustRegister("/w")
	k.mustPut("/w/f", "x")
	k.snapshot("/w")
	k.mustMove("/w", "/other/v")
	k.mustPut("/other/v/g", "y")
	if s := k.snapshot("/other/v"); s.Number != 2 || s.Files != 2 {
		k.Errorf("snapshot = %+v, want the second, of 2 files", s)
	}
	if got, same := k.compare("/other/v", 1, 2); !slices.Equal(got, []string{"+g"}) || same != 1 {
		k.Errorf("compare = %q, %d", got, same)
	}
}

func nestedWorkspacesCountForThemselves(k *kit) {
	k.mustRegister("/a")
	k.mustRegister("/a/b")
	k.mustPut("/a/f", "1")
	k.mustPut("/a/b/g", "22")
	k.mustPut("/a/b/c/h", "333")
	k.mustMove("/a/b/c", "/a/c")
	for path, want := range map[string][2]int64{"/a": {3, 6}, "/a/b": {1, 2}} {
		if s := k.snapshot(path); s.Files != want[0] || s.Bytes != want[1] {
			k.Errorf("%s has %d files of %d bytes, want %v", path, s.Files, s.Bytes, want)
		}
	}
	k.mustMove("/a/b", "/b")
	for path, want := range map[string][2]int64{"/a": {2, 4}, "/b": {1, 2}} {
		if s := k.snapshot(path); s.Files != want[0] || s.Bytes != want[1] {
			k.Errorf("%s has %d files of %d bytes, want %v", path, s.Files, s.Bytes, want)
		}
	}
}

func snapshotThatIsNotThereIsMissing(k *kit) {
	k.mustRegister("/a")
	k.snapshot("/a")
	g := storage.CompareGrant{Root: grant(k, k.file("/a").Read()), Members: k.scope()}
	_, err := k.store.Workspaces().Compare(k.Context(), g, 1, 2)
	k.mustFail("compare", err, errs.NotFound, errs.FileNotFound)
}

// workspaceStaysWhenItIsEmptied though nobody made its folder on purpose: its snapshots are in it.
func workspaceStaysWhenItIsEmptied(k *kit) {
	k.mustPut("/w/f", "x")
	k.mustRegister("/w")
	k.snapshot("/w")
	k.mustDelete("/w/f")
	k.mustExist(true, "/w")
	k.restore("/w", 1)
	k.mustRead("/w/f", "x")
}
