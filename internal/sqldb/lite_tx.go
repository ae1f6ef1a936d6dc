package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"sync/atomic"
)

// job is a closure on its way through the writer. Its channels hold one message each and get at most one.
type job struct {
	ctx   context.Context
	state atomic.Int32
	turn  chan error   // writer → caller: nil when it may run now, or why it never will
	ran   chan verdict // caller → writer: the turn comes back
	fate  chan error   // writer → caller: nil, or why the batch came to nothing; for a job that waits for it
	tx    liteTx

	stands bool // its writes are in the transaction; set before the turn goes back
}

// A job leaves jobQueued once, to one of the others.
const (
	jobQueued int32 = iota
	jobStarted
	jobWithdrawn
)

// verdict is what became of a closure within its batch. The zero verdict: it left nothing behind and nobody waits.
type verdict struct {
	waits bool  // its caller waits for the fate of the batch
	lost  error // the whole transaction is gone, and why
}

func newJob(ctx context.Context) *job {
	return &job{ctx: ctx, turn: make(chan error, 1), ran: make(chan verdict, 1), fate: make(chan error, 1)}
}

// start gives the turn to the caller, unless he went away.
func (j *job) start() bool {
	if !j.state.CompareAndSwap(jobQueued, jobStarted) {
		return false
	}
	j.turn <- nil
	return true
}

// refuse tells the caller that his closure will not run.
func (j *job) refuse(err error) {
	if j.state.CompareAndSwap(jobQueued, jobStarted) {
		j.turn <- err
	}
}

// withdraw takes the closure out of the queue; too late when it was started.
func (j *job) withdraw() bool { return j.state.CompareAndSwap(jobQueued, jobWithdrawn) }

func (j *job) withdrawn() bool { return j.state.Load() == jobWithdrawn }

// await returns nil once the caller has the turn.
func (j *job) await(queue chan<- *job) error {
	if err := j.ctx.Err(); err != nil {
		return err
	}
	select {
	case queue <- j:
	case <-j.ctx.Done():
		return j.ctx.Err()
	}
	select {
	case err := <-j.turn:
		return err
	case <-j.ctx.Done():
	}
	if j.withdraw() {
		return j.ctx.Err()
	}
	return <-j.turn
}

// Tx implements DB. f's context does not end with the caller's: a started closure is not torn.
func (l *Lite) Tx(ctx context.Context, f func(ctx context.Context, tx Tx) error) error {
	inner, err := enterTx(context.WithoutCancel(ctx), l)
	if err != nil {
		return err
	}
	leave, err := l.running.enter()
	if err != nil {
		return err
	}
	defer leave()
	j := newJob(ctx)
	if err := j.await(l.writer.queue); err != nil {
		return Translate(err)
	}
	own, waits := l.writer.perform(inner, j, f)
	if !waits {
		return own
	}
	// A closure that failed waits too: it may have failed for what it saw of one before it, such as "exists". When that
	// came to nothing, so did its reason.
	if err := <-j.fate; err != nil {
		return Translate(err)
	}
	return own
}

// perform runs f in its savepoint while the caller has the turn, and gives the turn back, whichever way f ends: by
// returning, by a panic, or with its goroutine.
func (w *writer) perform(ctx context.Context, j *job, f func(context.Context, Tx) error) (own error, waits bool) {
	tx := &j.tx
	tx.w = w
	var v verdict
	returned := false
	defer func() {
		tx.over = true
		j.ran <- v
	}()
	defer func() {
		if !returned {
			v.lost = w.undo(tx)
		}
	}()
	own = w.keep(ctx, tx, f)
	returned = true
	j.stands = own == nil
	if !j.stands {
		v.lost = w.undo(tx)
	}
	v.waits = v.lost == nil
	return Translate(own), v.waits
}

// keep runs f and, when all went well, adds its writes to the transaction.
func (w *writer) keep(ctx context.Context, tx *liteTx, f func(context.Context, Tx) error) error {
	if err := w.exec(textSave); err != nil {
		return err
	}
	if err := f(ctx, tx); err != nil {
		return err
	}
	if tx.broken != nil {
		return tx.broken
	}
	return w.exec(textRelease)
}

// undo rolls tx's writes back and tells it so. An error means that the engine has dropped the whole transaction, which is
// what it does after some failures of the disk.
func (w *writer) undo(tx *liteTx) (lost error) {
	err := w.exec(textUndo)
	if err == nil {
		err = w.exec(textRelease)
	}
	tx.tell(false)
	if err != nil {
		return errors.Join(tx.cause, err)
	}
	return nil
}

// liteTx is a closure's view of the writer's connection.
type liteTx struct {
	txState
	w *writer
}

// WriterConn returns the connection on which tx writes, the same for the whole life of a Lite. It is for
// authzsvc/internal/sqlds alone, whose statements are built from SpiceDB's filters; everybody else declares statements. It
// may be used only while the closure runs and only with the closure's context; an error of a statement must be returned.
func WriterConn(tx Tx) (*sql.Conn, bool) {
	t, ok := tx.(*liteTx)
	if !ok || t.over {
		return nil, false
	}
	return t.w.conn, true
}

// SetBatchHooks lets the owner of the revision clock see each COMMIT. begin is called after BEGIN, before the first closure;
// end after COMMIT or ROLLBACK and after the calls of OnEnd, before any caller goes on. committed tells whether anything
// was made durable; a batch may turn out to hold no closure at all. Both run while nothing else writes; they must be quick, must not call the database and must not panic.
// It must be called before the first Tx.
func (l *Lite) SetBatchHooks(begin func(), end func(committed bool)) {
	l.writer.begin, l.writer.end = begin, end
}

func (t *liteTx) Exec(ctx context.Context, s *Stmt, args ...any) (int64, error) {
	p, err := t.ready(s, args)
	if err != nil {
		return 0, t.fail(s, err)
	}
	res, err := p.ExecContext(context.WithoutCancel(ctx), args...)
	if err != nil {
		return 0, t.fail(s, err)
	}
	n, err := res.RowsAffected()
	return n, t.fail(s, err)
}

func (t *liteTx) Row(ctx context.Context, s *Stmt, args ...any) Row {
	return lazyRow{func(dest []any) error {
		p, err := t.ready(s, args)
		if err != nil {
			return t.fail(s, err)
		}
		return t.fail(s, p.QueryRowContext(context.WithoutCancel(ctx), args...).Scan(dest...))
	}}
}

func (t *liteTx) Each(ctx context.Context, s *Stmt, args []any, f func(Row) error) error {
	p, err := t.ready(s, args)
	if err != nil {
		return t.fail(s, err)
	}
	rows, err := p.QueryContext(context.WithoutCancel(ctx), args...)
	if err != nil {
		return t.fail(s, err)
	}
	return t.walk(s, rows, f)
}

// ready returns s prepared on the writer's connection, unless it must not run.
func (t *liteTx) ready(s *Stmt, args []any) (*sql.Stmt, error) {
	if err := t.check(s, SQLite, args); err != nil {
		return nil, err
	}
	if err := t.w.seam(s.sqlite); err != nil {
		return nil, err
	}
	return t.w.prepare(s)
}
