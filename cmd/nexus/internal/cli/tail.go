package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"nexus/apiserver/api"
	"nexus/apiserver/client"
	"nexus/authzsvc/audit"
	"nexus/authzsvc/authz"
	"nexus/cmd/nexus/internal/node"
	"nexus/internal/errs"
	"nexus/internal/paths"
	"nexus/schema"
)

// selection says which decisions to show.
type selection struct {
	principal, op, path, tenant string
	since                       time.Duration
	denied                      *bool
	count                       int
	everything                  bool
}

func (s selection) from() time.Time {
	if s.since <= 0 {
		return time.Time{}
	}
	return time.Now().Add(-s.since)
}

// source gives decisions of the record: the newest that are selected, oldest first, and then what comes.
type source interface {
	newest(ctx context.Context) ([]audit.Entry, error)
	// follow yields entries behind those that newest returned until ctx ends.
	follow(ctx context.Context, yield func(audit.Entry) error) error
}

func (a *app) recordSource(data string, s selection) (source, error) {
	if s.path != "" {
		var err error
		if s.path, err = paths.Clean(s.path); err != nil {
			return nil, err
		}
	}
	if data != "" {
		return openRecord(data, s)
	}
	if s.everything {
		return nil, wrong("--all needs --data: a server shows decisions only")
	}
	c, err := a.client()
	return &remoteRecord{c: c, s: s}, err
}

func (a *app) tail(ctx context.Context, from source, s selection, follow bool) error {
	all, err := from.newest(ctx)
	if err != nil {
		return err
	}
	for _, e := range all {
		if err := a.printEntry(e); err != nil {
			return err
		}
	}
	if !follow {
		return nil
	}
	err = from.follow(ctx, a.printEntry)
	if ctx.Err() != nil {
		return nil // that is how following ends
	}
	return err
}

func (a *app) printEntry(e audit.Entry) error {
	if a.json {
		return json.NewEncoder(a.Out).Encode(e)
	}
	_, err := fmt.Fprintln(a.Out, entryLine(e))
	return err
}

// localRecord reads the record in a data directory.
type localRecord struct {
	view *audit.View
	q    audit.Query
	s    selection
	last uint64 // newest entry that was looked at
}

func openRecord(data string, s selection) (*localRecord, error) {
	view, err := audit.OpenView(node.RecordDir(data))
	if err != nil {
		return nil, err
	}
	q := audit.Query{Op: s.op, From: s.from()}
	if !s.everything {
		q.Types = []audit.Type{audit.TypeDecided}
	}
	if s.denied != nil {
		q.Answer = audit.Allowed
		if *s.denied {
			q.Answer = audit.Refused
		}
	}
	if s.principal != "" {
		if q.Principal, err = principalRef(s); err != nil {
			return nil, err
		}
	}
	return &localRecord{view: view, q: q, s: s}, nil
}

func principalRef(s selection) (authz.Ref, error) {
	typ, name, ok := strings.Cut(s.principal, ":")
	id, err := schema.ID(s.tenant, name)
	if !ok || err != nil {
		return authz.Ref{}, wrong("--principal %q is not type:name, such as user:alice", s.principal)
	}
	return authz.Ref{Type: typ, ID: id}, nil
}

func (r *localRecord) newest(ctx context.Context) ([]audit.Entry, error) {
	err := r.view.Read(ctx, audit.Query{Newest: true, Limit: 1}, func(e audit.Entry) bool { r.last = e.Seq; return false })
	if err != nil || r.s.count == 0 {
		return nil, err
	}
	q := r.q
	q.Newest, q.Before = true, r.last+1
	if r.s.path == "" {
		q.Limit = r.s.count
	}
	var all []audit.Entry
	err = r.view.Read(ctx, q, func(e audit.Entry) bool {
		if about(e, r.s.path) {
			all = append(all, e)
		}
		return len(all) < r.s.count
	})
	slices.Reverse(all)
	return all, err
}

func (r *localRecord) follow(ctx context.Context, yield func(audit.Entry) error) error {
	var failed error
	err := r.view.Tail(ctx, r.last+1, func(e audit.Entry) bool {
		if r.selects(e) {
			failed = yield(e)
		}
		return failed == nil
	})
	return errors.Join(failed, err)
}

// selects says of a new entry what the query says of old ones.
func (r *localRecord) selects(e audit.Entry) bool {
	if e.Decided == nil {
		return r.s.everything && r.q.Op == "" && r.q.Principal.IsZero() && r.q.Answer == audit.AnyAnswer && r.s.path == ""
	}
	d := e.Decided
	return (r.q.Op == "" || d.Op == r.q.Op) && (r.s.denied == nil || d.Allowed != *r.s.denied) && about(e, r.s.path) &&
		(r.q.Principal.IsZero() || d.Base == r.q.Principal || slices.Contains(d.Actors, r.q.Principal))
}

// about reports whether an entry is about path; every entry is about no path.
func about(e audit.Entry, path string) bool {
	if path == "" {
		return true
	}
	return e.Decided != nil && slices.ContainsFunc(e.Decided.Objects, func(o authz.Named) bool { return o.Name == path })
}

// remoteRecord asks a server.
type remoteRecord struct {
	c    *client.Client
	s    selection
	last uint64
	at   time.Time // of the entry last
}

// Bounds of asking a server: of one answer, and of how often it is asked when nothing is known to have changed.
const (
	pageLines = 1000
	pollEvery = time.Second
)

func (r *remoteRecord) newest(ctx context.Context) ([]audit.Entry, error) {
	r.at = r.s.from()
	all, err := r.since(ctx, r.at, max(1, r.s.count))
	if r.s.count == 0 {
		return nil, err // only where the record stands was asked
	}
	return all, err
}

func (r *remoteRecord) follow(ctx context.Context, yield func(audit.Entry) error) error {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		all, err := r.since(ctx, r.at, 0)
		if err != nil {
			return err
		}
		for _, e := range all {
			if err := yield(e); err != nil {
				return err
			}
		}
	}
}

// since returns the newest entries since from that were not returned before, count at the most (0: all), oldest first. It
// asks page by page, from the newest backwards.
func (r *remoteRecord) since(ctx context.Context, from time.Time, count int) ([]audit.Entry, error) {
	var all []audit.Entry
	var until time.Time
	limit, seen := pageLines, r.last
	if count > 0 {
		limit = min(limit, count)
	}
	for more := true; more; {
		page, err := r.page(ctx, from, until, limit)
		if err != nil {
			return nil, err
		}
		before := len(all)
		for _, e := range page {
			if e.Seq > seen && (before == 0 || e.Seq < all[before-1].Seq) {
				all = append(all, e)
			}
		}
		more = len(page) == limit && len(all) > before && (count == 0 || len(all) < count)
		if more {
			until = all[len(all)-1].At.Add(time.Microsecond) // what travels is cut to microseconds, so a page may overlap the one before
		}
	}
	if count > 0 {
		all = all[:min(count, len(all))]
	}
	slices.SortFunc(all, func(a, b audit.Entry) int { return cmp.Compare(a.Seq, b.Seq) })
	if len(all) > 0 {
		r.last, r.at = all[len(all)-1].Seq, all[len(all)-1].At
	}
	return all, nil
}

func (r *remoteRecord) page(ctx context.Context, from, until time.Time, limit int) ([]audit.Entry, error) {
	got, err := client.Call(ctx, r.c, api.Decisions, api.DecisionsParams{
		Principal: r.s.principal, Operation: r.s.op, Path: r.s.path, Denied: r.s.denied,
		Since: api.Time{Time: from}, Until: api.Time{Time: until}, Limit: limit,
	})
	if err != nil {
		return nil, err
	}
	all := make([]audit.Entry, len(got.Decisions))
	for i, raw := range got.Decisions {
		if err := json.Unmarshal(raw, &all[i]); err != nil {
			return nil, errs.New(errs.Unavailable, "the server answered what is no decision").Because(err)
		}
	}
	return all, nil
}
