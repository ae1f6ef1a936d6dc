package sqlstore

import (
	"context"

	"nexus/internal/sqldb"
)

// Name is a file as a walk meets it: what decides about it, and what it is called.
type Name struct{ ID, Dir, Name string }

func newName(id, dir, name string) Name { return Name{id, dir, name} }

// Folder is a folder as a walk meets it. Path ends in a slash.
type Folder struct{ ID, Parent, Path string }

func newFolder(id, parent, path string) Folder { return Folder{id, parent, path} }

// many is how many ids one statement names at the most; who has fewer names the last one again.
const many = 64

const manyParams = `$1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22,
	$23, $24, $25, $26, $27, $28, $29, $30, $31, $32, $33, $34, $35, $36, $37, $38, $39, $40, $41, $42, $43, $44, $45, $46,
	$47, $48, $49, $50, $51, $52, $53, $54, $55, $56, $57, $58, $59, $60, $61, $62, $63, $64`

// Walks read many rows of little: each column comes as one text, because what a driver does for a row costs more than what
// the engine does for it. The separator is part of the statement: SQLite copies a parameter for each row.
var (
	filesFrom = sqldb.SQL(`SELECT string_agg(id, '` + separator + `'), string_agg(dir, '` + separator + `'), string_agg(name, '` + separator + `') FROM (
		SELECT f.id, f.dir, f.name FROM dirs d JOIN files f ON f.dir = d.id
		WHERE d.tenant = $1 AND d.path >= $2 AND d.path <= $3 AND f.version > 0 ORDER BY d.path, f.name LIMIT $4) AS page`)
	filesOf = sqldb.SQL(`SELECT string_agg(id, '` + separator + `'), string_agg(dir, '` + separator + `'), string_agg(name, '` + separator + `') FROM (
		SELECT id, dir, name FROM files
		WHERE dir = $1 AND name >= $2 AND version > 0 ORDER BY name LIMIT $3) AS page`)
	namesByID = sqldb.SQL(`SELECT string_agg(id, '` + separator + `'), string_agg(dir, '` + separator + `'), string_agg(name, '` + separator + `')
		FROM files WHERE version > 0 AND id IN (` + manyParams + `)`)
	dirsFrom = sqldb.SQL(`SELECT string_agg(id, '` + separator + `'), string_agg(parent, '` + separator + `'), string_agg(path, '` + separator + `') FROM (
		SELECT id, parent, path FROM dirs
		WHERE tenant = $1 AND path >= $2 AND path < $3 AND state < 3 ORDER BY path LIMIT $4) AS page`)
	dirsOf = sqldb.SQL(`SELECT string_agg(id, '` + separator + `'), string_agg(parent, '` + separator + `'), string_agg(path, '` + separator + `') FROM (
		SELECT id, parent, path FROM dirs
		WHERE parent = $1 AND name >= $2 AND state < 3 ORDER BY name LIMIT $3) AS page`)
	detailsByID = sqldb.SQL(`SELECT string_agg(id, '` + separator + `'), string_agg(CAST(version AS TEXT), '` + separator + `'),
			string_agg(etag, '` + separator + `'), string_agg(type, '` + separator + `'), string_agg(CAST(size AS TEXT), '` + separator + `'),
			string_agg(CAST(created AS TEXT), '` + separator + `'), string_agg(CAST(modified AS TEXT), '` + separator + `')
		FROM files WHERE version > 0 AND id IN (` + manyParams + `)`)
	dirsByID = sqldb.SQL(`SELECT id, tenant, parent, path, state, created, modified FROM dirs
		WHERE id IN (` + manyParams + `)`)
	dirsByPath = sqldb.SQL(`SELECT id, tenant, parent, path, state, created, modified FROM dirs
		WHERE tenant = $65 AND state < 3 AND path IN (` + manyParams + `)`)
	pathOfDir  = sqldb.SQL(`SELECT path FROM dirs WHERE id = $1`)
	pathOfFile = sqldb.SQL(`SELECT d.path, f.name FROM files f JOIN dirs d ON d.id = f.dir WHERE f.id = $1`)
)

// FilesFrom returns up to n files in the folders between two paths, both included, in order of folder and name.
func FilesFrom(ctx context.Context, q sqldb.Q, tenant, first, last string, n int) ([]Name, error) {
	return threes(ctx, q, filesFrom, newName, tenant, first, last, n)
}

// FilesOf returns up to n files of the folder of that id whose names do not come before from, in order of name.
func FilesOf(ctx context.Context, q sqldb.Q, dir, from string, n int) ([]Name, error) {
	return threes(ctx, q, filesOf, newName, dir, from, n)
}

// NamesByID returns the files of these ids, in no order. What is no file is left out.
func NamesByID(ctx context.Context, q sqldb.Q, ids []string) (all []Name, err error) {
	err = byMany(ids, func(args []any) error {
		page, err := threes(ctx, q, namesByID, newName, args...)
		all = append(all, page...)
		return err
	})
	return all, err
}

// DetailsByID returns what the files of these ids hold, and since when, by id: not where they stand, nor at which sequence.
// What is no file is left out.
func DetailsByID(ctx context.Context, q sqldb.Q, ids []string) (map[string]*File, error) {
	all := make(map[string]*File, len(ids))
	return all, byMany(ids, func(args []any) error {
		t, err := read(ctx, q, detailsByID, 7, args)
		if err != nil {
			return err
		}
		files := make([]File, t.rows)
		for i := range files {
			f := &files[i]
			f.ID, f.Version, f.Etag, f.Type = t.text(0), t.number(1), t.text(2), t.text(3)
			f.Size, f.Created, f.Modified = t.number(4), t.number(5), t.number(6)
			all[f.ID] = f
		}
		return t.end()
	})
}

// DirsFrom returns up to n folders at any depth whose paths lie between from and to, from included, in order of path.
func DirsFrom(ctx context.Context, q sqldb.Q, tenant, from, to string, n int) ([]Folder, error) {
	return threes(ctx, q, dirsFrom, newFolder, tenant, from, to, n)
}

// DirsOf returns up to n folders directly in the folder of that id whose names, with a slash at their ends, do not come before
// from, in order of path.
func DirsOf(ctx context.Context, q sqldb.Q, id, from string, n int) ([]Folder, error) {
	return threes(ctx, q, dirsOf, newFolder, id, from, n)
}

// DirsByID returns the folders of these ids, in no order, those among them that a grant reserved or that hold trash.
func DirsByID(ctx context.Context, q sqldb.Q, ids []string) (all []Dir, err error) {
	err = byMany(ids, func(args []any) error {
		page, err := dirs(ctx, q, dirsByID, args...)
		all = append(all, page...)
		return err
	})
	return all, err
}

// DirsByPath returns the folders at these paths, which end in slashes, by path. Where there is none it is left out.
func DirsByPath(ctx context.Context, q sqldb.Q, tenant string, paths []string) (map[string]*Dir, error) {
	all := make(map[string]*Dir, len(paths))
	return all, byMany(paths, func(args []any) error {
		page, err := dirs(ctx, q, dirsByPath, append(args, tenant)...)
		for i := range page {
			all[page[i].Path] = &page[i]
		}
		return err
	})
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

// byMany calls f with the arguments of statements that take as many texts as manyParams names.
func byMany(texts []string, f func(args []any) error) error {
	for len(texts) > 0 {
		n := min(many, len(texts))
		args := make([]any, many, many+1)
		for i := range args {
			args[i] = texts[min(i, n-1)]
		}
		if err := f(args); err != nil {
			return err
		}
		texts = texts[n:]
	}
	return nil
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
