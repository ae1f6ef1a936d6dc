package sqlstore

import (
	"context"
	"strconv"
	"strings"

	"nexus/internal/errs"
	"nexus/internal/sqldb"
)

// separator stands between the values of a column that comes as one text. No path and no name holds it, and neither does
// anything that this server makes by itself: ids, digests, types, numbers.
const separator = "\x1f"

// joined are rows that came as one text for each column. They are taken from it row by row.
type joined struct {
	rows int
	left []string // of each column
	bad  bool     // a value was not what it should be
}

// read runs a statement that returns one row of columns texts, or of NULL where there was nothing to join.
func read(ctx context.Context, q sqldb.Q, s *sqldb.Stmt, columns int, args []any) (joined, error) {
	found := make([]*string, columns)
	into := make([]any, columns)
	for i := range into {
		into[i] = &found[i]
	}
	if err := q.Row(ctx, s, args...).Scan(into...); err != nil || found[0] == nil {
		return joined{}, err
	}
	t := joined{rows: strings.Count(*found[0], separator) + 1, left: make([]string, columns)}
	for i, text := range found {
		if text == nil || strings.Count(*text, separator) != t.rows-1 {
			return joined{}, errs.Bug("column %d of %d has not %d values", i, columns, t.rows)
		}
		t.left[i] = *text
	}
	return t, nil
}

// text takes the next value of a column.
func (t *joined) text(column int) (value string) {
	value, t.left[column], _ = strings.Cut(t.left[column], separator)
	return value
}

// number takes the next value of a column of numbers.
func (t *joined) number(column int) int64 {
	n, err := strconv.ParseInt(t.text(column), 10, 64)
	t.bad = t.bad || err != nil
	return n
}

// end reports whether every number was one.
func (t *joined) end() error {
	if t.bad {
		return errs.Bug("a column of numbers holds something else")
	}
	return nil
}

// threes reads rows of three texts.
func threes[T any](ctx context.Context, q sqldb.Q, s *sqldb.Stmt, row func(a, b, c string) T, args ...any) ([]T, error) {
	t, err := read(ctx, q, s, 3, args)
	if err != nil || t.rows == 0 {
		return nil, err
	}
	all := make([]T, t.rows)
	for i := range all {
		all[i] = row(t.text(0), t.text(1), t.text(2))
	}
	return all, nil
}
