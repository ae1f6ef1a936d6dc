package storage

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"nexus/authzsvc/authz"
	"nexus/internal/errs"
	"nexus/internal/sqldb"
	"nexus/schema"
	"nexus/storage/internal/sqlstore"
)

// Files is the façade of files and folders. It is safe for concurrent use.
type Files struct{ s *Store }

// Files returns the façade.
func (s *Store) Files() *Files { return &Files{s} }

// Entry is what is known of a file or folder. A folder has neither etag, version nor type.
type Entry struct {
	Path     string
	Tenant   string // quoted
	Folder   bool
	Size     int64 // bytes
	Etag     string
	Version  int64
	Type     string
	Created  time.Time
	Modified time.Time
}

// Read returns the contents of a file and what is known of it, both of the same version.
func (f *Files) Read(ctx context.Context, g schema.ReadFile) (Entry, []byte, error) {
	file, err := g.Use()
	if err != nil {
		return Entry{}, nil, err
	}
	return f.contents(ctx, file.Address)
}

// ReadMasked is Read for a Grant obliged to authz.MaskValues: every value in a file of NAME=value lines is replaced.
func (f *Files) ReadMasked(ctx context.Context, g schema.ReadFile) (Entry, []byte, error) {
	file, err := g.Use(authz.MaskValues)
	if err != nil {
		return Entry{}, nil, err
	}
	entry, body, err := f.contents(ctx, file.Address)
	if err != nil {
		return Entry{}, nil, err
	}
	return entry, maskValues(body), nil
}

func (f *Files) contents(ctx context.Context, a schema.Address) (Entry, []byte, error) {
	switch {
	case !a.Exists():
		return Entry{}, nil, missing(a.Path)
	case a.Folder:
		return Entry{}, nil, errs.New(errs.Invalid, "%s is a folder", a.Path).Marked(errs.NotValid)
	}
	row, body, err := sqlstore.Current(ctx, f.s.db, a.Anchor)
	if errors.Is(err, sqldb.ErrNoRows) {
		return Entry{}, nil, missing(a.Path)
	}
	if err != nil {
		return Entry{}, nil, err
	}
	return fileEntry(a.Tenant, a.Path, row), body, nil
}

// Stat returns what is known of a file or folder.
func (f *Files) Stat(ctx context.Context, g schema.ReadFile) (Entry, error) {
	file, err := g.Use(authz.MaskValues) // metadata shows no values
	if err != nil {
		return Entry{}, err
	}
	return f.stat(ctx, file.Address)
}

func (f *Files) stat(ctx context.Context, a schema.Address) (Entry, error) {
	if !a.Exists() {
		return Entry{}, missing(a.Path)
	}
	if a.Folder {
		d, err := sqlstore.DirByID(ctx, f.s.db, a.Anchor)
		if errors.Is(err, sqldb.ErrNoRows) {
			return Entry{}, missing(a.Path)
		}
		if err != nil {
			return Entry{}, err
		}
		return dirEntry(d), nil
	}
	row, err := sqlstore.FileByID(ctx, f.s.db, a.Anchor)
	if errors.Is(err, sqldb.ErrNoRows) {
		return Entry{}, missing(a.Path)
	}
	if err != nil {
		return Entry{}, err
	}
	return fileEntry(a.Tenant, a.Path, row), nil
}

func fileEntry(tenant, path string, row *sqlstore.File) Entry {
	return Entry{
		Path: path, Tenant: tenant, Size: row.Size, Etag: row.Etag, Version: row.Version, Type: row.Type,
		Created: micros(row.Created), Modified: micros(row.Modified),
	}
}

func dirEntry(d *sqlstore.Dir) Entry {
	return Entry{
		Path: sqlstore.Unslashed(d.Path), Tenant: d.Tenant, Folder: true,
		Created: micros(d.Created), Modified: micros(d.Modified),
	}
}

// contentType guesses the media type of a file from its first bytes.
func contentType(body []byte) string {
	t, _, _ := strings.Cut(http.DetectContentType(body), ";")
	return t
}
