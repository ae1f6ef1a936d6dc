package ops

import (
	"context"

	"nexus/apiserver/api"
	"nexus/apiserver/op"
	"nexus/authzsvc/authz"
	"nexus/internal/cursor"
	"nexus/schema"
	"nexus/storage"
)

func searching(t *op.Table, d Deps) {
	s := searchOps{
		fileOps: fileOps{files: d.Store.Files(), names: d.Store.Names(), gate: t.Gate()},
		search:  d.Search, cursors: d.Cursors,
	}
	op.Handle(t, api.Glob, s.globbable, s.glob)
	op.Handle(t, api.Grep, s.greppable, s.grep)
}

type searchOps struct {
	fileOps
	search  *storage.Search
	cursors *cursor.Sealer
}

// members is the need to enter the tenant's files, each of which is decided as reading it is.
func (s searchOps) members(who authz.Principal) authz.Need[schema.ReadFiles] {
	return schema.ReadFilesWithin(s.gate, schema.Home(who).Access(), api.Read.Name)
}

func (s searchOps) globbable(_ context.Context, who authz.Principal, p *api.GlobParams) (authz.Need[schema.ReadFiles], error) {
	_, err := storage.ParsePathPattern(p.Pattern)
	return s.members(who), err
}

func (s searchOps) glob(ctx context.Context, who authz.Principal, p *api.GlobParams, g schema.ReadFiles) (api.GlobResult, error) {
	pattern, err := storage.ParsePathPattern(p.Pattern)
	if err != nil {
		return api.GlobResult{}, err
	}
	a, err := s.at(ctx, who, p.Path)
	if err != nil {
		return api.GlobResult{}, err
	}
	question, o := asked(api.Glob.Name, who, p.Pattern, p.Path), storage.GlobOptions{}
	if p.Paged() {
		o.Limit = api.PageSize(p.Limit)
	}
	if p.Cursor != "" {
		if err := s.cursors.Open(question, p.Cursor, &o.From); err != nil {
			return api.GlobResult{}, err
		}
	}
	page, err := s.search.Glob(ctx, g, a, pattern, o)
	if err != nil {
		return api.GlobResult{}, err
	}
	r := api.GlobResult{Paged: p.Paged(), Matches: page.Paths, Complete: page.Complete}
	if !page.Complete {
		r.NextCursor, err = s.cursors.Seal(question, page.Next)
	}
	return r, err
}

func grepOf(p *api.GrepParams) (*storage.Grep, error) {
	return storage.ParseGrep(storage.GrepOptions{Pattern: p.Pattern, IgnoreCase: p.IgnoreCase, Files: p.FilePattern, Max: p.MaxResults})
}

func (s searchOps) greppable(_ context.Context, who authz.Principal, p *api.GrepParams) (authz.Need[schema.ReadFiles], error) {
	_, err := grepOf(p)
	return s.members(who), err
}

func (s searchOps) grep(ctx context.Context, who authz.Principal, p *api.GrepParams, g schema.ReadFiles) (api.GrepResult, error) {
	q, err := grepOf(p)
	if err != nil {
		return api.GrepResult{}, err
	}
	a, err := s.at(ctx, who, p.Path)
	if err != nil {
		return api.GrepResult{}, err
	}
	question := asked(api.Grep.Name, who, p.Pattern, p.Path, p.FilePattern, p.IgnoreCase)
	var from storage.GrepPlace
	if p.Cursor != "" {
		if err := s.cursors.Open(question, p.Cursor, &from); err != nil {
			return api.GrepResult{}, err
		}
	}
	found, err := s.search.Grep(ctx, g, a, q, from)
	if err != nil {
		return api.GrepResult{}, err
	}
	r := api.GrepResult{Paged: p.Paged, Results: make([]api.GrepMatch, len(found.Hits)), Truncated: found.Cut != "", Reason: string(found.Cut)}
	for i, h := range found.Hits {
		r.Results[i] = api.GrepMatch{File: h.File, Line: h.Line, Content: h.Content, Match: h.Text, Cut: h.Cut}
	}
	if found.Next != nil {
		r.NextCursor, err = s.cursors.Seal(question, found.Next)
	}
	return r, err
}
