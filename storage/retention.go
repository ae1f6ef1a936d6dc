package storage

import (
	"context"
	"slices"
	"time"

	"nexus/authzsvc/authz"
	"nexus/internal/errs"
	"nexus/internal/sqldb"
	"nexus/schema"
	"nexus/storage/internal/sqlstore"
)

// VersionsKept says which versions of a file stay: those that either rule keeps, the current one, and those that a snapshot sees.
type VersionsKept struct {
	Newest int64         // so many of the newest, the current one included; at least 1
	For    time.Duration // so long after another one came behind it
}

// VersionsPlace is how far a round through a tenant's versions has come. The zero place is its begin. Looking again at what was
// looked at changes nothing, so a place that is lost costs time alone.
type VersionsPlace struct {
	file   string // whose versions are looked at, or the last that was looked at
	number int64  // of the next one to look at; 0: those of the file are done
}

// How much one step of dropping versions does. Whatever comes first ends it.
const (
	dropBatch = 100                    // versions that its transaction removes
	dropFor   = 200 * time.Millisecond // that it looks; no transaction is open meanwhile
	dropPage  = 200                    // files, or versions of one, that are read at once
)

// DropVersions takes a step in removing the versions of the granted tenant's files that keep does not keep, and returns where the
// next begins; the zero place at the end of the round. It shows nothing of them.
//
// A version that a snapshot sees stays: one that was the newest when a snapshot was made of a workspace that its file stands in or
// ever stood in. A snapshot to come sees nothing of what is looked at here, because that was replaced before it.
func (f *Files) DropVersions(ctx context.Context, may schema.SweepTenant, keep VersionsKept, from VersionsPlace) (VersionsPlace, error) {
	tenant, err := may.Use()
	if err != nil {
		return VersionsPlace{}, err
	}
	if keep.Newest < 1 {
		return VersionsPlace{}, errs.New(errs.Internal, "a file keeps at least its current version")
	}
	l := &retention{q: f.s.db, tenant: tenant.Named().ID, keep: keep, before: f.s.now() - keep.For.Microseconds(), at: from, until: time.Now().Add(dropFor)}
	if err := l.look(ctx); err != nil {
		return VersionsPlace{}, err
	}
	return l.at, f.drop(ctx, may.Decision(), l.found)
}

func (f *Files) drop(ctx context.Context, d *authz.Decision, found []sqlstore.Replaced) error {
	if len(found) == 0 {
		return nil
	}
	return f.s.act(ctx, d, func(ctx context.Context, tx sqldb.Tx, _ int64) (changed bool, err error) {
		for _, v := range found {
			dropped, err := sqlstore.DropVersion(ctx, tx, v.File, v.Number)
			if err != nil {
				return false, err
			}
			changed = changed || dropped
		}
		return changed, nil
	})
}

// retention looks for versions that need not stay.
type retention struct {
	q      sqldb.Q
	tenant string
	keep   VersionsKept
	before int64 // microseconds: what was replaced later stays
	at     VersionsPlace
	until  time.Time
	found  []sqlstore.Replaced
	of     string   // the file whose workspaces are known
	around []string // these
}

// full reports whether the step has enough to do, or has looked long enough.
func (l *retention) full() bool { return len(l.found) >= dropBatch || time.Now().After(l.until) }

// look goes on from its place until it is full, or at the end of the round.
func (l *retention) look(ctx context.Context) error {
	if l.at.number > 0 {
		if err := l.file(ctx, l.at.file, l.at.number); err != nil || l.at.number > 0 {
			return err
		}
	}
	for {
		files, err := sqlstore.Rewritten(ctx, l.q, l.tenant, l.at.file, l.keep.Newest, dropPage)
		if err != nil {
			return err
		}
		for _, id := range files {
			if err := l.file(ctx, id, 1); err != nil || l.at.number > 0 || l.full() {
				return err
			}
		}
		if len(files) < dropPage {
			l.at = VersionsPlace{}
			return nil
		}
	}
}

// file looks at the versions of one file from a number on, at least at one, and notes its place where it does not come to the end.
func (l *retention) file(ctx context.Context, id string, from int64) error {
	l.at = VersionsPlace{file: id}
	end, err := sqlstore.NthNewest(ctx, l.q, id, l.keep.Newest)
	if err != nil {
		return err
	}
	for first := from; from < end; {
		page, err := sqlstore.ReplacedFrom(ctx, l.q, id, from, end, dropPage)
		if err != nil {
			return err
		}
		for _, v := range page {
			switch {
			case v.At > l.before:
				return nil // what comes behind it was replaced later still
			case l.full() && from > first:
				l.at.number = v.Number
				return nil
			}
			if err := l.version(ctx, v); err != nil {
				return err
			}
			from = v.Number + 1
		}
		if len(page) < dropPage {
			return nil
		}
	}
	return nil
}

func (l *retention) version(ctx context.Context, v sqlstore.Replaced) (err error) {
	if l.of != v.File {
		if l.around, err = l.workspaces(ctx, v.File); err != nil {
			return err
		}
		l.of = v.File
	}
	for _, w := range l.around {
		if seen, err := sqlstore.AnySnapshot(ctx, l.q, w, v.Seq, v.NextSeq); err != nil || seen {
			return err
		}
	}
	l.found = append(l.found, v)
	return nil
}

// workspaces returns the registered folders that a file stands in or ever stood in, at any depth.
func (l *retention) workspaces(ctx context.Context, file string) (all []string, err error) {
	seen, next := map[string]bool{"": true}, []string{file}
	for len(next) > 0 {
		id := next[0]
		next = next[1:]
		above, err := sqlstore.HoldersOf(ctx, l.q, id)
		if err != nil {
			return nil, err
		}
		for _, dir := range slices.DeleteFunc(above, func(dir string) bool { return seen[dir] }) {
			seen[dir], next = true, append(next, dir)
			w, err := sqlstore.WorkspaceOn(ctx, l.q, l.tenant, dir)
			if err != nil {
				return nil, err
			}
			if w != "" {
				all = append(all, w)
			}
		}
	}
	return all, nil
}
