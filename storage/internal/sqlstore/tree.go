package sqlstore

import (
	"context"
	"errors"

	"nexus/internal/paths"
	"nexus/internal/sqldb"
)

// State says why a folder has a row.
type State int64

const (
	Explicit State = 1 // made on purpose
	Implicit State = 2 // implied by what is in it
	Reserved State = 3 // reserved by a grant; there is no folder yet
)

// Dir is a folder's row. Path ends in a slash.
type Dir struct {
	ID, Tenant, Parent, Path string
	State                    State
	Created, Modified        int64 // microseconds
}

// File is a file's row. Version 0 means that a grant reserved the name and there is no file yet.
type File struct {
	ID, Dir, Name     string
	Version           int64
	Etag, Type        string
	Size, Seq         int64
	Created, Modified int64
}

// Place is where a path leads: the nearest row at or above it, a file or a folder, and the rest of the path.
type Place struct {
	Dir  *Dir  // set when the nearest row is a folder
	File *File // set when it is a file
	Rest string
}

var (
	dirByPath  = sqldb.SQL(`SELECT id, tenant, parent, path, state, created, modified FROM dirs WHERE tenant = $1 AND path = $2`)
	dirByID    = sqldb.SQL(`SELECT id, tenant, parent, path, state, created, modified FROM dirs WHERE id = $1`)
	fileByName = sqldb.SQL(`SELECT f.id, f.dir, f.name, f.version, f.etag, f.type, f.size, f.seq, f.created, f.modified
		FROM dirs d JOIN files f ON f.dir = d.id WHERE d.tenant = $1 AND d.path = $2 AND f.name = $3`)
	fileByID = sqldb.SQL(`SELECT id, dir, name, version, etag, type, size, seq, created, modified FROM files WHERE id = $1`)
)

// Locate returns where path, which is clean, leads in the tree of tenant. A tenant without a root has no place for anything.
func Locate(ctx context.Context, q sqldb.Q, tenant, path string) (Place, error) {
	rest := ""
	for at := path; ; {
		place, err := exactly(ctx, q, tenant, at)
		if err == nil {
			place.Rest = rest
			return place, nil
		}
		if !errors.Is(err, sqldb.ErrNoRows) || at == paths.Root {
			return Place{}, err
		}
		folder, name := paths.Split(at)
		at, rest = folder, joinRest(name, rest)
	}
}

func exactly(ctx context.Context, q sqldb.Q, tenant, path string) (Place, error) {
	if path != paths.Root {
		folder, name := paths.Split(path)
		f, err := scanFile(q.Row(ctx, fileByName, tenant, Slashed(folder), name))
		if err == nil {
			return Place{File: f}, nil
		}
		if !errors.Is(err, sqldb.ErrNoRows) {
			return Place{}, err
		}
	}
	d, err := scanDir(q.Row(ctx, dirByPath, tenant, Slashed(path)))
	return Place{Dir: d}, err
}

// DirByID returns a folder's row.
func DirByID(ctx context.Context, q sqldb.Q, id string) (*Dir, error) {
	return scanDir(q.Row(ctx, dirByID, id))
}

// FileByID returns a file's row.
func FileByID(ctx context.Context, q sqldb.Q, id string) (*File, error) {
	return scanFile(q.Row(ctx, fileByID, id))
}

// Slashed returns a clean path as folders keep it: with a slash at its end.
func Slashed(path string) string {
	if path == paths.Root {
		return path
	}
	return path + "/"
}

// Unslashed undoes Slashed.
func Unslashed(path string) string {
	if path == paths.Root {
		return path
	}
	return path[:len(path)-1]
}

func joinRest(name, rest string) string {
	if rest == "" {
		return name
	}
	return name + "/" + rest
}

func scanDir(r sqldb.Row) (*Dir, error) {
	var d Dir
	if err := r.Scan(&d.ID, &d.Tenant, &d.Parent, &d.Path, &d.State, &d.Created, &d.Modified); err != nil {
		return nil, err
	}
	return &d, nil
}

func scanFile(r sqldb.Row) (*File, error) {
	var f File
	if err := r.Scan(&f.ID, &f.Dir, &f.Name, &f.Version, &f.Etag, &f.Type, &f.Size, &f.Seq, &f.Created, &f.Modified); err != nil {
		return nil, err
	}
	return &f, nil
}
