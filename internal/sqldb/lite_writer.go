package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"time"
)

const (
	batchClosures = 256                   // closures that share one COMMIT at most
	batchTime     = 20 * time.Millisecond // running time after which no further closure joins a batch
	queueLength   = 4 * batchClosures
)

// The writer's own statements.
const (
	textBegin    = "BEGIN IMMEDIATE"
	textCommit   = "COMMIT"
	textRollback = "ROLLBACK"
	textSave     = "SAVEPOINT closure"
	textRelease  = "RELEASE closure"
	textUndo     = "ROLLBACK TO closure"
)

// writer owns the one connection that writes. Its goroutine opens a transaction, gives the turn to one waiting closure after
// another, and commits for all. Whoever has the turn (the goroutine, or the caller whose closure runs) may use the
// connection and the fields below it.
type writer struct {
	queue   chan *job
	stopped chan struct{}

	db       *sql.DB
	conn     *sql.Conn
	prepared map[*Stmt]*sql.Stmt
	own      map[string]*sql.Stmt
	before   func(n int, text string) error
	count    int
	begin    func()
	end      func(committed bool)
}

func openWriter(ctx context.Context, path string, before func(int, string) error) (*writer, error) {
	db, err := sql.Open("sqlite", dsn(path, writerPragmas()))
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	w := &writer{
		queue:    make(chan *job, queueLength),
		stopped:  make(chan struct{}),
		db:       db,
		prepared: map[*Stmt]*sql.Stmt{},
		own:      map[string]*sql.Stmt{},
		before:   before,
		begin:    func() {},
		end:      func(bool) {},
	}
	if err := w.connect(ctx); err != nil {
		return nil, errors.Join(err, w.disconnect())
	}
	go w.run()
	return w, nil
}

func (w *writer) connect(ctx context.Context) error {
	conn, err := w.db.Conn(ctx)
	if err != nil {
		return err
	}
	w.conn = conn
	for _, text := range []string{textBegin, textCommit, textRollback, textSave, textRelease, textUndo} {
		s, err := conn.PrepareContext(ctx, text)
		if err != nil {
			return err
		}
		w.own[text] = s
	}
	return nil
}

// close ends the goroutine and the connection. No caller may be in the queue or arrive.
func (w *writer) close() error {
	close(w.queue)
	<-w.stopped
	_, err := w.conn.ExecContext(context.Background(), "PRAGMA wal_checkpoint(TRUNCATE)")
	return errors.Join(err, w.disconnect())
}

func (w *writer) disconnect() error {
	var all []error
	for _, s := range w.own {
		all = append(all, s.Close())
	}
	for _, s := range w.prepared {
		all = append(all, s.Close())
	}
	if w.conn != nil {
		all = append(all, w.conn.Close())
	}
	return errors.Join(append(all, w.db.Close())...)
}

func (w *writer) run() {
	defer close(w.stopped)
	for j := range w.queue {
		w.batch(j)
	}
}

// batch commits first together with whatever else is waiting; it waits for nobody.
func (w *writer) batch(first *job) {
	if first.withdrawn() {
		return
	}
	if err := w.exec(textBegin); err != nil {
		w.rollback() // in case an earlier one did not get through
		first.refuse(err)
		return
	}
	w.begin()
	ran, lost := w.turns(first)
	w.settle(ran, lost)
}

// turns lets closures run until none waits or the batch is full. It returns those that wait for the end of the batch, or
// why the engine gave up the whole transaction.
func (w *writer) turns(first *job) (ran []*job, lost error) {
	began := time.Now()
	for j := first; j != nil; j = w.waiting() {
		v := w.give(j)
		if v.lost != nil {
			return ran, v.lost
		}
		if v.waits {
			ran = append(ran, j)
		}
		if len(ran) == batchClosures || time.Since(began) >= batchTime {
			break
		}
	}
	return ran, nil
}

// waiting returns the next closure in the queue, or nil when there is none.
func (w *writer) waiting() *job {
	select {
	case j := <-w.queue:
		return j
	default:
		return nil
	}
}

// give hands the turn to j's caller and waits until it comes back.
func (w *writer) give(j *job) verdict {
	if err := j.ctx.Err(); err != nil {
		j.refuse(err)
		return verdict{}
	}
	if !j.start() {
		return verdict{}
	}
	return <-j.ran
}

// settle ends the transaction and tells everybody, in the order that DB and SetBatchHooks promise.
func (w *writer) settle(ran []*job, lost error) {
	stand := slices.DeleteFunc(slices.Clone(ran), func(j *job) bool { return !j.stands })
	err := lost
	if err == nil && len(stand) > 0 {
		err = w.exec(textCommit)
	}
	committed := err == nil && len(stand) > 0
	if !committed {
		w.rollback()
	}
	for _, j := range stand {
		j.tx.tell(committed)
	}
	w.end(committed)
	for _, j := range ran {
		j.fate <- err
	}
}

// exec runs one of the writer's own statements.
func (w *writer) exec(text string) error {
	if err := w.seam(text); err != nil {
		return err
	}
	_, err := w.own[text].ExecContext(context.Background())
	return err
}

// rollback leaves no transaction open. The engine may have rolled back by itself after a full disk or an I/O error; then
// there is nothing to do and its complaint about that says nothing.
func (w *writer) rollback() {
	_ = w.seam(textRollback)
	_, _ = w.own[textRollback].ExecContext(context.Background())
}

func (w *writer) seam(text string) error {
	if w.before == nil {
		return nil
	}
	w.count++
	return w.before(w.count, text)
}

// prepare returns s prepared on the writer's connection.
func (w *writer) prepare(s *Stmt) (*sql.Stmt, error) {
	if p, ok := w.prepared[s]; ok {
		return p, nil
	}
	p, err := w.conn.PrepareContext(context.Background(), s.sqlite)
	if err != nil {
		return nil, err
	}
	w.prepared[s] = p
	return p, nil
}
