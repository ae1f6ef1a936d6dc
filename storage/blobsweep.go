package storage

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"nexus/authzsvc/authz"
	"nexus/internal/errs"
	"nexus/internal/sqldb"
	"nexus/schema"
	"nexus/storage/internal/blob"
	"nexus/storage/internal/sqlstore"
)

// SweepOptions say how a sweep goes about it.
type SweepOptions struct {
	// Grace is how long a blob stays after something last began to name it (default: 24 h).
	Grace time.Duration
	// For is after how long a sweep stops to be gone on with later (default: 5 s).
	For time.Duration
}

// Swept is what a sweep did.
type Swept struct {
	Looked   int   // blobs looked at
	Unmarked int   // found to be named by nothing for the first time
	Removed  int   // named by nothing for the second time, and removed
	Bytes    int64 // in those
	Harmed   []string
	Done     bool // the round is at its end; otherwise there is more to look at
}

const (
	blobPage  = 500 // rows read at once
	blobBatch = 16  // blobs changed in one transaction
)

// Sweep goes on with the round through the granted tenant's blobs, and begins a new one where the last is at its end. What no
// version and no lease names is noted in one round and removed in a later one, unless something began to name it in between or
// within the grace. Files that no row knows go once they are older than that, and so does what was left half received.
//
// A blob is removed in the transaction in which nothing names it: its row is deleted, and its file put into the trash before the
// commit. So who begins to name it, which changes the row, comes before, and it stays; or after, and finds it gone.
func (b *Blobs) Sweep(ctx context.Context, g schema.SweepTenant, o SweepOptions) (out Swept, err error) {
	tenant, err := g.Use()
	if err != nil {
		return out, err
	}
	if !b.s.harm.sweeping.TryLock() {
		return out, errs.New(errs.Conflict, "a sweep is going on")
	}
	defer b.s.harm.sweeping.Unlock()
	w := &sweep{s: b.s, d: g.Decision(), tenant: tenant.Named().ID, out: &out}
	now := b.s.clock.Now()
	w.before = now.Add(-cmp.Or(o.Grace, 24*time.Hour))
	bucket, err := w.begin(ctx, now)
	if err != nil {
		return out, err
	}
	ends := time.Now().Add(cmp.Or(o.For, 5*time.Second))
	for bucket < blob.Buckets && err == nil && time.Now().Before(ends) {
		if err = w.bucket(ctx, fmt.Sprintf("%02x", bucket)); err == nil {
			bucket++
		}
	}
	out.Done = bucket == blob.Buckets
	b.s.harm.removed.Add(int64(out.Removed))
	b.s.harm.bytes.Add(out.Bytes)
	return out, errors.Join(err, w.pause(ctx, bucket))
}

// Pause keeps contents from being removed until resume is called: for copying them. It waits for a sweep that is going on.
func (b *Blobs) Pause(context.Context) (resume func(), err error) {
	b.s.harm.sweeping.Lock()
	return b.s.harm.sweeping.Unlock, nil
}

// sweep is a part of a round through a tenant's blobs.
type sweep struct {
	s      *Store
	d      *authz.Decision
	tenant string
	round  int64     // when it began, in microseconds
	before time.Time // the grace
	out    *Swept
}

// begin returns the bucket to go on with. A new round first ends what is over.
func (w *sweep) begin(ctx context.Context, now time.Time) (bucket int, err error) {
	w.round, bucket, err = sqlstore.SweepAt(ctx, w.s.db, w.tenant)
	if err == nil && bucket < blob.Buckets {
		return bucket, nil
	}
	if err != nil && !errors.Is(err, sqldb.ErrNoRows) {
		return 0, err
	}
	w.round = max(now.UnixMicro(), w.round+1)
	if _, err := w.s.blobs.Tidy(w.before); err != nil {
		return 0, err
	}
	if err := w.all(ctx, sqlstore.ExpireLeases, now); err != nil {
		return 0, err
	}
	return 0, w.all(ctx, sqlstore.ForgetAnswers, now.Add(-AnswersKept))
}

// all removes what was over at a time, as many at once as a transaction should.
func (w *sweep) all(ctx context.Context, remove func(context.Context, sqldb.Tx, string, int64, int) (int64, error), at time.Time) error {
	for {
		n := int64(0)
		err := w.tx(ctx, func(ctx context.Context, tx sqldb.Tx) (err error) {
			n, err = remove(ctx, tx, w.tenant, at.UnixMicro(), blobPage)
			return err
		})
		if err != nil || n < blobPage {
			return err
		}
	}
}

// pause notes where to go on.
func (w *sweep) pause(ctx context.Context, bucket int) error {
	return w.tx(context.WithoutCancel(ctx), func(ctx context.Context, tx sqldb.Tx) error {
		return sqlstore.SetSweep(ctx, tx, w.tenant, w.round, bucket)
	})
}

// tx runs f in a transaction in which the decision still holds.
func (w *sweep) tx(ctx context.Context, f func(context.Context, sqldb.Tx) error) error {
	return w.s.db.Tx(ctx, func(ctx context.Context, tx sqldb.Tx) error {
		if err := w.d.Hold(); err != nil {
			return err
		}
		return f(ctx, tx)
	})
}

// bucket looks at the blobs whose hash begins with prefix. Files are listed before rows: a blob that arrives meanwhile has a row
// that is too young to be looked at.
func (w *sweep) bucket(ctx context.Context, prefix string) error {
	found, err := w.s.blobs.List(w.tenant, prefix)
	if err != nil {
		return err
	}
	files := make(map[string]blob.Found, len(found))
	for _, f := range found {
		files[f.Hash] = f
	}
	for first := prefix; ; {
		rows, err := sqlstore.BlobsIn(ctx, w.s.db, w.tenant, first, prefix+"g", blobPage) // no digit comes after f
		if err != nil {
			return err
		}
		if err := w.rows(ctx, rows, files); err != nil {
			return err
		}
		if len(rows) < blobPage {
			return w.strays(ctx, files)
		}
		first = rows[len(rows)-1].Hash + "0"
	}
}

// rows looks at rows, and takes their files out of files.
func (w *sweep) rows(ctx context.Context, rows []sqlstore.Blob, files map[string]blob.Found) error {
	var marks, ends []sqlstore.Blob
	for _, b := range rows {
		_, there := files[b.Hash]
		delete(files, b.Hash)
		w.out.Looked++
		switch old := b.Touched < w.before.UnixMicro(); {
		case b.Named && b.Unmarked != 0, !b.Named && old && b.Unmarked == 0:
			marks = append(marks, b)
		case !b.Named && old && b.Unmarked < w.round:
			ends = append(ends, b)
		case b.Named && old && !there:
			w.out.Harmed = append(w.out.Harmed, blob.ID{Tenant: w.tenant, Hash: b.Hash}.String())
		}
	}
	if err := inBatches(marks, func(batch []sqlstore.Blob) error { return w.mark(ctx, batch) }); err != nil {
		return err
	}
	return inBatches(ends, func(batch []sqlstore.Blob) error {
		return w.remove(ctx, batch, func(ctx context.Context, tx sqldb.Tx, b sqlstore.Blob) (bool, error) {
			return sqlstore.DeleteBlob(ctx, tx, w.tenant, b)
		})
	})
}

// mark notes of blobs whether something names them.
func (w *sweep) mark(ctx context.Context, batch []sqlstore.Blob) error {
	err := w.tx(ctx, func(ctx context.Context, tx sqldb.Tx) error {
		for _, b := range batch {
			since := w.round
			if b.Named {
				since = 0
			}
			if err := sqlstore.MarkBlob(ctx, tx, w.tenant, b, since); err != nil {
				return err
			}
		}
		return nil
	})
	for _, b := range batch {
		if err == nil && !b.Named {
			w.out.Unmarked++
		}
	}
	return err
}

// strays removes the files that no row knows, once they are old enough.
func (w *sweep) strays(ctx context.Context, files map[string]blob.Found) error {
	var old []sqlstore.Blob
	for _, f := range files {
		if f.Modified.Before(w.before) {
			old = append(old, sqlstore.Blob{Hash: f.Hash, Size: f.Size})
		}
	}
	return inBatches(old, func(batch []sqlstore.Blob) error {
		return w.remove(ctx, batch, func(ctx context.Context, tx sqldb.Tx, b sqlstore.Blob) (bool, error) {
			known, err := sqlstore.KnowsBlob(ctx, tx, w.tenant, b.Hash)
			return !known, err
		})
	})
}

// remove takes away those of batch that gone, asked in the transaction, lets go. When the transaction comes to nothing their
// files come back; when the process ends before that, Founding.Recover brings them back.
func (w *sweep) remove(ctx context.Context, batch []sqlstore.Blob, gone func(context.Context, sqldb.Tx, sqlstore.Blob) (bool, error)) error {
	taken, bytes := []blob.ID{}, int64(0)
	err := w.tx(ctx, func(ctx context.Context, tx sqldb.Tx) error {
		if err := w.putBack(taken); err != nil { // those of a try before this one
			return err
		}
		taken, bytes = taken[:0], 0
		for _, b := range batch {
			id := blob.ID{Tenant: w.tenant, Hash: b.Hash}
			going, err := gone(ctx, tx, b)
			if err != nil {
				return err
			}
			if !going {
				continue
			}
			switch err := w.s.blobs.Trash(id); {
			case errors.Is(err, fs.ErrNotExist): // the row goes by itself
			case err != nil:
				return err
			default:
				taken, bytes = append(taken, id), bytes+b.Size
			}
		}
		return nil
	})
	if err != nil {
		return errors.Join(err, w.putBack(taken))
	}
	w.out.Removed, w.out.Bytes = w.out.Removed+len(taken), w.out.Bytes+bytes
	for _, id := range taken {
		if err := w.s.blobs.Purge(id); err != nil {
			return err
		}
	}
	return nil
}

func (w *sweep) putBack(taken []blob.ID) error {
	var all []error
	for _, id := range taken {
		all = append(all, w.s.blobs.Restore(id))
	}
	return errors.Join(all...)
}

// inBatches calls f for all, a few at a time.
func inBatches[T any](all []T, f func([]T) error) error {
	for len(all) > 0 {
		n := min(len(all), blobBatch)
		if err := f(all[:n]); err != nil {
			return err
		}
		all = all[n:]
	}
	return nil
}
