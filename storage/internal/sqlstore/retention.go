package sqlstore

import (
	"context"
	"errors"

	"nexus/internal/sqldb"
)

// Replaced is a version that another one has come behind.
type Replaced struct {
	File        string
	Number, Seq int64
	NextSeq, At int64 // sequence and time, in microseconds, of the one behind it
}

var (
	// A sum in place of the bare parameter: with that, the plan would hang on whether its value fits an index that is partial.
	rewritten = sqldb.SQL(`SELECT id FROM files WHERE id > $1 AND id < $2 AND version > $3 + 0 ORDER BY id LIMIT $4`)
	nthNewest = sqldb.SQL(`SELECT version FROM versions WHERE file = $1 ORDER BY version DESC LIMIT 1 OFFSET $2`)
	replaced  = sqldb.SQL(`SELECT file, version, seq, created FROM versions WHERE file = $1 AND version >= $2 AND version <= $3 ORDER BY version LIMIT $4`)
	holdersOf = sqldb.SQL(`SELECT dir FROM files WHERE id = $1 UNION SELECT parent FROM dirs WHERE id = $1 UNION SELECT dir FROM places WHERE id = $1`)
	workspace = sqldb.SQL(`SELECT id FROM workspaces WHERE tenant = $1 AND dir = $2`)
	anyWithin = sqldb.SQL(`SELECT count(*) FROM (SELECT 1 FROM snapshots WHERE workspace = $1 AND seq >= $2 AND seq < $3 LIMIT 1) one`)
	drop      = sqldb.SQL(`DELETE FROM versions WHERE file = $1 AND version = $2
		AND EXISTS (SELECT 1 FROM versions n WHERE n.file = $1 AND n.version > $2)`)
)

// Rewritten returns the ids of up to n files of a tenant behind one, in order, that have got more than so many versions.
func Rewritten(ctx context.Context, q sqldb.Q, tenant, behind string, versions int64, n int) ([]string, error) {
	return texts(ctx, q, rewritten, max(behind, tenant+"/"), End(tenant+"/"), versions, n)
}

// NthNewest returns the number of the n-th newest of a file's versions; 0 when it has not so many.
func NthNewest(ctx context.Context, q sqldb.Q, file string, n int64) (number int64, err error) {
	err = q.Row(ctx, nthNewest, file, n-1).Scan(&number)
	if errors.Is(err, sqldb.ErrNoRows) {
		return 0, nil
	}
	return number, err
}

// ReplacedFrom returns up to n versions of a file from the number from on and before to, which it has, the oldest first.
func ReplacedFrom(ctx context.Context, q sqldb.Q, file string, from, to int64, n int) ([]Replaced, error) {
	var all []Replaced
	err := q.Each(ctx, replaced, []any{file, from, to, n + 1}, func(r sqldb.Row) error {
		var v Replaced
		var made int64
		if err := r.Scan(&v.File, &v.Number, &v.Seq, &made); err != nil {
			return err
		}
		if last := len(all) - 1; last >= 0 {
			all[last].NextSeq, all[last].At = v.Seq, made
		}
		all = append(all, v)
		return nil
	})
	return all[:max(0, len(all)-1)], err // nothing is read behind the last one
}

// HoldersOf returns the folders that a file or folder stands in or has stood in.
func HoldersOf(ctx context.Context, q sqldb.Q, id string) ([]string, error) {
	return texts(ctx, q, holdersOf, id)
}

// WorkspaceOn returns the id of the workspace that a folder is registered as; empty when it is not.
func WorkspaceOn(ctx context.Context, q sqldb.Q, tenant, dir string) (id string, err error) {
	err = q.Row(ctx, workspace, tenant, dir).Scan(&id)
	if errors.Is(err, sqldb.ErrNoRows) {
		return "", nil
	}
	return id, err
}

// AnySnapshot reports whether a workspace has a snapshot from a sequence on and before another.
func AnySnapshot(ctx context.Context, q sqldb.Q, workspace string, from, to int64) (bool, error) {
	return some(q.Row(ctx, anyWithin, workspace, from, to))
}

// DropVersion removes a version, unless it is the newest of its file, and reports whether it was there.
func DropVersion(ctx context.Context, tx sqldb.Tx, file string, number int64) (bool, error) {
	n, err := tx.Exec(ctx, drop, file, number)
	return n > 0, err
}
