package sqldb

import (
	"context"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"sync"

	"nexus/internal/errs"
)

// literal is a string that another package can only write as a constant: it cannot name the type, and a variable of type
// string does not convert to it by itself.
type literal string

// PerDialectBudget is how many statements may be declared with SQLPer. Prepare refuses more: the next one needs a decision record.
const PerDialectBudget = 10

// Stmt is a statement known when the program was built. Declare it in a package-level variable; it is immutable.
type Stmt struct {
	sqlite   string // "" where the statement is not for SQLite
	postgres string // "" where the statement is not for PostgreSQL
	params   int
	per      bool
	fault    string // what is wrong with the text, found while reading it; reported by Prepare and on each use
	where    string // "folder/file.go:12", where it was declared
}

var registry struct {
	mu  sync.Mutex
	all []*Stmt
}

// SQL declares a statement of the subset that both engines share, with parameters $1 … $n in any order and any number of times.
func SQL(text literal) *Stmt {
	return declare(string(text), string(text), false)
}

// SQLPer declares a statement whose text differs between the engines, with the same parameters and the same columns. It is
// the budgeted way out for what has no common form (full-text search, lists as one parameter, locking).
func SQLPer(sqlite, postgres literal) *Stmt {
	return declare(string(sqlite), string(postgres), true)
}

// OnlySQLite declares a statement of a part that exists on SQLite alone. Running it on PostgreSQL is a bug.
func OnlySQLite(text literal) *Stmt {
	return declare(string(text), "", false)
}

// Statements returns every declared statement, in the order of declaration.
func Statements() []*Stmt {
	registry.mu.Lock()
	defer registry.mu.Unlock()
	return slices.Clone(registry.all)
}

// Text returns the statement as d's driver takes it; empty where it is not for d.
func (s *Stmt) Text(d Dialect) string {
	if d == SQLite {
		return s.sqlite
	}
	return s.postgres
}

// Where returns the place of declaration as "folder/file.go:line", for error texts.
func (s *Stmt) Where() string { return s.where }

// PerDialect reports whether the statement counts against PerDialectBudget.
func (s *Stmt) PerDialect() bool { return s.per }

// PrepareAll prepares every declared statement on db, whose schema must be complete, and reports all that do not fit it.
func PrepareAll(ctx context.Context, db DB) error {
	return Prepare(ctx, db, Statements()...)
}

// declare is called by the exported constructors alone: it takes the place of their caller.
func declare(sqlite, postgres string, per bool) *Stmt {
	s := &Stmt{postgres: postgres, per: per, where: position(3)}
	lite := parse(sqlite)
	s.sqlite, s.params, s.fault = lite.rewritten, lite.params, lite.fault
	if per && s.fault == "" {
		s.fault = differs(lite, parse(postgres))
	}
	registry.mu.Lock()
	defer registry.mu.Unlock()
	registry.all = append(registry.all, s)
	return s
}

// differs says how two texts of one statement disagree; empty when they do not.
func differs(sqlite, postgres parsed) string {
	if postgres.fault != "" {
		return postgres.fault
	}
	if sqlite.params != postgres.params {
		return fmt.Sprintf("%d parameters on sqlite, %d on postgres", sqlite.params, postgres.params)
	}
	return ""
}

func position(skip int) string {
	_, file, line, ok := runtime.Caller(skip)
	if !ok {
		return "unknown"
	}
	dir, name := filepath.Split(file)
	return fmt.Sprintf("%s/%s:%d", filepath.Base(dir), name, line)
}

// check reports a use of s that no engine could answer: a faulty text, another engine's statement, a wrong number of arguments.
func (s *Stmt) check(d Dialect, args []any) error {
	if s.fault != "" {
		return errs.Bug("%s: %s", s.where, s.fault)
	}
	if s.Text(d) == "" {
		return errs.Bug("%s: not a statement for %s", s.where, d)
	}
	if len(args) != s.params {
		return errs.Bug("%s: %d arguments for %d parameters", s.where, len(args), s.params)
	}
	return nil
}
