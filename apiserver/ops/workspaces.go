package ops

import (
	"cmp"
	"context"
	"strconv"

	"nexus/apiserver/api"
	"nexus/apiserver/op"
	"nexus/authzsvc/authz"
	"nexus/internal/errs"
	"nexus/internal/paths"
	"nexus/schema"
	"nexus/storage"
)

func workspaces(t *op.Table, d Deps) {
	w := workspaceOps{fileOps: fileOps{files: d.Store.Files(), names: d.Store.Names(), gate: t.Gate()}, workspaces: d.Store.Workspaces()}
	op.Handle(t, api.RegisterWorkspace, w.registrable, w.register)
	op.Handle(t, api.UnregisterWorkspace, func(ctx context.Context, who authz.Principal, p *api.PathParams) (authz.Need[schema.OwnFile], error) {
		a, err := w.at(ctx, who, p.Path)
		return schema.File{Address: a}.Own(), err
	}, func(ctx context.Context, _ authz.Principal, _ *api.PathParams, g schema.OwnFile) (bool, error) {
		return w.workspaces.Unregister(ctx, g)
	})
	op.Handle(t, api.ListWorkspaces, func(_ context.Context, who authz.Principal, _ *api.Nothing) (authz.Need[schema.ReadFiles], error) {
		return w.readableOnes(who), nil
	}, w.list)
	op.Handle(t, api.GetWorkspace, func(ctx context.Context, who authz.Principal, p *api.PathParams) (authz.Need[schema.ReadFile], error) {
		return w.readable(ctx, who, p.Path)
	}, w.get)
	op.Handle(t, api.TakeSnapshot, func(ctx context.Context, who authz.Principal, p *api.SnapshotParams) (authz.Need[schema.WriteFile], error) {
		a, err := w.at(ctx, who, p.Path)
		return schema.File{Address: a}.Write(), err
	}, w.snapshot)
	op.HandleSteps(t, api.RestoreWorkspace, w.restorable, w.restore)
	op.Handle(t, api.RestoreState, func(ctx context.Context, who authz.Principal, p *api.WorkspacePath) (authz.Need[schema.ReadFile], error) {
		return w.readable(ctx, who, p.Path)
	}, w.restoring)
	op.Handle(t, api.WorkspaceLog, func(ctx context.Context, who authz.Principal, p *api.LogParams) (authz.Need[schema.ReadFile], error) {
		return w.readable(ctx, who, p.Path)
	}, w.log)
	op.Handle(t, api.WorkspaceDiff, w.comparable, w.diff)
}

type workspaceOps struct {
	fileOps
	workspaces *storage.Workspaces
}

// readableOnes is the need to look through the tenant for what one may read.
func (f fileOps) readableOnes(who authz.Principal) authz.Need[schema.ReadFiles] {
	return schema.ReadFilesWithin(f.gate, schema.Home(who).Access(), api.Read.Name)
}

// registerGrant is the right to register a folder, or to make one: exactly one of its sides was decided.
type registerGrant struct {
	There schema.OwnFile
	Into  schema.WriteDir
	make  bool
}

func (w workspaceOps) registrable(ctx context.Context, who authz.Principal, p *api.RegisterWorkspaceParams) (authz.Need[registerGrant], error) {
	a, err := w.at(ctx, who, p.Path)
	if err != nil {
		return authz.Need[registerGrant]{}, err
	}
	if a.Exists() {
		return authz.Map(schema.File{Address: a}.Own(), func(g schema.OwnFile) registerGrant { return registerGrant{There: g} }), nil
	}
	return authz.Map(schema.Dir{Address: a}.Write(), func(g schema.WriteDir) registerGrant { return registerGrant{Into: g, make: true} }), nil
}

func (w workspaceOps) register(ctx context.Context, _ authz.Principal, p *api.RegisterWorkspaceParams, g registerGrant) (api.Workspace, error) {
	spec := storage.WorkspaceSpec{
		Name: p.Name, Description: p.Description, Tags: p.Tags, Metadata: p.Metadata, Session: p.Session, Lifetime: p.TTL.Duration,
	}
	made, err := w.make(ctx, g, spec)
	if err != nil {
		return api.Workspace{}, err
	}
	return workspace(made), nil
}

func (w workspaceOps) make(ctx context.Context, g registerGrant, spec storage.WorkspaceSpec) (storage.Workspace, error) {
	if g.make {
		return w.workspaces.RegisterNew(ctx, g.Into, spec)
	}
	return w.workspaces.Register(ctx, g.There, spec)
}

func (w workspaceOps) list(ctx context.Context, _ authz.Principal, _ *api.Nothing, s schema.ReadFiles) ([]api.Workspace, error) {
	found, err := w.workspaces.List(ctx, s)
	if err != nil {
		return nil, err
	}
	all := make([]api.Workspace, len(found))
	for i, f := range found {
		all[i] = workspace(f)
	}
	return all, nil
}

func (w workspaceOps) get(ctx context.Context, _ authz.Principal, _ *api.PathParams, g schema.ReadFile) (*api.Workspace, error) {
	found, err := w.workspaces.Info(ctx, g)
	if err != nil || found == nil {
		return nil, err
	}
	out := workspace(*found)
	return &out, nil
}

func (w workspaceOps) snapshot(ctx context.Context, _ authz.Principal, p *api.SnapshotParams, g schema.WriteFile) (api.Snapshot, error) {
	s, err := w.workspaces.Snapshot(ctx, g, storage.SnapshotSpec{Description: p.Description, Tags: p.Tags})
	if err != nil {
		return api.Snapshot{}, err
	}
	return snapshot(s), nil
}

func (w workspaceOps) log(ctx context.Context, _ authz.Principal, p *api.LogParams, g schema.ReadFile) ([]api.Snapshot, error) {
	found, err := w.workspaces.Log(ctx, g, 0, api.PageSize(p.Limit))
	if err != nil {
		return nil, err
	}
	all := make([]api.Snapshot, len(found))
	for i, f := range found {
		all[i] = snapshot(f)
	}
	return all, nil
}

func (w workspaceOps) comparable(ctx context.Context, who authz.Principal, p *api.CompareParams) (authz.Need[storage.CompareGrant], error) {
	read, err := w.readable(ctx, who, p.Path)
	if err != nil {
		return authz.Need[storage.CompareGrant]{}, err
	}
	both := authz.Both(read, w.readableOnes(who))
	return authz.Map(both, func(g authz.Pair[schema.ReadFile, schema.ReadFiles]) storage.CompareGrant {
		return storage.CompareGrant{Root: g.First, Members: g.Second}
	}), nil
}

func (w workspaceOps) diff(ctx context.Context, _ authz.Principal, p *api.CompareParams, g storage.CompareGrant) (api.Difference, error) {
	d, err := w.workspaces.Compare(ctx, g, p.One, p.Two)
	if err != nil {
		return api.Difference{}, err
	}
	return api.Difference{
		Root: p.Path, One: snapshot(d.One), Two: snapshot(d.Two), Unchanged: d.Unchanged, Hidden: d.Hidden,
		Added: changes(p.Path, d.Added), Removed: changes(p.Path, d.Removed), Modified: changes(p.Path, d.Modified),
	}, nil
}

func (w workspaceOps) restorable(ctx context.Context, who authz.Principal, p *api.RestoreParams) (authz.Need[storage.RestoreGrant], error) {
	a, err := w.at(ctx, who, p.Path)
	if err != nil {
		return authz.Need[storage.RestoreGrant]{}, err
	}
	// What is changed is asked as what is written, and what is read elsewhere as what is read: rules hold for both.
	within := authz.Both(schema.WriteFilesWithin(w.gate, schema.Home(who).Access(), api.Write.Name), w.readableOnes(who))
	all := authz.Both(schema.File{Address: a}.Write(), within)
	return authz.Map(all, func(g authz.Pair[schema.WriteFile, authz.Pair[schema.WriteFiles, schema.ReadFiles]]) storage.RestoreGrant {
		return storage.RestoreGrant{Root: g.First, Changed: g.Second.First, Source: g.Second.Second}
	}), nil
}

// plans is how often a restore is planned again because others change the workspace beside it.
const plans = 5

func (w workspaceOps) restore(ctx context.Context, _ authz.Principal, p *api.RestoreParams, step op.Step[storage.RestoreGrant]) (out api.RestoreResult, err error) {
	var r *storage.Restore
	err = step(ctx, func(ctx context.Context, g storage.RestoreGrant) (err error) {
		r, err = w.workspaces.Restore(ctx, g, p.Number)
		return err
	})
	if err != nil {
		return out, err
	}
	defer func() { err = cmp.Or(err, r.Close(context.WithoutCancel(ctx))) }()
	err = w.steps(ctx, r, step)
	for again := 1; again < plans && err != nil && errs.From(err).Reason == errs.StaleDecision; again++ {
		if err = step(ctx, r.Plan); err == nil {
			err = w.steps(ctx, r, step)
		}
	}
	if err != nil {
		return out, w.unfinished(ctx, p, r, err)
	}
	s := r.State()
	return api.RestoreResult{
		Restored: true, Job: s.ID, Files: s.Changed, Deleted: s.Deleted, Hidden: s.Hidden, Kept: s.Kept,
		Number: p.Number, Timestamp: api.Time{Time: r.Snapshot.Created}, Snapshot: snapshot(r.Snapshot),
	}, nil
}

// steps takes the steps of the plan.
func (w workspaceOps) steps(ctx context.Context, r *storage.Restore, step op.Step[storage.RestoreGrant]) (err error) {
	for err == nil && !r.Done() {
		if err = ctx.Err(); err == nil {
			err = step(ctx, r.Step)
		}
	}
	return err
}

// unfinished is the answer to a restore that ended early: where it can be gone on with, it says how far it came.
func (w workspaceOps) unfinished(ctx context.Context, p *api.RestoreParams, r *storage.Restore, err error) error {
	left := strconv.FormatInt(r.State().Left, 10)
	switch {
	case ctx.Err() != nil:
		return errs.New(errs.Deadline, "not all is restored yet: %s files and folders are left; call again to go on", left).With("left", left).Because(err)
	case errs.From(err).Reason == errs.StaleDecision:
		return errs.New(errs.Conflict, "others kept changing %s; call again to go on", p.Path).Marked(errs.StaleDecision).With("left", left)
	}
	return err
}

func (w workspaceOps) restoring(ctx context.Context, _ authz.Principal, _ *api.WorkspacePath, g schema.ReadFile) (*api.RestoreStatus, error) {
	s, err := w.workspaces.Restoring(ctx, g)
	if err != nil || s == nil {
		return nil, err
	}
	out := &api.RestoreStatus{
		Job: s.ID, State: api.RestoreInterrupted, Number: s.Number, By: author(s.Author), Files: s.Changed, Deleted: s.Deleted,
		Left: s.Left, Hidden: s.Hidden, Kept: s.Kept,
		Started: api.Time{Time: s.Started}, Updated: api.Time{Time: s.Updated}, Finished: api.Time{Time: s.Finished},
	}
	switch {
	case s.Done:
		out.State = api.RestoreDone
	case s.Running:
		out.State = api.RestoreRunning
	}
	return out, nil
}

func changes(root string, found []storage.Change) []api.FileChange {
	all := make([]api.FileChange, len(found))
	for i, c := range found {
		all[i] = api.FileChange{Path: paths.Join(root, c.Path), OldSize: c.OldSize, NewSize: c.Size, OldHash: c.OldEtag, NewHash: c.Etag}
	}
	return all
}

func workspace(w storage.Workspace) api.Workspace {
	return api.Workspace{
		Path: w.Path, Name: w.Name, Description: w.Description, Created: api.Time{Time: w.Created}, CreatedBy: author(w.Author),
		Tags: w.Tags, Metadata: w.Metadata, Session: w.Session, Expires: api.Time{Time: w.Expires},
		Files: w.Files, Bytes: w.Bytes, Snapshots: w.Snapshots, TreeHash: made(w.TreeHash),
	}
}

func snapshot(s storage.Snapshot) api.Snapshot {
	return api.Snapshot{
		ID: s.ID, Number: s.Number, ManifestHash: s.ManifestHash, TreeHash: made(s.TreeHash), Files: s.Files, Bytes: s.Bytes, ClientBytes: s.Bytes,
		Description: s.Description, CreatedBy: author(s.Author), Tags: s.Tags,
		Timestamp: api.Time{Time: s.Created}, Created: api.TypedTime{Time: s.Created},
	}
}

// made is a hash as answers have it: null until it is made.
func made(hash string) *string {
	if hash == "" {
		return nil
	}
	return &hash
}

// author is how answers write who did something: type:name.
func author(r authz.Ref) string { return r.Type + ":" + schema.NameOf(r) }
