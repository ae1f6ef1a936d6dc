package sqlstore

import (
	"context"

	"nexus/internal/sqldb"
)

var (
	insertEffect = sqldb.SQL(`INSERT INTO effects (decision, tenant, first, last, at) VALUES ($1, $2, $3, $4, $5)`)
	effectOf     = sqldb.SQL(`SELECT first, last FROM effects WHERE decision = $1`)
)

// InsertEffect notes in the transaction of an effect which decision it belongs to. A decision has one effect at the most.
func InsertEffect(ctx context.Context, tx sqldb.Tx, decision, tenant string, first, last, at int64) error {
	_, err := tx.Exec(ctx, insertEffect, decision, tenant, first, last, at)
	return err
}

// EffectOf returns the sequences of a decision's effect; ErrNoRows when it had none.
func EffectOf(ctx context.Context, q sqldb.Q, decision string) (first, last int64, err error) {
	err = q.Row(ctx, effectOf, decision).Scan(&first, &last)
	return first, last, err
}
