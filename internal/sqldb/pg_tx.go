package sqldb

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"nexus/internal/errs"
)

// settleTime bounds the end of a transaction, which no longer listens to its caller's context.
const settleTime = 15 * time.Second

// Tx implements DB. A closure that loses a serialisation or a deadlock runs again in a new transaction, after its OnEnd
// calls with false.
func (p *PG) Tx(ctx context.Context, f func(ctx context.Context, tx Tx) error) error {
	inner, err := enterTx(ctx, p)
	if err != nil {
		return err
	}
	leave, err := p.running.enter()
	if err != nil {
		return err
	}
	defer leave()
	for n := 1; ; n++ {
		again, err := p.once(inner, f)
		if !again || n == p.tries {
			return err
		}
		if err := pause(ctx, n); err != nil {
			return Translate(err)
		}
	}
}

// once runs f in one transaction. again tells that another writer was in the way and that a new try may succeed.
func (p *PG) once(ctx context.Context, f func(context.Context, Tx) error) (again bool, err error) {
	conn, err := p.pool.Acquire(ctx)
	if err != nil {
		return false, Translate(err)
	}
	defer conn.Release() // a connection that is not idle, or broken, is thrown away by the pool
	xid, err := begin(ctx, conn)
	if err != nil {
		return false, Translate(err)
	}
	tx := &pgTx{db: p, conn: conn}
	settled := false
	defer func() {
		if !settled { // f panicked or ended its goroutine
			tx.rollback(ctx)
		}
	}()
	err = f(ctx, tx)
	settled = true
	if err == nil {
		err = tx.broken
	}
	if err != nil {
		tx.rollback(ctx)
		return lostRace(tx.cause), Translate(err)
	}
	return p.commit(ctx, tx, xid)
}

// begin opens a transaction and learns its number, in one round trip. The number is how its fate can be asked for later.
func begin(ctx context.Context, conn *pgxpool.Conn) (xid string, err error) {
	var b pgx.Batch
	b.Queue("BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE")
	b.Queue("SELECT pg_current_xact_id()::text").QueryRow(func(row pgx.Row) error { return row.Scan(&xid) })
	return xid, conn.SendBatch(ctx, &b).Close()
}

// commit returns nil only when tx is durable. A connection that breaks before the answer leaves that open, so the server is
// asked on another one.
func (p *PG) commit(ctx context.Context, tx *pgTx, xid string) (again bool, err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTime)
	defer cancel()
	tx.over = true
	tag, err := tx.conn.Exec(ctx, "COMMIT")
	if err == nil && tag.String() != "COMMIT" {
		err = errs.New(errs.Internal, "the server rolled back at commit")
	}
	if err != nil && !refused(err) {
		err = p.ask(ctx, xid, err)
	}
	tx.ended(err == nil)
	return lostRace(err), Translate(err)
}

// refused reports whether the server itself answered, so that there is no doubt.
func refused(err error) bool {
	var pg *pgconn.PgError
	var own *errs.Error
	return errors.As(err, &own) || errors.As(err, &pg) && !hasClass(pg.Code, "08", "57")
}

// ask finds out what became of transaction xid after its connection broke with cause: nil when it is committed. It waits for
// a server that restarts, and for the old session to end, until ctx ends; then the error says that the outcome is not known.
func (p *PG) ask(ctx context.Context, xid string, cause error) error {
	for n := 1; ; n++ {
		var status *string
		err := p.pool.QueryRow(ctx, "SELECT pg_xact_status($1::text::xid8)", xid).Scan(&status)
		switch {
		case err == nil && status == nil:
			return unknownOutcome(xid, cause)
		case err == nil && *status == "committed":
			return nil
		case err == nil && *status == "aborted":
			return errs.New(errs.Unavailable, "the connection broke before the commit").Because(cause)
		}
		if pause(ctx, n) != nil {
			return unknownOutcome(xid, cause)
		}
	}
}

func unknownOutcome(xid string, cause error) error {
	return errs.New(errs.Unavailable, "the connection broke at the commit and the outcome is not known").
		With("transaction", xid).Because(cause)
}

// lostRace reports whether err tells that another transaction was in the way.
func lostRace(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && (pg.Code == "40001" || pg.Code == "40P01")
}

// jitter grows from about 5 ms to about 160 ms, so that those who met do not meet again.
func jitter(n int) time.Duration {
	most := 5 * time.Millisecond << min(n, 5)
	return most/2 + rand.N(most/2)
}

// pgTx is a closure's transaction.
type pgTx struct {
	txState
	db   *PG
	conn *pgxpool.Conn
}

func (t *pgTx) ended(committed bool) {
	t.db.telling.Lock()
	defer t.db.telling.Unlock()
	t.tell(committed)
}

// rollback ends the transaction without its writes. A connection that cannot even do that is dropped, and with it goes the
// transaction.
func (t *pgTx) rollback(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTime)
	defer cancel()
	t.over = true
	if _, err := t.conn.Exec(ctx, "ROLLBACK"); err != nil {
		_ = t.conn.Conn().Close(ctx)
	}
	t.ended(false)
}

func (t *pgTx) Exec(ctx context.Context, s *Stmt, args ...any) (int64, error) {
	if err := t.check(s, Postgres, args); err != nil {
		return 0, t.fail(s, err)
	}
	tag, err := t.conn.Exec(ctx, s.postgres, args...)
	return tag.RowsAffected(), t.fail(s, err)
}

func (t *pgTx) Row(ctx context.Context, s *Stmt, args ...any) Row {
	return lazyRow{func(dest []any) error {
		if err := t.check(s, Postgres, args); err != nil {
			return t.fail(s, err)
		}
		return t.fail(s, t.conn.QueryRow(ctx, s.postgres, args...).Scan(dest...))
	}}
}

func (t *pgTx) Each(ctx context.Context, s *Stmt, args []any, f func(Row) error) error {
	if err := t.check(s, Postgres, args); err != nil {
		return t.fail(s, err)
	}
	rows, err := t.conn.Query(ctx, s.postgres, args...)
	if err != nil {
		return t.fail(s, err)
	}
	return t.walk(s, pgCursor{rows}, f)
}
