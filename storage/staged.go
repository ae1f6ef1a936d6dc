package storage

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"time"

	"nexus/internal/errs"
	"nexus/internal/ids"
	"nexus/internal/sqldb"
	"nexus/schema"
	"nexus/storage/internal/blob"
	"nexus/storage/internal/sqlstore"
)

// leaseFor is how long contents that have arrived are kept for the write that is to name them. It follows at once.
const leaseFor = time.Hour

// Staged is contents that have arrived and that nothing names yet. It serves one write, which may be tried again when it fails;
// Discard ends it in any case. It belongs to one goroutine.
type Staged struct {
	s      *Store
	tenant string // quoted
	etag   string
	typ    string
	size   int64
	body   []byte     // up to inRow bytes
	temp   *blob.Temp // longer ones, until they are a blob
	lease  string     // keeps the blob
	mends  bool       // the blob was there, with other contents than its name says
	used   bool       // a version names them
}

// StageOver receives contents that are to be written over the granted file as o says. What cannot be written so, as things stand, is
// refused before body is read; it is asked again when they are written.
func (f *Files) StageOver(ctx context.Context, over schema.WriteFile, o WriteOptions, body io.Reader) (*Staged, error) {
	file, err := over.Use()
	if err != nil {
		return nil, err
	}
	return f.stage(ctx, file.Address, o, body)
}

// StageInto is StageOver for a file that is to be made where the granted folder's address leads.
func (f *Files) StageInto(ctx context.Context, into schema.WriteDir, o WriteOptions, body io.Reader) (*Staged, error) {
	dir, err := into.Use()
	if err != nil {
		return nil, err
	}
	return f.stage(ctx, dir.Address, o, body)
}

func (f *Files) stage(ctx context.Context, a schema.Address, o WriteOptions, body io.Reader) (*Staged, error) {
	if err := f.writable(ctx, a, o); err != nil {
		return nil, err
	}
	return f.s.stage(ctx, a.Tenant, body)
}

// writable reports whether contents can be written at a, as things stand. With a key it depends on what was answered before.
func (f *Files) writable(ctx context.Context, a schema.Address, o WriteOptions) error {
	var place sqlstore.Place
	switch {
	case a.Exists() && a.Folder:
		return errs.New(errs.Invalid, "%s is a folder", a.Path).Marked(errs.NotValid)
	case o.Key != "":
		return nil
	case a.Exists():
		row, err := sqlstore.FileByID(ctx, f.s.db, a.Anchor)
		if errors.Is(err, sqldb.ErrNoRows) {
			return stale()
		}
		if err != nil {
			return err
		}
		place.File = row
	}
	return o.check(place, a)
}

// stage reads all of body, in as little memory as it takes to find its type. When it does not come to an end nothing is left of it.
func (s *Store) stage(ctx context.Context, tenant string, body io.Reader) (*Staged, error) {
	head, err := io.ReadAll(io.LimitReader(body, inRow+1))
	if err != nil {
		return nil, cutShort(err)
	}
	if len(head) <= inRow {
		return s.stageShort(tenant, head), nil
	}
	st := &Staged{s: s, tenant: tenant, typ: contentType(head)}
	if st.temp, err = s.blobs.New(); err != nil {
		return nil, err
	}
	if err := st.receive(ctx, io.MultiReader(bytes.NewReader(head), body)); err != nil {
		return nil, errors.Join(err, st.temp.Discard())
	}
	st.etag, st.size = st.temp.Hash(), st.temp.Size()
	return st, nil
}

// stageBytes is stage of contents in memory.
func (s *Store) stageBytes(ctx context.Context, tenant string, body []byte) (*Staged, error) {
	if len(body) <= inRow {
		return s.stageShort(tenant, body), nil
	}
	return s.stage(ctx, tenant, bytes.NewReader(body))
}

// stageShort stages what goes into the row.
func (s *Store) stageShort(tenant string, body []byte) *Staged {
	sum := sha256.Sum256(body)
	return &Staged{s: s, tenant: tenant, etag: hex.EncodeToString(sum[:]), typ: contentType(body), size: int64(len(body)), body: body}
}

// receive copies body to the blob that is on its way in.
func (st *Staged) receive(ctx context.Context, body io.Reader) error {
	part := make([]byte, 256<<10)
	for {
		if err := ctx.Err(); err != nil {
			return cutShort(err)
		}
		n, err := body.Read(part)
		if _, err := st.temp.Write(part[:n]); err != nil {
			return err
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return cutShort(err)
		}
	}
}

// cutShort is the error of contents that did not come to their end.
func cutShort(err error) error {
	var own *errs.Error
	if errors.As(err, &own) {
		return err
	}
	return errs.New(errs.Canceled, "the contents ended early").Because(err)
}

// settle makes a blob of longer contents, and keeps it for the write that is to name it. The lease comes first: from then on no
// sweep removes the blob, so that one which is there can be trusted to stay.
func (st *Staged) settle(ctx context.Context) error {
	if st.used {
		return errs.Bug("staged contents serve one write")
	}
	if st.temp == nil {
		return nil
	}
	lease := ids.New()
	err := st.s.db.Tx(ctx, func(ctx context.Context, tx sqldb.Tx) (err error) {
		now := st.s.now()
		b := sqlstore.Blob{Hash: st.etag, Size: st.size, Touched: now}
		st.mends, err = sqlstore.Lease(ctx, tx, lease, st.tenant, b, now+leaseFor.Microseconds())
		return err
	})
	if err != nil {
		return err
	}
	st.lease = lease
	temp := st.temp
	st.temp = nil
	return temp.Keep(st.tenant, !st.mends)
}

// named notes in the transaction of a version that names the contents that they need no lease any more.
func (st *Staged) named(ctx context.Context, tx sqldb.Tx, at int64) error {
	if st.lease == "" {
		return nil
	}
	held, err := sqlstore.EndLease(ctx, tx, st.lease)
	if err != nil {
		return err
	}
	there, err := sqlstore.TouchBlob(ctx, tx, st.tenant, st.etag, at)
	if err != nil {
		return err
	}
	if !held || !there { // a row alone may be of another writer, whose contents have not arrived yet
		return errs.New(errs.Unavailable, "the contents were kept for %s, and then given up", leaseFor)
	}
	if !st.mends {
		return nil
	}
	return sqlstore.MendBlob(ctx, tx, st.tenant, st.etag, at)
}

// Discard gives up what was not written, and does nothing to what was. What cannot be given up now is swept later.
func (st *Staged) Discard() {
	if st.temp != nil {
		_ = st.temp.Discard()
		st.temp = nil
	}
	if st.lease == "" {
		return
	}
	_ = st.s.db.Tx(context.Background(), func(ctx context.Context, tx sqldb.Tx) error {
		_, err := sqlstore.EndLease(ctx, tx, st.lease)
		return err
	})
	st.lease = ""
}

// written notes that a version names the contents.
func (st *Staged) written() { st.used, st.lease = true, "" }

// kept returns the tenant among whose blobs the contents are, or "" when they go into the row.
func (st *Staged) kept() string {
	if st.size <= inRow {
		return ""
	}
	return st.tenant
}

// reader returns the contents for reading once.
func (st *Staged) reader() (io.ReadCloser, error) {
	switch {
	case st.size <= inRow:
		return whole{bytes.NewReader(st.body)}, nil
	case st.temp != nil:
		return st.temp.Open()
	}
	return st.s.blobs.Open(blob.ID{Tenant: st.tenant, Hash: st.etag}, st.size)
}
