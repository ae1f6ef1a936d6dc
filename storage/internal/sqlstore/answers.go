package sqlstore

import (
	"context"

	"nexus/internal/sqldb"
)

var (
	answerOf   = sqldb.SQL(`SELECT print, answer, at FROM answers WHERE id = $1`)
	keepAnswer = sqldb.SQL(`INSERT INTO answers (id, tenant, print, answer, at) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (id) DO UPDATE SET print = $3, answer = $4, at = $5`)
	forgetAnswers = sqldb.SQL(`DELETE FROM answers WHERE id IN (SELECT id FROM answers WHERE tenant = $1 AND at < $2 ORDER BY at LIMIT $3)`)
)

// Answer is what was answered to a request that carries a key.
type Answer struct {
	ID     string // digest of who asked and the key
	Tenant string
	Print  string // digest of what was asked
	Text   string
	At     int64
}

// AnswerOf returns what was answered, without its tenant; ErrNoRows when nothing was.
func AnswerOf(ctx context.Context, q sqldb.Q, id string) (Answer, error) {
	a := Answer{ID: id}
	err := q.Row(ctx, answerOf, id).Scan(&a.Print, &a.Text, &a.At)
	return a, err
}

// KeepAnswer notes what was answered, in the place of what was answered before.
func KeepAnswer(ctx context.Context, tx sqldb.Tx, a Answer) error {
	_, err := tx.Exec(ctx, keepAnswer, a.ID, a.Tenant, a.Print, a.Text, a.At)
	return err
}

// ForgetAnswers removes up to n answers given in a tenant before at, in microseconds, and returns how many.
func ForgetAnswers(ctx context.Context, tx sqldb.Tx, tenant string, at int64, n int) (int64, error) {
	return tx.Exec(ctx, forgetAnswers, tenant, at, n)
}
