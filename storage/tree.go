package storage

import (
	"context"
	"strings"

	"nexus/internal/sqldb"
	"nexus/storage/internal/sqlstore"
)

// tree reads a stretch of a tree in order of keys. The folders of the stretch come in that order by themselves; the files of
// a folder stand between its folders, so it keeps those of each folder that it is in until their turn has come. It reads the
// files of many small folders at once.
type tree struct {
	db     sqldb.Q
	tenant string
	to     string
	n      int // rows that a query asks for

	open  []*openFolder // those it is in, the outermost first
	begun bool

	dirs    []sqlstore.Folder // the next ones
	dirFrom string            // where those after them begin
	dirsEnd bool

	ahead   map[string][]sqlstore.Name // files of folders that were read beforehand, by folder
	covered string                     // the last folder whose files were
	partial string                     // id of the one folder that may have more than were
}

// openFolder is a folder with those of its files whose turn has not come.
type openFolder struct {
	path  string
	id    string // empty until the tree has begun, for those that were open then
	files []sqlstore.Name
	from  string // name at which the rest begins
	more  bool   // whether there may be a rest
}

// newTree begins at s.from, which may lie deep in folders: those are open then.
func newTree(db sqldb.Q, tenant string, s stretch) *tree {
	t := &tree{db: db, tenant: tenant, to: s.to, dirFrom: s.from}
	for i := len(s.base); i < len(s.from); i++ { // a key that begins below base holds base's slash at len(base)-1
		if s.from[i-1] == '/' {
			t.open = append(t.open, &openFolder{path: s.from[:i], from: s.from[i:], more: true})
		}
	}
	return t
}

// begin finds out which folders are open.
func (t *tree) begin(ctx context.Context) error {
	t.begun = true
	if len(t.open) == 0 {
		return nil
	}
	paths := make([]string, len(t.open))
	for i, f := range t.open {
		paths[i] = f.path
	}
	found, err := sqlstore.DirsByPath(ctx, t.db, t.tenant, paths)
	if err != nil {
		return err
	}
	for _, f := range t.open {
		if d := found[f.path]; d != nil {
			f.id = d.ID
		} else {
			f.more = false // gone
		}
	}
	return nil
}

// next implements source.
func (t *tree) next(ctx context.Context, n int) (page, error) {
	t.n = n
	if !t.begun {
		if err := t.begin(ctx); err != nil {
			return page{}, err
		}
	}
	p := page{candidates: make([]walked, 0, n)}
	for len(p.candidates) < n {
		c, err := t.step(ctx)
		if err != nil {
			return page{}, err
		}
		if c.key == "" {
			p.at = t.to
			return p, nil
		}
		p.candidates = append(p.candidates, c)
	}
	return p.full(), nil
}

// step returns the next file or folder; at the end one without a key.
func (t *tree) step(ctx context.Context) (walked, error) {
	for {
		dir, err := t.peekDir(ctx)
		if err != nil {
			return walked{}, err
		}
		if len(t.open) == 0 {
			if dir == nil {
				return walked{}, nil
			}
			return t.enter(ctx, dir)
		}
		top := t.open[len(t.open)-1]
		file, err := t.peekFile(ctx, top)
		if err != nil {
			return walked{}, err
		}
		switch {
		case dir != nil && holds(top.path, dir.Path) && (file == nil || dir.Path[len(top.path):] < file.Name):
			return t.enter(ctx, dir)
		case file != nil && top.path+file.Name < t.to:
			top.files = top.files[1:]
			return walked{id: file.ID, in: file.Dir, key: top.path + file.Name}, nil
		}
		t.open = t.open[:len(t.open)-1]
	}
}

// enter takes dir, the next folder, and opens it.
func (t *tree) enter(ctx context.Context, dir *sqlstore.Folder) (walked, error) {
	if t.covered < dir.Path {
		if err := t.readAhead(ctx, dir); err != nil {
			return walked{}, err
		}
	}
	f := &openFolder{path: dir.Path, id: dir.ID, files: t.ahead[dir.ID], more: t.partial == dir.ID}
	if f.more {
		f.from = past(f.files[len(f.files)-1].Name)
	}
	delete(t.ahead, dir.ID)
	t.open = append(t.open, f)
	t.dirs = t.dirs[1:]
	return walked{id: dir.ID, in: dir.Parent, key: dir.Path, folder: true}, nil
}

// readAhead reads the files of dir, which is the next folder, and of those behind it that fit.
func (t *tree) readAhead(ctx context.Context, dir *sqlstore.Folder) error {
	last := t.dirs[len(t.dirs)-1].Path
	files, err := sqlstore.FilesFrom(ctx, t.db, t.tenant, dir.Path, last, t.n)
	if err != nil {
		return err
	}
	t.ahead, t.covered, t.partial = map[string][]sqlstore.Name{}, last, ""
	for start := 0; start < len(files); {
		end := start
		for end < len(files) && files[end].Dir == files[start].Dir {
			end++
		}
		t.ahead[files[start].Dir] = files[start:end]
		start = end
	}
	if len(files) == t.n {
		t.reachedOnly(dir, files[len(files)-1].Dir)
	}
	return nil
}

// reachedOnly notes that a query from first on ended within the folder whose id is last. That is not among the next ones if
// it has come there since they were read; then all but first is read again.
func (t *tree) reachedOnly(first *sqlstore.Folder, last string) {
	for i := range t.dirs {
		if t.dirs[i].ID == last {
			t.covered, t.partial = t.dirs[i].Path, last
			return
		}
	}
	t.covered = first.Path
	if len(t.ahead[first.ID]) > 0 {
		t.partial = first.ID
	}
}

// peekDir returns the next folder of the stretch, or nil.
func (t *tree) peekDir(ctx context.Context) (*sqlstore.Folder, error) {
	if len(t.dirs) == 0 && !t.dirsEnd {
		var err error
		if t.dirs, err = sqlstore.DirsFrom(ctx, t.db, t.tenant, t.dirFrom, t.to, t.n); err != nil {
			return nil, err
		}
		t.dirsEnd = len(t.dirs) < t.n
		if len(t.dirs) > 0 {
			t.dirFrom = past(t.dirs[len(t.dirs)-1].Path)
		}
	}
	if len(t.dirs) == 0 {
		return nil, nil
	}
	return &t.dirs[0], nil
}

// peekFile returns the next file of an open folder, or nil.
func (t *tree) peekFile(ctx context.Context, f *openFolder) (*sqlstore.Name, error) {
	if len(f.files) == 0 && f.more {
		if err := t.readRest(ctx, f); err != nil {
			return nil, err
		}
	}
	if len(f.files) == 0 {
		return nil, nil
	}
	return &f.files[0], nil
}

func (t *tree) readRest(ctx context.Context, f *openFolder) error {
	files, err := sqlstore.FilesOf(ctx, t.db, f.id, f.from, t.n)
	if err != nil {
		return err
	}
	f.files, f.more = files, len(files) == t.n
	if f.more {
		f.from = past(files[len(files)-1].Name)
	}
	return nil
}

// folders returns the keys of the folders that key stands in, those below base alone, the outermost first.
func folders(base, key string) []string {
	var all []string
	for i := len(base); i < len(key)-1; i++ {
		if key[i] == '/' {
			all = append(all, key[:i+1])
		}
	}
	return all
}

// child returns the key of what stands directly in base and is key or has it below.
func child(base, key string) string {
	if i := strings.IndexByte(key[len(base):], '/'); i >= 0 {
		return key[:len(base)+i+1]
	}
	return key
}
