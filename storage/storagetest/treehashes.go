package storagetest

import (
	"crypto/sha256"
	"encoding/hex"
	"math/rand/v2"
	"strings"

	"nexus/internal/sqldb"
	"nexus/internal/treehash"
	"nexus/schema"
	"nexus/storage"
)

// treeHashes are claims about the hash of a snapshot's tree.
var treeHashes = []func(*kit){
	treeHashIsThatOfTheFilesAsTheyWere,
	equalTreesHaveOneHashWhereverTheyStand,
	treeHashIsGoneOnWithAfterAnyStep,
	treeHashOfAWorkspaceThatEndsMeanwhileIsDropped,
	newestTreeHashIsToldOfTheWorkspace,
}

// hash takes one step.
func (k *kit) hash(o storage.HashOptions) (more bool) {
	k.Helper()
	more, err := k.store.Workspaces().HashTree(k.Context(), grant(k, schema.Home(k.ann).Reindex()), o)
	if err != nil {
		k.Fatalf("hash: %v", err)
	}
	return more
}

func (k *kit) hashAll() {
	k.Helper()
	for k.hash(storage.HashOptions{}) {
	}
}

// treeHash returns the hash of a snapshot's tree as the log tells it.
func (k *kit) treeHash(path string, number int64) string {
	k.Helper()
	all, err := k.store.Workspaces().Log(k.Context(), grant(k, k.file(path).Read()), number+1, 1)
	if err != nil || len(all) != 1 || all[0].Number != number {
		k.Fatalf("log of %s before %d = %+v, %v", path, number+1, all, err)
	}
	return all[0].TreeHash
}

// plainHash makes the hash of what a recursive list shows, with the contents of the files, from the bottom to the top.
func (k *kit) plainHash(folder string) string {
	k.Helper()
	var inside []treehash.Entry
	for _, path := range k.list(folder, storage.ListOptions{}) {
		e := treehash.Entry{Folder: strings.HasSuffix(path, "/")}
		path = strings.TrimSuffix(path, "/")
		e.Name = path[strings.LastIndexByte(path, '/')+1:]
		if e.Folder {
			e.Hash = k.plainHash(path)
		} else {
			body, err := k.read(path)
			if err != nil {
				k.Fatal(err)
			}
			sum := sha256.Sum256([]byte(body))
			e.Hash = hex.EncodeToString(sum[:])
		}
		inside = append(inside, e)
	}
	return treehash.Of(inside)
}

// treeHashIsThatOfTheFilesAsTheyWere does what people do and makes the hashes of all states at the end.
func treeHashIsThatOfTheFilesAsTheyWere(k *kit) {
	r := rand.New(rand.NewPCG(3, 5))
	k.mustRegister("/")
	var want []string
	for range 80 {
		k.change(r)
		want = append(want, k.plainHash("/"))
		k.snapshot("/")
	}
	if h := k.treeHash("/", 1); h != "" {
		k.Errorf("hash = %q before it is made", h)
	}
	k.hashAll()
	for i, w := range want {
		if got := k.treeHash("/", int64(i+1)); got != w {
			k.Fatalf("snapshot %d has %s, want %s", i+1, got, w)
		}
	}
	k.mustKeepNoHashes()
}

func equalTreesHaveOneHashWhereverTheyStand(k *kit) {
	for _, w := range []string{"/w", "/deep/er/v"} {
		k.mustRegister(w)
		k.mustPut(w+"/a/f", "x")
		k.mustMkdir(w + "/empty")
		k.snapshot(w)
	}
	k.mustPut("/w/a/f", "y")
	k.snapshot("/w")
	k.mustPut("/w/a/f", "x")
	k.snapshot("/w")
	k.hashAll()
	one := k.treeHash("/w", 1)
	if other := k.treeHash("/deep/er/v", 1); one == "" || one != other {
		k.Errorf("equal trees have %q and %q", one, other)
	}
	if k.treeHash("/w", 2) == one || k.treeHash("/w", 3) != one {
		k.Error("a changed file leaves the hash alone, or changed back it does not")
	}
}

// treeHashIsGoneOnWithAfterAnyStep takes steps of one folder, each as a server that has just started takes it.
func treeHashIsGoneOnWithAfterAnyStep(k *kit) {
	k.mustRegister("/w")
	for _, path := range []string{"/w/f", "/w/a/f", "/w/a/b/f", "/w/a/c/f", "/w/d/f"} {
		k.mustPut(path, path)
	}
	want := k.plainHash("/w")
	k.snapshot("/w")
	steps := 0
	for k.treeHash("/w", 1) == "" {
		k.store = storage.New(k.db, k.blobs, k.rels, k.rels, k.clock)
		k.hash(storage.HashOptions{Folders: 1})
		k.mustMove("/w/d/f", "/w/d/g") // what happens meanwhile is not in it
		k.mustMove("/w/d/g", "/w/d/f")
		k.mustPut("/w/a/b/f", "changed")
		if steps++; steps > 5 {
			k.Fatal("five folders take more than five steps")
		}
	}
	if got := k.treeHash("/w", 1); steps != 5 || got != want {
		k.Errorf("hash = %s after %d steps, want %s after 5", got, steps, want)
	}
	k.hashAll()
	k.mustKeepNoHashes()
}

func treeHashOfAWorkspaceThatEndsMeanwhileIsDropped(k *kit) {
	k.mustRegister("/w")
	k.mustPut("/w/a/f", "x")
	k.mustPut("/w/b/f", "x")
	k.snapshot("/w")
	k.hash(storage.HashOptions{Folders: 1})
	if _, err := k.store.Workspaces().Unregister(k.Context(), grant(k, k.file("/w").Own())); err != nil {
		k.Fatal(err)
	}
	k.mustWaitForHashes("default")
	k.hashAll()
	k.mustKeepNoHashes()
	k.mustRegister("/w")
	k.snapshot("/w")
	if h := k.treeHash("/w", 1); h != "" {
		k.Errorf("a new workspace begins with %s", h)
	}
	k.hashAll()
	if got, want := k.treeHash("/w", 1), k.plainHash("/w"); got != want {
		k.Errorf("hash = %s, want %s", got, want)
	}
}

func newestTreeHashIsToldOfTheWorkspace(k *kit) {
	k.mustRegister("/w")
	k.mustPut("/w/f", "x")
	info := func() string {
		w, err := k.store.Workspaces().Info(k.Context(), grant(k, k.file("/w").Read()))
		if err != nil {
			k.Fatal(err)
		}
		return w.TreeHash
	}
	for _, body := range []string{"x", "y"} {
		k.mustPut("/w/f", body)
		k.snapshot("/w")
		if h := info(); h != "" {
			k.Errorf("hash = %s before it is made", h)
		}
		k.hashAll()
		if got, want := info(), k.plainHash("/w"); got != want {
			k.Errorf("hash = %s, want %s", got, want)
		}
	}
}

var keptHashes = sqldb.SQL(`SELECT workspace, dir FROM tree_hashes`)

func (k *kit) mustKeepNoHashes() {
	k.Helper()
	if left := k.pairs(keptHashes); len(left) > 0 {
		k.Errorf("hashes of %d folders are left", len(left))
	}
	k.mustWaitForHashes()
}

func (k *kit) mustWaitForHashes(want ...string) {
	k.Helper()
	got, err := k.store.Chores().Hashing(k.Context())
	if err != nil || strings.Join(got, " ") != strings.Join(want, " ") {
		k.Errorf("hashes are to be made in %q, %v, want %q", got, err, want)
	}
}
