package storage

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"nexus/authzsvc/authz"
	"nexus/internal/errs"
	"nexus/internal/sqldb"
	"nexus/schema"
	"nexus/storage/internal/sqlstore"
)

// Version is one version of a file. Versions are never changed.
type Version struct {
	Number  int64
	Etag    string
	Size    int64 // bytes
	Created time.Time
	Author  authz.Ref
}

// ReadVersion returns the contents of one version of the granted file. A number that it does not have is errs.NotFound.
func (f *Files) ReadVersion(ctx context.Context, g schema.ReadFile, number int64) (Version, []byte, error) {
	file, err := g.Use()
	if err != nil {
		return Version{}, nil, err
	}
	return f.version(ctx, file.Address, number, MaxRead)
}

// ReadVersionMasked is ReadVersion for a Grant obliged to authz.MaskValues.
func (f *Files) ReadVersionMasked(ctx context.Context, g schema.ReadFile, number int64) (Version, []byte, error) {
	file, err := g.Use(authz.MaskValues)
	if err != nil {
		return Version{}, nil, err
	}
	v, body, err := f.version(ctx, file.Address, number, MaxMasked)
	if err != nil {
		return Version{}, nil, err
	}
	return v, maskValues(body), nil
}

// version returns a version with its contents, of at most limit bytes.
func (f *Files) version(ctx context.Context, a schema.Address, number, limit int64) (Version, []byte, error) {
	if err := isFile(a); err != nil {
		return Version{}, nil, err
	}
	row, r, err := f.open(ctx, a.Anchor, number)
	if errors.Is(err, sqldb.ErrNoRows) {
		return Version{}, nil, noVersion(a.Path, number)
	}
	if err != nil {
		return Version{}, nil, err
	}
	c := &Content{Entry: Entry{Path: a.Path, Size: row.Size}, ReadSeekCloser: r}
	body, err := c.all(limit, "of a version no more is read than")
	return versionFrom(row), body, err
}

// isFile returns nil when there is a file at a.
func isFile(a schema.Address) error {
	switch {
	case !a.Exists():
		return missing(a.Path)
	case a.Folder:
		return errs.New(errs.Invalid, "%s is a folder", a.Path).Marked(errs.NotValid)
	}
	return nil
}

func noVersion(path string, number int64) error {
	return errs.New(errs.NotFound, "%s has no version %d", path, number).Marked(errs.FileNotFound).
		With("path", path).With("version", fmt.Sprint(number))
}

func versionFrom(row *sqlstore.Version) Version {
	return Version{Number: row.Number, Etag: row.Etag, Size: row.Size, Created: micros(row.Created), Author: refOf(row.Author)}
}

// Versions returns up to n versions of the granted file, the newest first, below a number; 0 begins with the newest. next is
// where the following ones begin; 0 when none follow.
func (f *Files) Versions(ctx context.Context, g schema.ReadFile, before int64, n int) (all []Version, next int64, err error) {
	file, err := g.Use(authz.MaskValues) // what is known of versions shows no values
	if err != nil {
		return nil, 0, err
	}
	if err := isFile(file.Address); err != nil {
		return nil, 0, err
	}
	if before == 0 {
		before = math.MaxInt64
	}
	rows, err := sqlstore.VersionsBefore(ctx, f.s.db, file.Anchor, before, n)
	if err != nil {
		return nil, 0, err
	}
	for i := range rows {
		all = append(all, versionFrom(&rows[i]))
	}
	if len(rows) == n {
		next = rows[n-1].Number
	}
	return all, next, nil
}

// Rollback makes a new version of the granted file with the contents of an earlier one, which are named once more and not read.
func (f *Files) Rollback(ctx context.Context, over schema.WriteFile, number int64) (entry Entry, err error) {
	file, err := over.Use(authz.MaskValues) // it shows nothing
	if err != nil {
		return Entry{}, err
	}
	if err := isFile(file.Address); err != nil {
		return Entry{}, err
	}
	a, d := file.Address, over.Decision()
	err = f.s.act(ctx, d, func(ctx context.Context, tx sqldb.Tx, seq int64) (bool, error) {
		place, err := same(ctx, tx, a)
		if err != nil {
			return false, err
		}
		w := &writing{s: f.s, tx: tx, d: d, at: f.s.now(), seq: seq}
		err = w.again(ctx, place.File, a, place.File.ID, number)
		if errors.Is(err, sqldb.ErrNoRows) {
			return false, noVersion(a.Path, number)
		}
		if err != nil {
			return false, err
		}
		entry = fileEntry(a.Tenant, a.Path, place.File)
		return true, w.done(ctx, sqlstore.Written, place.File.ID, a.Path)
	})
	return entry, err
}
