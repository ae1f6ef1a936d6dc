package sqlstore

import (
	"context"

	"nexus/internal/sqldb"
)

// Restore is the last restore of a workspace. Times are microseconds.
type Restore struct {
	Workspace, ID     string
	Number            int64  // of the snapshot
	Seq               int64  // at which it began
	Author            string // type:id
	Holder            string // the call that is at it; empty when none is
	Until             int64  // when that call counts as gone
	Started, Updated  int64
	Finished          int64 // 0: it is not
	Restored, Deleted int64
	Remaining         int64
	Hidden, Kept      int64
}

var (
	restoreOf = sqldb.SQL(`SELECT workspace, id, number, seq, author, holder, until, started, updated, finished, restored, deleted, remaining, hidden, kept
		FROM restores WHERE workspace = $1`)
	putRestore = sqldb.SQL(`INSERT INTO restores (workspace, id, number, seq, author, holder, until, started, updated, finished, restored, deleted, remaining, hidden, kept)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
		ON CONFLICT (workspace) DO UPDATE SET id = excluded.id, number = excluded.number, seq = excluded.seq, author = excluded.author,
			holder = excluded.holder, until = excluded.until, started = excluded.started, updated = excluded.updated, finished = excluded.finished,
			restored = excluded.restored, deleted = excluded.deleted, remaining = excluded.remaining, hidden = excluded.hidden, kept = excluded.kept`)
	holdsRestore    = sqldb.SQL(`SELECT count(*) FROM restores WHERE workspace = $1 AND holder = $2`)
	releaseRestore  = sqldb.SQL(`UPDATE restores SET holder = '' WHERE workspace = $1 AND holder = $2`)
	releaseRestores = sqldb.SQL(`UPDATE restores SET holder = '' WHERE holder <> ''`)
	deleteRestore   = sqldb.SQL(`DELETE FROM restores WHERE workspace = $1`)
)

// RestoreOf returns the last restore of a workspace; ErrNoRows when there was none.
func RestoreOf(ctx context.Context, q sqldb.Q, workspace string) (*Restore, error) {
	var r Restore
	err := q.Row(ctx, restoreOf, workspace).Scan(&r.Workspace, &r.ID, &r.Number, &r.Seq, &r.Author, &r.Holder, &r.Until, &r.Started, &r.Updated,
		&r.Finished, &r.Restored, &r.Deleted, &r.Remaining, &r.Hidden, &r.Kept)
	return &r, err
}

// PutRestore makes r the last restore of its workspace.
func PutRestore(ctx context.Context, tx sqldb.Tx, r *Restore) error {
	_, err := tx.Exec(ctx, putRestore, r.Workspace, r.ID, r.Number, r.Seq, r.Author, r.Holder, r.Until, r.Started, r.Updated, r.Finished,
		r.Restored, r.Deleted, r.Remaining, r.Hidden, r.Kept)
	return err
}

// HoldsRestore reports whether a call is at the restore of a workspace.
func HoldsRestore(ctx context.Context, q sqldb.Q, workspace, holder string) (bool, error) {
	return some(q.Row(ctx, holdsRestore, workspace, holder))
}

// ReleaseRestore notes that a call is at the restore of a workspace no more.
func ReleaseRestore(ctx context.Context, tx sqldb.Tx, workspace, holder string) error {
	_, err := tx.Exec(ctx, releaseRestore, workspace, holder)
	return err
}

// ReleaseRestores notes that no call is at any restore.
func ReleaseRestores(ctx context.Context, tx sqldb.Tx) error {
	_, err := tx.Exec(ctx, releaseRestores)
	return err
}
