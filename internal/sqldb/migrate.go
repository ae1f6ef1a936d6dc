package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"time"

	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"

	"nexus/internal/errs"
)

// Migrate brings the schema of db up to date with the numbered goose files in the folder of fsys that is named after db's
// dialect, "sqlite" or "postgres". Each file is applied once and in a transaction of its own; call it before anything else
// uses db. Servers that start together wait for each other. A database that is newer than the files is refused with
// errs.Precondition: an older program must not write into it.
func Migrate(ctx context.Context, db DB, fsys fs.FS) error {
	return MigrateSet(ctx, db, mainSet, fsys)
}

const mainSet = "main"

// MigrateSet is Migrate for a part of the schema with files and numbers of its own. set is a short lower-case name, the
// same for ever, which names the table that remembers what was applied.
func MigrateSet(ctx context.Context, db DB, set string, fsys fs.FS) error {
	m, ok := db.(migrator)
	if !ok {
		return errs.Bug("migrate: %T is no database of this package", db)
	}
	files, err := fs.Sub(fsys, db.Dialect().String())
	if err != nil {
		return errs.New(errs.Internal, "no migrations for %s", db.Dialect()).Because(err)
	}
	return m.migrate(ctx, func(ctx context.Context, conns *sql.DB) error { return up(ctx, db.Dialect(), conns, set, files) })
}

// migrator is what both engines offer to Migrate: a database/sql pool that may change the schema, while nobody else does.
type migrator interface {
	migrate(ctx context.Context, f func(context.Context, *sql.DB) error) error
}

// gooseDialects maps our names to theirs.
var gooseDialects = map[Dialect]goose.Dialect{SQLite: goose.DialectSQLite3, Postgres: goose.DialectPostgres}

func up(ctx context.Context, d Dialect, conns *sql.DB, set string, files fs.FS) error {
	p, err := goose.NewProvider(gooseDialects[d], conns, files,
		goose.WithTableName(tableOf(set)), goose.WithLogger(goose.NopLogger()), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return errs.New(errs.Internal, "read the migrations of %s", set).Because(err)
	}
	have, want, err := p.GetVersions(ctx)
	if err != nil {
		return Translate(err)
	}
	if err := notAhead(have, want, set); err != nil {
		return err
	}
	_, err = p.Up(ctx)
	return Translate(err)
}

// migrate gives f a connection like the writer's, beside it: SQLite itself lets them take turns.
func (l *Lite) migrate(ctx context.Context, f func(context.Context, *sql.DB) error) error {
	leave, err := l.running.enter()
	if err != nil {
		return err
	}
	defer leave()
	conns, err := sql.Open("sqlite", dsn(l.path, writerPragmas()))
	if err != nil {
		return Translate(err)
	}
	conns.SetMaxOpenConns(1)
	return errors.Join(f(ctx, conns), Translate(conns.Close()))
}

// migrate holds an advisory lock of the server while f runs.
func (p *PG) migrate(ctx context.Context, f func(context.Context, *sql.DB) error) error {
	leave, err := p.running.enter()
	if err != nil {
		return err
	}
	defer leave()
	c := p.pool.Config().ConnConfig.Copy()
	delete(c.RuntimeParams, readOnly)
	conns := stdlib.OpenDB(*c)
	return errors.Join(locked(ctx, conns, f), Translate(conns.Close()))
}

// migrationLock is the advisory lock's number: "nexus" in ASCII.
const migrationLock = 0x6e65787573

// locked runs f under the lock, which ends with its session. It asks again and again instead of waiting in a statement: an
// open statement would hold up another server's CREATE INDEX CONCURRENTLY, which holds the lock.
func locked(ctx context.Context, conns *sql.DB, f func(context.Context, *sql.DB) error) error {
	session, err := conns.Conn(ctx)
	if err != nil {
		return Translate(err)
	}
	defer session.Close()
	for {
		var got bool
		if err := session.QueryRowContext(ctx, "SELECT pg_try_advisory_lock($1)", migrationLock).Scan(&got); err != nil {
			return Translate(err)
		}
		if got {
			return f(ctx, conns)
		}
		if err := wait(ctx, 100*time.Millisecond); err != nil {
			return Translate(err)
		}
	}
}
