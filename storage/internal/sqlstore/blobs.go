package sqlstore

import (
	"context"

	"nexus/internal/sqldb"
)

// Blob is contents that are kept outside the database.
type Blob struct {
	Hash     string
	Size     int64
	Touched  int64 // when something last began to name it
	Unmarked int64 // since when nothing has been found to name it; 0: something does, or nobody has looked
	Broken   bool
	Named    bool // by a version or a lease; only BlobsIn fills it
}

var (
	// What begins to name a blob changes its row first: so it waits for a sweep that is just removing it, or makes it look again.
	leaseBlob = sqldb.SQL(`INSERT INTO blobs (tenant, hash, size, touched, unmarked, checked, broken) VALUES ($1, $2, $3, $4, 0, $4, FALSE)
		ON CONFLICT (tenant, hash) DO UPDATE SET touched = $4, unmarked = 0 RETURNING broken`)
	insertLease = sqldb.SQL(`INSERT INTO leases (id, tenant, hash, until) VALUES ($1, $2, $3, $4)`)
	deleteLease = sqldb.SQL(`DELETE FROM leases WHERE id = $1`)
	touchBlob   = sqldb.SQL(`UPDATE blobs SET touched = $3, unmarked = 0 WHERE tenant = $1 AND hash = $2`)
	mendBlob    = sqldb.SQL(`UPDATE blobs SET broken = FALSE, checked = $3 WHERE tenant = $1 AND hash = $2`)
	hasBlob     = sqldb.SQL(`SELECT count(*) FROM blobs WHERE tenant = $1 AND hash = $2`)
	knowsBlob   = sqldb.SQL(`SELECT (SELECT count(*) FROM blobs WHERE tenant = $1 AND hash = $2)
		+ (SELECT count(*) FROM versions v WHERE v.kept <> '' AND v.kept = $1 AND v.etag = $2)`)
	blobsIn = sqldb.SQL(`SELECT b.hash, b.size, b.touched, b.unmarked, b.broken,
			EXISTS (SELECT 1 FROM versions v WHERE v.kept <> '' AND v.kept = b.tenant AND v.etag = b.hash)
			OR EXISTS (SELECT 1 FROM leases l WHERE l.tenant = b.tenant AND l.hash = b.hash)
		FROM blobs b WHERE b.tenant = $1 AND b.hash >= $2 AND b.hash < $3 ORDER BY b.hash LIMIT $4`)
	markBlob   = sqldb.SQL(`UPDATE blobs SET unmarked = $3 WHERE tenant = $1 AND hash = $2 AND touched = $4`)
	deleteBlob = sqldb.SQL(`DELETE FROM blobs WHERE tenant = $1 AND hash = $2 AND touched = $3 AND unmarked = $4
		AND NOT EXISTS (SELECT 1 FROM versions v WHERE v.kept <> '' AND v.kept = $1 AND v.etag = $2)
		AND NOT EXISTS (SELECT 1 FROM leases l WHERE l.tenant = $1 AND l.hash = $2)`)
	expireLeases = sqldb.SQL(`DELETE FROM leases WHERE id IN (SELECT id FROM leases WHERE tenant = $1 AND until < $2 LIMIT $3)`)
	sweepAt      = sqldb.SQL(`SELECT began, bucket FROM sweeps WHERE tenant = $1`)
	setSweep     = sqldb.SQL(`INSERT INTO sweeps (tenant, began, bucket) VALUES ($1, $2, $3)
		ON CONFLICT (tenant) DO UPDATE SET began = $2, bucket = $3`)
	uncheckedBlobs = sqldb.SQL(`SELECT hash, size, touched, unmarked, broken FROM blobs WHERE tenant = $1 AND checked < $2 ORDER BY checked LIMIT $3`)
	checkBlob      = sqldb.SQL(`UPDATE blobs SET checked = $3, broken = $4 WHERE tenant = $1 AND hash = $2`)
	brokenBlobs    = sqldb.SQL(`SELECT count(*) FROM blobs WHERE broken IS TRUE`)
	allBlobs       = sqldb.SQL(`SELECT tenant, hash, size FROM blobs WHERE (tenant, hash) > ($1, $2) ORDER BY tenant, hash LIMIT $3`)
)

// Lease makes sure that a blob is not removed until the lease ends, and reports whether its contents were found to be others.
func Lease(ctx context.Context, tx sqldb.Tx, id, tenant string, b Blob, until int64) (broken bool, err error) {
	if err := tx.Row(ctx, leaseBlob, tenant, b.Hash, b.Size, b.Touched).Scan(&broken); err != nil {
		return false, err
	}
	_, err = tx.Exec(ctx, insertLease, id, tenant, b.Hash, until)
	return broken, err
}

// EndLease ends a lease and reports whether there was one.
func EndLease(ctx context.Context, tx sqldb.Tx, id string) (bool, error) {
	n, err := tx.Exec(ctx, deleteLease, id)
	return n > 0, err
}

// ExpireLeases ends up to n leases of a tenant that were over at a time.
func ExpireLeases(ctx context.Context, tx sqldb.Tx, tenant string, at int64, n int) (int64, error) {
	return tx.Exec(ctx, expireLeases, tenant, at, n)
}

// TouchBlob notes that something begins to name a blob, and reports whether there is one.
func TouchBlob(ctx context.Context, tx sqldb.Tx, tenant, hash string, at int64) (bool, error) {
	n, err := tx.Exec(ctx, touchBlob, tenant, hash, at)
	return n > 0, err
}

// MendBlob notes that the contents of a blob were stored anew.
func MendBlob(ctx context.Context, tx sqldb.Tx, tenant, hash string, at int64) error {
	_, err := tx.Exec(ctx, mendBlob, tenant, hash, at)
	return err
}

// HasBlob reports whether a blob has a row.
func HasBlob(ctx context.Context, q sqldb.Q, tenant, hash string) (bool, error) {
	return some(q.Row(ctx, hasBlob, tenant, hash))
}

// KnowsBlob reports whether a blob has a row, or a version names it.
func KnowsBlob(ctx context.Context, q sqldb.Q, tenant, hash string) (bool, error) {
	return some(q.Row(ctx, knowsBlob, tenant, hash))
}

// BlobsIn returns up to n blobs of a tenant from the hash first on and before the hash end, in order.
func BlobsIn(ctx context.Context, q sqldb.Q, tenant, first, end string, n int) (all []Blob, err error) {
	err = q.Each(ctx, blobsIn, []any{tenant, first, end, n}, func(r sqldb.Row) error {
		var b Blob
		err := r.Scan(&b.Hash, &b.Size, &b.Touched, &b.Unmarked, &b.Broken, &b.Named)
		all = append(all, b)
		return err
	})
	return all, err
}

// MarkBlob notes since when nothing names a blob (0: something does), unless something began to meanwhile.
func MarkBlob(ctx context.Context, tx sqldb.Tx, tenant string, b Blob, since int64) error {
	_, err := tx.Exec(ctx, markBlob, tenant, b.Hash, since, b.Touched)
	return err
}

// DeleteBlob removes the row of a blob that is as it was seen and that nothing names, and reports whether it did.
func DeleteBlob(ctx context.Context, tx sqldb.Tx, tenant string, b Blob) (bool, error) {
	n, err := tx.Exec(ctx, deleteBlob, tenant, b.Hash, b.Touched, b.Unmarked)
	return n > 0, err
}

// SweepAt returns when the sweep of a tenant's blobs began and where it goes on; ErrNoRows before the first.
func SweepAt(ctx context.Context, q sqldb.Q, tenant string) (began int64, bucket int, err error) {
	err = q.Row(ctx, sweepAt, tenant).Scan(&began, &bucket)
	return began, bucket, err
}

// SetSweep notes where the sweep of a tenant's blobs goes on.
func SetSweep(ctx context.Context, tx sqldb.Tx, tenant string, began int64, bucket int) error {
	_, err := tx.Exec(ctx, setSweep, tenant, began, bucket)
	return err
}

// UncheckedBlobs returns up to n blobs of a tenant that were not checked since a time, the longest unchecked first.
func UncheckedBlobs(ctx context.Context, q sqldb.Q, tenant string, since int64, n int) (all []Blob, err error) {
	err = q.Each(ctx, uncheckedBlobs, []any{tenant, since, n}, func(r sqldb.Row) error {
		var b Blob
		err := r.Scan(&b.Hash, &b.Size, &b.Touched, &b.Unmarked, &b.Broken)
		all = append(all, b)
		return err
	})
	return all, err
}

// CheckBlob notes what a check of a blob's contents found.
func CheckBlob(ctx context.Context, tx sqldb.Tx, tenant, hash string, at int64, broken bool) error {
	_, err := tx.Exec(ctx, checkBlob, tenant, hash, at, broken)
	return err
}

// BrokenBlobs counts the blobs whose contents were found to be others.
func BrokenBlobs(ctx context.Context, q sqldb.Q) (n int64, err error) {
	err = q.Row(ctx, brokenBlobs).Scan(&n)
	return n, err
}

// OwnedBlob is a blob with the tenant it belongs to.
type OwnedBlob struct {
	Tenant, Hash string
	Size         int64
}

// AllBlobs returns up to n blobs of all tenants after one, in order.
func AllBlobs(ctx context.Context, q sqldb.Q, after OwnedBlob, n int) (all []OwnedBlob, err error) {
	err = q.Each(ctx, allBlobs, []any{after.Tenant, after.Hash, n}, func(r sqldb.Row) error {
		var b OwnedBlob
		err := r.Scan(&b.Tenant, &b.Hash, &b.Size)
		all = append(all, b)
		return err
	})
	return all, err
}
