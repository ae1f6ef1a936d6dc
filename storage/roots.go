package storage

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"nexus/internal/sqldb"
	"nexus/storage/internal/sqlstore"
)

// roots are the files and folders at or below which everything stands that a principal may see, in order of keys. None lies
// below another.
type roots struct{ all []walked }

// files reports whether all of them are files.
func (r *roots) files() bool {
	return !slices.ContainsFunc(r.all, func(c walked) bool { return c.folder })
}

// findRoots returns where the roots of these ids stand. Ids of what is gone, is in the trash or does not exist yet stand
// nowhere.
func findRoots(ctx context.Context, db sqldb.Q, ids []string) (*roots, error) {
	slices.Sort(ids) // neighbours in the table, mostly
	files, err := sqlstore.NamesByID(ctx, db, ids)
	if err != nil {
		return nil, err
	}
	paths, dirs, err := pathsOf(ctx, db, files, ids)
	if err != nil {
		return nil, err
	}
	all := make([]walked, 0, len(ids))
	for _, d := range dirs {
		all = append(all, walked{id: d.ID, in: d.Parent, key: d.Path, folder: true})
	}
	for _, f := range files {
		if folder, ok := paths[f.Dir]; ok {
			all = append(all, walked{id: f.ID, in: f.Dir, key: folder + f.Name})
		}
	}
	slices.SortFunc(all, func(a, b walked) int { return cmp.Compare(a.key, b.key) })
	return &roots{outermost(all)}, nil
}

// pathsOf returns the paths of the folders that files stand in, by id, and those of ids that are folders themselves.
func pathsOf(ctx context.Context, db sqldb.Q, files []sqlstore.Name, ids []string) (paths map[string]string, granted []sqlstore.Dir, err error) {
	isFile, sought := make(map[string]bool, len(files)), map[string]bool{}
	for _, f := range files {
		isFile[f.ID], sought[f.Dir] = true, true
	}
	own := map[string]bool{}
	for _, id := range ids {
		if !isFile[id] {
			own[id], sought[id] = true, true
		}
	}
	dirs, err := sqlstore.DirsByID(ctx, db, slices.Sorted(maps.Keys(sought)))
	paths = make(map[string]string, len(dirs))
	for _, d := range dirs {
		paths[d.ID] = d.Path
		if own[d.ID] && d.State < sqlstore.Reserved {
			granted = append(granted, d)
		}
	}
	return paths, granted, err
}

// outermost leaves out what lies below another of all, which is in order of keys.
func outermost(all []walked) []walked {
	kept := all[:0]
	for _, c := range all {
		if n := len(kept); n > 0 && kept[n-1].folder && holds(kept[n-1].key, c.key) {
			continue
		}
		kept = append(kept, c)
	}
	return kept
}

// source returns what of s is at or below a root.
func (r *roots) source(w *walk, s stretch) source {
	at, _ := slices.BinarySearchFunc(r.all, s.from, func(c walked, from string) int { return cmp.Compare(c.key, from) })
	if at > 0 && r.all[at-1].folder && holds(r.all[at-1].key, s.from) {
		at--
	}
	return &rooted{w: w, stretch: s, left: r.all[at:]}
}

// rooted goes from root to root through a stretch.
type rooted struct {
	w *walk
	stretch
	left   []walked
	inside *tree // a root that is a folder, while it is walked through
}

// next implements source.
func (r *rooted) next(ctx context.Context, n int) (page, error) {
	var p page
	for len(p.candidates) < n {
		switch {
		case r.inside != nil:
			more, err := r.inside.next(ctx, n-len(p.candidates))
			if err != nil {
				return page{}, err
			}
			p.candidates = append(p.candidates, more.candidates...)
			if more.at >= r.inside.to {
				r.inside = nil
			}
		case len(r.left) == 0 || r.left[0].key >= r.to:
			p.at = r.to
			return p, nil
		case r.left[0].folder:
			r.inside = newTree(r.w.db, r.w.tenant, r.within(r.left[0].key))
			r.left = r.left[1:]
		default:
			p.candidates = append(p.candidates, r.left[0])
			r.left = r.left[1:]
		}
	}
	return p.full(), nil
}

// within returns what of the stretch is folder or lies below it.
func (r *rooted) within(folder string) stretch {
	s := stretch{from: max(r.from, folder), to: min(r.to, sqlstore.End(folder)), base: r.base}
	if len(folder) > len(s.base) {
		s.base = folder
	}
	return s
}
