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
	firstSift = 64   // files decided at once, to begin with: often the first ones are enough
	grepSift  = 1000
)

// grepping is one grep under way.
type grepping struct {
	f        *Search
	scope    schema.ReadFiles
	root     schema.Address
	q        *Grep
	region   region
	from     GrepPlace // where it began
	at       GrepPlace // how far it has come
	end      time.Time
	bytes    int64 // that may still be read
	searcher *lines.Searcher
	seen     map[string]bool // files met, by id
	batch    []sqlstore.Listed
	sift     int
	found    Found

	view *trigram.View            // nil without an index
	sums map[trigram.Sum]struct{} // contents that may match
	all  bool                     // every content may
}

// errCut ends a grep that is not to go on; found says why.
var errCut = errors.New("cut")

func (g *grepping) run(ctx context.Context) error {
	g.searcher, g.sift = lines.NewSearcher(g.q.pattern, g.pause), firstSift
	if !g.root.Exists() {
		return nil
	}
	if err := g.look(); err != nil {
		return err
	}
	if g.view != nil {
		defer g.view.Close()
	}
	err := g.search(ctx)
	if errors.Is(err, errCut) {
		return nil
	}
	return err
}

// look asks the index.
func (g *grepping) look() (err error) {
	g.all = true
	if g.f.index == nil {
		return nil
	}
	if g.view, err = g.f.index.View(g.root.Tenant); err != nil {
		return unindexed(err)
	}
	// An index that leaves little out is no help: what it names would fill the memory.
	sums, named, err := g.view.Find(g.q.pattern.Query(), max(g.f.byKey, g.view.Size().Contents/8))
	if err != nil {
		g.view.Close()
		return unindexed(err)
	}
	g.sums, g.all = sums, !named
	return nil
}

func unindexed(err error) error {
	return errs.New(errs.Unavailable, "the search index cannot be read").Because(err)
}

func (g *grepping) search(ctx context.Context) error {
	if !g.root.Folder {
		return g.file(ctx)
	}
	if g.region = g.q.files.below(sqlstore.Slashed(g.root.Path)); g.region.unreachable {
		return nil
	}
	if err := g.rest(ctx); err != nil {
		return err
	}
	if !g.all && len(g.sums) <= g.f.byKey && g.f.follows(g.root.Tenant, g.view.Progress) {
		rows, ok, err := g.byContents(ctx)
		if err != nil {
			return err
		}
		if ok {
			return g.those(ctx, rows)
		}
	}
	return g.walk(ctx)
}

// file searches the file that the path names.
func (g *grepping) file(ctx context.Context) error {
	folder := g.root.Path[:strings.LastIndexByte(g.root.Path, '/')+1]
	if g.region = g.q.files.below(folder); g.region.unreachable {
		return nil
	}
	if g.from == (GrepPlace{}) {
		return g.one(ctx, g.root.Anchor, g.root.Path)
	}
	return g.rest(ctx)
}

// rest searches the rest of the file that the search before this one ended in.
func (g *grepping) rest(ctx context.Context) error {
	if g.from.File == "" {
		return nil
	}
	return g.one(ctx, g.from.File, g.from.Folder+g.from.Name)
}

// one searches a file by its id, if it still is at path.
func (g *grepping) one(ctx context.Context, id, path string) error {
	row, err := sqlstore.FileByID(ctx, g.f.s.db, id)
	if errors.Is(err, sqldb.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	stands, err := sqlstore.PathOf(ctx, g.f.s.db, id)
	if err != nil || stands != path || row.Version == 0 {
		return nil // it has gone, or to another place
	}
	return g.those(ctx, []sqlstore.Listed{{File: *row, Folder: path[:strings.LastIndexByte(path, '/')+1]}})
}

// byContents returns the files that hold contents which may match, and those that the index has not followed yet, in order of
// folder and name. ok is false when these are so many that walking is better.
func (g *grepping) byContents(ctx context.Context) (rows []sqlstore.Listed, ok bool, err error) {
	etags := make([]string, 0, len(g.sums))
	for sum := range g.sums {
		etags = append(etags, hex.EncodeToString(sum[:]))
	}
	db, tenant := g.f.s.db, g.root.Tenant
	for some := range slices.Chunk(etags, sqlstore.AtOnce) {
		more, err := sqlstore.FilesHolding(ctx, db, tenant, g.region.root, some, g.f.byKey+1)
		if rows = append(rows, more...); err != nil || len(rows) > g.f.byKey {
			return nil, false, err
		}
	}
	// The tail comes last: what changed since the files above were met is in it.
	tail, err := sqlstore.FollowedAfter(ctx, db, tenant, g.view.Seq, mostTail)
	if err != nil || len(tail) == mostTail {
		return nil, false, err
	}
	for _, c := range tail {
		switch {
		case c.Kind == sqlstore.Reworked:
			return nil, false, nil
		case c.ID != "":
			rows = append(rows, c.Listed)
		}
	}
	begin := sqlstore.Listed{Folder: g.from.Folder, File: sqlstore.File{Name: g.from.Name}}
	rows = slices.DeleteFunc(rows, func(r sqlstore.Listed) bool {
		return !strings.HasPrefix(r.Folder, g.region.root) || inPathOrder(r, begin) <= 0
	})
	slices.SortStableFunc(rows, inPathOrder)
	return rows, true, nil
}

// inPathOrder orders files by folder, then by name.
func inPathOrder(a, b sqlstore.Listed) int {
	if c := strings.Compare(a.Folder, b.Folder); c != 0 {
		return c
	}
	return strings.Compare(a.Name, b.Name)
}

// those searches rows.
func (g *grepping) those(ctx context.Context, rows []sqlstore.Listed) error {
	for i := range rows {
		if err := g.take(ctx, &rows[i]); err != nil {
			return err
		}
	}
	return g.flush(ctx)
}

// walk searches the files of the region, page by page.
func (g *grepping) walk(ctx context.Context) error {
	folder, name := g.region.first, ""
	if g.from.Folder != "" {
		folder, name = g.from.Folder, g.from.Name
	}
	for {
		page, err := g.region.page(ctx, g.f.s.db, g.root.Tenant, folder, name, listPage)
		if err != nil || len(page) == 0 {
			return firstErr(err, g.flush(ctx))
		}
		if err := g.candidates(ctx, page); err != nil {
			return err
		}
		folder, name = page[len(page)-1].Folder, page[len(page)-1].Name
		if time.Now().After(g.end) {
			if err := g.flush(ctx); err != nil {
				return err
			}
			g.at = GrepPlace{Folder: folder, Name: name}
			return g.cut(CutTime)
		}
	}
}

// candidates takes those of a page that may match.
func (g *grepping) candidates(ctx context.Context, page []sqlstore.Listed) error {
	for i := range page {
		may, err := g.may(&page[i])
		if err != nil {
			return err
		}
		if !may {
			continue
		}
		if err := g.take(ctx, &page[i]); err != nil {
			return err
		}
	}
	return nil
}

// may reports whether a file may match: by what the index says of its contents, or because the index does not know them.
func (g *grepping) may(row *sqlstore.Listed) (bool, error) {
	if g.all {
		return true, nil
	}
	sum, ok := sumOf(row.Etag)
	if !ok {
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

// take puts a file that may match into the batch, and searches the batch when it is full.
func (g *grepping) take(ctx context.Context, row *sqlstore.Listed) error {
	if g.seen[row.ID] || !g.region.holds(row.Folder+row.Name) {
		return nil
	}
	g.seen[row.ID] = true
	if g.batch = append(g.batch, *row); len(g.batch) < g.sift {
		return nil
	}
	return g.flush(ctx)
}

// flush decides the files of the batch, and only then reads those that are admitted.
func (g *grepping) flush(ctx context.Context) error {
	rows := g.batch
	g.batch, g.sift = nil, min(2*g.sift, grepSift)
	if len(rows) == 0 {
		return nil
	}
	members := make([]schema.File, len(rows))
	byID := make(map[string]*sqlstore.Listed, len(rows))
	for i := range rows {
		members[i] = member(g.root.Tenant, &rows[i])
		byID[rows[i].ID] = &rows[i]
	}
	admitted, err := g.scope.Admit(ctx, members, standsIn)
	if err != nil {
		return err
	}
	for _, m := range admitted {
		if err := g.read(ctx, m.Path, byID[m.Anchor]); err != nil {
			return err
		}
	}
	return nil
}

// read searches one file.
func (g *grepping) read(ctx context.Context, path string, row *sqlstore.Listed) error {
	g.at = GrepPlace{Folder: row.Folder, Name: row.Name, File: row.ID}
	if row.ID == g.from.File {
		g.at.Line = g.from.Line
	}
	err := g.scan(ctx, path, row)
	switch {
	case errors.Is(err, errs.NotFound): // written over, and what it held purged, since it was met
	case errors.Is(err, errCut) || ctx.Err() != nil:
		return err
	case err != nil:
		g.found.Cut = CutUnreadable
	case row.Size > g.f.file:
		g.found.Cut = CutBytes
	}
	if g.bytes <= 0 {
		return g.cut(CutBytes)
	}
	g.at.File, g.at.Line = "", 0
	if time.Now().After(g.end) {
		return g.cut(CutTime)
	}
	return nil
}

// scan holds the lines of a file against the pattern, and notes how far it came.
func (g *grepping) scan(ctx context.Context, path string, row *sqlstore.Listed) error {
	body, err := g.f.contents(ctx, row.ID, row.Version)
	if err != nil {
		return err
	}
	from, more := g.at.Line, true
	n, err := g.searcher.Search(io.LimitReader(body, min(g.bytes, g.f.file)), from, func(m lines.Match) bool {
		if more = len(g.found.Hits) < g.q.max; more {
			g.found.Hits = append(g.found.Hits, Hit{path, m})
			g.at.Line = m.Line
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
	if g.at.Line = max(g.at.Line, g.searcher.Line()-1); err != nil && g.at.Line <= from && g.from.File == row.ID {
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
