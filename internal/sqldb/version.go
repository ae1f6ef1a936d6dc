package sqldb

import (
	"context"
	"database/sql"
	"io/fs"

	"github.com/pressly/goose/v3"

	"nexus/internal/errs"
)

// CheckVersion refuses with errs.Precondition a database that is newer than the files that Migrate would apply, and writes
// nothing. A program asks before its first write, of whichever part: an older one must not touch what a newer one has made.
func CheckVersion(ctx context.Context, db *Lite, fsys fs.FS) error {
	files, err := fs.Sub(fsys, db.Dialect().String())
	if err != nil {
		return errs.New(errs.Internal, "no migrations for %s", db.Dialect()).Because(err)
	}
	want, err := newest(files)
	if err != nil {
		return err
	}
	have, err := applied(ctx, db.readers, mainSet)
	if err != nil {
		return Translate(err)
	}
	return notAhead(have, want, mainSet)
}

// notAhead refuses a version that is newer than the program.
func notAhead(have, want int64, set string) error {
	if have <= want {
		return nil
	}
	return errs.New(errs.Precondition, "the database is at version %d of %s, this program knows %d: it needs a newer program", have, set, want)
}

// applied returns the version that a set of migrations has come to; 0 where it never began.
func applied(ctx context.Context, conns *sql.DB, set string) (version int64, err error) {
	var tables int
	err = conns.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = ?", tableOf(set)).Scan(&tables)
	if err != nil || tables == 0 {
		return 0, err
	}
	err = conns.QueryRowContext(ctx, "SELECT COALESCE(max(version_id), 0) FROM "+tableOf(set)+" WHERE is_applied").Scan(&version)
	return version, err
}

// newest returns the highest number among migration files.
func newest(files fs.FS) (version int64, err error) {
	names, err := fs.Glob(files, "*.sql")
	if err != nil {
		return 0, errs.New(errs.Internal, "read the migrations").Because(err)
	}
	for _, name := range names {
		n, err := goose.NumericComponent(name)
		if err != nil {
			return 0, errs.New(errs.Internal, "migration %s has no number", name).Because(err)
		}
		version = max(version, n)
	}
	return version, nil
}

// tableOf names the table that remembers what was applied of a set.
func tableOf(set string) string { return "migrations_" + set }
