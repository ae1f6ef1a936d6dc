package sqlstore

import (
	"context"

	"nexus/internal/sqldb"
)

// Transfer is how far the transfer of what one user owns to another has come.
type Transfer struct {
	Tenant, From, To      string
	Files, Groups, Agents int64 // moved so far
	Started, Finished     int64 // microseconds; 0: not yet
}

var (
	transferOf = sqldb.SQL(`SELECT tenant, source, target, files, groups, agents, started, finished FROM transfers
		WHERE tenant = $1 AND source = $2 AND target = $3`)
	putTransfer = sqldb.SQL(`INSERT INTO transfers (tenant, source, target, files, groups, agents, started, finished)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (tenant, source, target) DO UPDATE SET
		files = excluded.files, groups = excluded.groups, agents = excluded.agents, finished = excluded.finished`)
)

// TransferOf returns the transfer between two users; ErrNoRows when none has begun.
func TransferOf(ctx context.Context, q sqldb.Q, tenant, from, to string) (*Transfer, error) {
	var t Transfer
	err := q.Row(ctx, transferOf, tenant, from, to).Scan(&t.Tenant, &t.From, &t.To, &t.Files, &t.Groups, &t.Agents, &t.Started, &t.Finished)
	if err != nil {
		return nil, err
	}
	return &t, nil
}

// PutTransfer writes how far a transfer has come.
func PutTransfer(ctx context.Context, tx sqldb.Tx, t *Transfer) error {
	_, err := tx.Exec(ctx, putTransfer, t.Tenant, t.From, t.To, t.Files, t.Groups, t.Agents, t.Started, t.Finished)
	return err
}
