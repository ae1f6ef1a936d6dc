package storage

import (
	"context"
	"encoding/hex"
	"errors"
	"slices"
	"time"

	"nexus/internal/errs"
	"nexus/schema"
	"nexus/storage/internal/sqlstore"
	"nexus/storage/internal/trigram"
)

// How the index follows the files.
const (
	followed  = 1000           // changes, or files, that one step follows
	forgotten = 24 * time.Hour // after which changes may be forgotten that nobody has followed
	stepFor   = time.Second    // after which a step ends early
	enough    = 128            // changes that are followed at once; a search looks at each that is not
	patience  = 5 * time.Second
)

// Waiting returns the tenants whose index is to follow their files now: many have changed, or one has for some time. It says
// nothing else of them.
func (f *Search) Waiting(ctx context.Context) ([]string, error) {
	if f.index == nil {
		return nil, nil
	}
	last, err := sqlstore.LastSeqs(ctx, f.s.db)
	if err != nil {
		return nil, err
	}
	var due []string
	for _, t := range last {
		lag, err := f.lag(t.ID, t.Seq)
		if err != nil {
			return nil, err
		}
		if f.due(t.ID, lag) {
			due = append(due, t.ID)
		}
	}
	return due, nil
}

// due reports whether a tenant is to be followed that has changed so often since it was.
func (f *Search) due(tenant string, lag int64) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	since, waits := f.behind[tenant]
	switch {
	case lag == 0:
		delete(f.behind, tenant)
		return false
	case !waits:
		since = f.s.now()
		f.behind[tenant] = since
	}
	if lag < enough && f.s.now()-since < patience.Microseconds() {
		return false
	}
	delete(f.behind, tenant)
	return true
}

// Size returns how many bytes the index of a tenant takes.
func (f *Search) Size(tenant string) (int64, error) {
	if f.index == nil {
		return 0, nil
	}
	v, err := f.index.View(tenant)
	if err != nil {
		return 0, unindexed(err)
	}
	defer v.Close()
	return v.Size().Bytes, nil
}

// lag returns how many changes up to seq a tenant's index has not followed, at the most.
func (f *Search) lag(tenant string, seq int64) (int64, error) {
	if r := f.reached(tenant); r.seq == seq && r.at > 0 {
		f.reach(tenant, reached{seq, f.s.now()})
		return 0, nil
	}
	v, err := f.index.View(tenant)
	if err != nil {
		return 0, unindexed(err)
	}
	defer v.Close()
	if v.Walk {
		return max(1, seq-v.Seq), nil
	}
	if v.Seq == seq {
		f.reach(tenant, reached{seq, f.s.now()})
	}
	return seq - v.Seq, nil
}

func (f *Search) reached(tenant string) reached {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.known[tenant]
}

func (f *Search) reach(tenant string, r reached) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.known[tenant] = r
}

// follows reports whether every change since p is still known.
func (f *Search) follows(tenant string, p trigram.Progress) bool {
	at := p.At
	if r := f.reached(tenant); r.seq == p.Seq {
		at = max(at, r.at)
	}
	return p.Seq > 0 && f.s.now()-at <= forgotten.Microseconds()
}

// Index follows the files of a tenant one step further, and reports whether there are more. It returns nothing of them.
func (f *Search) Index(ctx context.Context, g schema.ReindexTenant) (more bool, err error) {
	t, err := g.Use()
	if err != nil || f.index == nil {
		return false, err
	}
	f.indexing.Lock()
	defer f.indexing.Unlock()
	tenant := t.Named().ID
	v, err := f.index.View(tenant)
	if err != nil {
		return false, unindexed(err)
	}
	defer v.Close()
	if f.batch == nil {
		f.batch = trigram.NewBatch()
	}
	step := &indexStep{f: f, tenant: tenant, view: v, until: time.Now().Add(stepFor)}
	if more, err = step.run(ctx); err != nil || more {
		return more, err
	}
	return f.tidy(ctx, tenant)
}

// tidy keeps the index of a tenant small.
func (f *Search) tidy(ctx context.Context, tenant string) (more bool, err error) {
	more, err = f.index.Tidy(ctx, tenant, func(ctx context.Context, sums []trigram.Sum) ([]bool, error) {
		return f.held(ctx, tenant, sums)
	})
	if err != nil && errs.From(err).Kind == errs.Internal {
		err = unindexed(err)
	}
	return more, err
}

// held reports for each of sums whether a file of the tenant holds it.
func (f *Search) held(ctx context.Context, tenant string, sums []trigram.Sum) ([]bool, error) {
	is := make([]bool, 0, len(sums))
	for some := range slices.Chunk(sums, sqlstore.AtOnce) {
		etags := make([]string, len(some))
		for i := range some {
			etags[i] = hex.EncodeToString(some[i][:])
		}
		held, err := sqlstore.HeldEtags(ctx, f.s.db, tenant, etags)
		if err != nil {
			return nil, err
		}
		for _, etag := range etags {
			is = append(is, slices.Contains(held, etag))
		}
	}
	return is, nil
}

// indexStep is one step of a tenant's index.
type indexStep struct {
	f      *Search
	tenant string
	view   *trigram.View
	until  time.Time
}

func (s *indexStep) run(ctx context.Context) (more bool, err error) {
	last, err := sqlstore.LastSeq(ctx, s.f.s.db, s.tenant)
	if err != nil {
		return false, err
	}
	p := s.view.Progress
	switch {
	case p.Walk:
		return s.walk(ctx, p)
	case last == p.Seq:
		return false, nil
	case !s.f.follows(s.tenant, p):
		return s.walk(ctx, s.begin(p, last))
	}
	return s.follow(ctx, p, last)
}

// begin is p with a walk of all files to begin.
func (s *indexStep) begin(p trigram.Progress, last int64) trigram.Progress {
	p.Walk, p.From, p.After, p.At = true, last, "", s.f.s.now()
	return p
}

// walk indexes what the next files hold, in order of their ids. Behind the last one, what was there when the walk began is
// indexed, and the changes since are to be followed.
func (s *indexStep) walk(ctx context.Context, p trigram.Progress) (more bool, err error) {
	rows, err := sqlstore.HeldByID(ctx, s.f.s.db, s.tenant, p.After, followed)
	if err != nil {
		return false, err
	}
	done, err := s.add(ctx, rows)
	if err != nil {
		return false, err
	}
	if !done {
		return true, nil
	}
	if len(rows) == followed {
		p.After = rows[len(rows)-1].ID
	} else {
		p.Seq, p.Walk, p.From, p.After = p.From, false, 0, ""
	}
	return true, s.commit(p, s.f.batch)
}

// follow indexes what the next changed files hold.
func (s *indexStep) follow(ctx context.Context, p trigram.Progress, last int64) (more bool, err error) {
	now := s.f.s.now()
	changes, err := sqlstore.FollowedAfter(ctx, s.f.s.db, s.tenant, p.Seq, followed)
	if err != nil {
		return false, err
	}
	var rows []sqlstore.Held
	for _, c := range changes {
		switch {
		case c.Kind == sqlstore.Reworked:
			return true, s.commit(s.begin(p, last), nil)
		case c.ID != "":
			rows = append(rows, sqlstore.Held{ID: c.ID, Etag: c.Etag, Version: c.Version})
		}
		if c.Kind == sqlstore.Written || c.Kind == sqlstore.Deleted {
			p.Dead++
		}
	}
	done, err := s.add(ctx, rows)
	if err != nil || !done {
		return true, err
	}
	p.Seq, p.At = last, now
	if more = len(changes) == followed; more {
		p.Seq, p.At = changes[len(changes)-1].Seq, changes[len(changes)-1].At
	}
	return more, s.commit(p, s.f.batch)
}

// add indexes the contents of files that are not indexed yet. done is false when there was too much: then some of it is
// indexed, and the progress has not changed.
func (s *indexStep) add(ctx context.Context, rows []sqlstore.Held) (done bool, err error) {
	missing := map[trigram.Sum]sqlstore.Held{}
	for _, r := range rows {
		sum, ok := sumOf(r.Etag)
		if !ok {
			continue
		}
		has, err := s.view.Has(sum)
		if err != nil {
			return false, unindexed(err)
		}
		if !has {
			missing[sum] = r
		}
	}
	sums := make([]trigram.Sum, 0, len(missing))
	for sum := range missing {
		sums = append(sums, sum)
	}
	b := s.f.batch
	for _, sum := range b.Begin(sums) {
		if b.Full() || time.Now().After(s.until) {
			return false, s.commit(s.view.Progress, b)
		}
		if err := s.content(ctx, missing[sum]); err != nil {
			return false, err
		}
	}
	return true, nil
}

// content indexes what a file held when it was met. What cannot be read is noted as looked at in every search: whoever
// searches it meets the error.
func (s *indexStep) content(ctx context.Context, h sqlstore.Held) error {
	body, err := s.f.contents(ctx, h.ID, h.Version)
	if err == nil {
		err = errors.Join(s.f.batch.Add(body), body.Close())
	}
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return s.f.batch.Add(nil)
}

func (s *indexStep) commit(p trigram.Progress, b *trigram.Batch) error {
	if err := s.f.index.Commit(s.tenant, p, b); err != nil {
		return unindexed(err)
	}
	return nil
}
