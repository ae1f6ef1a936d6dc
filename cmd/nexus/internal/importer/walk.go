package importer

import (
	"cmp"
	"context"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"nexus/internal/errs"
)

// local is a file to be read, and where it goes.
type local struct{ from, to string }

// leaders are the first file of each folder, by the folder's local path.
type leaders map[string]local

// survey walks the tree once: it counts the files, tells what cannot be looked at, and picks the leaders.
func (r *run) survey(ctx context.Context) (leaders, error) {
	root, err := filepath.EvalSymlinks(r.o.From) // the one link that is followed: it was named
	if err != nil {
		return nil, errs.New(errs.Invalid, "%s cannot be read", r.o.From).Because(err)
	}
	r.root = root
	first := leaders{}
	return first, filepath.WalkDir(root, func(name string, e fs.DirEntry, err error) error {
		switch {
		case ctx.Err() != nil:
			return errs.New(errs.Canceled, "the import was cancelled").Because(ctx.Err())
		case err != nil:
			r.fail(name, err)
			return nil
		case e.IsDir():
			return nil
		case !e.Type().IsRegular():
			r.p.Irregular.Add(1)
			return nil
		}
		r.p.Found.Add(1)
		if folder := filepath.Dir(name); first[folder].from == "" {
			first[folder] = local{name, r.target(name)}
		}
		return nil
	})
}

// levels returns the leaders, those nearest to the root first, in slices of one depth each.
func (l leaders) levels() [][]local {
	var all [][]local
	depths := map[int][]local{}
	for _, f := range l {
		depth := strings.Count(f.to, "/")
		depths[depth] = append(depths[depth], f)
	}
	for _, level := range depths {
		slices.SortFunc(level, func(a, b local) int { return cmp.Compare(a.to, b.to) })
		all = append(all, level)
	}
	slices.SortFunc(all, func(a, b []local) int {
		return cmp.Compare(strings.Count(a[0].to, "/"), strings.Count(b[0].to, "/"))
	})
	return all
}

// others hands on every regular file that is no leader. What could not be looked at was told by survey.
func (r *run) others(ctx context.Context, first leaders, found chan<- local) error {
	return filepath.WalkDir(r.root, func(name string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() || first[filepath.Dir(name)].from == name {
			return nil
		}
		return hand(ctx, found, local{name, r.target(name)})
	})
}

// target is where a local file goes. When From is itself a file it goes into To under its own name.
func (r *run) target(name string) string {
	rel, err := filepath.Rel(r.root, name)
	if err != nil || rel == "." {
		rel = filepath.Base(name)
	}
	return path.Join(r.to, filepath.ToSlash(rel))
}
