package ops

import (
	"context"
	"errors"

	"nexus/apiserver/api"
	"nexus/apiserver/op"
	"nexus/authzsvc/authz"
	"nexus/internal/cursor"
	"nexus/internal/errs"
	"nexus/internal/paths"
	"nexus/schema"
	"nexus/storage"
)

func tree(t *op.Table, d Deps) {
	f := treeOps{fileOps: fileOps{files: d.Store.Files(), names: d.Store.Names(), gate: t.Gate()}, cursors: d.Cursors}
	op.Handle(t, api.Delete, func(ctx context.Context, who authz.Principal, p *api.PathParams) (authz.Need[removeGrant], error) {
		return f.removable(ctx, who, p.Path)
	}, f.delete)
	op.Handle(t, api.Rmdir, func(ctx context.Context, who authz.Principal, p *api.RmdirParams) (authz.Need[removeGrant], error) {
		return f.removable(ctx, who, p.Path)
	}, f.rmdir)
	op.Handle(t, api.Rename, f.movable, f.rename)
	op.Handle(t, api.IsDir, f.visible, f.isDirectory)
	op.Handle(t, api.Copy, f.copyable, f.copy)
	op.Handle(t, api.Undelete, func(ctx context.Context, who authz.Principal, p *api.PathParams) (authz.Need[schema.WriteDir], error) {
		return f.writable(ctx, who, p.Path)
	}, f.undelete)
	op.Handle(t, api.ListDeleted, func(ctx context.Context, who authz.Principal, p *api.DeletedParams) (authz.Need[schema.WriteDir], error) {
		return f.writable(ctx, who, p.Path)
	}, f.deleted)
}

type treeOps struct {
	fileOps
	cursors *cursor.Sealer
}

// removeGrant is the right to remove what is there, or to know that nothing is: exactly one of its sides was decided.
type removeGrant struct {
	What    schema.DeleteFile
	Nothing schema.ReadFile
	there   bool
}

func (f treeOps) removable(ctx context.Context, who authz.Principal, path string) (authz.Need[removeGrant], error) {
	a, err := f.at(ctx, who, path)
	if err != nil {
		return authz.Need[removeGrant]{}, err
	}
	if a.Exists() {
		return authz.Map(schema.File{Address: a}.Delete(), func(g schema.DeleteFile) removeGrant { return removeGrant{What: g, there: true} }), nil
	}
	return authz.Map(schema.File{Address: a}.Read(), func(g schema.ReadFile) removeGrant { return removeGrant{Nothing: g} }), nil
}

func (f treeOps) delete(ctx context.Context, _ authz.Principal, _ *api.PathParams, g removeGrant) (api.Success, error) {
	if !g.there {
		return f.nothing(ctx, g.Nothing)
	}
	err := f.files.Delete(ctx, g.What)
	return api.Success{Success: err == nil}, err
}

func (f treeOps) rmdir(ctx context.Context, _ authz.Principal, p *api.RmdirParams, g removeGrant) (api.Success, error) {
	if !g.there {
		return f.nothing(ctx, g.Nothing)
	}
	err := f.files.Rmdir(ctx, g.What, p.Recursive)
	return api.Success{Success: err == nil}, err
}

// nothing is the answer to who may look and finds nothing.
func (f treeOps) nothing(ctx context.Context, g schema.ReadFile) (api.Success, error) {
	_, err := f.files.Stat(ctx, g)
	if err == nil {
		err = errs.New(errs.Conflict, "what this was decided on has changed").Marked(errs.StaleDecision) // it has come to be
	}
	return api.Success{}, err
}

// moveGrant is the right to move: to another folder, within one, or to know why not. Exactly one of its sides was decided.
type moveGrant struct {
	Move    storage.MoveGrant
	Rename  schema.WriteFile
	Taken   authz.Pair[schema.WriteFile, schema.ReadFile]
	Nothing schema.ReadFile
	to      schema.Address
	way     way
}

// way says how something moves.
type way uint8

const (
	nowhere  way = iota // there is nothing to move
	across              // into another folder
	along               // within its folder
	occupied            // to where something stands already
)

func (f treeOps) movable(ctx context.Context, who authz.Principal, p *api.RenameParams) (n authz.Need[moveGrant], err error) {
	from, err := f.at(ctx, who, p.Old)
	if err != nil {
		return n, err
	}
	to, err := f.at(ctx, who, p.New)
	if err != nil {
		return n, err
	}
	old := schema.File{Address: from}
	switch {
	case !from.Exists():
		return authz.Map(old.Read(), func(g schema.ReadFile) moveGrant { return moveGrant{Nothing: g} }), nil
	case to.HasRow():
		both := authz.Both(old.Write(), schema.File{Address: to}.Read())
		return authz.Map(both, func(g authz.Pair[schema.WriteFile, schema.ReadFile]) moveGrant {
			return moveGrant{Taken: g, to: to, way: occupied}
		}), nil
	case folder(p.Old) == folder(p.New):
		return authz.Map(old.Write(), func(g schema.WriteFile) moveGrant { return moveGrant{Rename: g, to: to, way: along} }), nil
	}
	both := authz.Both(old.Own(), schema.Dir{Address: to}.Write())
	return authz.Map(both, func(g authz.Pair[schema.OwnFile, schema.WriteDir]) moveGrant {
		return moveGrant{Move: storage.MoveGrant{What: g.First, Into: g.Second}, way: across}
	}), nil
}

func folder(path string) string {
	above, _ := paths.Split(path)
	return above
}

func (f treeOps) rename(ctx context.Context, _ authz.Principal, p *api.RenameParams, g moveGrant) (api.Success, error) {
	switch g.way {
	case across:
		err := f.files.Move(ctx, g.Move)
		return api.Success{Success: err == nil}, err
	case along:
		err := f.files.Rename(ctx, g.Rename, g.to)
		return api.Success{Success: err == nil}, err
	case occupied:
		return f.stays(ctx, p, g)
	}
	return f.nothing(ctx, g.Nothing)
}

// stays is the answer to a move to where something stands: right when it is itself, and refused otherwise.
func (f treeOps) stays(ctx context.Context, p *api.RenameParams, g moveGrant) (api.Success, error) {
	if p.Old == p.New {
		return api.Success{Success: true}, nil
	}
	_, err := f.files.Stat(ctx, g.Taken.Second)
	if err == nil || errors.Is(err, errs.NotFound) {
		err = storage.Occupied(g.to)
	}
	return api.Success{}, err
}

func (f treeOps) isDirectory(ctx context.Context, who authz.Principal, p *api.PathParams, g authz.Choice[schema.ReadFile, schema.ReadFiles]) (api.IsDirectory, error) {
	a, err := f.at(ctx, who, p.Path)
	if err != nil {
		return api.IsDirectory{}, err
	}
	there, err := f.exists(ctx, who, p, g) // of a file, too, so that the time does not tell
	return api.IsDirectory{IsDirectory: there.Exists && a.Folder}, err
}

func (f treeOps) copyable(ctx context.Context, who authz.Principal, p *api.CopyParams) (n authz.Need[copyGrant], err error) {
	from, err := f.at(ctx, who, p.From)
	if err != nil {
		return n, err
	}
	to, err := f.at(ctx, who, p.To)
	if err != nil {
		return n, err
	}
	if to.HasRow() {
		both := authz.Both(schema.File{Address: from}.Read(), schema.File{Address: to}.Read())
		return authz.Map(both, func(g authz.Pair[schema.ReadFile, schema.ReadFile]) copyGrant {
			return copyGrant{taken: g.Second, to: to}
		}), nil
	}
	both := authz.Both(schema.File{Address: from}.Read(), schema.Dir{Address: to}.Write())
	return authz.Map(both, func(g authz.Pair[schema.ReadFile, schema.WriteDir]) copyGrant {
		return copyGrant{Copy: storage.CopyGrant{From: g.First, Into: g.Second}, free: true}
	}), nil
}

// copyGrant is the right to copy, or to know that something stands where the copy would.
type copyGrant struct {
	Copy  storage.CopyGrant
	taken schema.ReadFile
	to    schema.Address
	free  bool
}

func (f treeOps) copy(ctx context.Context, _ authz.Principal, p *api.CopyParams, g copyGrant) (api.WriteResult, error) {
	if !g.free {
		if _, err := g.taken.Use(authz.MaskValues); err != nil { // that it is there shows no values
			return api.WriteResult{}, err
		}
		return api.WriteResult{}, storage.Occupied(g.to)
	}
	if g.Copy.From.Obliged(authz.MaskValues) {
		return api.WriteResult{}, errs.New(errs.Denied, "permission denied: %s %s: its values are masked for you", api.Copy.Name, p.From)
	}
	entry, err := f.files.Copy(ctx, g.Copy)
	if err != nil {
		return api.WriteResult{}, err
	}
	return written(entry), nil
}

// writable is the need to write the nearest folder at or above path.
func (f treeOps) writable(ctx context.Context, who authz.Principal, path string) (authz.Need[schema.WriteDir], error) {
	a, err := f.at(ctx, who, path)
	return schema.Dir{Address: a}.Write(), err
}

func (f treeOps) undelete(ctx context.Context, _ authz.Principal, _ *api.PathParams, g schema.WriteDir) (api.Metadata, error) {
	entry, err := f.files.Undelete(ctx, g)
	if err != nil {
		return api.Metadata{}, err
	}
	return metadata(entry), nil
}

func (f treeOps) deleted(ctx context.Context, who authz.Principal, p *api.DeletedParams, g schema.WriteDir) (api.DeletedResult, error) {
	question := asked(api.ListDeleted.Name, who, p.Path)
	var after storage.DeletedPlace
	if p.Cursor != "" {
		if err := f.cursors.Open(question, p.Cursor, &after); err != nil {
			return api.DeletedResult{}, err
		}
	}
	found, next, err := f.files.Deleted(ctx, g, after, api.PageSize(p.Limit))
	if err != nil {
		return api.DeletedResult{}, err
	}
	r := api.DeletedResult{Deleted: make([]api.DeletedEntry, len(found)), Complete: next == storage.DeletedPlace{}}
	for i, d := range found {
		r.Deleted[i] = api.DeletedEntry{Path: d.Path, IsDirectory: d.Folder, Deleted: api.Time{Time: d.At}, By: schema.NameOf(d.By), Until: api.Time{Time: d.Until}}
	}
	if !r.Complete {
		r.NextCursor, err = f.cursors.Seal(question, next)
	}
	return r, err
}
