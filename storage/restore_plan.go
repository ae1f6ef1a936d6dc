package storage

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"nexus/internal/paths"
	"nexus/internal/sqldb"
	"nexus/schema"
	"nexus/storage/internal/sqlstore"
)

// plan is what is to be done so that a workspace becomes what it was: in an order in which each thing finds its place free.
//
// What others have changed since the restore began stays where it is and as it is, with the folders that lead to it, and so does
// what it is in the way of. All else that differs is made as it was.
type plan struct {
	todo []deed
	kept int64 // what is left as it is because of others
	seen int64 // the sequence up to which it knows the tree

	now, then *state
	since     int64           // at which the restore began
	stays     map[string]bool // files, and folders that were not there, by path: left as they are
}

// plan compares what is below a folder with what was there at a sequence, for a restore that began at another; 0: it begins now.
func (w *Workspaces) plan(ctx context.Context, root schema.Address, seq, since int64) (*plan, error) {
	p := &plan{stays: map[string]bool{}}
	var err error
	if p.seen, err = sqlstore.LastSeq(ctx, w.s.db, root.Tenant); err != nil {
		return nil, err
	}
	p.since = cmp.Or(since, p.seen)
	if p.now, err = w.once(ctx, root.Anchor, p.seen); err != nil {
		return nil, err
	}
	if p.then, err = w.once(ctx, root.Anchor, seq); err != nil {
		return nil, err
	}
	if err := p.adopt(ctx, w.s.db); err != nil {
		return nil, err
	}
	p.leave()
	extra := p.extra()
	p.shifts()
	p.discards(extra)
	p.makes()
	p.brings()
	return p, nil
}

// next returns the first of what is to be done, at most a step. What one kind of deed does decides what is left for the next, so
// a step holds one kind.
func (p *plan) next() []deed {
	n := 0
	for n < min(restoreStep, len(p.todo)) && p.todo[n].kind == p.todo[0].kind {
		n++
	}
	return p.todo[:n]
}

// adopt takes files with the right contents for those that they were made in the place of, as long as these live elsewhere.
func (p *plan) adopt(ctx context.Context, q sqldb.Q) error {
	for path, is := range p.now.files {
		want, there := p.then.files[path]
		if _, inside := p.now.where[want.ID]; !there || inside || want.Etag != is.Etag {
			continue
		}
		a, lives, err := standsNow(ctx, q, want.ID)
		if err != nil {
			return err
		}
		if lives && a.HasRow() && a.Anchor == want.ID {
			delete(p.then.where, want.ID)
			want.ID = is.ID
			p.then.files[path], p.then.where[is.ID] = want, path
		}
	}
	return nil
}

// leave notes what others have changed since the restore began.
func (p *plan) leave() {
	come := map[string]bool{} // folders that were not there, and have come since
	for _, path := range sorted(p.now.dirs) {
		if _, was := p.then.dirs[path]; !was && (p.now.dirs[path].Since > p.since || come[above(path)]) {
			come[path] = true
			p.keep(path)
		}
	}
	for path, f := range p.now.files {
		want := p.then.files[path]
		if (max(f.Seq, f.Since) > p.since || come[above(path)]) && (want.ID != f.ID || want.Etag != f.Etag) {
			p.keep(path)
			p.kept++
		}
	}
}

// keep notes that something stays, and with it the folders that lead to it.
func (p *plan) keep(path string) {
	for ; path != "" && !p.stays[path]; path = above(path) {
		if _, was := p.then.dirs[path]; was {
			return
		}
		p.stays[path] = true
	}
}

// blocked reports whether what stays is in the way of a file at path.
func (p *plan) blocked(path string) bool {
	if p.stays[path] {
		return true
	}
	for dir := above(path); dir != ""; dir = above(dir) {
		if _, file := p.now.files[dir]; file && p.stays[dir] {
			return true
		}
	}
	return false
}

// above returns the path of the folder that path, which is below the workspace, stands in; empty for the workspace.
func above(path string) string { return path[:max(0, strings.LastIndexByte(path, '/'))] }

// extra returns the folders that were not there, or not in that place, without those that lie in another of them.
func (p *plan) extra() (all []string) {
	for _, path := range sorted(p.now.dirs) {
		if _, was := p.then.dirs[path]; !was && !p.stays[path] && !inOne(path, all) {
			all = append(all, path)
		}
	}
	return all
}

// shifts are the files that stand elsewhere in the workspace, and whose place is free: they keep what they were granted.
func (p *plan) shifts() {
	for _, path := range sorted(p.now.files) {
		f := p.now.files[path]
		if want, there := p.then.where[f.ID]; there && want != path && !p.stays[path] && p.now.free(want) {
			p.todo = append(p.todo, deed{kind: shifting, path: want, id: f.ID, seq: f.Seq, version: p.then.files[want].Version, etag: p.then.files[want].Etag})
			p.now.shift(path, want)
		}
	}
}

// discards are the folders in extra, and the files that were not there, or not in that place. What lies in such a folder goes with it.
func (p *plan) discards(extra []string) {
	for _, path := range extra {
		p.todo = append(p.todo, deed{kind: discarding, path: path, id: p.now.dirs[path].ID, folder: true})
	}
	for _, path := range sorted(p.now.files) {
		f := p.now.files[path]
		if p.stays[path] || p.then.files[path].ID == f.ID || inOne(path, extra) {
			continue
		}
		if want, there := p.then.where[f.ID]; there && p.blocked(want) {
			continue // it is counted where it should come to stand
		}
		p.todo = append(p.todo, deed{kind: discarding, path: path, id: f.ID, seq: f.Seq})
	}
}

func (p *plan) makes() {
	for _, path := range sorted(p.then.dirs) {
		if _, there := p.now.dirs[path]; !there && !p.blocked(path) {
			p.todo = append(p.todo, deed{kind: making, path: path, folder: true})
		}
	}
}

// brings are the files that do not stand where they stood, or not with the contents that they had.
func (p *plan) brings() {
	for _, path := range sorted(p.then.files) {
		want, is := p.then.files[path], p.now.files[path]
		one := deed{kind: bringing, path: path, id: want.ID, seq: is.Seq, version: want.Version, etag: want.Etag}
		at, inside := p.now.where[want.ID]
		switch {
		case inside && p.stays[at], is.ID == want.ID && (is.Etag == want.Etag || is.shifted):
		case p.blocked(path):
			if is.ID == "" || !p.stays[path] {
				p.kept++ // what stays at the path is counted
			}
		case is.ID != want.ID:
			p.todo = append(p.todo, one)
		default:
			one.kind = rewriting
			p.todo = append(p.todo, one)
		}
	}
}

// state is what is, or was, below a folder, by paths below it.
type state struct {
	files map[string]was
	dirs  map[string]was
	where map[string]string // the path of a file by its id
}

func (w *Workspaces) once(ctx context.Context, dir string, seq int64) (*state, error) {
	s := &state{files: map[string]was{}, dirs: map[string]was{}, where: map[string]string{}}
	for f, err := range walkAll(ctx, w.s.db, dir, seq) {
		switch {
		case err != nil:
			return nil, err
		case f.Folder:
			s.dirs[f.path] = f
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
