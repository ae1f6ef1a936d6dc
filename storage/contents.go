package storage

import (
	"bytes"
	"context"
	"errors"
	"io"

	"nexus/authzsvc/authz"
	"nexus/internal/errs"
	"nexus/internal/sqldb"
	"nexus/schema"
	"nexus/storage/internal/blob"
	"nexus/storage/internal/sqlstore"
)

// Limits of contents, in bytes.
const (
	inRow     = 16 << 10 // up to here they are kept in the row of their version, above as a blob
	MaxRead   = 48 << 20 // up to here they are read as a whole; longer ones can only be opened
	MaxMasked = 4 << 20  // up to here values in them can be masked
)

// Content is the contents of one version, open for reading in any order, and what is known of the file. They do not change,
// whatever becomes of the file. The caller closes it.
type Content struct {
	Entry
	Masked bool // values are replaced: the bytes are not those that etag and size speak of
	io.ReadSeekCloser
}

// Open opens the contents of a file.
func (f *Files) Open(ctx context.Context, g schema.ReadFile) (*Content, error) {
	file, err := g.Use()
	if err != nil {
		return nil, err
	}
	return f.current(ctx, file.Address)
}

// OpenMasked is Open for a Grant obliged to authz.MaskValues. What is longer than MaxMasked is refused.
func (f *Files) OpenMasked(ctx context.Context, g schema.ReadFile) (*Content, error) {
	file, err := g.Use(authz.MaskValues)
	if err != nil {
		return nil, err
	}
	c, err := f.current(ctx, file.Address)
	if err != nil {
		return nil, err
	}
	body, err := c.all(MaxMasked, "values are not masked in more than")
	if err != nil {
		return nil, err
	}
	c.Masked, c.ReadSeekCloser = true, whole{bytes.NewReader(maskValues(body))}
	return c, nil
}

// all reads and closes contents of at most limit bytes.
func (c *Content) all(limit int64, why string) (body []byte, err error) {
	defer func() { err = errors.Join(err, c.Close()) }()
	if c.Size > limit {
		return nil, errs.New(errs.Invalid, "%s has %d bytes: %s %d", c.Path, c.Size, why, limit).Marked(errs.BodyTooLarge)
	}
	if held, ok := c.ReadSeekCloser.(whole); ok {
		body = make([]byte, held.Len())
		_, err = io.ReadFull(held, body)
		return body, err
	}
	return io.ReadAll(c)
}

// current opens the current version of the file at a.
func (f *Files) current(ctx context.Context, a schema.Address) (*Content, error) {
	if err := isFile(a); err != nil {
		return nil, err
	}
	row, v, err := sqlstore.Current(ctx, f.s.db, a.Anchor)
	if errors.Is(err, sqldb.ErrNoRows) {
		return nil, missing(a.Path)
	}
	if err != nil {
		return nil, err
	}
	r, err := f.s.contents(v)
	if err != nil {
		return nil, err
	}
	return &Content{Entry: fileEntry(a.Tenant, a.Path, row), ReadSeekCloser: r}, nil
}

// open opens a version of a file; ErrNoRows when there is none of that number. The caller closes the contents.
func (f *Files) open(ctx context.Context, file string, number int64) (*sqlstore.Version, io.ReadSeekCloser, error) {
	v, err := sqlstore.VersionOf(ctx, f.s.db, file, number)
	if err != nil {
		return nil, nil, err
	}
	r, err := f.s.contents(v)
	return v, r, err
}

// contents opens the contents of v, wherever they are.
func (s *Store) contents(v *sqlstore.Version) (io.ReadSeekCloser, error) {
	if v.Kept == "" {
		return whole{bytes.NewReader(v.Body)}, nil
	}
	r, err := s.blobs.Open(blob.ID{Tenant: v.Kept, Hash: v.Etag}, v.Size)
	if err != nil {
		s.harm.found(err)
		return nil, errs.New(errs.Internal, "contents cannot be read").Because(err)
	}
	return r, nil
}

// whole is contents in memory.
type whole struct{ *bytes.Reader }

// Close does nothing.
func (whole) Close() error { return nil }
