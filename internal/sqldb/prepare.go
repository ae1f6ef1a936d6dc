package sqldb

import (
	"context"
	"errors"
	"fmt"
)

// preparer is what both engines offer to Prepare.
type preparer interface {
	Dialect() Dialect
	tryPrepare(ctx context.Context, text string) error
}

// Prepare prepares the statements on db and reports, joined, each that does not fit the schema, each with a faulty text, and
// a spent PerDialectBudget. Statements of another engine are passed over.
func Prepare(ctx context.Context, db DB, stmts ...*Stmt) error {
	p, ok := db.(preparer)
	if !ok {
		return fmt.Errorf("prepare: %T is no database of this package", db)
	}
	var all []error
	for _, s := range stmts {
		if err := prepareOne(ctx, p, s); err != nil {
			all = append(all, fmt.Errorf("%s: %w", s.where, err))
		}
	}
	if n := countPerDialect(stmts); n > PerDialectBudget {
		all = append(all, fmt.Errorf("%d statements differ between the engines, the budget is %d", n, PerDialectBudget))
	}
	return errors.Join(all...)
}

func prepareOne(ctx context.Context, p preparer, s *Stmt) error {
	if s.fault != "" {
		return errors.New(s.fault)
	}
	text := s.Text(p.Dialect())
	if text == "" {
		return nil
	}
	return p.tryPrepare(ctx, text)
}

func countPerDialect(stmts []*Stmt) int {
	n := 0
	for _, s := range stmts {
		if s.per {
			n++
		}
	}
	return n
}
