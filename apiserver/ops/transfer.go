package ops

import (
	"context"
	"io"
	"strings"

	"nexus/apiserver/api"
	"nexus/apiserver/op"
	"nexus/authzsvc/authz"
	"nexus/schema"
	"nexus/storage"
)

// transfer gives t the operations that carry contents as they are.
func transfer(t *op.Table, d Deps) {
	f := fileOps{files: d.Store.Files(), names: d.Store.Names(), gate: t.Gate()}
	op.HandleUpload(t, api.Upload, func(ctx context.Context, who authz.Principal, p *api.UploadParams) (authz.Need[writeGrant], error) {
		return f.writableAt(ctx, who, p.Path)
	}, f.stage, f.keep)
	op.HandleStream(t, api.Download, func(ctx context.Context, who authz.Principal, p *api.PathParams) (authz.Need[schema.ReadFile], error) {
		return f.readable(ctx, who, p.Path)
	}, f.download)
}

func (f fileOps) stage(ctx context.Context, p *api.UploadParams, g writeGrant, body io.Reader) (*storage.Staged, error) {
	if g.make {
		return f.files.StageInto(ctx, g.Into, options(p), body)
	}
	return f.files.StageOver(ctx, g.Over, options(p), body)
}

func (f fileOps) keep(ctx context.Context, p *api.UploadParams, g writeGrant, s *storage.Staged) (api.UploadResult, error) {
	w, err := f.putStaged(ctx, g, s, options(p))
	if err != nil {
		return api.UploadResult{}, err
	}
	return api.UploadResult{WriteResult: written(w.Entry), Created: w.Made, Replayed: w.Before}, nil
}

func (f fileOps) putStaged(ctx context.Context, g writeGrant, s *storage.Staged, o storage.WriteOptions) (storage.Written, error) {
	if g.make {
		return f.files.CreateStaged(ctx, g.Into, s, o)
	}
	return f.files.WriteStaged(ctx, g.Over, s, o)
}

func options(p *api.UploadParams) storage.WriteOptions {
	o := storage.WriteOptions{Key: p.Key, Append: p.Append, Condition: storage.Condition{Absent: p.IfNoneMatch, Present: p.IfMatch == api.AnyEtag}}
	if !o.Present {
		o.Match = strings.Trim(p.IfMatch, `"`)
	}
	return o
}

func (f fileOps) download(ctx context.Context, _ *api.PathParams, g schema.ReadFile, _ func(context.Context) error, out op.Sink) error {
	open := f.files.Open
	if g.Obliged(authz.MaskValues) {
		open = f.files.OpenMasked
	}
	c, err := open(ctx, g)
	if err != nil {
		return err
	}
	defer c.Close()
	return out.Content(op.Content{Type: c.Type, Etag: c.Etag, Weak: c.Masked, Modified: c.Modified, Body: c})
}
