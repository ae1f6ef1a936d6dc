package storage

import (
	"context"

	"nexus/storage/internal/sqlstore"
)

// children lists what stands directly in the root where grants are no help: each child is decided, and in a folder that is
// not readable the walk goes on to the first thing that is.
func (l *listing) children(ctx context.Context, s stretch, n int) error {
	if key := child(l.base, s.from); key != s.from { // deep in a child, of which nothing was seen yet
		l.place.At, l.place.Below, s.from = key, s.from, key
	}
	src := &childSource{l: l, dirFrom: s.from[len(l.base):], fileFrom: s.from[len(l.base):], to: s.to}
	for ; ; n = min(2*n, listPage) {
		p, err := src.next(ctx, n)
		if err != nil {
			return err
		}
		pass, err := l.pass(ctx, p.candidates)
		if err != nil {
			return err
		}
		for i, c := range p.candidates {
			if more, err := l.childOf(ctx, c, pass[i]); err != nil || !more {
				return err
			}
		}
		l.place.At = max(l.place.At, p.at)
		l.looked += len(p.candidates)
		if l.reached() || p.at >= s.to {
			return nil
		}
	}
}

// childOf shows c when it is visible. more is false when the page is full or the bounds of the walk are reached.
func (l *listing) childOf(ctx context.Context, c walked, pass bool) (more bool, err error) {
	l.place.At = c.key
	if !pass && c.folder {
		found, at, err := l.seek(ctx, c.key, l.place.Below)
		if err != nil {
			return false, err
		}
		if at < sqlstore.End(c.key) {
			l.place.Below = at
			return false, nil
		}
		pass, c = found.id != "", walked{key: c.key, folder: true}
	}
	if pass && !l.show(c) {
		return false, nil
	}
	l.place.At, l.place.Below = past(c.key), ""
	if c.folder {
		l.place.At = sqlstore.End(c.key)
	}
	return !l.reached(), nil
}

// childSource gives the files and folders directly in the root of a list, in order.
type childSource struct {
	l                 *listing
	dirFrom, fileFrom string
	to                string
	dirs              []sqlstore.Folder
	files             []sqlstore.Name
	dirsEnd, filesEnd bool
}

// next implements source.
func (s *childSource) next(ctx context.Context, n int) (page, error) {
	var p page
	for len(p.candidates) < n {
		if err := s.fill(ctx, n); err != nil {
			return page{}, err
		}
		var c walked
		switch {
		case len(s.dirs) > 0 && (len(s.files) == 0 || s.dirs[0].Path < s.l.base+s.files[0].Name):
			c = walked{id: s.dirs[0].ID, in: s.dirs[0].Parent, key: s.dirs[0].Path, folder: true}
			s.dirs = s.dirs[1:]
		case len(s.files) > 0:
			c = walked{id: s.files[0].ID, in: s.files[0].Dir, key: s.l.base + s.files[0].Name}
			s.files = s.files[1:]
		}
		if c.key == "" || c.key >= s.to {
			p.at = s.to
			return p, nil
		}
		p.candidates = append(p.candidates, c)
	}
	return p.full(), nil
}

// fill reads more of what has run out.
func (s *childSource) fill(ctx context.Context, n int) (err error) {
	if len(s.dirs) == 0 && !s.dirsEnd {
		if s.dirs, err = sqlstore.DirsOf(ctx, s.l.db, s.l.root.Anchor, s.dirFrom, n); err != nil {
			return err
		}
		if s.dirsEnd = len(s.dirs) < n; !s.dirsEnd {
			s.dirFrom = sqlstore.End(s.dirs[n-1].Path[len(s.l.base):])
		}
	}
	if len(s.files) == 0 && !s.filesEnd {
		if s.files, err = sqlstore.FilesOf(ctx, s.l.db, s.l.root.Anchor, s.fileFrom, n); err != nil {
			return err
		}
		if s.filesEnd = len(s.files) < n; !s.filesEnd {
			s.fileFrom = past(s.files[n-1].Name)
		}
	}
	return nil
}
