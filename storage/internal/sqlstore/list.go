package sqlstore

import (
	"context"

	"nexus/internal/sqldb"
)

// Listed is a file as a list meets it.
type Listed struct {
	File
	Folder string // path of the folder it stands in, with a slash at its end
}

var (
	filesBelow = sqldb.SQL(`SELECT f.id, f.dir, f.name, f.version, f.etag, f.type, f.size, f.seq, f.created, f.modified, d.path
		FROM dirs d JOIN files f ON f.dir = d.id
		WHERE d.tenant = $1 AND d.path > $2 AND d.path < $3 AND f.version > 0
		ORDER BY d.path, f.name LIMIT $4`)
	filesIn = sqldb.SQL(`SELECT f.id, f.dir, f.name, f.version, f.etag, f.type, f.size, f.seq, f.created, f.modified, d.path
		FROM dirs d JOIN files f ON f.dir = d.id
		WHERE d.tenant = $1 AND d.path = $2 AND f.name > $3 AND f.version > 0
		ORDER BY f.name LIMIT $4`)
	dirsBelow = sqldb.SQL(`SELECT id, tenant, parent, path, state, created, modified FROM dirs
		WHERE tenant = $1 AND path > $2 AND path < $3 AND state < 3 ORDER BY path LIMIT $4`)
	dirsIn = sqldb.SQL(`SELECT id, tenant, parent, path, state, created, modified FROM dirs
		WHERE parent = $1 AND path > $2 AND state < 3 ORDER BY path LIMIT $3`)
	pathOfDir  = sqldb.SQL(`SELECT path FROM dirs WHERE id = $1`)
	pathOfFile = sqldb.SQL(`SELECT d.path, f.name FROM files f JOIN dirs d ON d.id = f.dir WHERE f.id = $1`)
)

// FilesBelow returns up to n files at any depth below folder, a path with a slash at its end, in order of folder and name,
// after the file called name in the folder called after; a list begins after no name in folder itself. It asks for the rest
// of the one folder and for the folders behind it apart, so that each page seeks to where it begins.
func FilesBelow(ctx context.Context, q sqldb.Q, tenant, folder, after, name string, n int) ([]Listed, error) {
	rest, err := FilesIn(ctx, q, tenant, after, name, n)
	if err != nil || len(rest) == n {
		return rest, err
	}
	behind, err := listed(ctx, q, filesBelow, tenant, after, End(folder), n-len(rest))
	return append(rest, behind...), err
}

// FilesIn returns up to n files directly in folder after the one called name, in order of name.
func FilesIn(ctx context.Context, q sqldb.Q, tenant, folder, name string, n int) ([]Listed, error) {
	return listed(ctx, q, filesIn, tenant, folder, name, n)
}

// DirsBelow returns up to n folders at any depth below folder and after the path after, in order of path; a list begins after
// folder itself.
func DirsBelow(ctx context.Context, q sqldb.Q, tenant, folder, after string, n int) ([]Dir, error) {
	return dirs(ctx, q, dirsBelow, tenant, after, End(folder), n)
}

// DirsIn returns up to n folders directly in the folder of that id and after the path after, in order of path.
func DirsIn(ctx context.Context, q sqldb.Q, id, after string, n int) ([]Dir, error) {
	return dirs(ctx, q, dirsIn, id, after, n)
}

// PathOf returns the clean path of a file's or folder's row.
func PathOf(ctx context.Context, q sqldb.Q, id string) (string, error) {
	var folder, name string
	if err := q.Row(ctx, pathOfFile, id).Scan(&folder, &name); err == nil {
		return folder + name, nil
	}
	if err := q.Row(ctx, pathOfDir, id).Scan(&folder); err != nil {
		return "", err
	}
	return Unslashed(folder), nil
}

// End returns the first path after everything below folder, which ends in a slash: '0' follows '/' in every byte order.
func End(folder string) string { return folder[:len(folder)-1] + "0" }

func listed(ctx context.Context, q sqldb.Q, s *sqldb.Stmt, args ...any) ([]Listed, error) {
	var all []Listed
	err := q.Each(ctx, s, args, func(r sqldb.Row) error {
		var l Listed
		err := r.Scan(&l.ID, &l.Dir, &l.Name, &l.Version, &l.Etag, &l.Type, &l.Size, &l.Seq, &l.Created, &l.Modified, &l.Folder)
		all = append(all, l)
		return err
	})
	return all, err
}

func dirs(ctx context.Context, q sqldb.Q, s *sqldb.Stmt, args ...any) ([]Dir, error) {
	var all []Dir
	err := q.Each(ctx, s, args, func(r sqldb.Row) error {
		d, err := scanDir(r)
		if err == nil {
			all = append(all, *d)
		}
		return err
	})
	return all, err
}
