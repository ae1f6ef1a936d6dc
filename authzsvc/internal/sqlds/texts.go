package sqlds

import (
	"context"
	"database/sql"
	"errors"
	"sync"

	"nexus/internal/sqldb"
)

// maxTexts bounds the statements kept prepared; the shapes of SpiceDB's filters are a few dozen.
const maxTexts = 256

// texts runs statements on the reading pool and keeps each text prepared.
type texts struct {
	pool *sql.DB

	mu   sync.RWMutex
	kept map[string]*sql.Stmt
}

func newTexts(pool *sql.DB) *texts {
	return &texts{pool: pool, kept: map[string]*sql.Stmt{}}
}

// rows implements source. Each call reads from a snapshot of its own. The statement does not end with ctx: watching a
// context costs a goroutine a query, and a page is short.
func (t *texts) rows(ctx context.Context, text string, args []any, each func(*sql.Rows) error) error {
	if err := ctx.Err(); err != nil {
		return sqldb.Translate(err)
	}
	ctx = context.WithoutCancel(ctx)
	s, err := t.statement(ctx, text)
	if err != nil {
		return sqldb.Translate(err)
	}
	var rows *sql.Rows
	if s != nil {
		rows, err = s.QueryContext(ctx, args...)
	} else {
		rows, err = t.pool.QueryContext(ctx, text, args...)
	}
	return scanAll(rows, err, each)
}

// statement returns text prepared; nil when enough texts are kept already.
func (t *texts) statement(ctx context.Context, text string) (*sql.Stmt, error) {
	t.mu.RLock()
	s, full := t.kept[text], len(t.kept) >= maxTexts
	t.mu.RUnlock()
	if s != nil || full {
		return s, nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if s := t.kept[text]; s != nil {
		return s, nil
	}
	s, err := t.pool.PrepareContext(ctx, text)
	if err == nil {
		t.kept[text] = s
	}
	return s, err
}

func (t *texts) close() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	var all []error
	for text, s := range t.kept {
		all = append(all, s.Close())
		delete(t.kept, text)
	}
	return errors.Join(all...)
}

// writerSource runs statements on the connection of a transaction, which sees its own writes.
type writerSource struct{ conn *sql.Conn }

func (w writerSource) rows(ctx context.Context, text string, args []any, each func(*sql.Rows) error) error {
	rows, err := w.conn.QueryContext(context.WithoutCancel(ctx), text, args...)
	return scanAll(rows, err, each)
}

func scanAll(rows *sql.Rows, err error, each func(*sql.Rows) error) error {
	if err != nil {
		return sqldb.Translate(err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := each(rows); err != nil {
			return sqldb.Translate(err)
		}
	}
	return sqldb.Translate(rows.Err())
}
