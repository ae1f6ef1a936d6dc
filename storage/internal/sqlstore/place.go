package sqlstore

import (
	"context"
	"errors"
	"strings"

	"nexus/internal/sqldb"
)

// Trashed is what is known of something in the trash.
type Trashed struct {
	ID, Tenant string
	Path       string // where it stood, without a slash at its end
	Folder     bool
	State      State // that of a folder before
	Seq        int64 // at which it was deleted
	Deleted    int64
	Author     string
	Swept      bool  // whether the grants on everything in it are gone
	Held       int64 // 0: it can be brought back; Ending; or when a snapshot was last found to show some of it
}

const trashColumns = `id, tenant, path, folder, state, seq, deleted, author, swept, held`

// Ending is the state of being held of what is just being removed for good.
const Ending = 1

var (
	leaveFile = sqldb.SQL(`INSERT INTO places (dir, until, id, since, name, folder)
		SELECT dir, $2, id, since, name, FALSE FROM files WHERE id = $1`)
	leaveDir = sqldb.SQL(`INSERT INTO places (dir, until, id, since, name, folder) SELECT parent, $2, id, since, $3, TRUE FROM dirs WHERE id = $1`)
	moveFile = sqldb.SQL(`UPDATE files SET dir = $2, name = $3, since = $4 WHERE id = $1`)
	moveDir  = sqldb.SQL(`UPDATE dirs SET parent = $2, path = $3, name = $4, state = $5, since = $6 WHERE id = $1`)
	// What lies below a folder keeps its place in it: its path alone begins otherwise.
	carryDirs = sqldb.SQL(`UPDATE dirs SET path = $4 || substr(path, $5) WHERE tenant = $1 AND path > $2 AND path < $3`)
	// The slash at a folder's end counts as the one before what stands in it.
	dirsExtent = sqldb.SQL(`SELECT COALESCE(max(length(path) - length(replace(path, '/', ''))) - 1, 0), COALESCE(max(octet_length(path)) - 1, 0)
		FROM dirs WHERE tenant = $1 AND path >= $2 AND path < $3`)
	filesExtent = sqldb.SQL(`SELECT COALESCE(max(length(d.path) - length(replace(d.path, '/', ''))), 0), COALESCE(max(octet_length(d.path) + octet_length(f.name)), 0)
		FROM dirs d JOIN files f ON f.dir = d.id WHERE d.tenant = $1 AND d.path >= $2 AND d.path < $3`)
	placeUntil  = sqldb.SQL(`SELECT dir, name FROM places WHERE id = $1 AND until = $2`)
	lastPlace   = sqldb.SQL(`SELECT dir, name FROM places WHERE id = $1 ORDER BY until DESC LIMIT 1`)
	placeBehind = sqldb.SQL(`SELECT dir FROM places WHERE id = $1 AND until > $2 ORDER BY until LIMIT 1`)
	parentOf    = sqldb.SQL(`SELECT dir FROM files WHERE id = $1 UNION ALL SELECT parent FROM dirs WHERE id = $1`)
	living      = sqldb.SQL(`SELECT (SELECT count(*) FROM files WHERE dir = $1 AND version > 0) + (SELECT count(*) FROM dirs WHERE parent = $1 AND state < 3)`)

	discard = sqldb.SQL(`INSERT INTO trash (id, tenant, path, folder, state, seq, deleted, author, swept)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`)
	recall    = sqldb.SQL(`DELETE FROM trash WHERE id = $1`)
	trashedAt = sqldb.SQL(`SELECT ` + trashColumns + ` FROM trash
		WHERE tenant = $1 AND path = $2 AND deleted >= $3 AND held = 0 ORDER BY seq DESC`)
	trashedBelow = sqldb.SQL(`SELECT ` + trashColumns + ` FROM trash
		WHERE tenant = $1 AND path >= $2 AND path < $3 AND (path, seq) > ($4, $5) AND deleted >= $7 AND held = 0 ORDER BY path, seq LIMIT $6`)
	unswept = sqldb.SQL(`SELECT ` + trashColumns + ` FROM trash
		WHERE tenant = $1 AND swept IS FALSE ORDER BY id LIMIT 1`)
	setSwept  = sqldb.SQL(`UPDATE trash SET swept = TRUE WHERE id = $1`)
	linksInto = sqldb.SQL(`SELECT ` + tupleColumns + ` FROM tuples
		WHERE relation = 'link' AND subject_type = 'file' AND subject_id IN (SELECT id FROM dirs WHERE tenant = $1 AND path >= $2 AND path < $3)`)
)

// LeaveFile notes where a file stood before the change of sequence seq.
func LeaveFile(ctx context.Context, tx sqldb.Tx, id string, seq int64) error {
	_, err := tx.Exec(ctx, leaveFile, id, seq)
	return err
}

// LeaveDir notes where a folder, called name there, stood before the change of sequence seq.
func LeaveDir(ctx context.Context, tx sqldb.Tx, id, name string, seq int64) error {
	_, err := tx.Exec(ctx, leaveDir, id, seq, name)
	return err
}

// MoveFile puts a file into folder dir under a name.
func MoveFile(ctx context.Context, tx sqldb.Tx, id, dir, name string, seq int64) error {
	_, err := tx.Exec(ctx, moveFile, id, dir, name, seq)
	return err
}

// MoveDir puts the folder d into another one, with everything in it. path is its new one, with a slash at its end.
func MoveDir(ctx context.Context, tx sqldb.Tx, d *Dir, parent, path string, s State, seq int64) error {
	if _, err := tx.Exec(ctx, moveDir, d.ID, parent, path, nameIn(parent, path), int64(s), seq); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, carryDirs, d.Tenant, d.Path, End(d.Path), path, runes(d.Path)+1)
	return err
}

// runes counts as substr does.
func runes(s string) (n int) {
	for range s {
		n++
	}
	return n
}

// DirsExtent returns the most components and the most bytes that the path of a folder at or below folder has. folder ends in a slash.
func DirsExtent(ctx context.Context, q sqldb.Q, tenant, folder string) (depth, length int, err error) {
	err = q.Row(ctx, dirsExtent, tenant, folder, End(folder)).Scan(&depth, &length)
	return depth, length, err
}

// FilesExtent is DirsExtent for the files below folder. It looks at each of them.
func FilesExtent(ctx context.Context, q sqldb.Q, tenant, folder string) (depth, length int, err error) {
	err = q.Row(ctx, filesExtent, tenant, folder, End(folder)).Scan(&depth, &length)
	return depth, length, err
}

// PlaceUntil returns where something stood before the change of sequence seq.
func PlaceUntil(ctx context.Context, q sqldb.Q, id string, seq int64) (dir, name string, err error) {
	err = q.Row(ctx, placeUntil, id, seq).Scan(&dir, &name)
	return dir, name, err
}

// LastPlace returns where something stood before it came to stand where it stands now, or before it went.
func LastPlace(ctx context.Context, q sqldb.Q, id string) (dir, name string, err error) {
	err = q.Row(ctx, lastPlace, id).Scan(&dir, &name)
	return dir, name, err
}

// PlaceBehind returns the folder that something stood in right after the change of sequence seq; ErrNoRows when it still stands there.
func PlaceBehind(ctx context.Context, q sqldb.Q, id string, seq int64) (dir string, err error) {
	err = q.Row(ctx, placeBehind, id, seq).Scan(&dir)
	return dir, err
}

// ParentOf returns the folder that a file or folder stands in now; empty for a tenant's root.
func ParentOf(ctx context.Context, q sqldb.Q, id string) (dir string, err error) {
	err = q.Row(ctx, parentOf, id).Scan(&dir)
	return dir, err
}

// Living counts the files and folders that exist directly in a folder: reserved names do not.
func Living(ctx context.Context, q sqldb.Q, dir string) (n int64, err error) {
	err = q.Row(ctx, living, dir).Scan(&n)
	return n, err
}

// Discard adds to the trash.
func Discard(ctx context.Context, tx sqldb.Tx, t *Trashed) error {
	_, err := tx.Exec(ctx, discard, t.ID, t.Tenant, t.Path, t.Folder, int64(t.State), t.Seq, t.Deleted, t.Author, t.Swept)
	return err
}

// Recall takes out of the trash.
func Recall(ctx context.Context, tx sqldb.Tx, id string) error {
	_, err := tx.Exec(ctx, recall, id)
	return err
}

// TrashedAt returns what stood at a path and can be brought back, deleted since a time in microseconds, the last deleted first.
func TrashedAt(ctx context.Context, q sqldb.Q, tenant, path string, since int64) ([]Trashed, error) {
	return trashed(ctx, q, trashedAt, tenant, path, since)
}

// TrashedBelow returns up to n that stood below folder, a path with a slash at its end, and can be brought back, deleted since a
// time in microseconds, in order of path and sequence, behind path and seq.
func TrashedBelow(ctx context.Context, q sqldb.Q, tenant, folder, path string, seq int64, n int, since int64) ([]Trashed, error) {
	return trashed(ctx, q, trashedBelow, tenant, folder, End(folder), path, seq, n, since)
}

// Unswept returns one in the tenant's trash on which grants may remain; none when there is none.
func Unswept(ctx context.Context, q sqldb.Q, tenant string) ([]Trashed, error) {
	return trashed(ctx, q, unswept, tenant)
}

// SetSwept notes that no grants remain on anything in what is in the trash.
func SetSwept(ctx context.Context, tx sqldb.Tx, id string) error {
	_, err := tx.Exec(ctx, setSwept, id)
	return err
}

// LinksInto returns the links that show something in the folders at and below folder, whose path ends in a slash.
func LinksInto(ctx context.Context, q sqldb.Q, tenant, folder string) ([]Tuple, error) {
	return tuples(ctx, q, linksInto, tenant, folder, End(folder))
}

func trashed(ctx context.Context, q sqldb.Q, s *sqldb.Stmt, args ...any) ([]Trashed, error) {
	var all []Trashed
	err := q.Each(ctx, s, args, func(r sqldb.Row) error {
		var t Trashed
		err := r.Scan(&t.ID, &t.Tenant, &t.Path, &t.Folder, &t.State, &t.Seq, &t.Deleted, &t.Author, &t.Swept, &t.Held)
		all = append(all, t)
		return err
	})
	return all, err
}

// InTrash returns the path of a folder in the trash.
func InTrash(id string) string {
	_, name, _ := strings.Cut(id, "/")
	return TrashPath + name + "/"
}

var (
	anyFileIn = sqldb.SQL(`SELECT f.id, f.name FROM dirs d JOIN files f ON f.dir = d.id
		WHERE d.tenant = $1 AND d.path = $2 AND f.name > $3 ORDER BY f.name LIMIT $4`)
	dirBehind = sqldb.SQL(`SELECT id, tenant, parent, path, state, created, modified FROM dirs
		WHERE tenant = $1 AND path > $2 AND path < $3 ORDER BY path LIMIT 1`)
	sweeping = sqldb.SQL(`SELECT DISTINCT tenant FROM trash WHERE swept IS FALSE`)
)

// AnyFileIn returns up to n files directly in folder, reserved names among them, behind the one called name: id and name alone.
func AnyFileIn(ctx context.Context, q sqldb.Q, tenant, folder, name string, n int) ([]File, error) {
	var all []File
	err := q.Each(ctx, anyFileIn, []any{tenant, folder, name, n}, func(r sqldb.Row) error {
		var f File
		err := r.Scan(&f.ID, &f.Name)
		all = append(all, f)
		return err
	})
	return all, err
}

// DirBehind returns the first folder behind path and before end, whatever its state.
func DirBehind(ctx context.Context, q sqldb.Q, tenant, path, end string) (d *Dir, found bool, err error) {
	d, err = scanDir(q.Row(ctx, dirBehind, tenant, path, end))
	if errors.Is(err, sqldb.ErrNoRows) {
		return nil, false, nil
	}
	return d, err == nil, err
}

// Sweeping returns the tenants in whose trash grants may remain.
func Sweeping(ctx context.Context, q sqldb.Q) (all []string, err error) {
	err = q.Each(ctx, sweeping, nil, func(r sqldb.Row) error {
		var t string
		err := r.Scan(&t)
		all = append(all, t)
		return err
	})
	return all, err
}
