package storage

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"time"

	"nexus/authzsvc/authz"
	"nexus/internal/errs"
	"nexus/internal/paths"
	"nexus/internal/sqldb"
	"nexus/schema"
	"nexus/storage/internal/sqlstore"
)

// Workspaces is the façade of registered folders and their snapshots. It is safe for concurrent use.
type Workspaces struct{ s *Store }

// Workspaces returns the façade.
func (s *Store) Workspaces() *Workspaces { return &Workspaces{s} }

// WorkspaceSpec says what to register a folder as.
type WorkspaceSpec struct {
	Name, Description string
	Tags              []string
	Metadata          json.RawMessage // an object; nil is an empty one
	Session           string
	Lifetime          time.Duration // after which the folder goes into the trash; zero: never
}

// Workspace is a registered folder.
type Workspace struct {
	Path string
	WorkspaceSpec
	Author           authz.Ref
	Created, Expires time.Time // zero: never
	Files, Bytes     int64     // that exist in it
	Snapshots        int64     // number of the last
	TreeHash         string    // of the last; empty until it is made
}

// Register makes a workspace of the granted folder.
func (w *Workspaces) Register(ctx context.Context, g schema.OwnFile, spec WorkspaceSpec) (Workspace, error) {
	folder, err := g.Use(authz.MaskValues)
	if err != nil {
		return Workspace{}, err
	}
	return w.register(ctx, g.Decision(), folder.Address, spec)
}

// RegisterNew makes the folder that the granted address names, owned by who asks, and a workspace of it.
func (w *Workspaces) RegisterNew(ctx context.Context, g schema.WriteDir, spec WorkspaceSpec) (Workspace, error) {
	folder, err := g.Use(authz.MaskValues)
	if err != nil {
		return Workspace{}, err
	}
	return w.register(ctx, g.Decision(), folder.Address, spec)
}

func (w *Workspaces) register(ctx context.Context, d *authz.Decision, a schema.Address, spec WorkspaceSpec) (made Workspace, err error) {
	if a.Exists() && !a.Folder {
		return Workspace{}, errs.New(errs.Invalid, "%s is a file, not a folder", a.Path).Marked(errs.NotValid)
	}
	if a.Path == paths.Root && spec.Lifetime > 0 {
		return Workspace{}, errs.New(errs.Invalid, "the root does not end").Marked(errs.NotValid)
	}
	err = w.s.act(ctx, d, func(ctx context.Context, tx sqldb.Tx, seq int64) (bool, error) {
		c := &writing{s: w.s, tx: tx, d: d, at: w.s.now(), seq: seq}
		place, err := same(ctx, tx, a)
		if err != nil {
			return false, err
		}
		id := a.Anchor
		if !a.Exists() {
			if id, err = c.mkdir(ctx, place, a); err != nil {
				return false, err
			}
			if err := c.done(ctx, sqlstore.Created, id, a.Path); err != nil {
				return false, err
			}
		} else if place.Dir.State == sqlstore.Implicit { // from here on it is there for itself, also when nothing is in it
			if err := sqlstore.SetState(ctx, tx, id, sqlstore.Explicit, c.at, seq); err != nil {
				return false, err
			}
		}
		row, err := c.workspace(ctx, id, a, spec)
		if err != nil {
			return false, err
		}
		made = workspaceFrom(row)
		return true, nil
	})
	return made, err
}

// workspace adds the row of a workspace over the folder with that id at a.
func (c *writing) workspace(ctx context.Context, id string, a schema.Address, spec WorkspaceSpec) (*sqlstore.Workspace, error) {
	_, err := sqlstore.WorkspaceOf(ctx, c.tx, a.Tenant, id)
	if err == nil {
		return nil, errs.New(errs.Invalid, "%s is a workspace already", a.Path) // -32602, as wire-rpc.md has it
	}
	if !errors.Is(err, sqldb.ErrNoRows) {
		return nil, err
	}
	row := &sqlstore.Workspace{
		ID: newID(a.Tenant), Tenant: a.Tenant, Dir: id, Name: spec.Name, Description: spec.Description, Author: c.d.Principal().Base.String(),
		Tags: spec.Tags, Metadata: spec.Metadata, Session: spec.Session, Created: c.at, Path: sqlstore.Slashed(a.Path),
	}
	if row.Tags == nil {
		row.Tags = []string{}
	}
	if row.Metadata == nil {
		row.Metadata = json.RawMessage("{}")
	}
	if spec.Lifetime > 0 {
		row.Expires = c.at + spec.Lifetime.Microseconds()
	}
	if row.Files, row.Bytes, err = sqlstore.Contents(ctx, c.tx, a.Tenant, row.Path); err != nil {
		return nil, err
	}
	return row, sqlstore.InsertWorkspace(ctx, c.tx, row)
}

func workspaceFrom(row *sqlstore.Workspace) Workspace {
	return Workspace{
		Path: sqlstore.Unslashed(row.Path), Author: refOf(row.Author), Created: micros(row.Created), Expires: micros(row.Expires),
		Files: row.Files, Bytes: row.Bytes, Snapshots: row.Snapshots, TreeHash: row.TreeHash,
		WorkspaceSpec: WorkspaceSpec{Name: row.Name, Description: row.Description, Tags: row.Tags, Metadata: row.Metadata, Session: row.Session},
	}
}

// Unregister ends the registration of the granted folder, with its snapshots; its files stay. It is false when there is none.
func (w *Workspaces) Unregister(ctx context.Context, g schema.OwnFile) (was bool, err error) {
	folder, err := g.Use(authz.MaskValues)
	if err != nil {
		return false, err
	}
	err = w.s.act(ctx, g.Decision(), func(ctx context.Context, tx sqldb.Tx, _ int64) (bool, error) {
		if _, err := same(ctx, tx, folder.Address); err != nil {
			return false, err
		}
		row, err := registered(ctx, tx, folder.Address)
		was = row != nil
		if err != nil || !was {
			return false, err
		}
		return true, sqlstore.DeleteWorkspace(ctx, tx, row.ID)
	})
	return was, err
}

// Info returns what the granted folder is registered as; nil when it is not.
func (w *Workspaces) Info(ctx context.Context, g schema.ReadFile) (*Workspace, error) {
	folder, err := g.Use(authz.MaskValues)
	if err != nil {
		return nil, err
	}
	row, err := registered(ctx, w.s.db, folder.Address)
	if err != nil || row == nil {
		return nil, err
	}
	found := workspaceFrom(row)
	return &found, nil
}

// registered returns the row of the workspace at a; nil when there is none.
func registered(ctx context.Context, q sqldb.Q, a schema.Address) (*sqlstore.Workspace, error) {
	if !a.Exists() {
		return nil, nil
	}
	row, err := sqlstore.WorkspaceOf(ctx, q, a.Tenant, a.Anchor)
	if errors.Is(err, sqldb.ErrNoRows) {
		return nil, nil
	}
	return row, err
}

// mustBeRegistered is registered, and an error where there is none.
func mustBeRegistered(ctx context.Context, q sqldb.Q, a schema.Address) (*sqlstore.Workspace, error) {
	row, err := registered(ctx, q, a)
	if err == nil && row == nil {
		err = errs.New(errs.Invalid, "%s is not a registered workspace", a.Path) // -32602, as wire-rpc.md has it
	}
	return row, err
}

// List returns the workspaces that the scope admits, in order of path.
func (w *Workspaces) List(ctx context.Context, s schema.ReadFiles) ([]Workspace, error) {
	tenant, err := s.Tenant()
	if err != nil {
		return nil, err
	}
	var all []Workspace
	for after := ""; ; {
		rows, err := sqlstore.WorkspacesAfter(ctx, w.s.db, tenant, after, listPage)
		if err != nil {
			return nil, err
		}
		found, err := w.admitted(ctx, s, rows)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
		if len(rows) < listPage {
			return all, s.Close(ctx, true)
		}
		after = rows[len(rows)-1].Path
	}
}

func (w *Workspaces) admitted(ctx context.Context, s schema.ReadFiles, rows []sqlstore.Workspace) ([]Workspace, error) {
	members, byID := make([]schema.File, 0, len(rows)), map[string]*sqlstore.Workspace{}
	for i := range rows {
		d, err := sqlstore.DirByID(ctx, w.s.db, rows[i].Dir)
		if errors.Is(err, sqldb.ErrNoRows) {
			continue // it went since
		}
		if err != nil {
			return nil, err
		}
		members = append(members, schema.File{Address: folderAddress(d)})
		byID[rows[i].Dir] = &rows[i]
	}
	admitted, err := s.Admit(ctx, members, standsIn, noValues)
	if err != nil {
		return nil, err
	}
	found := make([]Workspace, 0, len(admitted))
	for _, m := range admitted {
		found = append(found, workspaceFrom(byID[m.Anchor]))
	}
	return found, nil
}

// SnapshotSpec says what a snapshot is called.
type SnapshotSpec struct {
	Description string
	Tags        []string
}

// Snapshot is a workspace as it was.
type Snapshot struct {
	ID     string // of the workspace, and the number
	Number int64
	SnapshotSpec
	Author       authz.Ref
	Created      time.Time
	Files, Bytes int64
	ManifestHash string // of the workspace's id and the sequence: it names what the snapshot holds, which never changes
	TreeHash     string // of all names and contents, as package treehash makes it; empty until it is made
}

// Snapshot keeps the granted workspace as it is. It takes no longer for many files than for few: the tree remembers where
// things stood, so that a snapshot is a sequence.
func (w *Workspaces) Snapshot(ctx context.Context, g schema.WriteFile, spec SnapshotSpec) (made Snapshot, err error) {
	folder, err := g.Use(authz.MaskValues)
	if err != nil {
		return Snapshot{}, err
	}
	err = w.s.act(ctx, g.Decision(), func(ctx context.Context, tx sqldb.Tx, seq int64) (bool, error) {
		if _, err := same(ctx, tx, folder.Address); err != nil {
			return false, err
		}
		row, err := mustBeRegistered(ctx, tx, folder.Address)
		if err != nil {
			return false, err
		}
		s := &sqlstore.Snapshot{
			Workspace: row.ID, Seq: seq, Description: spec.Description, Author: g.Decision().Principal().Base.String(),
			Tags: spec.Tags, Created: w.s.now(),
		}
		if s.Tags == nil {
			s.Tags = []string{}
		}
		if err := sqlstore.InsertSnapshot(ctx, tx, s); err != nil {
			return false, err
		}
		made = snapshotFrom(s)
		return true, nil
	})
	return made, err
}

// Log returns up to n snapshots of the granted workspace, the newest first, below a number; 0 begins with the newest.
func (w *Workspaces) Log(ctx context.Context, g schema.ReadFile, before int64, n int) ([]Snapshot, error) {
	folder, err := g.Use(authz.MaskValues)
	if err != nil {
		return nil, err
	}
	row, err := mustBeRegistered(ctx, w.s.db, folder.Address)
	if err != nil {
		return nil, err
	}
	if before == 0 {
		before = math.MaxInt64
	}
	rows, err := sqlstore.SnapshotsBefore(ctx, w.s.db, row.ID, before, n)
	if err != nil {
		return nil, err
	}
	all := make([]Snapshot, len(rows))
	for i := range rows {
		all[i] = snapshotFrom(&rows[i])
	}
	return all, nil
}
