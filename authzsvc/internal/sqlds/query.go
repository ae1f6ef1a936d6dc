package sqlds

import (
	"context"
	"database/sql"
	"encoding/json"
	"math/bits"
	"strings"

	"github.com/authzed/spicedb/pkg/datastore"
	"github.com/authzed/spicedb/pkg/tuple"
)

// pageRows bounds the rows that one statement returns: no connection is held while a caller works on rows, because the
// engine asks again in between.
const pageRows = 1000

// order is an order of columns in which rows are returned.
type order []string

var (
	byResource = order{"rt", "ro", "rr", "st", "so", "sr"} // the primary key's
	bySubject  = order{"st", "so", "sr", "rt", "ro", "rr"} // SpiceDB's order of subjects
	byReverse  = order{"st", "so", "sr", "rt", "rr", "ro"} // the reverse index's
)

func (k *key) column(name string) string {
	switch name {
	case "rt":
		return k.rt
	case "ro":
		return k.ro
	case "rr":
		return k.rr
	case "st":
		return k.st
	case "so":
		return k.so
	}
	return k.sr
}

// query selects rows that are visible at one revision.
type query struct {
	order  order
	filter func(*query)      // adds the conditions of a filter to the text; nil adds none. Answers of the object cache need no text
	fixed  map[string]string // columns that the filter holds to one value
	where  []string
	args   []any
	keep   func(*row) (bool, error) // what SQL does not know; nil keeps all
	match  func(*key) bool          // the filter over a key, for rows that come from the object cache
	typ    string                   // of the resources ids
	ids    []string                 // of resources, when the filter names type and ids: the object cache may answer it
	limit  uint64                   // 0: none
	after  *key
	upTo   *key

	includeExpired bool // deletes by filter take what has expired and is not yet collected
}

func newQuery(o order) *query {
	return &query{order: o, match: func(*key) bool { return true }}
}

func (q *query) also(cond string, args ...any) {
	q.where = append(q.where, cond)
	q.args = append(q.args, args...)
}

// is holds column to one of values; none means any.
func (q *query) is(column string, values ...string) {
	switch len(values) {
	case 0:
	case 1:
		if q.fixed == nil {
			q.fixed = map[string]string{}
		}
		q.fixed[column] = values[0]
		q.also(column+" = ?", values[0])
	default:
		cond, args := in(column, values)
		q.also(cond, args...)
	}
}

// longList is where a list becomes one parameter: an engine takes 32,766 of them.
const longList = 1024

// in returns a list condition. Its length is a power of two, so that few texts are prepared.
func in(column string, values []string) (string, []any) {
	if len(values) > longList {
		list, _ := json.Marshal(values) // strings always marshal
		return column + " IN (SELECT value FROM json_each(?))", []any{string(list)}
	}
	n := 1 << bits.Len(uint(len(values)-1))
	args := make([]any, n)
	for i := range args {
		args[i] = values[min(i, len(values)-1)]
	}
	return column + " IN (?" + strings.Repeat(",?", n-1) + ")", args
}

// prefix holds column to values that begin with p.
func (q *query) prefix(column, p string) {
	q.also(column+" >= ?", p)
	if end, ok := afterPrefix(p); ok {
		q.also(column+" < ?", end)
	}
}

// afterPrefix returns the smallest text greater than all that begin with p; there is none when p is all 0xff.
func afterPrefix(p string) (string, bool) {
	b := []byte(p)
	for i := len(b) - 1; i >= 0; i-- {
		if b[i] < 0xff {
			b[i]++
			return string(b[:i+1]), true
		}
	}
	return "", false
}

// subjects holds the subject to one of the selectors; none means any.
func (q *query) subjects(selectors []datastore.SubjectsSelector) {
	if len(selectors) == 0 {
		return
	}
	if len(selectors) == 1 {
		q.subject(selectors[0])
		return
	}
	var any []string
	for _, s := range selectors {
		one := newQuery(q.order)
		one.subject(s)
		any = append(any, "("+strings.Join(append(one.where, "1"), " AND ")+")")
		q.args = append(q.args, one.args...)
	}
	q.where = append(q.where, "("+strings.Join(any, " OR ")+")")
}

func (q *query) subject(s datastore.SubjectsSelector) {
	if s.OptionalSubjectType != "" {
		q.is("st", s.OptionalSubjectType)
	}
	q.is("so", s.OptionalSubjectIds...)
	f := s.RelationFilter
	switch {
	case f.OnlyNonEllipsisRelations:
		q.also("sr <> ?", tuple.Ellipsis)
	case f.IncludeEllipsisRelation && f.NonEllipsisRelation != "":
		q.is("sr", tuple.Ellipsis, f.NonEllipsisRelation)
	case f.IncludeEllipsisRelation:
		q.is("sr", tuple.Ellipsis)
	case f.NonEllipsisRelation != "":
		q.is("sr", f.NonEllipsisRelation)
	}
}

// bound returns the condition that a row lies beyond k in the query's order (op ">"), or not beyond it (op "<="). Fixed
// columns are compared here: a row value over them would keep SQLite from using the filter as a prefix of the index.
func (q *query) bound(op string, k *key) (string, []any) {
	strict := op == ">"
	var columns []string
	var args []any
	for _, c := range q.order {
		v, fixed := q.fixed[c]
		if !fixed {
			columns = append(columns, c)
			args = append(args, k.column(c))
			continue
		}
		if d := strings.Compare(v, k.column(c)); d != 0 { // rows that are equal so far all lie on one side of k
			strict = (op == ">") != (d > 0)
			break
		}
	}
	if len(columns) == 0 && strict {
		return "0", nil
	}
	if len(columns) == 0 {
		return "1", nil
	}
	sign := op[:1]
	if !strict {
		sign += "="
	}
	return "(" + strings.Join(columns, ",") + ") " + sign + " (?" + strings.Repeat(",?", len(columns)-1) + ")", args
}

// text returns the statement for the next page of at most n rows, as seen at rev, with its arguments.
func (q *query) text(rev int64, n uint64) (string, []any) {
	if q.filter != nil {
		q.filter(q)
		q.filter = nil
	}
	var b strings.Builder
	b.WriteString("SELECT rt, ro, rr, st, so, sr, created, deleted, expiry, extra FROM rel WHERE created <= ? AND deleted > ? AND expiry > ?")
	args := []any{rev, rev, rev}
	if q.includeExpired {
		args[2] = -1
	}
	args = append(args, q.args...)
	for _, w := range q.where {
		b.WriteString(" AND ")
		b.WriteString(w)
	}
	for _, end := range []struct {
		op string
		k  *key
	}{{">", q.after}, {"<=", q.upTo}} {
		if end.k == nil {
			continue
		}
		cond, more := q.bound(end.op, end.k)
		b.WriteString(" AND " + cond)
		args = append(args, more...)
	}
	b.WriteString(" ORDER BY ")
	b.WriteString(strings.Join(q.order, ","))
	b.WriteString(" LIMIT +?") // SQLite plans a statement with a bare parameter there anew at each run
	return b.String(), append(args, n)
}

// source runs statements that are built at run time. It returns when the rows are read.
type source interface {
	rows(ctx context.Context, text string, args []any, each func(*sql.Rows) error) error
}

// page returns the next rows, and whether there may be more. It moves q.after on.
func (q *query) page(ctx context.Context, src source, rev int64, want uint64) (page []row, more bool, err error) {
	n := uint64(pageRows)
	if q.keep == nil && want > 0 {
		n = min(n, want)
	}
	text, args := q.text(rev, n)
	page = make([]row, 0, 8)
	err = src.rows(ctx, text, args, func(rows *sql.Rows) error {
		r, err := scanRow(rows)
		page = append(page, r)
		return err
	})
	if err != nil {
		return nil, false, err
	}
	if more = uint64(len(page)) == n; more {
		last := page[len(page)-1].key
		q.after = &last
	}
	page, err = q.kept(page)
	return page, more, err
}

func (q *query) kept(page []row) ([]row, error) {
	if q.keep == nil {
		return page, nil
	}
	some := page[:0]
	for i := range page {
		ok, err := q.keep(&page[i])
		if err != nil {
			return nil, err
		}
		if ok {
			some = append(some, page[i])
		}
	}
	return some, nil
}

func scanRow(rows *sql.Rows) (row, error) {
	var r row
	err := rows.Scan(&r.rt, &r.ro, &r.rr, &r.st, &r.so, &r.sr, &r.created, &r.deleted, &r.expiry, &r.extra)
	return r, err
}
