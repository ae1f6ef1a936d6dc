package storage

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"nexus/authzsvc/authz"
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

// Read returns the contents of a file and what is known of it, both of the same version. What is longer than MaxRead is refused
// with reason BodyTooLarge; Open serves any length.
func (f *Files) Read(ctx context.Context, g schema.ReadFile) (Entry, []byte, error) {
	c, err := f.Open(ctx, g)
	return read(c, err)
}

// ReadMasked is Read for a Grant obliged to authz.MaskValues: every value in a file of NAME=value lines is replaced.
func (f *Files) ReadMasked(ctx context.Context, g schema.ReadFile) (Entry, []byte, error) {
	c, err := f.OpenMasked(ctx, g)
	return read(c, err)
}

func read(c *Content, err error) (Entry, []byte, error) {
	if err != nil {
		return Entry{}, nil, err
	}
	body, err := c.all(MaxRead, "what is read at once has no more than")
	if err != nil {
		return Entry{}, nil, err
	}
	return c.Entry, body, nil
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
func contentType(head []byte) string {
	t, _, _ := strings.Cut(http.DetectContentType(head), ";")
	return t
}
