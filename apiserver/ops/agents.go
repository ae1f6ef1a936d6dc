package ops

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"

	"nexus/apiserver/api"
	"nexus/apiserver/op"
	"nexus/authzsvc/authz"
	"nexus/internal/cursor"
	"nexus/internal/errs"
	"nexus/internal/ids"
	"nexus/schema"
	"nexus/storage"
)

func agents(t *op.Table, d Deps) {
	a := agentOps{agents: d.Store.Agents(), names: d.Store.Names(), cursors: d.Cursors}
	op.Handle(t, api.RegisterAgent, a.registrable, a.register)
	op.Handle(t, api.ListAgents, a.listable, a.list)
	op.Handle(t, api.GetAgent, a.viewable, a.get)
	op.Handle(t, api.DeleteAgent, a.deletable, a.delete)
}

type agentOps struct {
	agents  *storage.Agents
	names   storage.Names
	cursors *cursor.Sealer
}

// enrolGrant is the right to manage an agent that is there, or else to register a new one.
type enrolGrant struct {
	Manage schema.ManageAgent
	In     schema.RegisterAgentTenant
	Roots  []schema.ReadFile // of its mandate
	there  bool
}

// registrable is the need to manage an agent that is there, or to register a new one. The same is asked in either case, so
// that a refusal does not tell which it is.
func (a agentOps) registrable(ctx context.Context, who authz.Principal, p *api.RegisterAgentParams) (n authz.Need[enrolGrant], err error) {
	agent, err := schema.AgentOf(who.Tenant, p.ID)
	if err != nil {
		return n, err
	}
	if err := included(p.Mandate); err != nil {
		return n, err
	}
	if err := inPerson(who, api.RegisterAgent.Name, schema.Home(who).Named(), agent.Named()); err != nil {
		return n, err
	}
	there, err := a.names.Agent(ctx, agent)
	if err != nil {
		return n, err
	}
	asked := authz.Either(schema.Home(who).RegisterAgent(), agent.Manage())
	n = authz.Map(authz.Both(asked, schema.Home(who).RegisterAgent()), func(g authz.Pair[authz.Choice[schema.RegisterAgentTenant, schema.ManageAgent], schema.RegisterAgentTenant]) enrolGrant {
		return enrolGrant{In: g.Second}
	})
	if there {
		n = authz.Map(authz.Both(asked, agent.Manage()), func(g authz.Pair[authz.Choice[schema.RegisterAgentTenant, schema.ManageAgent], schema.ManageAgent]) enrolGrant {
			return enrolGrant{Manage: g.Second, there: true}
		})
	}
	if p.Mandate == nil {
		return n, nil
	}
	return a.within(ctx, who, p.Mandate.Roots, n)
}

// inPerson refuses everybody but a user of the tenant himself: an agent that could register, change or delete agents could
// outlive or widen its own mandate.
func inPerson(who authz.Principal, op string, about ...authz.Named) error {
	if who.IsZero() || who.Base.Type == "user" && schema.TenantOf(who.Base) == who.Tenant && len(who.Actors) == 0 {
		return nil
	}
	return authz.Refusal(op, about)
}

func (a agentOps) register(ctx context.Context, who authz.Principal, p *api.RegisterAgentParams, g enrolGrant) (api.Agent, error) {
	spec, err := spec(p, g.Roots)
	if err != nil {
		return api.Agent{}, err
	}
	made, err := a.settle(ctx, who, p.ID, spec, g)
	if err != nil {
		return api.Agent{}, err
	}
	return agentFor(who, made), nil
}

func (a agentOps) settle(ctx context.Context, who authz.Principal, id string, spec storage.AgentSpec, g enrolGrant) (storage.Agent, error) {
	if g.there {
		return a.agents.Update(ctx, g.Manage, spec)
	}
	agent, err := schema.AgentOf(who.Tenant, id)
	if err != nil {
		return storage.Agent{}, err
	}
	made, err := a.agents.Register(ctx, g.In, agent, spec)
	if errors.Is(err, errs.Exists) { // the name of somebody's that was deleted, and is not free yet
		err = authz.Refusal(api.RegisterAgent.Name, []authz.Named{schema.Home(who).Named(), agent.Named()})
	}
	return made, err
}

func spec(p *api.RegisterAgentParams, granted []schema.ReadFile) (storage.AgentSpec, error) {
	s := storage.AgentSpec{Name: p.Name, Description: p.Description, WithKey: p.GenerateKey}
	if p.Metadata != nil {
		raw, err := json.Marshal(p.Metadata)
		if err != nil {
			return s, errs.New(errs.Invalid, "metadata cannot be kept").Because(err)
		}
		s.Metadata = raw
	}
	if p.Mandate == nil {
		return s, nil
	}
	s.Mandate = &authz.Mandate{Permissions: p.Mandate.Permissions, Expires: p.Mandate.Expires.Time}
	if p.Mandate.Roots == nil {
		return s, nil
	}
	roots, err := rootsOf(granted)
	s.Mandate.Roots = roots
	return s, err
}

// within is n with the need to read each of paths, to which a mandate is to be limited: nobody finds out by naming it whether
// something is there.
func (a agentOps) within(ctx context.Context, who authz.Principal, paths []string, n authz.Need[enrolGrant]) (authz.Need[enrolGrant], error) {
	if len(paths) == 0 {
		return n, nil
	}
	var reads []authz.Need[schema.ReadFile]
	for _, path := range paths {
		at, err := a.names.Address(ctx, who.Tenant, path)
		if err != nil {
			return n, err
		}
		reads = append(reads, schema.File{Address: at}.Read())
	}
	return authz.Map(authz.Both(n, authz.Each(reads)), func(g authz.Pair[enrolGrant, []schema.ReadFile]) enrolGrant {
		g.First.Roots = g.Second
		return g.First
	}), nil
}

// rootsOf returns what stands at the granted paths. Each must be there: the nearest row above would be a wider bound.
func rootsOf(granted []schema.ReadFile) ([]authz.Ref, error) {
	roots := []authz.Ref{}
	for _, g := range granted {
		file, err := g.Use(authz.MaskValues) // nothing of it is shown
		if err != nil {
			return nil, err
		}
		if !file.Exists() {
			return nil, errs.New(errs.NotFound, "File not found: %s", file.Path).Marked(errs.FileNotFound).With("path", file.Path)
		}
		roots = append(roots, file.Named().Ref)
	}
	return roots, nil
}

// included refuses a permission that nothing has, rather than keep it as a bound that bounds otherwise than it reads.
func included(p *api.Mandate) error {
	if p == nil {
		return nil
	}
	for definition, permissions := range p.Permissions {
		for _, name := range permissions {
			if !slices.Contains(schema.Permissions(definition), name) {
				return errs.New(errs.Invalid, "there is no permission %q on %s", name, definition).Marked(errs.NotValid)
			}
		}
	}
	return nil
}

func (a agentOps) listable(_ context.Context, who authz.Principal, _ *api.ListAgentsParams) (authz.Need[authz.Choice[schema.AdministerTenant, schema.AccessTenant]], error) {
	return authz.Either(schema.Home(who).Administer(), schema.Home(who).Access()), nil
}

// maxAgents is how many agents a list without pages holds at the most.
const maxAgents = 10_000

func (a agentOps) list(ctx context.Context, who authz.Principal, p *api.ListAgentsParams, g authz.Choice[schema.AdministerTenant, schema.AccessTenant]) (api.AgentList, error) {
	pages, after, n := about(a.cursors, api.ListAgents.Name, who, who.Admin.String()), "", maxAgents
	if err := pages.resume(&p.PageParams, &after); err != nil {
		return api.AgentList{}, err
	}
	if p.Paged() {
		n = p.Size()
	}
	found, err := authz.Match(g,
		func(in schema.AdministerTenant) ([]storage.Agent, error) { return a.agents.In(ctx, in, after, n+1) },
		func(in schema.AccessTenant) ([]storage.Agent, error) { return a.agents.Own(ctx, in, after, n+1) })
	if err != nil {
		return api.AgentList{}, err
	}
	more := len(found) > n
	if more && !p.Paged() {
		return api.AgentList{}, errs.New(errs.Exhausted, "more than %d agents: ask for pages with limit", n).Marked(errs.NotValid)
	}
	if more {
		found = found[:n]
		after = found[n-1].ID
	}
	out := api.AgentList{Agents: make([]api.Agent, len(found))}
	for i, f := range found {
		out.Agents[i] = agentFor(who, f)
	}
	out.Page, err = pages.page(&p.PageParams, after, more)
	return out, err
}

func (a agentOps) viewable(_ context.Context, who authz.Principal, p *api.AgentParams) (n authz.Need[schema.ViewAgent], err error) {
	agent, err := schema.AgentOf(who.Tenant, p.ID)
	if err != nil {
		return n, err
	}
	return agent.View(), nil
}

func (a agentOps) get(ctx context.Context, who authz.Principal, _ *api.AgentParams, g schema.ViewAgent) (*api.Agent, error) {
	found, err := a.agents.Get(ctx, g)
	if err != nil || found == nil {
		return nil, err
	}
	out := agentFor(who, *found)
	return &out, nil
}

func (a agentOps) deletable(_ context.Context, who authz.Principal, p *api.AgentParams) (n authz.Need[schema.ManageAgent], err error) {
	agent, err := schema.AgentOf(who.Tenant, p.ID)
	if err != nil {
		return n, err
	}
	if err := inPerson(who, api.DeleteAgent.Name, agent.Named()); err != nil {
		return n, err
	}
	return agent.Manage(), nil
}

func (a agentOps) delete(ctx context.Context, _ authz.Principal, _ *api.AgentParams, g schema.ManageAgent) (bool, error) {
	return a.agents.Delete(ctx, g)
}

// agentFor is an agent for the wire. The description stands among the metadata, too, where older clients look for it.
func agentFor(who authz.Principal, a storage.Agent) api.Agent {
	metadata := map[string]any{}
	if a.Description != "" {
		metadata["description"] = a.Description
	}
	var kept map[string]any
	if json.Unmarshal(a.Metadata, &kept) == nil {
		maps.Copy(metadata, kept)
	}
	return api.Agent{
		ID: a.ID, User: a.Owner, Name: a.Name, Description: a.Description, Tenant: ids.Plain(who.Tenant), Metadata: metadata,
		Created: api.Time{Time: a.Created}, HasKey: a.HasKey, APIKey: a.Secret,
	}
}
