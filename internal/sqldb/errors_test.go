package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"strings"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	sqlite3 "modernc.org/sqlite/lib"

	"nexus/internal/errs"
)

func TestSQLiteCodesBecomeKinds(t *testing.T) {
	for code, want := range map[int]errs.Kind{
		sqlite3.SQLITE_CONSTRAINT_UNIQUE:     errs.Exists,
		sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY: errs.Exists,
		sqlite3.SQLITE_CONSTRAINT_ROWID:      errs.Exists,
		sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY: errs.Precondition,
		sqlite3.SQLITE_CONSTRAINT_NOTNULL:    errs.Internal,
		sqlite3.SQLITE_CONSTRAINT_CHECK:      errs.Internal,
		sqlite3.SQLITE_BUSY:                  errs.Conflict,
		sqlite3.SQLITE_BUSY_SNAPSHOT:         errs.Conflict,
		sqlite3.SQLITE_LOCKED:                errs.Conflict,
		sqlite3.SQLITE_FULL:                  errs.Unavailable,
		sqlite3.SQLITE_IOERR_SHMSIZE:         errs.Unavailable,
		sqlite3.SQLITE_IOERR_WRITE:           errs.Unavailable,
		sqlite3.SQLITE_IOERR_FSYNC:           errs.Unavailable,
		sqlite3.SQLITE_CANTOPEN:              errs.Unavailable,
		sqlite3.SQLITE_INTERRUPT:             errs.Canceled,
		sqlite3.SQLITE_TOOBIG:                errs.Invalid,
		sqlite3.SQLITE_READONLY:              errs.Internal,
		sqlite3.SQLITE_CORRUPT:               errs.Internal,
		sqlite3.SQLITE_ERROR:                 errs.Internal,
	} {
		got := fromSQLite(code)
		if got.Kind != want {
			t.Errorf("code %d is %v, want %v", code, got.Kind, want)
		}
		full := code == sqlite3.SQLITE_FULL || code == sqlite3.SQLITE_IOERR_SHMSIZE
		if (got.Reason == errs.DiskFull) != full {
			t.Errorf("code %d has reason %q", code, got.Reason)
		}
	}
}

func TestPostgresCodesBecomeKinds(t *testing.T) {
	for code, want := range map[string]errs.Kind{
		"23505": errs.Exists,
		"23503": errs.Precondition,
		"23502": errs.Internal,
		"23514": errs.Internal,
		"40001": errs.Conflict,
		"40P01": errs.Conflict,
		"55P03": errs.Conflict,
		"53100": errs.Unavailable,
		"53300": errs.Unavailable,
		"57P01": errs.Unavailable,
		"57P03": errs.Unavailable,
		"08006": errs.Unavailable,
		"58030": errs.Unavailable,
		"57014": errs.Canceled,
		"22021": errs.Invalid,
		"25006": errs.Internal,
		"42601": errs.Internal,
	} {
		got := errs.From(Translate(fmt.Errorf("wrapped: %w", &pgconn.PgError{Code: code})))
		if got.Kind != want {
			t.Errorf("%s is %v, want %v", code, got.Kind, want)
		}
		if (got.Reason == errs.DiskFull) != (code == "53100") {
			t.Errorf("%s has reason %q", code, got.Reason)
		}
	}
}

func TestOtherErrorsBecomeKinds(t *testing.T) {
	for _, c := range []struct {
		err  error
		want errs.Kind
	}{
		{context.Canceled, errs.Canceled},
		{fmt.Errorf("wrapped: %w", context.DeadlineExceeded), errs.Deadline},
		{&fs.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC}, errs.Unavailable},
		{&net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}, errs.Unavailable},
		{syscall.EPIPE, errs.Unavailable},
		{errors.New("anything"), errs.Internal},
	} {
		got := Translate(c.err)
		if errs.KindOf(got) != c.want || !errors.Is(got, c.err) {
			t.Errorf("Translate(%v) = %v (%v), want %v with its cause", c.err, got, errs.KindOf(got), c.want)
		}
	}
	mine := errs.New(errs.Denied, "no")
	if got := Translate(mine); got != error(mine) {
		t.Errorf("Translate changed an error that was translated: %v", got)
	}
	for _, err := range []error{sql.ErrNoRows, pgx.ErrNoRows, ErrNoRows} {
		if got := Translate(err); !errors.Is(got, ErrNoRows) {
			t.Errorf("Translate(%v) = %v, want ErrNoRows", err, got)
		}
	}
	if Translate(nil) != nil {
		t.Error("Translate(nil) is not nil")
	}
}

func TestErrorNamesItsStatementToTheOperatorAlone(t *testing.T) {
	l := openLite(t, LiteOptions{})
	mustPut(t, l, 1, "x")
	err := put(t.Context(), l, 1, "x")
	if !strings.Contains(err.Error(), insertPair.Where()) {
		t.Errorf("%v does not name %s", err, insertPair.Where())
	}
	if public := errs.Public(err); public != "already exists" {
		t.Errorf("the caller reads %q", public)
	}
}
