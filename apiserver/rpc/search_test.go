package rpc_test

import (
	"context"

	"nexus/apiserver/api"
	"nexus/apiserver/op"
	"nexus/authzsvc/authz"
	"nexus/schema"
)

// searches handles searches whose pattern says what they find: none, or a line in an answer that was cut for that reason.
func (s *stage) searches() {
	op.Handle(s.table, api.Glob, tenantNeed,
		func(_ context.Context, _ authz.Principal, p *api.GlobParams, _ schema.AccessTenant) (api.GlobResult, error) {
			if p.Pattern == "none" {
				return api.GlobResult{Complete: true}, nil
			}
			if p.Paged() {
				return api.GlobResult{Paged: true, Matches: []string{"/a.py"}, NextCursor: "c"}, nil
			}
			return api.GlobResult{Matches: []string{"/a.py"}, Complete: true}, nil
		})
	op.Handle(s.table, api.Grep, tenantNeed,
		func(_ context.Context, _ authz.Principal, p *api.GrepParams, _ schema.AccessTenant) (api.GrepResult, error) {
			r := api.GrepResult{Paged: p.Paged, Results: []api.GrepMatch{{File: "/a.py", Line: 42, Content: "# NOTE", Match: "NOTE"}}}
			switch p.Pattern {
			case "none":
				r.Results = []api.GrepMatch{}
			case "all":
			default:
				r.Truncated, r.Reason, r.NextCursor = true, p.Pattern, "c"
			}
			return r, nil
		})
}
