package node

import (
	"context"

	"nexus/apiserver/api"
	"nexus/apiserver/ops"
	"nexus/authzsvc"
	"nexus/authzsvc/authz"
	"nexus/internal/ids"
	"nexus/schema"
)

// policies serves the operations on policies from the decision service.
type policies struct{ service *authzsvc.Service }

var _ ops.Policies = policies{}

func (p policies) Read(ctx context.Context, g schema.AdministerPlatform) (api.Policy, error) {
	s, err := p.service.Policy(ctx, g)
	if s.Files == nil {
		s.Files = map[string]string{}
	}
	return api.Policy{Digest: s.Digest, Installed: s.Installed, Rules: rulesOf(s.Rules), Files: s.Files}, err
}

func (p policies) Put(ctx context.Context, g schema.AdministerPlatform, in *api.PutPolicyParams) (api.PutPolicyResult, error) {
	d, err := p.service.PutPolicy(ctx, g, in.Files, in.DryRun)
	if err != nil {
		return api.PutPolicyResult{}, err
	}
	return api.PutPolicyResult{
		Digest: d.Digest, Previous: d.Previous, Rules: rulesOf(d.Rules), Tests: d.Tests, Coverage: d.Coverage, NotCovered: list(d.NotCovered),
		Installed: !in.DryRun,
	}, nil
}

func (p policies) Rehearse(ctx context.Context, g schema.AdministerPlatform, in *api.RehearsePolicyParams) (api.Rehearsal, error) {
	r, err := p.service.RehearsePolicy(ctx, g, in.Files, in.Last)
	if err != nil {
		return api.Rehearsal{}, err
	}
	out := api.Rehearsal{
		Digest: r.Digest, Looked: r.Looked, Asked: r.Asked, Unknown: r.Unknown, Partial: list(r.Partial), Changes: []api.Rehearsed{}, More: r.More,
	}
	for _, c := range r.Changes {
		out.Changes = append(out.Changes, rehearsed(c))
	}
	return out, nil
}

func rehearsed(c authzsvc.Rehearsed) api.Rehearsed {
	out := api.Rehearsed{
		Decision: c.Decision, At: api.Time{Time: c.At}, Tenant: ids.Plain(c.Tenant), Principal: party(c.Base), Actors: []string{},
		Operation: c.Op, Objects: []string{}, Was: c.Was, Would: c.Would, Rules: list(c.Rules), Messages: list(c.Messages), Obligations: list(c.Obligations),
	}
	for _, a := range c.Actors {
		out.Actors = append(out.Actors, party(a))
	}
	for _, o := range c.Objects {
		out.Objects = append(out.Objects, o.Name)
	}
	return out
}

// party names a subject as people do.
func party(r authz.Ref) string { return r.Type + ":" + schema.NameOf(r) }

func rulesOf(rules []authzsvc.PolicyRule) []api.PolicyRule {
	all := []api.PolicyRule{}
	for _, r := range rules {
		all = append(all, api.PolicyRule{
			ID: r.ID, Title: r.Title, File: r.File, Operations: list(r.Operations), Principals: list(r.Principals), LooksAt: list(r.LooksAt),
			Obliges: list(r.Obliges), Shipped: r.Shipped,
		})
	}
	return all
}

// list is l, and never null on the wire.
func list(l []string) []string {
	if l == nil {
		return []string{}
	}
	return l
}
