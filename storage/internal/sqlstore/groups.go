package sqlstore

import (
	"context"

	"nexus/internal/sqldb"
)

// Group is a group's row. Who is in it stands in the relationships.
type Group struct {
	Name    string
	Created int64
	Closed  int64 // when it was deleted; 0: it was not
}

var (
	insertGroup  = sqldb.SQL(`INSERT INTO groups (tenant, id, created) VALUES ($1, $2, $3) ON CONFLICT (tenant, id) DO NOTHING`)
	groupByName  = sqldb.SQL(`SELECT id, created, closed FROM groups WHERE tenant = $1 AND id = $2`)
	groupsAfter  = sqldb.SQL(`SELECT id, created, closed FROM groups WHERE tenant = $1 AND id > $2 AND closed = 0 ORDER BY id LIMIT $3`)
	closedGroups = sqldb.SQL(`SELECT id, created, closed FROM groups WHERE tenant = $1 AND closed > 0 ORDER BY id LIMIT $2`)
	closeGroup   = sqldb.SQL(`UPDATE groups SET closed = $3 WHERE tenant = $1 AND id = $2`)
	deleteGroup  = sqldb.SQL(`DELETE FROM groups WHERE tenant = $1 AND id = $2`)

	// What is left to do for tenants: relationships that have expired, groups that were deleted.
	tenantsOverdue = sqldb.SQL(`SELECT tenant FROM tuples WHERE expires <> 0 AND expires <= $1
		UNION SELECT tenant FROM groups WHERE closed > 0 ORDER BY tenant`)

	reservedFiles = sqldb.SQL(`SELECT count(*) FROM (SELECT 1 FROM files WHERE version = 0 AND id > $1 AND id < $2 LIMIT $3) AS few`)
	reservedDirs  = sqldb.SQL(`SELECT count(*) FROM (SELECT 1 FROM dirs WHERE state = 3 AND tenant = $1 LIMIT $2) AS few`)
)

// InsertGroup adds a group and reports whether it is new.
func InsertGroup(ctx context.Context, tx sqldb.Tx, tenant, name string, at int64) (bool, error) {
	n, err := tx.Exec(ctx, insertGroup, tenant, name, at)
	return n > 0, err
}

// GroupByName returns a group's row, be the group deleted; ErrNoRows when there is none.
func GroupByName(ctx context.Context, q sqldb.Q, tenant, name string) (*Group, error) {
	var g Group
	if err := q.Row(ctx, groupByName, tenant, name).Scan(&g.Name, &g.Created, &g.Closed); err != nil {
		return nil, err
	}
	return &g, nil
}

// GroupsAfter returns up to n groups of a tenant in order of name behind the one of that name, without deleted ones.
func GroupsAfter(ctx context.Context, q sqldb.Q, tenant, name string, n int) ([]Group, error) {
	return groups(ctx, q, groupsAfter, tenant, name, n)
}

// ClosedGroups returns up to n deleted groups of a tenant whose relationships are not all gone yet.
func ClosedGroups(ctx context.Context, q sqldb.Q, tenant string, n int) ([]Group, error) {
	return groups(ctx, q, closedGroups, tenant, n)
}

// CloseGroup notes that a group was deleted.
func CloseGroup(ctx context.Context, tx sqldb.Tx, tenant, name string, at int64) error {
	_, err := tx.Exec(ctx, closeGroup, tenant, name, at)
	return err
}

// DeleteGroup removes a group's row: its name is free.
func DeleteGroup(ctx context.Context, tx sqldb.Tx, tenant, name string) error {
	_, err := tx.Exec(ctx, deleteGroup, tenant, name)
	return err
}

func groups(ctx context.Context, q sqldb.Q, s *sqldb.Stmt, args ...any) ([]Group, error) {
	var all []Group
	err := q.Each(ctx, s, args, func(r sqldb.Row) error {
		var g Group
		err := r.Scan(&g.Name, &g.Created, &g.Closed)
		all = append(all, g)
		return err
	})
	return all, err
}

// TenantsOverdue returns the tenants in which a relationship may have expired by now, in microseconds, or of which a deleted
// group still has relationships.
func TenantsOverdue(ctx context.Context, q sqldb.Q, now int64) (all []string, err error) {
	err = q.Each(ctx, tenantsOverdue, []any{now}, func(r sqldb.Row) error {
		var tenant string
		err := r.Scan(&tenant)
		all = append(all, tenant)
		return err
	})
	return all, err
}

// ReservedIn counts the files and folders of a tenant that a grant reserved and nobody has made yet, of either no more than most.
func ReservedIn(ctx context.Context, q sqldb.Q, tenant string, most int) (int, error) {
	var files, dirs int
	if err := q.Row(ctx, reservedFiles, tenant+"/", tenant+"0", most).Scan(&files); err != nil {
		return 0, err
	}
	err := q.Row(ctx, reservedDirs, tenant, most).Scan(&dirs)
	return files + dirs, err
}
