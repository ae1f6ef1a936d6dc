package sqlstore

import (
	"context"
	"errors"
	"strings"

	"nexus/internal/paths"
	"nexus/internal/sqldb"
)

// State says why a folder has a row.
type State int64

const (
	Explicit State = 1 // made on purpose
	Implicit State = 2 // implied by what is in it
	Reserved State = 3 // reserved by a grant; there is no folder yet
	Trash    State = 4 // holds what was deleted; no clean path leads there
)

// Dir is a folder's row. Path ends in a slash.
type Dir struct {
	ID, Tenant, Parent, Path string
	State                    State
	Created, Modified        int64 // microseconds
	Since                    int64 // sequence at which it came to stand where it stands; for inserting, no query fills it
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
	dirByPath = sqldb.SQL(`SELECT id, tenant, parent, path, state, created, modified FROM dirs WHERE tenant = $1 AND path = $2`)
	dirByID   = sqldb.SQL(`SELECT id, tenant, parent, path, state, created, modified FROM dirs WHERE id = $1`)
	fileByID  = sqldb.SQL(`SELECT id, dir, name, version, etag, type, size, seq, created, modified FROM files WHERE id = $1`)

	// at is all that can stand at a path, in one look: the folder above, and in it a file or a folder of that name.
	at = sqldb.SQL(`SELECT d.id, d.tenant, d.parent, d.path, d.state, d.created, d.modified,
			COALESCE(f.id, ''), COALESCE(f.version, 0), COALESCE(f.etag, ''), COALESCE(f.type, ''), COALESCE(f.size, 0),
			COALESCE(f.seq, 0), COALESCE(f.created, 0), COALESCE(f.modified, 0),
			COALESCE(s.id, ''), COALESCE(s.state, 0), COALESCE(s.created, 0), COALESCE(s.modified, 0)
		FROM dirs d
		LEFT JOIN files f ON f.dir = d.id AND f.name = $3
		LEFT JOIN dirs s ON s.tenant = $1 AND s.path = $4
		WHERE d.tenant = $1 AND d.path = $2`)
)

// Locate returns where path, which is clean, leads in the tree of tenant. A tenant without a root has no place for anything.
func Locate(ctx context.Context, q sqldb.Q, tenant, path string) (place Place, err error) {
	if path == paths.Root {
		d, err := scanDir(q.Row(ctx, dirByPath, tenant, path))
		return Place{Dir: d}, err
	}
	rest, err := climb(path, func(folder, name string) (string, error) {
		place, err = look(ctx, q, tenant, folder, name)
		return place.Rest, err
	})
	place.Rest = rest
	return place, err
}

// climb calls look for path, and for the folders above it as long as it finds no row. It returns what is left of path below
// what was found. look gets the folder with a slash at its end and the name in it, and returns the name when it found the
// folder alone.
func climb(path string, look func(folder, name string) (rest string, err error)) (string, error) {
	below := ""
	for {
		folder, name := paths.Split(path)
		rest, err := look(Slashed(folder), name)
		if err == nil {
			return joinRest(rest, below), nil
		}
		if !errors.Is(err, sqldb.ErrNoRows) || folder == paths.Root {
			return "", err
		}
		path, below = folder, joinRest(name, below)
	}
}

// look returns what stands at name in folder, which ends in a slash: a file, a folder, or else the folder above with name as
// the rest. There is no row when there is no such folder.
func look(ctx context.Context, q sqldb.Q, tenant, folder, name string) (Place, error) {
	var above, here Dir
	f := File{Name: name}
	err := q.Row(ctx, at, tenant, folder, name, folder+name+"/").Scan(
		&above.ID, &above.Tenant, &above.Parent, &above.Path, &above.State, &above.Created, &above.Modified,
		&f.ID, &f.Version, &f.Etag, &f.Type, &f.Size, &f.Seq, &f.Created, &f.Modified,
		&here.ID, &here.State, &here.Created, &here.Modified)
	switch {
	case err != nil:
		return Place{}, err
	case f.ID != "":
		f.Dir = above.ID
		return Place{File: &f}, nil
	case here.ID != "":
		here.Tenant, here.Parent, here.Path = above.Tenant, above.ID, folder+name+"/"
		return Place{Dir: &here}, nil
	}
	return Place{Dir: &above, Rest: name}, nil
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

// nameIn returns what a folder at path is called in parent, as folders keep it: with a slash at its end.
func nameIn(parent, path string) string {
	if parent == "" {
		return ""
	}
	return path[strings.LastIndexByte(path[:len(path)-1], '/')+1:]
}

func joinRest(name, rest string) string {
	if name == "" || rest == "" {
		return name + rest
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

// TrashPath is the path of each tenant's trash. It begins with no slash, so no clean path is it or leads below it, and no
// range over clean paths holds it.
const TrashPath = "~/"

// TrashOf returns the id of a tenant's trash.
func TrashOf(tenant string) string { return tenant + "/trash" }
