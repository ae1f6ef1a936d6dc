package storage

import (
	"context"
	"errors"
	"io/fs"
	"sync"
	"sync/atomic"

	"nexus/internal/sqldb"
	"nexus/storage/internal/blob"
	"nexus/storage/internal/sqlstore"
)

// BlobDir is the directory of the contents that are too long for a row.
type BlobDir = blob.Store

// OpenBlobDir opens the directory, which it makes when missing, and removes what was half received. The caller makes sure that no
// other process has it open.
func OpenBlobDir(dir string) (*BlobDir, error) { return blob.Open(dir) }

// Blobs is the façade of keeping longer contents, for those who work by themselves. None of its methods returns contents. It is
// safe for concurrent use.
type Blobs struct{ s *Store }

// Blobs returns the façade.
func (s *Store) Blobs() *Blobs { return &Blobs{s} }

// BlobStats counts since the start.
type BlobStats struct {
	Removed      int64 // blobs that nothing named any more
	RemovedBytes int64
	Checked      int64 // blobs that were compared with their hash
	Harmed       int64 // times that one was found missing or changed, by a check or by who wanted to read it
}

// Stats returns the counts.
func (b *Blobs) Stats() BlobStats {
	h := &b.s.harm
	return BlobStats{Removed: h.removed.Load(), RemovedBytes: h.bytes.Load(), Checked: h.checked.Load(), Harmed: h.harmed.Load()}
}

// harm counts what befalls blobs, and lets one sweep run at a time.
type harm struct {
	removed, bytes, checked, harmed atomic.Int64
	sweeping                        sync.Mutex
}

// found counts err when it says that contents are not as they were stored.
func (h *harm) found(err error) bool {
	if !errors.Is(err, blob.ErrMissing) && !errors.Is(err, blob.ErrCorrupt) {
		return false
	}
	h.harmed.Add(1)
	return true
}

// Recover ends the removals that an earlier process left half done: a blob that has its row comes back, any other goes. Restores
// that it was at can be gone on with. It runs at each start, before anything is stored.
func (f Founding) Recover(ctx context.Context) error {
	if err := f.releaseRestores(ctx); err != nil {
		return err
	}
	tenants, err := sqlstore.Tenants(ctx, f.s.db)
	if err != nil {
		return err
	}
	for _, tenant := range tenants {
		trashed, err := f.s.blobs.Trashed(tenant)
		if err != nil {
			return err
		}
		for _, hash := range trashed {
			if err := f.settle(ctx, blob.ID{Tenant: tenant, Hash: hash}); err != nil {
				return err
			}
		}
	}
	return nil
}

func (f Founding) settle(ctx context.Context, id blob.ID) error {
	known, err := sqlstore.KnowsBlob(ctx, f.s.db, id.Tenant, id.Hash)
	switch {
	case err != nil:
		return err
	case known:
		return f.s.blobs.Restore(id)
	}
	return f.s.blobs.Purge(id)
}

// BlobReport is what a look at a directory found.
type BlobReport struct {
	Blobs int64
	Bytes int64
	Wrong int64  // missing, or of another length than they should be
	First string // one of those
}

// InspectBlobs compares the blobs that db knows with the files in dir, by their length. It changes nothing.
func InspectBlobs(ctx context.Context, db sqldb.DB, dir string) (r BlobReport, err error) {
	const page = 1000
	files := blob.At(dir)
	for after := (sqlstore.OwnedBlob{}); ; {
		all, err := sqlstore.AllBlobs(ctx, db, after, page)
		if err != nil {
			return r, err
		}
		for _, b := range all {
			id := blob.ID{Tenant: b.Tenant, Hash: b.Hash}
			size, err := files.Size(id)
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return r, err
			}
			r.Blobs, r.Bytes = r.Blobs+1, r.Bytes+b.Size
			if err != nil || size != b.Size {
				r.Wrong, r.First = r.Wrong+1, id.String()
			}
		}
		if len(all) < page {
			return r, nil
		}
		after = all[len(all)-1]
	}
}
