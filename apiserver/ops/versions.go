package ops

import (
	"bytes"
	"context"
	"fmt"
	"unicode/utf8"

	udiff "github.com/aymanbagabas/go-udiff"

	"nexus/apiserver/api"
	"nexus/apiserver/op"
	"nexus/authzsvc/authz"
	"nexus/internal/cursor"
	"nexus/internal/errs"
	"nexus/schema"
	"nexus/storage"
)

func versions(t *op.Table, d Deps) {
	v := versionOps{fileOps: fileOps{files: d.Store.Files(), names: d.Store.Names(), gate: t.Gate()}, cursors: d.Cursors}
	op.Handle(t, api.GetVersion, func(ctx context.Context, who authz.Principal, p *api.VersionParams) (authz.Need[schema.ReadFile], error) {
		return v.readable(ctx, who, p.Path)
	}, v.get)
	op.Handle(t, api.ListVersions, func(ctx context.Context, who authz.Principal, p *api.ListVersionsParams) (authz.Need[schema.ReadFile], error) {
		return v.readable(ctx, who, p.Path)
	}, v.list)
	op.Handle(t, api.DiffVersions, func(ctx context.Context, who authz.Principal, p *api.DiffParams) (authz.Need[schema.ReadFile], error) {
		return v.readable(ctx, who, p.Path)
	}, v.diff)
	op.Handle(t, api.Rollback, func(ctx context.Context, who authz.Principal, p *api.VersionParams) (authz.Need[schema.WriteFile], error) {
		a, err := v.at(ctx, who, p.Path)
		return schema.File{Address: a}.Write(), err
	}, v.rollback)
}

type versionOps struct {
	fileOps
	cursors *cursor.Sealer
}

// maxVersions is how many versions an answer has that is no page.
const maxVersions = 10_000

func (v versionOps) contents(ctx context.Context, g schema.ReadFile, number int64) (storage.Version, []byte, error) {
	if g.Obliged(authz.MaskValues) {
		return v.files.ReadVersionMasked(ctx, g, number)
	}
	return v.files.ReadVersion(ctx, g, number)
}

func (v versionOps) get(ctx context.Context, _ authz.Principal, p *api.VersionParams, g schema.ReadFile) ([]byte, error) {
	_, body, err := v.contents(ctx, g, p.Version)
	return body, err
}

func (v versionOps) list(ctx context.Context, who authz.Principal, p *api.ListVersionsParams, g schema.ReadFile) (api.ListVersionsResult, error) {
	question, before, n := asked(api.ListVersions.Name, who, p.Path), int64(0), maxVersions
	if p.Paged() {
		n = api.PageSize(p.Limit)
	}
	if p.Cursor != "" {
		if err := v.cursors.Open(question, p.Cursor, &before); err != nil {
			return api.ListVersionsResult{}, err
		}
	}
	found, next, err := v.files.Versions(ctx, g, before, n)
	if err != nil {
		return api.ListVersionsResult{}, err
	}
	if next != 0 && !p.Paged() {
		return api.ListVersionsResult{}, errs.New(errs.Exhausted, "%s has more than %d versions: give a limit", p.Path, maxVersions).Marked(errs.NotValid)
	}
	r := api.ListVersionsResult{Versions: make([]api.Version, len(found)), Complete: next == 0, Paged: p.Paged()}
	for i, f := range found {
		r.Versions[i] = api.Version{
			Number: f.Number, Etag: f.Etag, Hash: f.Etag, Size: f.Size, CreatedBy: author(f.Author),
			Modified: api.Time{Time: f.Created}, Created: api.TypedTime{Time: f.Created},
		}
	}
	if next != 0 {
		r.NextCursor, err = v.cursors.Seal(question, next)
	}
	return r, err
}

func (v versionOps) rollback(ctx context.Context, _ authz.Principal, p *api.VersionParams, g schema.WriteFile) (api.WriteResult, error) {
	entry, err := v.files.Rollback(ctx, g, p.Version)
	if err != nil {
		return api.WriteResult{}, err
	}
	return api.WriteResult{Etag: entry.Etag, Version: entry.Version, Size: entry.Size, Modified: api.Time{Time: entry.Modified}}, nil
}

func (v versionOps) diff(ctx context.Context, _ authz.Principal, p *api.DiffParams, g schema.ReadFile) (api.DiffResult, error) {
	one, before, err := v.contents(ctx, g, p.V1)
	if err != nil {
		return api.DiffResult{}, err
	}
	two, after, err := v.contents(ctx, g, p.V2)
	if err != nil {
		return api.DiffResult{}, err
	}
	r := api.DiffResult{
		Mode: p.Mode, Hash1: one.Etag, Hash2: two.Etag, Changed: one.Etag != two.Etag,
		Size1: one.Size, Size2: two.Size, Delta: two.Size - one.Size,
		Made1: api.TypedTime{Time: one.Created}, Made2: api.TypedTime{Time: two.Created},
	}
	if p.Mode == api.DiffContent {
		r.Text, err = unified(p, before, after)
	}
	return r, err
}

// maxDiff is the length of the longest text that is compared line by line, in bytes.
const maxDiff = 1 << 20

// unified returns the difference of two texts in the form of diff -u; empty when there is none.
func unified(p *api.DiffParams, before, after []byte) (string, error) {
	for _, text := range [][]byte{before, after} {
		if len(text) > maxDiff || !utf8.Valid(text) || bytes.IndexByte(text, 0) >= 0 {
			return "", errs.New(errs.Invalid, "only texts up to %d bytes are compared by content", maxDiff).Marked(errs.NotValid)
		}
	}
	name := func(version int64) string { return fmt.Sprintf("%s (version %d)", p.Path, version) }
	return udiff.Unified(name(p.V1), name(p.V2), string(before), string(after)), nil
}
