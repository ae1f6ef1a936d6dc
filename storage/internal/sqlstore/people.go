package sqlstore

import (
	"context"

	"nexus/internal/sqldb"
)

var (
	insertTenant = sqldb.SQL(`INSERT INTO tenants (id, seq, created) VALUES ($1, 0, $2) ON CONFLICT (id) DO NOTHING`)
	hasTenant    = sqldb.SQL(`SELECT count(*) FROM tenants WHERE id = $1`)
	allTenants   = sqldb.SQL(`SELECT id FROM tenants ORDER BY id`)
)

// InsertTenant adds a tenant and reports whether it is new.
func InsertTenant(ctx context.Context, tx sqldb.Tx, id string, at int64) (bool, error) {
	n, err := tx.Exec(ctx, insertTenant, id, at)
	return n > 0, err
}

// HasTenant reports whether the tenant, by its quoted name, exists.
func HasTenant(ctx context.Context, q sqldb.Q, id string) (bool, error) {
	return some(q.Row(ctx, hasTenant, id))
}

// Tenants returns the quoted names of all tenants, in order.
func Tenants(ctx context.Context, q sqldb.Q) (all []string, err error) {
	err = q.Each(ctx, allTenants, nil, func(r sqldb.Row) error {
		var id string
		err := r.Scan(&id)
		all = append(all, id)
		return err
	})
	return all, err
}

func some(r sqldb.Row) (bool, error) {
	var n int64
	err := r.Scan(&n)
	return n > 0, err
}
