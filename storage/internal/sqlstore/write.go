package sqlstore

import (
	"context"

	"nexus/internal/sqldb"
)

// Version is one version of a file. Its contents are in Body, or else the blob of its etag among those of the tenant Kept.
type Version struct {
	File    string
	Number  int64
	Seq     int64
	Etag    string
	Type    string // '' of versions from before it was noted
	Size    int64
	Author  string
	Created int64
	Kept    string
	Body    []byte
}

var (
	nextSeq    = sqldb.SQL(`UPDATE tenants SET seq = seq + 1 WHERE id = $1 RETURNING seq`)
	lockTenant = sqldb.SQL(`UPDATE tenants SET seq = seq WHERE id = $1`)
	insertDir  = sqldb.SQL(`INSERT INTO dirs (id, tenant, parent, path, name, state, created, modified, since) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`)
	setState   = sqldb.SQL(`UPDATE dirs SET state = $2, modified = $3, created = CASE WHEN state = 3 THEN $3 ELSE created END,
		since = CASE WHEN state = 3 THEN $4 ELSE since END WHERE id = $1`)
	insertFile = sqldb.SQL(`INSERT INTO files (id, dir, name, version, etag, type, size, seq, created, modified, since)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $8)`)
	updateFile = sqldb.SQL(`UPDATE files SET version = $2, etag = $3, type = $4, size = $5, seq = $6, modified = $7,
		created = CASE WHEN version = 0 THEN $7 ELSE created END, since = CASE WHEN version = 0 THEN $6 ELSE since END WHERE id = $1`)
	insertVersion = sqldb.SQL(`INSERT INTO versions (file, version, seq, etag, type, size, author, created, kept, body)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`)
	currentBody = sqldb.SQL(`SELECT f.version, f.etag, f.type, f.size, f.created, f.modified, v.kept, v.body
		FROM files f JOIN versions v ON v.file = f.id AND v.version = f.version WHERE f.id = $1`)
	deleteFileRow = sqldb.SQL(`DELETE FROM files WHERE id = $1`)
	deleteDirRow  = sqldb.SQL(`DELETE FROM dirs WHERE id = $1`)
	insideDir     = sqldb.SQL(`SELECT (SELECT count(*) FROM files WHERE dir = $1) + (SELECT count(*) FROM dirs WHERE parent = $1)`)
)

// NextSeq takes the next sequence of the tenant and returns it. Until tx ends, no other transaction gets one.
func NextSeq(ctx context.Context, tx sqldb.Tx, tenant string) (seq int64, err error) {
	err = tx.Row(ctx, nextSeq, tenant).Scan(&seq)
	return seq, err
}

// LockTenant makes the tenant's changes wait until tx ends, without being one.
func LockTenant(ctx context.Context, tx sqldb.Tx, tenant string) error {
	_, err := tx.Exec(ctx, lockTenant, tenant)
	return err
}

// InsertDir adds a folder.
func InsertDir(ctx context.Context, tx sqldb.Tx, d *Dir) error {
	_, err := tx.Exec(ctx, insertDir, d.ID, d.Tenant, d.Parent, d.Path, nameIn(d.Parent, d.Path), int64(d.State), d.Created, d.Modified, d.Since)
	return err
}

// SetState changes why a folder has a row. One that was reserved begins to exist at that time and sequence.
func SetState(ctx context.Context, tx sqldb.Tx, dir string, s State, at, seq int64) error {
	_, err := tx.Exec(ctx, setState, dir, int64(s), at, seq)
	return err
}

// InsertFile adds a file, which stands where it does since its sequence.
func InsertFile(ctx context.Context, tx sqldb.Tx, f *File) error {
	_, err := tx.Exec(ctx, insertFile, f.ID, f.Dir, f.Name, f.Version, f.Etag, f.Type, f.Size, f.Seq, f.Created, f.Modified)
	return err
}

// UpdateFile makes f's version, etag, type, size, sequence and time the current ones.
func UpdateFile(ctx context.Context, tx sqldb.Tx, f *File) error {
	_, err := tx.Exec(ctx, updateFile, f.ID, f.Version, f.Etag, f.Type, f.Size, f.Seq, f.Modified)
	return err
}

// InsertVersion adds a version. Versions are never changed.
func InsertVersion(ctx context.Context, tx sqldb.Tx, v *Version) error {
	_, err := tx.Exec(ctx, insertVersion, v.File, v.Number, v.Seq, v.Etag, v.Type, v.Size, v.Author, v.Created, v.Kept, v.Body)
	return err
}

// Current returns a file with its current version. Of the file, where it stands and its sequence are left out; of the version,
// all but what says where its contents are.
func Current(ctx context.Context, q sqldb.Q, id string) (*File, *Version, error) {
	f := File{ID: id}
	v := Version{File: id}
	err := q.Row(ctx, currentBody, id).Scan(&f.Version, &f.Etag, &f.Type, &f.Size, &f.Created, &f.Modified, &v.Kept, &v.Body)
	v.Number, v.Etag, v.Type, v.Size = f.Version, f.Etag, f.Type, f.Size
	return &f, &v, err
}

// DeleteFile removes a file's row.
func DeleteFile(ctx context.Context, tx sqldb.Tx, id string) error {
	_, err := tx.Exec(ctx, deleteFileRow, id)
	return err
}

// DeleteDir removes a folder's row.
func DeleteDir(ctx context.Context, tx sqldb.Tx, id string) error {
	_, err := tx.Exec(ctx, deleteDirRow, id)
	return err
}

// Inside counts the rows that stand directly in a folder.
func Inside(ctx context.Context, q sqldb.Q, dir string) (n int64, err error) {
	err = q.Row(ctx, insideDir, dir).Scan(&n)
	return n, err
}
