package sqldb

import (
	"context"
	"database/sql"

	"nexus/internal/errs"
)

// Exec is refused: reading connections do not write. Use Tx.
func (l *Lite) Exec(_ context.Context, s *Stmt, _ ...any) (int64, error) {
	return 0, errs.Bug("%s: Exec outside a transaction", s.where)
}

// Row names the first row of s, read from the last committed state at the time of Scan.
func (l *Lite) Row(ctx context.Context, s *Stmt, args ...any) Row {
	return lazyRow{func(dest []any) error { return l.scan(ctx, s, args, dest) }}
}

// Each reads from the state that is committed when it begins, whatever is written meanwhile.
func (l *Lite) Each(ctx context.Context, s *Stmt, args []any, f func(Row) error) error {
	leave, err := l.running.enter()
	if err != nil {
		return err
	}
	defer leave()
	p, err := l.prepare(ctx, s, args)
	if err != nil {
		return failed(s, err)
	}
	rows, err := p.QueryContext(ctx, args...)
	if err != nil {
		return failed(s, err)
	}
	return walk(s, rows, f)
}

// scan reads one row. That takes microseconds, so it does not heed ctx once it has begun: a context that can end costs a
// goroutine and a third of the read.
func (l *Lite) scan(ctx context.Context, s *Stmt, args, dest []any) error {
	if err := ctx.Err(); err != nil {
		return failed(s, err)
	}
	ctx = context.WithoutCancel(ctx)
	leave, err := l.running.enter()
	if err != nil {
		return err
	}
	defer leave()
	p, err := l.prepare(ctx, s, args)
	if err != nil {
		return failed(s, err)
	}
	return failed(s, p.QueryRowContext(ctx, args...).Scan(dest...))
}

// prepare returns s prepared for the pool; database/sql repeats that on each connection at first use.
func (l *Lite) prepare(ctx context.Context, s *Stmt, args []any) (*sql.Stmt, error) {
	if err := s.check(SQLite, args); err != nil {
		return nil, err
	}
	if p, ok := l.prepared.Load(s); ok {
		return p.(*sql.Stmt), nil
	}
	fresh, err := l.readers.PrepareContext(ctx, s.sqlite)
	if err != nil {
		return nil, err
	}
	p, lost := l.prepared.LoadOrStore(s, fresh)
	if lost {
		fresh.Close()
	}
	return p.(*sql.Stmt), nil
}

func (l *Lite) tryPrepare(ctx context.Context, text string) error {
	p, err := l.readers.PrepareContext(ctx, text)
	if err != nil {
		return Translate(err)
	}
	return Translate(p.Close())
}
