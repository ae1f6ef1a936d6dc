package sqlds

import (
	"context"
	"database/sql"
	"hash/maphash"
	"slices"
	"sync"
	"unique"

	"nexus/authzsvc/authz"
)

// maxObjectRows bounds the rows of a cached object; the engine reads a bigger one by its indexes.
const maxObjectRows = 64

// objects keeps the rows of single resource objects. Visibility is decided for each row when it is read, so expiry and
// reading as of an earlier revision stay exact; an entry is valid until a commit touches its object.
//
// Order keeps it right: COMMIT, then drop, then publish the head. A load notes its shard's count before it reads, so it
// reads after the COMMIT of every drop it has counted; and it keeps nothing when the count has moved, for its rows may be
// older than a drop it has missed.
type objects struct {
	seed   maphash.Seed
	each   int // entries a shard holds at most
	shards [64]shard
}

type shard struct {
	mu      sync.Mutex
	drops   uint64
	entries map[authz.Ref]*object
}

// object is what is known of one object: all rows visible at any revision from since on, in order; or only that they are many.
type object struct {
	since int64
	many  bool
	rows  []row
}

func newObjects(n int) *objects {
	o := &objects{seed: maphash.MakeSeed(), each: max(1, n/64)}
	for i := range o.shards {
		o.shards[i].entries = map[authz.Ref]*object{}
	}
	return o
}

func (o *objects) shard(r authz.Ref) *shard {
	return &o.shards[maphash.Comparable(o.seed, r)%uint64(len(o.shards))]
}

// find returns what is kept of r, and the count of drops to give to keep.
func (o *objects) find(r authz.Ref) (*object, uint64) {
	s := o.shard(r)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.entries[r], s.drops
}

// keep stores what was loaded after drops was read, unless something was dropped since, or more is known already.
func (o *objects) keep(r authz.Ref, drops uint64, loaded *object) {
	s := o.shard(r)
	s.mu.Lock()
	defer s.mu.Unlock()
	if old := s.entries[r]; s.drops != drops || old != nil && old.since <= loaded.since {
		return
	}
	if len(s.entries) >= o.each {
		for victim := range s.entries {
			delete(s.entries, victim)
			break
		}
	}
	s.entries[r] = loaded
}

// drop forgets what a commit has touched.
func (o *objects) drop(touched []authz.Ref) {
	for _, r := range touched {
		s := o.shard(r)
		s.mu.Lock()
		s.drops++
		delete(s.entries, r)
		s.mu.Unlock()
	}
}

// textObject reads one object's rows from a revision on; it may read one row too many, to tell that they are many.
const textObject = `SELECT rt, ro, rr, st, so, sr, created, deleted, expiry, extra FROM rel
	WHERE rt = ? AND ro = ? AND deleted > ? ORDER BY rt, ro, rr, st, so, sr, created LIMIT +?`

// object returns the object's rows from rev on, from the cache or into it.
func (d *Datastore) object(ctx context.Context, r authz.Ref, rev int64) (*object, error) {
	kept, drops := d.objects.find(r)
	if kept != nil && (kept.many || kept.since <= rev) {
		return kept, nil
	}
	loaded := &object{since: rev}
	err := d.texts.rows(ctx, textObject, []any{r.Type, r.ID, rev, maxObjectRows + 1}, func(rows *sql.Rows) error {
		one, err := scanRow(rows)
		loaded.rows = append(loaded.rows, one)
		return err
	})
	if err != nil {
		return nil, err
	}
	if len(loaded.rows) > maxObjectRows {
		loaded.many, loaded.rows = true, nil
	}
	d.objects.keep(r, drops, shared(loaded))
	return loaded, nil
}

// shared lets rows share the texts that most have in common, which scanning has copied for each.
func shared(o *object) *object {
	for i := range o.rows {
		r := &o.rows[i]
		r.rt, r.rr = unique.Make(r.rt).Value(), unique.Make(r.rr).Value()
		r.st, r.sr = unique.Make(r.st).Value(), unique.Make(r.sr).Value()
		r.ro = o.rows[0].ro
	}
	return o
}

// fromObjects answers q from the object cache; ok is false when the tables must be asked.
func (d *Datastore) fromObjects(ctx context.Context, q *query, rev int64) (found []*row, ok bool, err error) {
	if len(q.ids) == 0 || len(q.ids) > maxObjectRows {
		return nil, false, nil
	}
	ids := q.ids
	if len(ids) > 1 {
		ids = slices.Compact(slices.Sorted(slices.Values(ids)))
	}
	for _, id := range ids {
		o, err := d.object(ctx, authz.Ref{Type: q.typ, ID: id}, rev)
		if err != nil || o.many {
			return nil, false, err
		}
		for i := range o.rows {
			if r := &o.rows[i]; r.visibleAt(rev) && q.match(&r.key) && q.within(&r.key) {
				found = append(found, r)
			}
		}
	}
	return found, true, nil
}

// within reports whether k lies between the query's cursors, in the order of the primary key.
func (q *query) within(k *key) bool {
	return (q.after == nil || k.compare(q.after) > 0) && (q.upTo == nil || k.compare(q.upTo) <= 0)
}
