package sqldb

import (
	"context"

	"nexus/internal/errs"
)

// txState is what the transactions of both engines have in common. It makes them refuse alike.
type txState struct {
	broken error // the first error of a statement, translated
	cause  error // the same as the driver gave it
	busy   bool  // within Each
	over   bool  // the closure has returned
	ends   []func(committed bool)
}

func (t *txState) OnEnd(f func(committed bool)) { t.ends = append(t.ends, f) }

// tell calls what was registered with OnEnd.
func (t *txState) tell(committed bool) {
	for _, f := range t.ends {
		f(committed)
	}
}

// check returns why s must not run now, or nil.
func (t *txState) check(s *Stmt, d Dialect, args []any) error {
	if t.over {
		return errs.Bug("%s: a transaction used after its closure", s.where)
	}
	if t.broken != nil {
		return t.broken
	}
	if t.busy {
		return errs.Bug("%s: a transaction used within its own Each", s.where)
	}
	return s.check(d, args)
}

// fail translates err and remembers it as the end of the transaction, unless it says only that there is no row.
func (t *txState) fail(s *Stmt, err error) error {
	translated := failed(s, err)
	if translated != nil && translated != ErrNoRows && t.broken == nil {
		t.broken, t.cause = translated, err
	}
	return translated
}

// walk is the walk of a transaction: f's own error ends the walk, the engine's ends the transaction.
func (t *txState) walk(s *Stmt, rows cursor, f func(Row) error) error {
	t.busy = true
	defer func() { t.busy = false }()
	var own error
	err := walk(s, rows, func(r Row) error {
		own = f(r)
		return own
	})
	if own != nil {
		return own
	}
	return t.fail(s, err)
}

// insideTx marks the context of a closure with the database that runs it.
type insideTx struct{ db DB }

// enterTx returns the context for a closure, or an error within a closure of the same database: that would wait for itself.
func enterTx(ctx context.Context, db DB) (context.Context, error) {
	key := insideTx{db}
	if ctx.Value(key) != nil {
		return nil, errs.Bug("a transaction within a transaction of the same database")
	}
	return context.WithValue(ctx, key, true), nil
}
