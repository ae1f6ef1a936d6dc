package sqlstore

import (
	"context"
	"encoding/json"
	"errors"

	"nexus/internal/sqldb"
)

// Workspace is a registered folder.
type Workspace struct {
	ID, Tenant, Dir   string
	Name, Description string
	Author            string // type:id
	Tags              []string
	Metadata          json.RawMessage // an object
	Session           string
	Created, Expires  int64  // microseconds; 0: never
	Files, Bytes      int64  // that exist in it now
	Snapshots         int64  // number of the last
	TreeHash          string // of the last; empty until it is made. For reading, as Path is
	Path              string // of the folder, with a slash at its end; for reading, no statement writes it
}

// Snapshot is a workspace as it was at a sequence.
type Snapshot struct {
	Workspace    string
	Number, Seq  int64
	Description  string
	Author       string
	Tags         []string
	Created      int64
	Files, Bytes int64
	TreeHash     string // empty until it is made
}

var (
	insertWorkspace = sqldb.SQL(`INSERT INTO workspaces (id, tenant, dir, name, description, author, tags, metadata, session, created, expires, files, bytes, snapshots)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, 0)`)
	workspaceOf = sqldb.SQL(`SELECT w.id, w.tenant, w.dir, w.name, w.description, w.author, w.tags, w.metadata, w.session, w.created, w.expires,
		w.files, w.bytes, w.snapshots,
		COALESCE((SELECT s.tree_hash FROM snapshots s WHERE s.workspace = w.id AND s.number = w.snapshots), ''), d.path FROM workspaces w JOIN dirs d ON d.id = w.dir WHERE w.tenant = $1 AND w.dir = $2`)
	workspacesAfter = sqldb.SQL(`SELECT w.id, w.tenant, w.dir, w.name, w.description, w.author, w.tags, w.metadata, w.session, w.created, w.expires,
		w.files, w.bytes, w.snapshots,
		COALESCE((SELECT s.tree_hash FROM snapshots s WHERE s.workspace = w.id AND s.number = w.snapshots), ''), d.path FROM workspaces w JOIN dirs d ON d.id = w.dir
		WHERE w.tenant = $1 AND d.path > $2 AND d.path >= '/' AND d.path < '0' ORDER BY d.path LIMIT $3`)
	expiredWorkspaces = sqldb.SQL(`SELECT w.id, w.tenant, w.dir, w.name, w.description, w.author, w.tags, w.metadata, w.session, w.created, w.expires,
		w.files, w.bytes, w.snapshots,
		COALESCE((SELECT s.tree_hash FROM snapshots s WHERE s.workspace = w.id AND s.number = w.snapshots), ''), d.path FROM workspaces w JOIN dirs d ON d.id = w.dir
		WHERE w.tenant = $1 AND w.expires > 0 AND w.expires <= $2 ORDER BY w.expires LIMIT $3`)
	expiringTenants = sqldb.SQL(`SELECT DISTINCT tenant FROM workspaces WHERE expires > 0 AND expires <= $1`)
	deleteWorkspace = sqldb.SQL(`DELETE FROM workspaces WHERE id = $1`)
	deleteSnapshots = sqldb.SQL(`DELETE FROM snapshots WHERE workspace = $1`)
	anyWorkspace    = sqldb.SQL(`SELECT count(*) FROM (SELECT 1 FROM workspaces WHERE tenant = $1 LIMIT 1) one`)
	workspaceAt     = sqldb.SQL(`SELECT w.id FROM dirs d JOIN workspaces w ON w.tenant = d.tenant AND w.dir = d.id WHERE d.tenant = $1 AND d.path = $2`)
	countIn         = sqldb.SQL(`UPDATE workspaces SET files = files + $2, bytes = bytes + $3 WHERE id = $1`)
	contents        = sqldb.SQL(`SELECT count(*), COALESCE(sum(f.size), 0) FROM dirs d JOIN files f ON f.dir = d.id
		WHERE d.tenant = $1 AND d.path >= $2 AND d.path < $3 AND f.version > 0`)

	nextSnapshot   = sqldb.SQL(`UPDATE workspaces SET snapshots = snapshots + 1 WHERE id = $1 RETURNING snapshots, files, bytes`)
	insertSnapshot = sqldb.SQL(`INSERT INTO snapshots (workspace, number, seq, description, author, tags, created, files, bytes, tree_hash)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, '')`)
	snapshotOf = sqldb.SQL(`SELECT workspace, number, seq, description, author, tags, created, files, bytes, tree_hash FROM snapshots
		WHERE workspace = $1 AND number = $2`)
	snapshotsBefore = sqldb.SQL(`SELECT workspace, number, seq, description, author, tags, created, files, bytes, tree_hash FROM snapshots
		WHERE workspace = $1 AND number < $2 ORDER BY number DESC LIMIT $3`)
)

// InsertWorkspace registers a folder.
func InsertWorkspace(ctx context.Context, tx sqldb.Tx, w *Workspace) error {
	tags, err := json.Marshal(w.Tags)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, insertWorkspace, w.ID, w.Tenant, w.Dir, w.Name, w.Description, w.Author, string(tags), string(w.Metadata),
		w.Session, w.Created, w.Expires, w.Files, w.Bytes)
	return err
}

// WorkspaceOf returns what a folder is registered as; ErrNoRows when it is not.
func WorkspaceOf(ctx context.Context, q sqldb.Q, tenant, dir string) (*Workspace, error) {
	return scanWorkspace(q.Row(ctx, workspaceOf, tenant, dir))
}

// WorkspacesAfter returns up to n workspaces behind a folder's path, in order of path. What stands in the trash is left out.
func WorkspacesAfter(ctx context.Context, q sqldb.Q, tenant, path string, n int) ([]Workspace, error) {
	return workspaces(ctx, q, workspacesAfter, tenant, path, n)
}

// ExpiredWorkspaces returns up to n workspaces of a tenant whose time has come at a time in microseconds.
func ExpiredWorkspaces(ctx context.Context, q sqldb.Q, tenant string, at int64, n int) ([]Workspace, error) {
	return workspaces(ctx, q, expiredWorkspaces, tenant, at, n)
}

// ExpiringTenants returns the tenants that have workspaces whose time has come.
func ExpiringTenants(ctx context.Context, q sqldb.Q, at int64) (all []string, err error) {
	err = q.Each(ctx, expiringTenants, []any{at}, func(r sqldb.Row) error {
		var t string
		err := r.Scan(&t)
		all = append(all, t)
		return err
	})
	return all, err
}

// DeleteWorkspace ends a registration, with its snapshots and what is known of its last restore.
func DeleteWorkspace(ctx context.Context, tx sqldb.Tx, id string) error {
	for _, s := range []*sqldb.Stmt{deleteSnapshots, deleteRestore, deleteWorkspace} {
		if _, err := tx.Exec(ctx, s, id); err != nil {
			return err
		}
	}
	return nil
}

// Around returns the ids of the workspaces that a folder, whose path ends in a slash, is or lies in.
func Around(ctx context.Context, q sqldb.Q, tenant, folder string) (ids []string, err error) {
	if any, err := some(q.Row(ctx, anyWorkspace, tenant)); err != nil || !any {
		return nil, err
	}
	for end := range len(folder) {
		if folder[end] != '/' {
			continue
		}
		var id string
		err := q.Row(ctx, workspaceAt, tenant, folder[:end+1]).Scan(&id)
		if errors.Is(err, sqldb.ErrNoRows) {
			continue
		}
		if err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, nil
}

// CountIn adds to what exists in a workspace.
func CountIn(ctx context.Context, tx sqldb.Tx, id string, files, bytes int64) error {
	_, err := tx.Exec(ctx, countIn, id, files, bytes)
	return err
}

// Contents counts what exists at and below a folder, whose path ends in a slash. It looks at each file.
func Contents(ctx context.Context, q sqldb.Q, tenant, folder string) (files, bytes int64, err error) {
	err = q.Row(ctx, contents, tenant, folder, End(folder)).Scan(&files, &bytes)
	return files, bytes, err
}

// InsertSnapshot gives s the next number of its workspace, and the counts that the workspace has, and adds it.
func InsertSnapshot(ctx context.Context, tx sqldb.Tx, s *Snapshot) error {
	if err := tx.Row(ctx, nextSnapshot, s.Workspace).Scan(&s.Number, &s.Files, &s.Bytes); err != nil {
		return err
	}
	tags, err := json.Marshal(s.Tags)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, insertSnapshot, s.Workspace, s.Number, s.Seq, s.Description, s.Author, string(tags), s.Created, s.Files, s.Bytes)
	return err
}

// SnapshotOf returns a snapshot by its number; ErrNoRows when there is none.
func SnapshotOf(ctx context.Context, q sqldb.Q, workspace string, number int64) (*Snapshot, error) {
	return scanSnapshot(q.Row(ctx, snapshotOf, workspace, number))
}

// SnapshotsBefore returns up to n snapshots of a workspace below a number, the newest first.
func SnapshotsBefore(ctx context.Context, q sqldb.Q, workspace string, number int64, n int) ([]Snapshot, error) {
	var all []Snapshot
	err := q.Each(ctx, snapshotsBefore, []any{workspace, number, n}, func(r sqldb.Row) error {
		s, err := scanSnapshot(r)
		if err == nil {
			all = append(all, *s)
		}
		return err
	})
	return all, err
}

func workspaces(ctx context.Context, q sqldb.Q, s *sqldb.Stmt, args ...any) ([]Workspace, error) {
	var all []Workspace
	err := q.Each(ctx, s, args, func(r sqldb.Row) error {
		w, err := scanWorkspace(r)
		if err == nil {
			all = append(all, *w)
		}
		return err
	})
	return all, err
}

func scanWorkspace(r sqldb.Row) (*Workspace, error) {
	var w Workspace
	var tags, metadata string
	err := r.Scan(&w.ID, &w.Tenant, &w.Dir, &w.Name, &w.Description, &w.Author, &tags, &metadata, &w.Session, &w.Created, &w.Expires,
		&w.Files, &w.Bytes, &w.Snapshots, &w.TreeHash, &w.Path)
	if err != nil {
		return nil, err
	}
	w.Metadata = json.RawMessage(metadata)
	return &w, json.Unmarshal([]byte(tags), &w.Tags)
}

func scanSnapshot(r sqldb.Row) (*Snapshot, error) {
	var s Snapshot
	var tags string
	err := r.Scan(&s.Workspace, &s.Number, &s.Seq, &s.Description, &s.Author, &tags, &s.Created, &s.Files, &s.Bytes, &s.TreeHash)
	if err != nil {
		return nil, err
	}
	return &s, json.Unmarshal([]byte(tags), &s.Tags)
}
