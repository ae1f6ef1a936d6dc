// Package sqlstore keeps the rows of the domain, in one SQL text for SQLite and PostgreSQL. It decides nothing: the façades
// of package storage, which take Grants, are its only callers. To add a table, write a migration for each dialect and a file
// of its noun here.
package sqlstore

import (
	"context"
	"embed"
	"io/fs"

	"nexus/internal/sqldb"
)

//go:embed migrations
var migrations embed.FS

// Migrate brings the tables of db to their newest form.
func Migrate(ctx context.Context, db sqldb.DB) error {
	sub, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	return sqldb.Migrate(ctx, db, sub)
}

// CheckVersion refuses with errs.Precondition a database whose tables are newer than this program. It writes nothing.
func CheckVersion(ctx context.Context, db *sqldb.Lite) error {
	sub, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	return sqldb.CheckVersion(ctx, db, sub)
}
