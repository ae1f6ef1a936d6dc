package sqlstore

import (
	"context"
	"slices"
	"strings"

	"nexus/internal/sqldb"
)

// Unhashed is a snapshot that has no hash of its tree yet.
type Unhashed struct {
	Workspace   string
	Number, Seq int64
	Dir         string // the folder that the workspace is
}

var (
	unhashedTenants = sqldb.SQL(`SELECT DISTINCT workspace FROM snapshots WHERE tree_hash = ''`)
	litterTenants   = sqldb.SQL(`SELECT DISTINCT t.workspace FROM tree_hashes t WHERE NOT EXISTS (
		SELECT 1 FROM snapshots s WHERE s.workspace = t.workspace AND s.number = t.number AND s.tree_hash = '')`)
	unhashed = sqldb.SQL(`SELECT s.workspace, s.number, s.seq, w.dir FROM snapshots s JOIN workspaces w ON w.id = s.workspace
		WHERE s.tree_hash = '' AND s.workspace >= $1 AND s.workspace < $2 ORDER BY s.workspace, s.number LIMIT 1`)
	isUnhashed   = sqldb.SQL(`SELECT count(*) FROM snapshots WHERE workspace = $1 AND number = $2 AND tree_hash = ''`)
	dirHashes    = sqldb.SQL(`SELECT dir, hash FROM tree_hashes WHERE workspace = $65 AND number = $66 AND dir IN (` + manyParams + `)`)
	insertHash   = sqldb.SQL(`INSERT INTO tree_hashes (workspace, number, dir, hash) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`)
	setTreeHash  = sqldb.SQL(`UPDATE snapshots SET tree_hash = $3 WHERE workspace = $1 AND number = $2`)
	deleteLitter = sqldb.SQL(`DELETE FROM tree_hashes WHERE (workspace, number, dir) IN (
		SELECT t.workspace, t.number, t.dir FROM tree_hashes t WHERE t.workspace >= $1 AND t.workspace < $2 AND NOT EXISTS (
			SELECT 1 FROM snapshots s WHERE s.workspace = t.workspace AND s.number = t.number AND s.tree_hash = '') LIMIT $3)`)
)

// HashingTenants returns the tenants in which snapshots have no hash of their tree yet, or hashes remain that one was made of.
func HashingTenants(ctx context.Context, q sqldb.Q) ([]string, error) {
	waiting, err := texts(ctx, q, unhashedTenants)
	if err != nil {
		return nil, err
	}
	litter, err := texts(ctx, q, litterTenants)
	if err != nil {
		return nil, err
	}
	all := slices.Concat(waiting, litter)
	for i := range all {
		all[i], _, _ = strings.Cut(all[i], "/")
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}

// NextUnhashed returns a snapshot of a tenant that has no hash of its tree yet; ErrNoRows when all have.
func NextUnhashed(ctx context.Context, q sqldb.Q, tenant string) (u Unhashed, err error) {
	err = q.Row(ctx, unhashed, tenant+"/", End(tenant+"/")).Scan(&u.Workspace, &u.Number, &u.Seq, &u.Dir)
	return u, err
}

// IsUnhashed reports whether a snapshot is there still and has no hash of its tree yet.
func IsUnhashed(ctx context.Context, q sqldb.Q, u Unhashed) (bool, error) {
	return some(q.Row(ctx, isUnhashed, u.Workspace, u.Number))
}

// DirHashes returns the hashes that were made of folders for a snapshot, by folder.
func DirHashes(ctx context.Context, q sqldb.Q, u Unhashed, dirs []string) (map[string]string, error) {
	all := map[string]string{}
	return all, byMany(dirs, func(args []any) error {
		return q.Each(ctx, dirHashes, append(args, u.Workspace, u.Number), func(r sqldb.Row) error {
			var dir, hash string
			err := r.Scan(&dir, &hash)
			all[dir] = hash
			return err
		})
	})
}

// InsertHash keeps the hash of a folder until that of the snapshot is made.
func InsertHash(ctx context.Context, tx sqldb.Tx, u Unhashed, dir, hash string) error {
	_, err := tx.Exec(ctx, insertHash, u.Workspace, u.Number, dir, hash)
	return err
}

// SetTreeHash sets the hash of a snapshot's tree.
func SetTreeHash(ctx context.Context, tx sqldb.Tx, u Unhashed, hash string) error {
	_, err := tx.Exec(ctx, setTreeHash, u.Workspace, u.Number, hash)
	return err
}

// DeleteHashes removes up to n hashes of folders of a tenant that no snapshot waits for any more, and returns how many.
func DeleteHashes(ctx context.Context, tx sqldb.Tx, tenant string, n int) (int64, error) {
	return tx.Exec(ctx, deleteLitter, tenant+"/", End(tenant+"/"), n)
}
