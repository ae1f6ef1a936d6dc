package storage

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"nexus/authzsvc/authz"
	"nexus/internal/sqldb"
	"nexus/schema"
	"nexus/storage/internal/sqlstore"
)

// walked is a file or folder that a walk meets. Its key is its path, that of a folder with a slash at the end: keys in
// order of their bytes are the tree from top to bottom, each folder before all that is in it.
type walked struct {
	id, in string // its row, and that of the folder it stands in, read at once
	key    string
	folder bool
}

// path is the walked's clean path.
func (c walked) path() string {
	if c.folder {
		return sqlstore.Unslashed(c.key)
	}
	return c.key
}

// past returns the first key after key: paths hold no control characters.
func past(key string) string { return key + "\x01" }

// stretch is the part of a tree whose keys do not come before from, and come before to, all of them below the folder base.
type stretch struct{ from, to, base string }

// below returns all that stands below folder, a key.
func below(folder string) stretch {
	return stretch{past(folder), sqlstore.End(folder), folder}
}

// walk goes through the tree of the scope's tenant in order of keys, and decides what it meets page by page.
type walk struct {
	db     sqldb.Q
	scope  schema.ReadFiles
	tenant string
	meets  []authz.Obligation
	wants  func(walked) bool // what is decided, and visited if it passes; nil: everything
	roots  *roots            // where alone something can be readable; nil: not known

	rows   int       // files and folders that it may look at; 0: any number
	looked int       // at so many so far
	end    time.Time // zero: never
	bounds Bounds
}

// A walk decides its candidates page by page, each page twice as long as the one before, up to listPage.
const (
	fewCandidates = 64
	listPage      = 1000
)

// Bounds say how far the walk of a page may go. What is reached first ends it, but not before something was looked at, so
// that each page gets on.
type Bounds struct {
	Rows   int           // files and folders that it looks at; 0: PageRows
	Time   time.Duration // that it takes; 0: PageTime
	Places int           // grants to the caller of which it finds out where they are; 0: PagePlaces
}

// The bounds of a page. With few grants it goes from one to the next; with more it decides all that it meets: to read them all
// would cost each page more than to decide the rows on its way.
const (
	PageRows   = 100_000
	PageTime   = 50 * time.Millisecond
	PagePlaces = 3_000
)

// wholeTime is how long a list may take that is not paged: its decision must not grow old meanwhile.
const wholeTime = authz.Lifetime - 2*time.Second

// or returns b with the default in place of what is 0.
func (b Bounds) or() Bounds {
	return Bounds{cmp.Or(b.Rows, PageRows), cmp.Or(b.Time, PageTime), cmp.Or(b.Places, PagePlaces)}
}

// bound makes the walk return in time, and returns how many candidates it begins with: for a page of limit entries, or for a
// whole list (0), which may take the time whole (0: wholeTime).
func (w *walk) bound(limit int, whole time.Duration) (first int) {
	if limit == 0 {
		w.end = time.Now().Add(cmp.Or(whole, wholeTime))
		return listPage
	}
	w.rows, w.end = w.bounds.Rows, time.Now().Add(w.bounds.Time)
	return min(max(fewCandidates, limit+1), listPage)
}

// reached reports whether the walk is to return.
func (w *walk) reached() bool {
	return w.rows > 0 && w.looked >= w.rows || !w.end.IsZero() && time.Now().After(w.end)
}

// source gives the candidates of a stretch in order, page by page.
type source interface {
	next(ctx context.Context, n int) (page, error)
}

// page is what a source has come by.
type page struct {
	candidates []walked // up to as many as were asked for
	at         string   // key at which the next page begins; at the end of the stretch, its to
}

// full returns p, which ends with its last candidate and not with the stretch.
func (p page) full() page {
	p.at = past(p.candidates[len(p.candidates)-1].key)
	return p
}

// source returns the candidates of s: every row, or those that can be readable.
func (w *walk) source(s stretch) source {
	if w.roots == nil {
		return newTree(w.db, w.tenant, s)
	}
	return w.roots.source(w, s)
}

// each calls visit with each walked of s that the scope admits, in order. visit returns the key from which to go on, which
// may lie further on, and whether to go on now. each returns the key from which to go on another time; when it has come to
// the end that is s.to or behind it. The first page has n candidates.
func (w *walk) each(ctx context.Context, s stretch, n int, visit func(walked) (from string, more bool)) (at string, err error) {
	for at = s.from; at < s.to; {
		src := w.source(stretch{at, s.to, s.base})
		for skipped := false; !skipped && at < s.to; n = min(2*n, listPage) {
			p, err := src.next(ctx, n)
			if err != nil {
				return "", err
			}
			var more bool
			if at, more, err = w.visit(ctx, p, at, visit); err != nil || !more {
				return at, err
			}
			skipped = at > p.at
		}
	}
	return at, nil
}

// visit decides one page and calls visit with what passes; more is false when the walk is to return.
func (w *walk) visit(ctx context.Context, p page, at string, visit func(walked) (string, bool)) (from string, more bool, err error) {
	looked, candidates := len(p.candidates), p.candidates
	if w.wants != nil {
		candidates = slices.DeleteFunc(candidates, func(c walked) bool { return !w.wants(c) })
	}
	pass, err := w.pass(ctx, candidates)
	if err != nil {
		return "", false, err
	}
	for i, c := range candidates {
		if c.key < at || !pass[i] { // skipped, or not for this caller
			continue
		}
		if at, more = visit(c); !more {
			return at, false, nil
		}
	}
	w.looked += looked
	return max(at, p.at), !w.reached(), nil
}

// narrow finds out where alone something can be readable, unless that is of no use: who may read self may read what is in it.
func (w *walk) narrow(ctx context.Context, self walked) (readable bool, err error) {
	pass, err := w.pass(ctx, []walked{self})
	if err != nil || pass[0] {
		return err == nil, err
	}
	ids, known, err := w.scope.Granted(ctx, w.bounds.Places, w.meets...)
	if err != nil || !known {
		return false, err
	}
	w.roots, err = findRoots(ctx, w.db, ids)
	return false, err
}

// seek looks below folder for anything that the scope admits, from the key from on where that is not empty. Where the walk's
// bounds end it before, at is the key from which to go on; otherwise it is the end of the folder, or behind that.
func (w *walk) seek(ctx context.Context, folder, from string) (found walked, at string, err error) {
	s := below(folder)
	s.from = max(s.from, from)
	at, err = w.each(ctx, s, fewCandidates, func(c walked) (string, bool) {
		found = c
		return s.to, false
	})
	return found, at, err
}

// pass reports which of candidates the scope admits. It counts none of them for the record: what is returned goes through
// count.
func (w *walk) pass(ctx context.Context, candidates []walked) ([]bool, error) {
	members := make([]schema.File, len(candidates))
	for i, c := range candidates {
		members[i] = w.member(c)
	}
	return w.scope.Sift(ctx, members, standsIn, w.meets...)
}

// count notes for the record that c is returned.
func (w *walk) count(c walked) { w.scope.Count(w.member(c)) }

func (w *walk) member(c walked) schema.File {
	return schema.File{Address: schema.Address{Tenant: w.tenant, Path: c.path(), Anchor: c.id, Parent: c.in, Folder: c.folder}}
}

// holds reports whether key is folder or lies below it.
func holds(folder, key string) bool { return strings.HasPrefix(key, folder) }
