package sqlstore

import (
	"context"
	"slices"
	"strings"

	"nexus/internal/sqldb"
)

// Once is a file or folder that stood directly in a folder at an earlier sequence, under the name and with the version that
// it had then.
type Once struct {
	ID, Name string
	Folder   bool
	Since    int64 // sequence at which it came to stand there
	Version  int64 // of a file, as the rest
	Seq      int64 // of that version
	Etag     string
	Size     int64
}

var (
	filesOnce = sqldb.SQL(`SELECT p.id, p.name, p.since, v.version, v.seq, v.etag, v.size FROM (
			SELECT f.id, f.name, f.since FROM files f WHERE f.dir = $1 AND f.since <= $2 AND f.version > 0
			UNION ALL SELECT id, name, since FROM places WHERE dir = $1 AND until > $2 AND since <= $2 AND folder IS FALSE
		) p JOIN versions v ON v.file = p.id AND v.version = (
			SELECT w.version FROM versions w WHERE w.file = p.id AND w.seq <= $2 ORDER BY w.version DESC LIMIT 1)`)
	dirsOnce = sqldb.SQL(`SELECT id, name, since FROM dirs WHERE parent = $1 AND since <= $2 AND state < 3`)
	dirsWere = sqldb.SQL(`SELECT id, name, since FROM places WHERE dir = $1 AND until > $2 AND since <= $2 AND folder IS TRUE`)
)

// OnceIn returns what stood directly in a folder at a sequence, in order of name.
func OnceIn(ctx context.Context, q sqldb.Q, dir string, seq int64) ([]Once, error) {
	folders, err := FoldersOnce(ctx, q, dir, seq)
	if err != nil {
		return nil, err
	}
	files, err := FilesOnce(ctx, q, dir, seq)
	if err != nil {
		return nil, err
	}
	all := slices.Concat(folders, files)
	slices.SortFunc(all, func(a, b Once) int { return strings.Compare(a.Name, b.Name) })
	return all, nil
}

// FilesOnce returns the files among what OnceIn returns, in no order.
func FilesOnce(ctx context.Context, q sqldb.Q, dir string, seq int64) ([]Once, error) {
	var all []Once
	err := q.Each(ctx, filesOnce, []any{dir, seq}, func(r sqldb.Row) error {
		var o Once
		err := r.Scan(&o.ID, &o.Name, &o.Since, &o.Version, &o.Seq, &o.Etag, &o.Size)
		all = append(all, o)
		return err
	})
	return all, err
}

// FoldersOnce returns the folders among what OnceIn returns, in order of name. One that moves away between the two looks is
// found by both, and never by neither.
func FoldersOnce(ctx context.Context, q sqldb.Q, dir string, seq int64) ([]Once, error) {
	var all []Once
	for _, s := range []*sqldb.Stmt{dirsOnce, dirsWere} {
		err := q.Each(ctx, s, []any{dir, seq}, func(r sqldb.Row) error {
			o := Once{Folder: true}
			err := r.Scan(&o.ID, &o.Name, &o.Since)
			o.Name = strings.TrimSuffix(o.Name, "/")
			all = append(all, o)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	slices.SortFunc(all, func(a, b Once) int { return strings.Compare(a.Name, b.Name) })
	return slices.CompactFunc(all, func(a, b Once) bool { return a.ID == b.ID }), nil
}
