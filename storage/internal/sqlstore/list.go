package sqlstore

import (
	"context"
	"strings"

	"nexus/internal/sqldb"
)

// Name is a file as a walk meets it: what decides about it, and what it is called.
type Name struct{ ID, Dir, Name string }

// many is how many ids one statement names at the most; who has fewer names the last one again.
const many = 64

const manyParams = `$1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22,
	$23, $24, $25, $26, $27, $28, $29, $30, $31, $32, $33, $34, $35, $36, $37, $38, $39, $40, $41, $42, $43, $44, $45, $46,
	$47, $48, $49, $50, $51, $52, $53, $54, $55, $56, $57, $58, $59, $60, $61, $62, $63, $64`

// separator stands between the parts of names that come as one text: no id and no name holds it.
const separator = "\x1f"

// Walks read many rows of little: they come as one text, because what a driver does for a row costs more than what the engine
// does for it.
var (
	filesFrom = sqldb.SQL(`SELECT COALESCE(string_agg(id || $5 || dir || $5 || name, $5), '') FROM (
		SELECT f.id, f.dir, f.name FROM dirs d JOIN files f ON f.dir = d.id
		WHERE d.tenant = $1 AND d.path >= $2 AND d.path <= $3 AND f.version > 0 ORDER BY d.path, f.name LIMIT $4) AS page`)
	filesOf = sqldb.SQL(`SELECT COALESCE(string_agg(id || $4 || dir || $4 || name, $4), '') FROM (
		SELECT id, dir, name FROM files
		WHERE dir = $1 AND name >= $2 AND version > 0 ORDER BY name LIMIT $3) AS page`)
	namesByID = sqldb.SQL(`SELECT COALESCE(string_agg(id || $65 || dir || $65 || name, $65), '')
		FROM files WHERE version > 0 AND id IN (` + manyParams + `)`)
	dirsFrom = sqldb.SQL(`SELECT id, tenant, parent, path, state, created, modified FROM dirs
		WHERE tenant = $1 AND path >= $2 AND path < $3 AND state < 3 ORDER BY path LIMIT $4`)
	dirsOf = sqldb.SQL(`SELECT id, tenant, parent, path, state, created, modified FROM dirs
		WHERE parent = $1 AND name >= $2 AND state < 3 ORDER BY name LIMIT $3`)
	filesByID = sqldb.SQL(`SELECT id, dir, name, version, etag, type, size, seq, created, modified FROM files
		WHERE version > 0 AND id IN (` + manyParams + `)`)
	dirsByID = sqldb.SQL(`SELECT id, tenant, parent, path, state, created, modified FROM dirs
		WHERE id IN (` + manyParams + `)`)
	dirsByPath = sqldb.SQL(`SELECT id, tenant, parent, path, state, created, modified FROM dirs
		WHERE tenant = $65 AND state < 3 AND path IN (` + manyParams + `)`)
	pathOfDir  = sqldb.SQL(`SELECT path FROM dirs WHERE id = $1`)
	pathOfFile = sqldb.SQL(`SELECT d.path, f.name FROM files f JOIN dirs d ON d.id = f.dir WHERE f.id = $1`)
)

// FilesFrom returns up to n files in the folders between two paths, both included, in order of folder and name.
func FilesFrom(ctx context.Context, q sqldb.Q, tenant, first, last string, n int) ([]Name, error) {
	return named(ctx, q, filesFrom, tenant, first, last, n)
}

// FilesOf returns up to n files of the folder of that id whose names do not come before from, in order of name.
func FilesOf(ctx context.Context, q sqldb.Q, dir, from string, n int) ([]Name, error) {
	return named(ctx, q, filesOf, dir, from, n)
}

// NamesByID returns the files of these ids, in no order. What is no file is left out.
func NamesByID(ctx context.Context, q sqldb.Q, ids []string) (all []Name, err error) {
	err = byMany(ids, func(args []any) error {
		page, err := named(ctx, q, namesByID, args...)
		all = append(all, page...)
		return err
	})
	return all, err
}

// FilesByID returns the rows of the files of these ids, by id. What is no file is left out.
func FilesByID(ctx context.Context, q sqldb.Q, ids []string) (map[string]*File, error) {
	all := make(map[string]*File, len(ids))
	return all, byMany(ids, func(args []any) error {
		return q.Each(ctx, filesByID, args, func(r sqldb.Row) error {
			f, err := scanFile(r)
			if err == nil {
				all[f.ID] = f
			}
			return err
		})
	})
}

// DirsFrom returns up to n folders at any depth whose paths lie between from and to, from included, in order of path.
func DirsFrom(ctx context.Context, q sqldb.Q, tenant, from, to string, n int) ([]Dir, error) {
	return dirs(ctx, q, dirsFrom, tenant, from, to, n)
}

// DirsOf returns up to n folders directly in the folder of that id whose names, with a slash at their ends, do not come before
// from, in order of path.
func DirsOf(ctx context.Context, q sqldb.Q, id, from string, n int) ([]Dir, error) {
	return dirs(ctx, q, dirsOf, id, from, n)
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

func named(ctx context.Context, q sqldb.Q, s *sqldb.Stmt, args ...any) ([]Name, error) {
	var text string
	if err := q.Row(ctx, s, append(args, separator)...).Scan(&text); err != nil || text == "" {
		return nil, err
	}
	all := make([]Name, 0, (strings.Count(text, separator)+1)/3)
	for text != "" {
		var n Name
		n.ID, text, _ = strings.Cut(text, separator)
		n.Dir, text, _ = strings.Cut(text, separator)
		n.Name, text, _ = strings.Cut(text, separator)
		all = append(all, n)
	}
	return all, nil
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
