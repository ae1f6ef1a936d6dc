package storage

import (
	"context"
	"slices"
	"time"

	"nexus/internal/errs"
	"nexus/internal/sqldb"
	"nexus/schema"
	"nexus/storage/internal/sqlstore"
)

// Bounds of one page of paths.
const (
	globRows = 100_000
	globTime = 50 * time.Millisecond
)

// Place is where a walk through files goes on: behind the file called Name in Folder, which ends in a slash.
type Place struct{ Folder, Name string }

// Globbed is paths in order of folder and name. Next is where the next page begins; nil when none follows.
type Globbed struct {
	Paths []string
	Next  *Place
}

// Glob returns the paths of the files below the folder at a that match p and that the scope admits, all of them, in order.
func (f *Search) Glob(ctx context.Context, s schema.ReadFiles, a schema.Address, p PathPattern) ([]string, error) {
	g, err := f.newGlobbing(s, a, p)
	if err != nil {
		return nil, err
	}
	for more := g.begins; more; {
		if more, err = g.page(ctx, listPage); err != nil {
			return nil, err
		}
		if len(g.paths) > MaxList {
			return nil, errs.New(errs.Exhausted, "more than %d files match: give a limit, or a narrower pattern", MaxList).Marked(errs.NotValid)
		}
	}
	slices.Sort(g.paths)
	return g.paths, s.Close(ctx, true)
}

// GlobPage returns up to limit of them, from a place on. A page that has looked at much may be short, or empty, and not the last.
func (f *Search) GlobPage(ctx context.Context, s schema.ReadFiles, a schema.Address, p PathPattern, from Place, limit int) (Globbed, error) {
	g, err := f.newGlobbing(s, a, p)
	if err != nil {
		return Globbed{}, err
	}
	if from.Folder != "" {
		g.at = from
	}
	end, more := time.Now().Add(globTime), g.begins
	for rows := 0; more && len(g.paths) < limit && rows < globRows && time.Now().Before(end); rows += listPage {
		if more, err = g.page(ctx, listPage); err != nil {
			return Globbed{}, err
		}
	}
	out := Globbed{Paths: g.paths}
	if len(g.paths) > limit {
		out.Paths, g.at, more = g.paths[:limit], g.places[limit-1], true
	}
	if more {
		out.Next = &g.at
	}
	return out, s.Close(ctx, !more)
}

// globbing is one walk through what may match.
type globbing struct {
	db     sqldb.DB
	scope  schema.ReadFiles
	tenant string
	region region
	begins bool // whether there is anything to walk
	at     Place
	paths  []string
	places []Place
}

func (f *Search) newGlobbing(s schema.ReadFiles, a schema.Address, p PathPattern) (*globbing, error) {
	tenant, err := s.Tenant(noValues)
	if err != nil {
		return nil, err
	}
	if tenant != a.Tenant {
		return nil, errs.Bug("a search of tenant %s in the scope of tenant %s", a.Tenant, tenant)
	}
	g := &globbing{db: f.s.db, scope: s, tenant: tenant}
	if a.Exists() && a.Folder {
		g.region = p.below(sqlstore.Slashed(a.Path))
		g.begins = !g.region.unreachable
		g.at = Place{Folder: g.region.first}
	}
	return g, nil
}

// page decides the next n files, and reports whether there may be more.
func (g *globbing) page(ctx context.Context, n int) (more bool, err error) {
	rows, err := g.region.page(ctx, g.db, g.tenant, g.at.Folder, g.at.Name, n)
	if err != nil || len(rows) == 0 {
		return false, err
	}
	g.at = placeOf(&rows[len(rows)-1])
	rows = slices.DeleteFunc(rows, func(r sqlstore.Listed) bool { return !g.region.holds(r.Folder + r.Name) })
	members, places := make([]schema.File, len(rows)), make(map[string]Place, len(rows))
	for i := range rows {
		members[i], places[rows[i].ID] = member(g.tenant, &rows[i]), placeOf(&rows[i])
	}
	admitted, err := g.scope.Admit(ctx, members, standsIn, noValues)
	if err != nil {
		return false, err
	}
	for _, m := range admitted {
		g.paths, g.places = append(g.paths, m.Path), append(g.places, places[m.Anchor])
	}
	return true, nil
}

func placeOf(row *sqlstore.Listed) Place { return Place{row.Folder, row.Name} }

// page returns up to n files of the region behind the one called name in folder, in order of folder and name. It does not look
// at the pattern.
func (r region) page(ctx context.Context, q sqldb.Q, tenant, folder, name string, n int) ([]sqlstore.Listed, error) {
	if r.end == "" {
		return sqlstore.FilesIn(ctx, q, tenant, folder, name, n)
	}
	return sqlstore.FilesBetween(ctx, q, tenant, folder, name, r.from, r.end, n)
}
