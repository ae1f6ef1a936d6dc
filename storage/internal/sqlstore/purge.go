package sqlstore

import (
	"context"
	"errors"
	"math"

	"nexus/internal/sqldb"
)

var (
	heldTrash = sqldb.SQL(`SELECT ` + trashColumns + ` FROM trash WHERE tenant = $1 AND held > 0 AND held < $2 ORDER BY held, id LIMIT 1`)
	dueTrash  = sqldb.SQL(`SELECT ` + trashColumns + ` FROM trash
		WHERE tenant = $1 AND held = 0 AND deleted < $2 AND swept IS TRUE ORDER BY deleted LIMIT 1`)
	purging = sqldb.SQL(`SELECT id FROM tenants t WHERE
		EXISTS (SELECT 1 FROM trash WHERE tenant = t.id AND held = 0 AND deleted < $1 AND swept IS TRUE)
		OR EXISTS (SELECT 1 FROM trash WHERE tenant = t.id AND held > 0 AND held < $2)
		OR EXISTS (SELECT 1 FROM purged WHERE tenant = t.id AND seq <= t.forgotten)`)
	setHeld = sqldb.SQL(`UPDATE trash SET held = $3 WHERE id = $1 AND held = $2`)

	dirBefore = sqldb.SQL(`SELECT id, tenant, parent, path, state, created, modified FROM dirs
		WHERE tenant = $1 AND path >= $2 AND path < $3 ORDER BY path DESC LIMIT 1`)
	workspaceIn = sqldb.SQL(`SELECT w.id FROM workspaces w JOIN dirs d ON d.id = w.dir
		WHERE w.tenant = $1 AND d.path >= $2 AND d.path < $3 LIMIT 1`)
	placesOf = sqldb.SQL(`SELECT dir, since, until FROM places WHERE id = $1
		UNION ALL SELECT dir, since, $2 FROM files WHERE id = $1 UNION ALL SELECT parent, since, $2 FROM dirs WHERE id = $1`)
	snapshotBetween = sqldb.SQL(`SELECT count(*) FROM (SELECT 1 FROM workspaces w JOIN snapshots s ON s.workspace = w.id
		WHERE w.tenant = $1 AND w.dir = $2 AND s.seq >= $3 AND s.seq < $4 LIMIT 1) one`)

	versionCount  = sqldb.SQL(`SELECT count(*) FROM versions WHERE file = $1`)
	trimVersions  = sqldb.SQL(`DELETE FROM versions WHERE file = $1 AND version IN (SELECT version FROM versions WHERE file = $1 ORDER BY version LIMIT $2)`)
	dropVersions  = sqldb.SQL(`DELETE FROM versions WHERE file = $1`)
	keepPlaces    = sqldb.SQL(`INSERT INTO purged (tenant, seq, id) SELECT $1, max(until), id FROM places WHERE id = $2 GROUP BY id`)
	forgottenGone = sqldb.SQL(`SELECT p.seq, p.id FROM purged p JOIN tenants t ON t.id = p.tenant
		WHERE p.tenant = $1 AND p.seq <= t.forgotten ORDER BY p.seq, p.id LIMIT $2`)
	dropPlaces = sqldb.SQL(`DELETE FROM places WHERE id = $1`)
	dropPurged = sqldb.SQL(`DELETE FROM purged WHERE tenant = $1 AND seq = $2 AND id = $3`)
)

// NextToEnd returns what of a tenant's trash is to be removed next: what was begun with, then what was held before again, then
// what was deleted before due, each in microseconds. There is none when found is false.
func NextToEnd(ctx context.Context, q sqldb.Q, tenant string, due, again int64) (t *Trashed, found bool, err error) {
	for _, ask := range []struct {
		s      *sqldb.Stmt
		before int64
	}{{heldTrash, again}, {dueTrash, due}} {
		all, err := trashed(ctx, q, ask.s, tenant, ask.before)
		if err != nil || len(all) > 0 {
			return first(all), len(all) > 0, err
		}
	}
	return nil, false, nil
}

func first(all []Trashed) *Trashed {
	if len(all) == 0 {
		return nil
	}
	return &all[0]
}

// Purging returns the tenants in whose trash something is to be removed, or that remember places of what was.
func Purging(ctx context.Context, q sqldb.Q, due, again int64) (all []string, err error) {
	err = q.Each(ctx, purging, []any{due, again}, func(r sqldb.Row) error {
		var t string
		err := r.Scan(&t)
		all = append(all, t)
		return err
	})
	return all, err
}

// SetHeld changes from what to what something in the trash is held, and reports whether it was that.
func SetHeld(ctx context.Context, tx sqldb.Tx, id string, from, to int64) (bool, error) {
	n, err := tx.Exec(ctx, setHeld, id, from, to)
	return n > 0, err
}

// DirBefore returns the last folder at or behind first and before end, whatever its state: what lies in a folder comes before it.
func DirBefore(ctx context.Context, q sqldb.Q, tenant, first, end string) (d *Dir, found bool, err error) {
	d, err = scanDir(q.Row(ctx, dirBefore, tenant, first, end))
	if errors.Is(err, sqldb.ErrNoRows) {
		return nil, false, nil
	}
	return d, err == nil, err
}

// WorkspaceIn returns the id of a workspace at or below a folder, whose path ends in a slash; ErrNoRows when there is none.
func WorkspaceIn(ctx context.Context, q sqldb.Q, tenant, folder string) (id string, err error) {
	err = q.Row(ctx, workspaceIn, tenant, folder, End(folder)).Scan(&id)
	return id, err
}

// Stay is a time in a folder: at every sequence from Since on and before Until.
type Stay struct {
	Dir          string
	Since, Until int64
}

// Stays returns where something stood and stands; Until of the last is the end of time.
func Stays(ctx context.Context, q sqldb.Q, id string) (all []Stay, err error) {
	err = q.Each(ctx, placesOf, []any{id, int64(math.MaxInt64)}, func(r sqldb.Row) error {
		var s Stay
		err := r.Scan(&s.Dir, &s.Since, &s.Until)
		all = append(all, s)
		return err
	})
	return all, err
}

// SnapshotBetween reports whether a snapshot of the workspace that a folder is has a sequence from since on and before until.
func SnapshotBetween(ctx context.Context, q sqldb.Q, tenant, dir string, since, until int64) (bool, error) {
	return some(q.Row(ctx, snapshotBetween, tenant, dir, since, until))
}

// VersionCount returns how many versions a file has.
func VersionCount(ctx context.Context, q sqldb.Q, file string) (n int, err error) {
	err = q.Row(ctx, versionCount, file).Scan(&n)
	return n, err
}

// TrimVersions removes the n oldest versions of a file.
func TrimVersions(ctx context.Context, tx sqldb.Tx, file string, n int) error {
	_, err := tx.Exec(ctx, trimVersions, file, n)
	return err
}

// PurgeFile removes a file with all its versions. Where it stood is remembered until ForgetPlaces.
func PurgeFile(ctx context.Context, tx sqldb.Tx, tenant, id string) error {
	if _, err := tx.Exec(ctx, dropVersions, id); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, keepPlaces, tenant, id); err != nil {
		return err
	}
	return DeleteFile(ctx, tx, id)
}

// PurgeDir removes a folder in which nothing is. Where it stood is remembered until ForgetPlaces.
func PurgeDir(ctx context.Context, tx sqldb.Tx, tenant, id string) error {
	if _, err := tx.Exec(ctx, keepPlaces, tenant, id); err != nil {
		return err
	}
	return DeleteDir(ctx, tx, id)
}

// ForgetPlaces removes where up to n purged files and folders stood, as far as the changes of then are forgotten, and returns
// how many they were.
func ForgetPlaces(ctx context.Context, tx sqldb.Tx, tenant string, n int) (int, error) {
	type gone struct {
		seq int64
		id  string
	}
	var all []gone
	err := tx.Each(ctx, forgottenGone, []any{tenant, n}, func(r sqldb.Row) error {
		var g gone
		err := r.Scan(&g.seq, &g.id)
		all = append(all, g)
		return err
	})
	if err != nil {
		return 0, err
	}
	for _, g := range all {
		if _, err := tx.Exec(ctx, dropPlaces, g.id); err != nil {
			return 0, err
		}
		if _, err := tx.Exec(ctx, dropPurged, tenant, g.seq, g.id); err != nil {
			return 0, err
		}
	}
	return len(all), nil
}
