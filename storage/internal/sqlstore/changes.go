package sqlstore

import (
	"context"

	"nexus/internal/sqldb"
)

// ChangeKind says what happened to a file or folder.
type ChangeKind int64

const (
	Created  ChangeKind = 1 // made, or brought back from the trash
	Written  ChangeKind = 2 // a new version
	Moved    ChangeKind = 3
	Deleted  ChangeKind = 4
	Reworked ChangeKind = 5 // a folder whose contents changed in many places at once
)

// Change is one change in a tenant's tree. A folder's stands for all that is in it.
type Change struct {
	Tenant string
	Seq    int64
	Kind   ChangeKind
	ID     string
	Path   string // where it stands after the change; of something deleted, where it stood
	Old    string // of something moved, where it stood before
	At     int64
}

var (
	insertChange = sqldb.SQL(`INSERT INTO changes (tenant, seq, kind, id, path, old, at) VALUES ($1, $2, $3, $4, $5, $6, $7)`)
	changesAfter = sqldb.SQL(`SELECT tenant, seq, kind, id, path, old, at FROM changes WHERE tenant = $1 AND seq > $2 ORDER BY seq LIMIT $3`)
	lastSeq      = sqldb.SQL(`SELECT seq FROM tenants WHERE id = $1`)
	changeSpan   = sqldb.SQL(`SELECT forgotten, seq FROM tenants WHERE id = $1`)
	oldChanges   = sqldb.SQL(`SELECT seq, at FROM changes WHERE tenant = $1 ORDER BY seq LIMIT $2`)
	dropChanges  = sqldb.SQL(`DELETE FROM changes WHERE tenant = $1 AND seq <= $2`)
	setForgotten = sqldb.SQL(`UPDATE tenants SET forgotten = $2 WHERE id = $1`)
	stale        = sqldb.SQL(`SELECT DISTINCT tenant FROM changes WHERE at < $1`)
)

// InsertChange adds a change. A sequence has one at the most.
func InsertChange(ctx context.Context, tx sqldb.Tx, c *Change) error {
	_, err := tx.Exec(ctx, insertChange, c.Tenant, c.Seq, int64(c.Kind), c.ID, c.Path, c.Old, c.At)
	return err
}

// ChangesAfter returns up to n changes of a tenant behind the sequence after, in order.
func ChangesAfter(ctx context.Context, q sqldb.Q, tenant string, after int64, n int) ([]Change, error) {
	var all []Change
	err := q.Each(ctx, changesAfter, []any{tenant, after, n}, func(r sqldb.Row) error {
		var c Change
		err := r.Scan(&c.Tenant, &c.Seq, &c.Kind, &c.ID, &c.Path, &c.Old, &c.At)
		all = append(all, c)
		return err
	})
	return all, err
}

// ChangeSpan returns the sequences between which a tenant's changes are known: those behind forgotten, up to the last that it
// gave to anything.
func ChangeSpan(ctx context.Context, q sqldb.Q, tenant string) (forgotten, last int64, err error) {
	err = q.Row(ctx, changeSpan, tenant).Scan(&forgotten, &last)
	return forgotten, last, err
}

// LastSeq returns the last sequence that a tenant gave to a change.
func LastSeq(ctx context.Context, q sqldb.Q, tenant string) (seq int64, err error) {
	err = q.Row(ctx, lastSeq, tenant).Scan(&seq)
	return seq, err
}

// ForgetChanges removes the oldest changes of a tenant, up to n, as far as they were made before at, in microseconds. It returns
// how many, and notes how far it came.
func ForgetChanges(ctx context.Context, tx sqldb.Tx, tenant string, at int64, n int) (gone int, err error) {
	upTo, begun := int64(0), false
	err = tx.Each(ctx, oldChanges, []any{tenant, n}, func(r sqldb.Row) error {
		var seq, made int64
		if err := r.Scan(&seq, &made); err != nil {
			return err
		}
		begun = begun || made >= at
		if !begun {
			upTo, gone = seq, gone+1
		}
		return nil
	})
	if err != nil || gone == 0 {
		return 0, err
	}
	if _, err := tx.Exec(ctx, dropChanges, tenant, upTo); err != nil {
		return 0, err
	}
	_, err = tx.Exec(ctx, setForgotten, tenant, upTo)
	return gone, err
}

// StaleChanges returns the tenants that have changes made before at, in microseconds.
func StaleChanges(ctx context.Context, q sqldb.Q, at int64) (all []string, err error) {
	err = q.Each(ctx, stale, []any{at}, func(r sqldb.Row) error {
		var t string
		err := r.Scan(&t)
		all = append(all, t)
		return err
	})
	return all, err
}
