package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"nexus/internal/errs"
)

// Translate turns an error of either driver into the error of Nexus that it means, with the driver's own as cause. What is
// an errs error or ErrNoRows already stays as it is, so translating twice does no harm. What it does not know is Internal.
func Translate(err error) error {
	if err == nil {
		return nil
	}
	var known *errs.Error
	var lite *sqlite.Error
	var pg *pgconn.PgError
	switch {
	case errors.As(err, &known), errors.Is(err, ErrNoRows):
		return err
	case errors.Is(err, sql.ErrNoRows), errors.Is(err, pgx.ErrNoRows):
		return ErrNoRows
	case errors.As(err, &lite):
		return fromSQLite(lite.Code()).Because(err)
	case errors.As(err, &pg):
		return fromPostgres(pg.Code).Because(err)
	case errors.Is(err, context.Canceled):
		return errs.New(errs.Canceled, "canceled").Because(err)
	case errors.Is(err, context.DeadlineExceeded):
		return errs.New(errs.Deadline, "time ran out").Because(err)
	case errors.Is(err, syscall.ENOSPC):
		return diskFull().Because(err)
	case lostConnection(err):
		return errs.New(errs.Unavailable, "the database cannot be reached").Because(err)
	}
	return errs.New(errs.Internal, "database error").Because(err)
}

// failed translates err and adds the place of s, for the operator.
func failed(s *Stmt, err error) error {
	if err == nil {
		return nil
	}
	translated := Translate(err)
	var e *errs.Error
	if errors.As(translated, &e) && e.Err == err {
		e.Err = fmt.Errorf("%s: %w", s.where, err)
	}
	return translated
}

func diskFull() *errs.Error {
	return errs.New(errs.Unavailable, "the disk is full").Marked(errs.DiskFull)
}

// fromSQLite knows the extended result codes; the low byte of a code is its family.
func fromSQLite(code int) *errs.Error {
	switch code {
	case sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY, sqlite3.SQLITE_CONSTRAINT_ROWID:
		return errs.New(errs.Exists, "already exists")
	case sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY:
		return errs.New(errs.Precondition, "something this refers to is missing, or something refers to this")
	case sqlite3.SQLITE_IOERR_SHMSIZE:
		return diskFull()
	}
	switch code & 0xff {
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL:
		return errs.New(errs.Conflict, "another writer came first")
	case sqlite3.SQLITE_FULL:
		return diskFull()
	case sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_NOMEM:
		return errs.New(errs.Unavailable, "the database cannot be read or written")
	case sqlite3.SQLITE_INTERRUPT:
		return errs.New(errs.Canceled, "canceled")
	case sqlite3.SQLITE_TOOBIG:
		return errs.New(errs.Invalid, "a value is too large to store")
	}
	return errs.New(errs.Internal, "database error")
}

// fromPostgres knows the SQLSTATE codes; the first two characters of a code are its class.
func fromPostgres(code string) *errs.Error {
	switch code {
	case "23505", "23P01": // unique, exclusion
		return errs.New(errs.Exists, "already exists")
	case "23503", "23001": // foreign key, restrict
		return errs.New(errs.Precondition, "something this refers to is missing, or something refers to this")
	case "40001", "40P01", "55P03": // serialization, deadlock, lock not available
		return errs.New(errs.Conflict, "another writer came first")
	case "53100": // disk full
		return diskFull()
	case "57014": // query canceled
		return errs.New(errs.Canceled, "canceled")
	case "22021", "22P05": // bytes that are no text of the database's encoding
		return errs.New(errs.Invalid, "a text holds bytes that cannot be stored")
	case "54000": // program limit, such as a row too wide for an index
		return errs.New(errs.Invalid, "a value is too large to store")
	}
	switch {
	case hasClass(code, "08", "53", "57", "58"): // connection, resources, operator, system
		return errs.New(errs.Unavailable, "the database cannot serve now")
	}
	return errs.New(errs.Internal, "database error")
}

func hasClass(code string, classes ...string) bool {
	for _, c := range classes {
		if strings.HasPrefix(code, c) {
			return true
		}
	}
	return false
}

func lostConnection(err error) bool {
	var network net.Error
	var connect *pgconn.ConnectError
	return errors.As(err, &network) || errors.As(err, &connect) || pgconn.SafeToRetry(err) ||
		errors.Is(err, net.ErrClosed) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}
