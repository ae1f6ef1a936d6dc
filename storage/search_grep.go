package storage

import (
	"context"
	"encoding/hex"
	"errors"
	"io"
	"slices"
	"strings"
	"time"

	"nexus/internal/errs"
	"nexus/internal/sqldb"
	"nexus/schema"
	"nexus/storage/internal/lines"
	"nexus/storage/internal/sqlstore"
	"nexus/storage/internal/trigram"
)

// How much a grep takes in at once.
const (
	mostTail  = 2000 // changes that the index has not followed; beyond, the tree is walked
	fewRoots  = 256  // files that are looked at one by one when the caller sees no more
	grepBatch = 64   // files whose rows are read at once
)

// grepping is one grep under way.
type grepping struct {
	f        *Search
	walk     *walk
	root     schema.Address
	q        *Grep
	region   region
	from     GrepPlace // where it began
	at       GrepPlace // how far it has come
	end      time.Time
	bytes    int64 // that may still be read
	searcher *lines.Searcher
	found    Found

	view *trigram.View            // nil without an index
	sums map[trigram.Sum]struct{} // contents that may match
	all  bool                     // every content may
}

// errCut ends a grep that is not to go on; found says why.
var errCut = errors.New("cut")

func (g *grepping) run(ctx context.Context) error {
	if !g.root.Exists() {
		return nil
	}
	folder := g.root.Path[:strings.LastIndexByte(g.root.Path, '/')+1]
	if g.root.Folder {
		folder = sqlstore.Slashed(g.root.Path)
	}
	if g.region = g.q.files.below(folder); g.region.unreachable {
		return nil
	}
	g.searcher, g.walk.wants = lines.NewSearcher(g.q.pattern, g.pause), g.region.wants
	err := g.search(ctx)
	if g.view != nil {
		g.view.Close()
	}
	if errors.Is(err, errCut) {
		return nil
	}
	return err
}

// search looks at the files that the caller sees when these are few; otherwise at those that the index names, and when that
// names too many at all.
func (g *grepping) search(ctx context.Context) error {
	g.all = true
	if err := g.rest(ctx); err != nil || !g.root.Folder {
		return err
	}
	g.walk.bounds = Bounds{Places: fewRoots}.or()
	self := walked{id: g.root.Anchor, in: g.root.Parent, key: g.region.root, folder: true}
	readable, err := g.walk.narrow(ctx, self)
	if err != nil {
		return err
	}
	if g.walk.roots != nil && g.walk.roots.files() {
		return g.each(ctx)
	}
	if err := g.look(); err != nil {
		return err
	}
	files, ok, err := g.named(ctx)
	switch {
	case err != nil:
		return err
	case ok:
		return g.those(ctx, files)
	}
	if !readable && g.walk.roots == nil {
		g.walk.bounds = Bounds{}.or()
		if _, err := g.walk.narrow(ctx, self); err != nil {
			return err
		}
	}
	return g.each(ctx)
}

// look asks the index.
func (g *grepping) look() (err error) {
	if g.f.index == nil {
		return nil
	}
	if g.view, err = g.f.index.View(g.root.Tenant); err != nil {
		return unindexed(err)
	}
	// An index that leaves little out is no help: what it names would fill the memory.
	sums, named, err := g.view.Find(g.q.pattern.Query(), max(g.f.byKey, g.view.Size().Contents/8))
	if err != nil {
		return unindexed(err)
	}
	g.sums, g.all = sums, !named
	return nil
}

func unindexed(err error) error {
	return errs.New(errs.Unavailable, "the search index cannot be read").Because(err)
}

// met is a file with its row.
type met struct {
	walked
	row *sqlstore.File
}

// rest searches the file that the path names, or the rest of the one that the search before this one ended in.
func (g *grepping) rest(ctx context.Context) error {
	id, path := g.from.File, g.from.path()
	if !g.root.Folder && g.from == (GrepPlace{}) {
		id, path = g.root.Anchor, g.root.Path
	}
	if id == "" {
		return nil
	}
	row, err := sqlstore.FileByID(ctx, g.f.s.db, id)
	if errors.Is(err, sqldb.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	stands, err := sqlstore.PathOf(ctx, g.f.s.db, id)
	if err != nil || stands != path || row.Version == 0 || !g.region.holds(path) {
		return nil // it has gone, or to another place
	}
	return g.those(ctx, []met{{walked{id: id, in: row.Dir, key: path}, row}})
}

// named returns the files that hold contents which the index names, and those that it has not followed yet, in order. ok is
// false when these are so many that walking is better.
func (g *grepping) named(ctx context.Context) (files []met, ok bool, err error) {
	if g.all || len(g.sums) > g.f.byKey || !g.f.follows(g.root.Tenant, g.view.Progress) {
		return nil, false, nil
	}
	var rows []sqlstore.Listed
	etags := make([]string, 0, len(g.sums))
	for sum := range g.sums {
		etags = append(etags, hex.EncodeToString(sum[:]))
	}
	for some := range slices.Chunk(etags, sqlstore.AtOnce) {
		more, err := sqlstore.FilesHolding(ctx, g.f.s.db, g.root.Tenant, g.region.root, some, g.f.byKey+1)
		if rows = append(rows, more...); err != nil || len(rows) > g.f.byKey {
			return nil, false, err
		}
	}
	// The tail comes last: what changed since the files above were met is in it.
	tail, err := sqlstore.FollowedAfter(ctx, g.f.s.db, g.root.Tenant, g.view.Seq, mostTail)
	if err != nil || len(tail) == mostTail {
		return nil, false, err
	}
	for i := range tail {
		switch c := &tail[i]; {
		case c.Kind == sqlstore.Reworked:
			return nil, false, nil
		case c.ID != "":
			rows = append(rows, c.Listed)
		}
	}
	return g.inOrder(rows), true, nil
}

// inOrder returns those of rows that the search is about, each once.
func (g *grepping) inOrder(rows []sqlstore.Listed) (files []met) {
	seen := make(map[string]bool, len(rows))
	for i := range rows {
		r := &rows[i]
		c := walked{id: r.ID, in: r.Dir, key: r.Folder + r.Name}
		if !seen[c.id] && c.key >= g.from.At && g.region.holds(c.key) {
			seen[c.id] = true
			files = append(files, met{c, &r.File})
		}
	}
	slices.SortFunc(files, func(a, b met) int { return strings.Compare(a.key, b.key) })
	return files
}

// those decides files, some at a time, and only then reads those that are admitted.
func (g *grepping) those(ctx context.Context, files []met) error {
	for n := grepBatch; len(files) > 0; n = min(2*n, listPage) {
		some := files[:min(n, len(files))]
		files = files[len(some):]
		candidates := make([]walked, len(some))
		for i := range some {
			candidates[i] = some[i].walked
		}
		pass, err := g.walk.pass(ctx, candidates)
		if err != nil {
			return err
		}
		for i := range some {
			if !pass[i] {
				continue
			}
			if err := g.read(ctx, &some[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

// each walks through the region, and searches what it is admitted to.
func (g *grepping) each(ctx context.Context) error {
	s := g.region.stretch
	if s.from = max(s.from, g.from.At); s.from >= s.to {
		return nil
	}
	var batch []walked
	var failed error
	g.walk.end = g.end
	at, err := g.walk.each(ctx, s, fewCandidates, func(c walked) (string, bool) {
		if c.folder {
			return sqlstore.End(c.key), true
		}
		if batch = append(batch, c); len(batch) == grepBatch {
			failed = g.admitted(ctx, batch)
			batch = batch[:0]
		}
		return past(c.key), failed == nil
	})
	if err = firstErr(failed, err); err == nil {
		err = g.admitted(ctx, batch)
	}
	if err != nil {
		return err
	}
	if at < s.to {
		g.at = GrepPlace{At: at}
		return g.cut(CutTime)
	}
	return nil
}

// admitted searches files that were admitted, but for those that cannot match.
func (g *grepping) admitted(ctx context.Context, files []walked) error {
	if len(files) == 0 {
		return nil
	}
	ids := make([]string, len(files))
	for i := range files {
		ids[i] = files[i].id
	}
	rows, err := sqlstore.DetailsByID(ctx, g.f.s.db, ids)
	if err != nil {
		return err
	}
	for _, c := range files {
		row := rows[c.id]
		if row == nil || row.Version == 0 {
			continue
		}
		may, err := g.may(row)
		if err == nil && may {
			err = g.read(ctx, &met{c, row})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// may reports whether a file may match: by what the index says of its contents, or because the index does not know them.
func (g *grepping) may(row *sqlstore.File) (bool, error) {
	sum, ok := sumOf(row.Etag)
	if g.all || !ok {
		return true, nil
	}
	if _, may := g.sums[sum]; may {
		return true, nil
	}
	known, err := g.view.Has(sum)
	if err != nil {
		return false, unindexed(err)
	}
	return !known, nil
}

// sumOf returns the hash that an etag is.
func sumOf(etag string) (sum trigram.Sum, ok bool) {
	raw, err := hex.DecodeString(etag)
	if err != nil || len(raw) != len(sum) {
		return sum, false
	}
	return trigram.Sum(raw), true
}

// read searches one file, and counts it for the record when it returns a line of it.
func (g *grepping) read(ctx context.Context, m *met) error {
	g.at = GrepPlace{At: past(m.key), File: m.id}
	if m.id == g.from.File {
		g.at.Line = g.from.Line
	}
	hits := len(g.found.Hits)
	err := g.scan(ctx, m)
	if len(g.found.Hits) > hits {
		g.walk.count(m.walked)
	}
	switch {
	case errors.Is(err, errs.NotFound): // written over, and what it held purged, since it was met
	case errors.Is(err, errCut) || ctx.Err() != nil:
		return err
	case err != nil:
		g.found.Cut = CutUnreadable
	case m.row.Size > g.f.file:
		g.found.Cut = CutBytes
	}
	if g.bytes <= 0 {
		return g.cut(CutBytes)
	}
	g.at.File, g.at.Line = "", 0
	return g.pause()
}

// scan holds the lines of a file against the pattern, and notes how far it came.
func (g *grepping) scan(ctx context.Context, m *met) error {
	body, err := g.f.contents(ctx, m.id, m.row.Version)
	if err != nil {
		return err
	}
	from, more := g.at.Line, true
	n, err := g.searcher.Search(io.LimitReader(body, min(g.bytes, g.f.file)), from, func(l lines.Match) bool {
		if more = len(g.found.Hits) < g.q.max; more {
			g.found.Hits = append(g.found.Hits, Hit{m.key, l})
			g.at.Line = l.Line
		}
		return more
	})
	g.bytes -= n
	if err := errors.Join(err, body.Close()); err != nil && !errors.Is(err, errCut) {
		return err
	}
	if !more {
		return g.cut(CutMax)
	}
	if g.at.Line = max(g.at.Line, g.searcher.Line()-1); err != nil && g.at.Line <= from && g.from.File == m.id {
		g.at.File = "" // a line that takes longer than a search may: it is left out
	}
	return err
}

// pause ends the search when its time is over.
func (g *grepping) pause() error {
	if time.Now().After(g.end) {
		return g.cut(CutTime)
	}
	return nil
}

// cut ends the search, which is to go on where it came to.
func (g *grepping) cut(why Cut) error {
	g.found.Cut = why
	g.found.Next = &g.at
	return errCut
}
