package sqlstore

import (
	"context"

	"nexus/internal/sqldb"
)

var (
	versionOf   = sqldb.SQL(`SELECT file, version, seq, etag, type, size, author, created, kept, body FROM versions WHERE file = $1 AND version = $2`)
	copyVersion = sqldb.SQL(`INSERT INTO versions (file, version, seq, etag, type, size, author, created, kept, body)
		SELECT $1, $2, $3, etag, $4, size, $5, $6, kept, body FROM versions WHERE file = $7 AND version = $8`)
	versionMeta = sqldb.SQL(`SELECT file, version, seq, etag, type, size, author, created, kept FROM versions WHERE file = $1 AND version = $2`)
	// The contents are left out: a list shows none.
	versionsBefore = sqldb.SQL(`SELECT file, version, seq, etag, size, author, created FROM versions
		WHERE file = $1 AND version < $2 ORDER BY version DESC LIMIT $3`)
)

// VersionOf returns one version of a file, with its contents where they are in the row.
func VersionOf(ctx context.Context, q sqldb.Q, file string, number int64) (*Version, error) {
	var v Version
	err := q.Row(ctx, versionOf, file, number).Scan(&v.File, &v.Number, &v.Seq, &v.Etag, &v.Type, &v.Size, &v.Author, &v.Created, &v.Kept, &v.Body)
	return &v, err
}

// VersionsBefore returns up to n versions of a file below a number, the newest first, without their contents.
func VersionsBefore(ctx context.Context, q sqldb.Q, file string, number int64, n int) ([]Version, error) {
	var all []Version
	err := q.Each(ctx, versionsBefore, []any{file, number, n}, func(r sqldb.Row) error {
		var v Version
		err := r.Scan(&v.File, &v.Number, &v.Seq, &v.Etag, &v.Size, &v.Author, &v.Created)
		all = append(all, v)
		return err
	})
	return all, err
}

// VersionMeta is VersionOf without the contents.
func VersionMeta(ctx context.Context, q sqldb.Q, file string, number int64) (*Version, error) {
	var v Version
	err := q.Row(ctx, versionMeta, file, number).Scan(&v.File, &v.Number, &v.Seq, &v.Etag, &v.Type, &v.Size, &v.Author, &v.Created, &v.Kept)
	return &v, err
}

// CopyVersion adds v with the contents of a version that a file has, which do not leave the database for it. Who copies one whose
// contents are a blob touches that first.
func CopyVersion(ctx context.Context, tx sqldb.Tx, v *Version, file string, number int64) error {
	_, err := tx.Exec(ctx, copyVersion, v.File, v.Number, v.Seq, v.Type, v.Author, v.Created, file, number)
	return err
}
