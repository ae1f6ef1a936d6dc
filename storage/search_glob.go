package storage

import (
	"cmp"
	"context"

	"nexus/internal/errs"
	"nexus/schema"
	"nexus/storage/internal/sqlstore"
)

// GlobOptions say which part of what matches is wanted.
type GlobOptions struct {
	Limit  int       // paths of a page; 0: all of them, which is an error when they are more than MaxList
	From   GlobPlace // of a page: the Next of the one before it
	Bounds Bounds    // of a page; of all of them, its Time alone
}

// GlobPlace is where a glob goes on. The zero GlobPlace is its beginning.
type GlobPlace struct {
	At   string `json:"a,omitempty"` // the key at which to begin
	Rows bool   `json:"r,omitempty"` // it is no use to know the grants
}

// Globbed is paths in order of their bytes.
type Globbed struct {
	Paths    []string
	Next     GlobPlace
	Complete bool // nothing follows
}

// Glob returns the paths of the files below the folder at a that match p and that the scope admits. A page ends when it is
// full, or when enough was looked at; so it may hold less than its limit, or nothing.
func (f *Search) Glob(ctx context.Context, s schema.ReadFiles, a schema.Address, p PathPattern, o GlobOptions) (Globbed, error) {
	w, err := f.s.Files().walk(s, a, o.Bounds)
	if err != nil {
		return Globbed{}, err
	}
	g := &globbing{walk: w, o: o, at: o.From}
	complete := true
	if a.Exists() && a.Folder {
		if complete, err = g.run(ctx, a, p.below(sqlstore.Slashed(a.Path))); err != nil {
			return Globbed{}, err
		}
	}
	if complete {
		g.at = GlobPlace{}
	}
	return Globbed{g.paths, g.at, complete}, s.Close(ctx, complete)
}

// globbing is one page of paths in the making.
type globbing struct {
	*walk
	o     GlobOptions
	at    GlobPlace
	paths []string
}

func (g *globbing) run(ctx context.Context, a schema.Address, r region) (complete bool, err error) {
	s := r.stretch
	s.from = max(s.from, g.at.At)
	if r.unreachable || s.from >= s.to {
		return true, nil
	}
	first := g.bound(g.o.Limit, g.o.Bounds.Time)
	if !g.at.Rows {
		if _, err := g.narrow(ctx, walked{id: a.Anchor, in: a.Parent, key: r.root, folder: true}); err != nil {
			return false, err
		}
	}
	g.at.Rows = g.roots == nil
	g.wants = r.wants
	if g.at.At, err = g.each(ctx, s, first, g.visit); err != nil {
		return false, err
	}
	complete = g.at.At >= s.to
	if g.o.Limit == 0 && !complete {
		return false, errs.New(errs.Exhausted, "more than %d files match, or it takes too long: ask page by page with limit and cursor, or give a narrower pattern", MaxList).
			Marked(errs.NotValid)
	}
	return complete, nil
}

// visit adds a path, and passes a folder in which nothing can match.
func (g *globbing) visit(c walked) (from string, more bool) {
	switch {
	case c.folder:
		return sqlstore.End(c.key), true
	case len(g.paths) == cmp.Or(g.o.Limit, MaxList):
		return c.key, false
	}
	g.paths = append(g.paths, c.key)
	g.count(c)
	return past(c.key), true
}
