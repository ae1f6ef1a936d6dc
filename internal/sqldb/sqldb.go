// Package sqldb is the SQL seam: one statement text for SQLite and for PostgreSQL. It builds no statement at run time, so a
// value can never become SQL. To add a statement, declare it with SQL in a package-level variable; a test prepares it on both.
package sqldb

import (
	"context"
	"errors"
)

// ErrNoRows is what Row.Scan returns when the statement gave no row, on every engine.
var ErrNoRows = errors.New("sqldb: no rows")

// Row is one row of an answer. Inside Each it is valid only until the callback that got it returns.
type Row interface {
	Scan(dest ...any) error
}

// Q runs statements. Errors of the engine arrive as errs kinds: a broken unique constraint is Exists, a lost
// serialisation Conflict, a full disk Unavailable with reason DISK_FULL, a context's end Canceled or Deadline.
//
// Arguments and destinations are what both engines take: integers, strings, bools, floats, byte slices, pointers to these
// where a value may be NULL, and sql.Null. Times are int64 microseconds.
type Q interface {
	// Exec runs s and returns the number of rows it changed.
	Exec(ctx context.Context, s *Stmt, args ...any) (int64, error)
	// Row names the first row of s. The statement runs when Scan is called, once for each call, and never without one;
	// Scan reports ErrNoRows when there is none.
	Row(ctx context.Context, s *Stmt, args ...any) Row
	// Each runs s and calls f for each row; an error from f ends the walk and is returned as it is. The walk holds a
	// connection, so f must be quick and must not call the database, neither through the same Tx nor otherwise: collect
	// what is needed, page by page, and ask again after Each has returned.
	Each(ctx context.Context, s *Stmt, args []any, f func(Row) error) error
}

// Tx is one closure's share of a write transaction. It belongs to the goroutine that runs the closure, and is over when the
// closure returns. The first statement that fails ends it: later ones return the same error, and the closure is rolled back
// even when it returns nil. So both engines treat a swallowed error alike; "insert unless there" is ON CONFLICT, not a retry.
type Tx interface {
	Q
	// OnEnd registers f to be called once this closure's fate is known: with true after COMMIT and before DB.Tx returns,
	// with false after its writes were rolled back. Calls come in the order of registration, one at a time per database.
	// f must be quick, must not call the database and must not panic.
	OnEnd(f func(committed bool))
}

// DB is an open database. It is safe for concurrent use. Its own Q methods read, each statement from a snapshot of its own;
// a statement that writes is refused outside Tx.
type DB interface {
	Q
	// Tx runs f in a write transaction and returns when its writes are durable, or were rolled back and why. On SQLite
	// concurrent calls share one COMMIT (group commit): each closure runs alone, in a savepoint of its own, and one that
	// fails takes no other with it. f must be quick (the writer is held at most about 50 ms), must not call the database
	// other than through its Tx, and must not wait for anything that does. It may run again after a lost serialisation.
	//
	// f runs in the caller's goroutine, so a panic goes on from there once its writes are rolled back. A ctx that ends
	// before f has started means that f never runs; after that the caller waits for the true outcome.
	Tx(ctx context.Context, f func(ctx context.Context, tx Tx) error) error
	// Dialect names the differences between the engines.
	Dialect() Dialect
	// Close waits for running work, then closes the database. It is idempotent.
	Close() error
}

// Dialect tells the engines apart, for the few named differences and nothing else.
type Dialect uint8

const (
	SQLite Dialect = iota + 1
	Postgres
)

// String returns the lower-case name of d, which is also the name of its folder of migrations.
func (d Dialect) String() string {
	switch d {
	case SQLite:
		return "sqlite"
	case Postgres:
		return "postgres"
	}
	return "unknown"
}
