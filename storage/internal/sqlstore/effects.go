package sqlstore

import (
	"context"

	"nexus/internal/sqldb"
)

var (
	insertEffect = sqldb.SQL(`INSERT INTO effects (decision, tenant, first, last, at) VALUES ($1, $2, $3, $4, $5)`)
	effectOf     = sqldb.SQL(`SELECT first, last FROM effects WHERE decision = $1`)
	effectsAfter = sqldb.SQL(`SELECT decision FROM effects WHERE decision > $1 ORDER BY decision LIMIT $2`)
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

// EffectsAfter returns up to n decisions that have an effect and whose id is behind the one given, in order.
func EffectsAfter(ctx context.Context, q sqldb.Q, decision string, n int) (all []string, err error) {
	err = q.Each(ctx, effectsAfter, []any{decision, n}, func(r sqldb.Row) error {
		var one string
		err := r.Scan(&one)
		all = append(all, one)
		return err
	})
	return all, err
}
