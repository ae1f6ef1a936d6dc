package sqlds

import (
	"bytes"
	"context"
	"errors"

	"nexus/authzsvc/authz"
	"nexus/authzsvc/relations"
	"nexus/internal/sqldb"
)

// change is one update in the words of the tables.
type change struct {
	kind relations.Kind
	key
	expiry int64
	extra  []byte
	old    *row // the version that a Delete has found already
}

// existsError says that a Create found its relationship there. The faces turn it into their own words.
type existsError struct{ key key }

func (e *existsError) Error() string { return "relationship already exists" }

const liveKey = `rt = $1 AND ro = $2 AND rr = $3 AND st = $4 AND so = $5 AND sr = $6 AND deleted = 9223372036854775807`

var (
	sqlLive = sqldb.OnlySQLite(`SELECT created, expiry, extra FROM rel WHERE ` + liveKey)
	// A version that the same revision created was never visible, so it is replaced in place.
	sqlInsert = sqldb.OnlySQLite(`INSERT INTO rel (rt, ro, rr, st, so, sr, created, deleted, expiry, extra)
		VALUES ($1, $2, $3, $4, $5, $6, $7, 9223372036854775807, $8, $9)
		ON CONFLICT (rt, ro, rr, st, so, sr, created) DO UPDATE SET expiry = excluded.expiry, extra = excluded.extra`)
	sqlCreate = sqldb.OnlySQLite(`INSERT INTO rel (rt, ro, rr, st, so, sr, created, deleted, expiry, extra)
		SELECT $1, $2, $3, $4, $5, $6, $7, 9223372036854775807, $8, $9
		WHERE NOT EXISTS (SELECT 1 FROM rel WHERE ` + liveKey + `)`)
	sqlRetire = sqldb.OnlySQLite(`UPDATE rel SET deleted = $7 WHERE ` + liveKey)
	sqlErase  = sqldb.OnlySQLite(`DELETE FROM rel WHERE created = $7 AND ` + liveKey)
)

// apply writes the changes one after another, logs them and raises the stamps of what they touched. check, if not nil, is
// asked before each change, and sees the ones before it.
func (j *join) apply(ctx context.Context, changes []change, check func(context.Context, *change) error) error {
	done := make([]change, 0, len(changes))
	for i := range changes {
		c := &changes[i]
		if check != nil {
			if err := check(ctx, c); err != nil {
				return err
			}
		}
		effective, err := j.applyOne(ctx, c)
		if err != nil {
			return err
		}
		if effective {
			done = append(done, *c)
		}
	}
	if len(done) == 0 {
		return nil
	}
	j.raise(resourcesOf(done))
	return j.log(ctx, done, nil)
}

// applyOne writes c and reports whether that changed anything.
func (j *join) applyOne(ctx context.Context, c *change) (effective bool, err error) {
	switch c.kind {
	case relations.Create:
		effective, err = true, j.create(ctx, c)
	case relations.Touch:
		effective, err = j.touch(ctx, c)
	default:
		effective, err = j.remove(ctx, c)
	}
	if err != nil || !effective {
		return false, err
	}
	j.changed(c.resource())
	if c.kind == relations.Delete {
		return true, j.cut(ctx, c)
	}
	j.soonest = min(j.soonest, c.expiry)
	return true, j.linked(ctx, c)
}

func (j *join) create(ctx context.Context, c *change) error {
	n, err := j.tx.Exec(ctx, sqlCreate, c.rt, c.ro, c.rr, c.st, c.so, c.sr, j.rev, c.expiry, c.extra)
	if err == nil && n == 0 {
		return &existsError{c.key}
	}
	return err
}

func (j *join) touch(ctx context.Context, c *change) (bool, error) {
	old, err := j.live(ctx, &c.key)
	if err != nil {
		return false, err
	}
	if old != nil && old.expiry == c.expiry && bytes.Equal(old.extra, c.extra) {
		return false, nil
	}
	if old != nil && old.created != j.rev {
		if err := j.retire(ctx, &c.key); err != nil {
			return false, err
		}
	}
	_, err = j.tx.Exec(ctx, sqlInsert, c.rt, c.ro, c.rr, c.st, c.so, c.sr, j.rev, c.expiry, c.extra)
	return true, err
}

func (j *join) remove(ctx context.Context, c *change) (bool, error) {
	old, err := c.old, error(nil)
	if old == nil {
		old, err = j.live(ctx, &c.key)
	}
	if err != nil || old == nil {
		return false, err
	}
	c.expiry, c.extra = old.expiry, old.extra
	if old.created == j.rev {
		_, err = j.tx.Exec(ctx, sqlErase, c.rt, c.ro, c.rr, c.st, c.so, c.sr, j.rev)
		return true, err
	}
	return true, j.retire(ctx, &c.key)
}

// live returns the version of k that is not deleted, be it expired; nil when there is none.
func (j *join) live(ctx context.Context, k *key) (*row, error) {
	r := row{key: *k, deleted: never}
	err := j.tx.Row(ctx, sqlLive, k.rt, k.ro, k.rr, k.st, k.so, k.sr).Scan(&r.created, &r.expiry, &r.extra)
	if errors.Is(err, sqldb.ErrNoRows) {
		return nil, nil
	}
	return &r, err
}

func (j *join) retire(ctx context.Context, k *key) error {
	_, err := j.tx.Exec(ctx, sqlRetire, k.rt, k.ro, k.rr, k.st, k.so, k.sr, j.rev)
	return err
}

func resourcesOf(changes []change) []authz.Ref {
	seen := make(map[authz.Ref]struct{}, len(changes))
	var all []authz.Ref
	for i := range changes {
		r := changes[i].resource()
		if _, ok := seen[r]; !ok {
			seen[r] = struct{}{}
			all = append(all, r)
		}
	}
	return all
}

// deleteRows deletes every row that q selects, expired ones included, and returns how many that were. limit 0 means all.
func (j *join) deleteRows(ctx context.Context, q *query, limit uint64) (uint64, error) {
	q.includeExpired = true
	var n uint64
	for limit == 0 || n < limit {
		want := uint64(pageRows)
		if limit > 0 {
			want = min(want, limit-n)
		}
		page, more, err := q.page(ctx, writerSource{j.conn}, j.rev, want)
		if err != nil {
			return n, err
		}
		changes := make([]change, len(page))
		for i := range page {
			changes[i] = change{kind: relations.Delete, key: page[i].key, old: &page[i]}
		}
		if err := j.apply(ctx, changes, nil); err != nil {
			return n, err
		}
		n += uint64(len(page))
		if !more {
			break
		}
	}
	return n, nil
}
