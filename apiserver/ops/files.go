package ops

import (
	"context"
	"errors"
	"strings"

	"nexus/apiserver/api"
	"nexus/apiserver/op"
	"nexus/authzsvc/authz"
	"nexus/internal/cursor"
	"nexus/internal/errs"
	"nexus/internal/ids"
	"nexus/schema"
	"nexus/storage"
)

func files(t *op.Table, d Deps) {
	f := fileOps{files: d.Store.Files(), names: d.Store.Names(), gate: t.Gate(), cursors: d.Cursors}
	op.Handle(t, api.Read, func(ctx context.Context, who authz.Principal, p *api.ReadParams) (authz.Need[schema.ReadFile], error) {
		return f.readable(ctx, who, p.Path)
	}, f.read)
	op.Handle(t, api.Write, f.writable, f.write)
	op.Handle(t, api.FileExists, f.visible, f.exists)
	op.Handle(t, api.GetMetadata, func(ctx context.Context, who authz.Principal, p *api.PathParams) (authz.Need[schema.ReadFile], error) {
		return f.readable(ctx, who, p.Path)
	}, f.metadata)
	op.Handle(t, api.Mkdir, f.placeable, f.mkdir)
	op.Handle(t, api.List, f.listable, f.list)
}

type fileOps struct {
	files *storage.Files
	names storage.Names
	gate  *authz.Gate

	cursors *cursor.Sealer
}

// at resolves a path in the tree of the principal's tenant.
func (f fileOps) at(ctx context.Context, who authz.Principal, path string) (schema.Address, error) {
	if who.IsZero() {
		return schema.Address{}, errs.New(errs.Unauthenticated, "authentication required")
	}
	return f.names.Address(ctx, who.Tenant, path)
}

func (f fileOps) readable(ctx context.Context, who authz.Principal, path string) (authz.Need[schema.ReadFile], error) {
	a, err := f.at(ctx, who, path)
	return schema.File{Address: a}.Read(), err
}

func (f fileOps) read(ctx context.Context, _ authz.Principal, p *api.ReadParams, g schema.ReadFile) (api.ReadResult, error) {
	read := f.files.Read
	if g.Obliged(authz.MaskValues) {
		read = f.files.ReadMasked
	}
	entry, body, err := read(ctx, g)
	if err != nil {
		return api.ReadResult{}, err
	}
	return api.ReadResult{Content: body, WithMetadata: p.Metadata, Meta: metadata(entry)}, nil
}

// writeGrant is the right to write over a file, or to make one: exactly one of its sides was decided.
type writeGrant struct {
	Over schema.WriteFile
	Into schema.WriteDir
	make bool
}

func (f fileOps) writable(ctx context.Context, who authz.Principal, p *api.WriteParams) (authz.Need[writeGrant], error) {
	return f.writableAt(ctx, who, p.Path)
}

func (f fileOps) writableAt(ctx context.Context, who authz.Principal, path string) (authz.Need[writeGrant], error) {
	a, err := f.at(ctx, who, path)
	if err != nil {
		return authz.Need[writeGrant]{}, err
	}
	if a.HasRow() {
		return authz.Map(schema.File{Address: a}.Write(), func(g schema.WriteFile) writeGrant { return writeGrant{Over: g} }), nil
	}
	return authz.Map(schema.Dir{Address: a}.Write(), func(g schema.WriteDir) writeGrant { return writeGrant{Into: g, make: true} }), nil
}

func (f fileOps) write(ctx context.Context, _ authz.Principal, p *api.WriteParams, g writeGrant) (api.WriteResult, error) {
	var c storage.Condition
	if !p.Force {
		c = storage.Condition{Match: strings.Trim(p.IfMatch, `"`), Absent: p.IfNoneMatch}
	}
	entry, err := f.put(ctx, g, p.Content, c)
	if err != nil {
		return api.WriteResult{}, err
	}
	return written(entry), nil
}

func written(e storage.Entry) api.WriteResult {
	return api.WriteResult{Etag: e.Etag, Version: e.Version, Size: e.Size, Modified: api.Time{Time: e.Modified}}
}

func (f fileOps) put(ctx context.Context, g writeGrant, body []byte, c storage.Condition) (storage.Entry, error) {
	if g.make {
		return f.files.Create(ctx, g.Into, body, c)
	}
	return f.files.Write(ctx, g.Over, body, c)
}

// visible is the need to see a file or folder: to read it, or else to look for anything readable below it.
func (f fileOps) visible(ctx context.Context, who authz.Principal, p *api.PathParams) (authz.Need[authz.Choice[schema.ReadFile, schema.ReadFiles]], error) {
	a, err := f.at(ctx, who, p.Path)
	if err != nil {
		return authz.Need[authz.Choice[schema.ReadFile, schema.ReadFiles]]{}, err
	}
	return authz.Either(schema.File{Address: a}.Read(), schema.ReadFilesWithin(f.gate, schema.Home(who).Access(), api.Read.Name)), nil
}

func (f fileOps) exists(ctx context.Context, who authz.Principal, p *api.PathParams, g authz.Choice[schema.ReadFile, schema.ReadFiles]) (api.Exists, error) {
	return authz.Match(g,
		func(g schema.ReadFile) (api.Exists, error) {
			_, err := f.files.Stat(ctx, g)
			if errors.Is(err, errs.NotFound) {
				return api.Exists{}, nil
			}
			return api.Exists{Exists: err == nil}, err
		},
		func(s schema.ReadFiles) (api.Exists, error) {
			a, err := f.at(ctx, who, p.Path)
			if err != nil {
				return api.Exists{}, err
			}
			seen, err := f.files.Visible(ctx, s, a)
			return api.Exists{Exists: seen}, err
		})
}

func (f fileOps) metadata(ctx context.Context, _ authz.Principal, _ *api.PathParams, g schema.ReadFile) (*api.Metadata, error) {
	entry, err := f.files.Stat(ctx, g)
	if errors.Is(err, errs.NotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	m := metadata(entry)
	return &m, nil
}

// folderGrant is the right to make a folder, or to know of what stands there already: exactly one of its sides was decided.
type folderGrant struct {
	Into  schema.WriteDir
	There schema.ReadFile
	make  bool
}

func (f fileOps) placeable(ctx context.Context, who authz.Principal, p *api.MkdirParams) (authz.Need[folderGrant], error) {
	a, err := f.at(ctx, who, p.Path)
	if err != nil {
		return authz.Need[folderGrant]{}, err
	}
	if a.Exists() {
		return authz.Map(schema.File{Address: a}.Read(), func(g schema.ReadFile) folderGrant { return folderGrant{There: g} }), nil
	}
	return authz.Map(schema.Dir{Address: a}.Write(), func(g schema.WriteDir) folderGrant { return folderGrant{Into: g, make: true} }), nil
}

func (f fileOps) mkdir(ctx context.Context, _ authz.Principal, p *api.MkdirParams, g folderGrant) (api.Success, error) {
	if g.make {
		err := f.files.Mkdir(ctx, g.Into, p.Parents)
		return api.Success{Success: err == nil}, err
	}
	entry, err := f.files.Stat(ctx, g.There)
	if err != nil {
		return api.Success{}, err
	}
	if entry.Folder && p.ExistOK {
		return api.Success{Success: true}, nil
	}
	return api.Success{}, errs.New(errs.Exists, "File already exists: %s", p.Path).Marked(errs.FileExists).With("path", p.Path)
}

func (f fileOps) listable(_ context.Context, who authz.Principal, _ *api.ListParams) (authz.Need[schema.ReadFiles], error) {
	return schema.ReadFilesWithin(f.gate, schema.Home(who).Access(), api.Read.Name), nil
}

func (f fileOps) list(ctx context.Context, who authz.Principal, p *api.ListParams, s schema.ReadFiles) (api.ListResult, error) {
	a, err := f.at(ctx, who, p.Path)
	if err != nil {
		return api.ListResult{}, err
	}
	o := storage.ListOptions{Recursive: p.Recursive, Prefix: p.Prefix, Details: p.Details, Limit: p.Limit}
	question := asked(api.List.Name, who, p.Path, p.Recursive, p.Prefix)
	if p.Cursor != "" {
		if err := f.cursors.Open(question, p.Cursor, &o.From); err != nil {
			return api.ListResult{}, err
		}
	}
	page, err := f.files.List(ctx, s, a, o)
	if err != nil {
		return api.ListResult{}, err
	}
	r := api.ListResult{Details: p.Details, Paged: p.Paged(), Complete: page.Complete, Entries: make([]api.Metadata, len(page.Entries))}
	for i, e := range page.Entries {
		r.Entries[i] = metadata(e)
	}
	if !page.Complete {
		r.Next, err = f.cursors.Seal(question, page.Next)
	}
	return r, err
}

func metadata(e storage.Entry) api.Metadata {
	return api.Metadata{
		Path: e.Path, Size: e.Size, Etag: e.Etag, Version: e.Version, ContentType: e.Type, IsDirectory: e.Folder,
		Created: api.Time{Time: e.Created}, Modified: api.Time{Time: e.Modified}, Tenant: ids.Plain(e.Tenant),
	}
}
