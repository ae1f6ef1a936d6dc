package sqldb

// lazyRow runs its statement in Scan, so that a Row without a Scan holds no connection.
type lazyRow struct{ scan func(dest []any) error }

func (r lazyRow) Scan(dest ...any) error { return r.scan(dest) }

// cursor is an open answer of either driver.
type cursor interface {
	Next() bool
	Scan(dest ...any) error
	Err() error
	Close() error
}

// liveRow is the current row of a walk.
type liveRow struct {
	s    *Stmt
	rows cursor
}

func (r liveRow) Scan(dest ...any) error { return failed(r.s, r.rows.Scan(dest...)) }

// walk calls f for each row and closes rows, also when f panics.
func walk(s *Stmt, rows cursor, f func(Row) error) error {
	defer rows.Close()
	for rows.Next() {
		if err := f(liveRow{s, rows}); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return failed(s, err)
	}
	return failed(s, rows.Close())
}
