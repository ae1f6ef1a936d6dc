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
	firstChange  = sqldb.SQL(`SELECT COALESCE(min(seq), 0) FROM changes WHERE tenant = $1`)
	lastSeq      = sqldb.SQL(`SELECT seq FROM tenants WHERE id = $1`)
	forgetChange = sqldb.SQL(`DELETE FROM changes WHERE (tenant, seq) IN (SELECT tenant, seq FROM changes WHERE at < $1 ORDER BY at LIMIT $2)`)
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

// FirstChange returns the oldest sequence of which the change is still known; 0 when none is.
func FirstChange(ctx context.Context, q sqldb.Q, tenant string) (seq int64, err error) {
	err = q.Row(ctx, firstChange, tenant).Scan(&seq)
	return seq, err
}

// LastSeq returns the last sequence that a tenant gave to a change.
func LastSeq(ctx context.Context, q sqldb.Q, tenant string) (seq int64, err error) {
	err = q.Row(ctx, lastSeq, tenant).Scan(&seq)
	return seq, err
}

// ForgetChanges removes up to n changes made before at, in microseconds, and returns how many.
func ForgetChanges(ctx context.Context, tx sqldb.Tx, at int64, n int) (int64, error) {
	return tx.Exec(ctx, forgetChange, at, n)
}
