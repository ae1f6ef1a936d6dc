package sqldb

import (
	"context"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"nexus/internal/errs"
)

// PostgresOptions are the settings of a pool. The zero value is right for a server.
type PostgresOptions struct {
	// MaxConns bounds the connections of this process; 0 leaves it to the DSN (pool_max_conns), else four or one a processor.
	MaxConns int32
	// Tries is how often a closure runs that loses a serialisation or a deadlock each time; 0 means 5.
	Tries int
}

const (
	defaultTries = 5
	readOnly     = "default_transaction_read_only"
)

// PG is a PostgreSQL database, version 14 or newer, that other servers may use at the same time.
//
// Transactions are READ COMMITTED: a statement sees what was committed before it began. Whoever reads, decides and writes
// must take a lock on what he read or name it in the WHERE of the write. Outside Tx its sessions are read-only, which a
// pooler in between must let through (default_transaction_read_only among the start-up parameters).
type PG struct {
	pool    *pgxpool.Pool
	tries   int
	running running
	telling sync.Mutex // OnEnd calls come one at a time
}

var _ DB = (*PG)(nil)

// OpenPostgres connects to the database that dsn names, and fails with errs.Unavailable when it cannot be reached.
func OpenPostgres(ctx context.Context, dsn string, o PostgresOptions) (*PG, error) {
	c, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		return nil, errs.New(errs.Invalid, "not a connection string of PostgreSQL").Because(err)
	}
	if o.MaxConns > 0 {
		c.MaxConns = o.MaxConns
	}
	c.ConnConfig.RuntimeParams[readOnly] = "on"
	pool, err := pgxpool.NewWithConfig(ctx, c)
	if err != nil {
		return nil, Translate(err)
	}
	if err := pool.Ping(ctx); err != nil {
		pool.Close()
		return nil, Translate(err)
	}
	p := &PG{pool: pool, tries: o.Tries}
	if p.tries <= 0 {
		p.tries = defaultTries
	}
	return p, nil
}

// Dialect returns Postgres.
func (p *PG) Dialect() Dialect { return Postgres }

// Close waits for running work, then closes every connection. It is idempotent.
func (p *PG) Close() error {
	return p.running.close(func() error {
		p.pool.Close()
		return nil
	})
}

// Exec is refused: sessions are read-only outside a transaction. Use Tx.
func (p *PG) Exec(_ context.Context, s *Stmt, _ ...any) (int64, error) {
	return 0, errs.Bug("%s: Exec outside a transaction", s.where)
}

// Row names the first row of s, read from the last committed state at the time of Scan.
func (p *PG) Row(ctx context.Context, s *Stmt, args ...any) Row {
	return lazyRow{func(dest []any) error {
		leave, err := p.running.enter()
		if err != nil {
			return err
		}
		defer leave()
		if err := s.check(Postgres, args); err != nil {
			return err
		}
		return failed(s, p.pool.QueryRow(ctx, s.postgres, args...).Scan(dest...))
	}}
}

// Each reads from the state that is committed when it begins, whatever is written meanwhile.
func (p *PG) Each(ctx context.Context, s *Stmt, args []any, f func(Row) error) error {
	leave, err := p.running.enter()
	if err != nil {
		return err
	}
	defer leave()
	if err := s.check(Postgres, args); err != nil {
		return err
	}
	rows, err := p.pool.Query(ctx, s.postgres, args...)
	if err != nil {
		return failed(s, err)
	}
	return walk(s, pgCursor{rows}, f)
}

func (p *PG) tryPrepare(ctx context.Context, text string) error {
	c, err := p.pool.Acquire(ctx)
	if err != nil {
		return Translate(err)
	}
	defer c.Release()
	_, err = c.Conn().Prepare(ctx, "", text)
	return Translate(err)
}

// pgCursor gives pgx's rows the shape of database/sql's, whose Close says what went wrong.
type pgCursor struct{ pgx.Rows }

func (c pgCursor) Close() error {
	c.Rows.Close()
	return c.Rows.Err()
}

// pause waits before the next try of something that failed n times.
func pause(ctx context.Context, n int) error { return wait(ctx, jitter(n)) }

func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
