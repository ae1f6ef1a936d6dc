package storage

import (
	"context"
	"slices"
	"strings"

	"nexus/authzsvc/authz"
	"nexus/internal/paths"
	"nexus/internal/sqldb"
	"nexus/schema"
	"nexus/storage/internal/sqlstore"
)

// RestoreGrant is what planning a restore and each step of it need: to write the workspace; the scope in which what a step
// changes is asked one by one; and the scope in which what has left the workspace since must be readable.
type RestoreGrant struct {
	Root    schema.WriteFile
	Changed schema.WriteFiles
	Source  schema.ReadFiles
}

// Restore is a workspace on its way to what a snapshot holds. It is made of what differs, and goes in steps, each of which is
// decided for itself. One that ended early is gone on with by planning again; so are two at once. It is for one goroutine.
type Restore struct {
	Snapshot Snapshot
	Changed  int // files brought back or given the contents that they had
	Deleted  int // files and folders put into the trash
	Hidden   int // what the caller may not change, or read where it is now: left as it is, counted and not named

	w    *Workspaces
	root schema.Address
	todo []deed
}

// restoreStep is how many files and folders one step changes at the most: a transaction is to be short.
const restoreStep = 100

// Plan compares the granted workspace with a snapshot.
func (w *Workspaces) Plan(ctx context.Context, g RestoreGrant, number int64) (*Restore, error) {
	root, err := g.Root.Use(authz.MaskValues) // it shows no contents
	if err != nil {
		return nil, err
	}
	s, err := w.snapshot(ctx, root.Address, number)
	if err != nil {
		return nil, err
	}
	r := &Restore{Snapshot: snapshotFrom(s), w: w, root: root.Address}
	if r.todo, err = w.plan(ctx, root.Address, s.Seq); err != nil {
		return nil, err
	}
	return r, firstErr(g.Changed.Close(ctx, true), g.Source.Close(ctx, true))
}

// Left returns how many files and folders are not yet as they are to be.
func (r *Restore) Left() int { return len(r.todo) }

// Step does the next few. On an error of reason StaleDecision somebody has changed what was planned: plan again.
func (r *Restore) Step(ctx context.Context, g RestoreGrant) error {
	root, err := g.Root.Use(authz.MaskValues)
	if err != nil {
		return err
	}
	if root.Address != r.root {
		return stale()
	}
	// What one kind of deed does decides what is left for the next, so a step holds one kind.
	n := 1
	for n < min(restoreStep, len(r.todo)) && r.todo[n].kind == r.todo[0].kind {
		n++
	}
	do, hidden, err := r.allowed(ctx, g, r.todo[:n])
	if err != nil {
		return err
	}
	if err := firstErr(g.Changed.Close(ctx, true), g.Source.Close(ctx, true)); err != nil {
		return err
	}
	if err := r.apply(ctx, g.Root.Decision(), do); err != nil {
		return err
	}
	for i := range do {
		if do[i].kind == discarding {
			r.Deleted++
		} else {
			r.Changed++
		}
	}
	r.Hidden += hidden
	r.todo = r.todo[n:]
	return nil
}

func (r *Restore) apply(ctx context.Context, d *authz.Decision, do []deed) error {
	return r.w.s.act(ctx, d, func(ctx context.Context, tx sqldb.Tx, seq int64) (bool, error) {
		c := &writing{s: r.w.s, tx: tx, d: d, at: r.w.s.now(), seq: seq}
		if _, err := same(ctx, tx, r.root); err != nil || len(do) == 0 {
			return false, err
		}
		for i := range do {
			if err := do[i].do(ctx, c, r.root); err != nil {
				return false, err
			}
		}
		return true, c.done(ctx, sqlstore.Reworked, r.root.Anchor, r.root.Path)
	})
}

// plan returns what differs below a folder from what was there at a sequence.
func (w *Workspaces) plan(ctx context.Context, root schema.Address, seq int64) ([]deed, error) {
	last, err := sqlstore.LastSeq(ctx, w.s.db, root.Tenant)
	if err != nil {
		return nil, err
	}
	now, err := w.once(ctx, root.Anchor, last)
	if err != nil {
		return nil, err
	}
	then, err := w.once(ctx, root.Anchor, seq)
	if err != nil {
		return nil, err
	}
	extra := topmost(now.dirs, then.dirs)
	return slices.Concat(shifts(now, then), discards(now, then, extra), makes(now, then), brings(now, then)), nil
}

// shifts are the files that stand elsewhere in the workspace, and whose place is free: they keep what they were granted.
func shifts(now, then *state) (all []deed) {
	for _, path := range sorted(now.files) {
		f := now.files[path]
		if want, there := then.where[f.ID]; there && want != path && now.free(want) {
			all = append(all, deed{kind: shifting, path: want, id: f.ID, version: then.files[want].Version, etag: then.files[want].Etag})
			now.shift(path, want)
		}
	}
	return all
}

// discards are the files and folders that were not there, or not in that place. What lies in such a folder goes with it.
func discards(now, then *state, extra []string) (all []deed) {
	for _, path := range extra {
		all = append(all, deed{kind: discarding, path: path, id: now.dirs[path], folder: true})
	}
	for _, path := range sorted(now.files) {
		if then.files[path].ID != now.files[path].ID && !inOne(path, extra) {
			all = append(all, deed{kind: discarding, path: path, id: now.files[path].ID})
		}
	}
	return all
}

func makes(now, then *state) (all []deed) {
	for _, path := range sorted(then.dirs) {
		if _, there := now.dirs[path]; !there {
			all = append(all, deed{kind: making, path: path, folder: true})
		}
	}
	return all
}

// brings are the files that do not stand where they stood, or not with the contents that they had.
func brings(now, then *state) (all []deed) {
	for _, path := range sorted(then.files) {
		want, is := then.files[path], now.files[path]
		one := deed{kind: bringing, path: path, id: want.ID, version: want.Version, etag: want.Etag}
		switch {
		case is.ID != want.ID:
			all = append(all, one)
		case is.Etag != want.Etag && !is.shifted:
			one.kind = rewriting
			all = append(all, one)
		}
	}
	return all
}

// state is what is, or was, below a folder, by paths below it.
type state struct {
	files map[string]was
	dirs  map[string]string // to their ids
	where map[string]string // the path of a file by its id
}

func (w *Workspaces) once(ctx context.Context, dir string, seq int64) (*state, error) {
	s := &state{files: map[string]was{}, dirs: map[string]string{}, where: map[string]string{}}
	for f, err := range walkAll(ctx, w.s.db, dir, seq) {
		switch {
		case err != nil:
			return nil, err
		case f.Folder:
			s.dirs[f.path] = f.ID
		default:
			s.files[f.path] = f
			s.where[f.ID] = f.path
		}
	}
	return s, nil
}

// free reports whether nothing stands at path, nor a file on the way to it.
func (s *state) free(path string) bool {
	if _, dir := s.dirs[path]; dir {
		return false
	}
	for p := path; ; {
		if _, file := s.files[p]; file {
			return false
		}
		i := strings.LastIndexByte(p, '/')
		if i < 0 {
			return true
		}
		p = p[:i]
	}
}

func (s *state) shift(from, to string) {
	f := s.files[from]
	delete(s.files, from)
	f.shifted = true
	s.files[to] = f
}

// topmost returns the paths of now that are not in then, without those that lie in another of them.
func topmost(now, then map[string]string) (all []string) {
	for _, path := range sorted(now) {
		if _, there := then[path]; !there && !inOne(path, all) {
			all = append(all, path)
		}
	}
	return all
}

// inOne reports whether path lies in one of folders, which are sorted and lie not in one another.
func inOne(path string, folders []string) bool {
	i, found := slices.BinarySearchFunc(folders, path, byComponent)
	return found || i > 0 && within(paths.Root+path, paths.Root+folders[i-1])
}

// sorted returns the keys of m so that a folder comes before what lies in it, and all of that right behind it.
func sorted[V any](m map[string]V) []string {
	all := make([]string, 0, len(m))
	for path := range m {
		all = append(all, path)
	}
	slices.SortFunc(all, byComponent)
	return all
}

// byComponent compares paths as if the slash came before every other byte.
func byComponent(a, b string) int {
	for i := range min(len(a), len(b)) {
		switch {
		case a[i] == b[i]:
		case a[i] == '/':
			return -1
		case b[i] == '/':
			return 1
		default:
			return int(a[i]) - int(b[i])
		}
	}
	return len(a) - len(b)
}
