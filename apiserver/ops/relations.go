package ops

import (
	"context"
	"errors"

	"nexus/apiserver/api"
	"nexus/apiserver/op"
	"nexus/authzsvc/authz"
	"nexus/authzsvc/relations"
	"nexus/internal/errs"
	"nexus/internal/ids"
	"nexus/schema"
	"nexus/storage"
)

func relating(t *op.Table, d Deps) {
	r := relationOps{words: words{d.Store.Names()}, names: d.Store.Names(), shares: d.Store.Shares()}
	op.Handle(t, api.Relate, r.relatable, r.relate)
	op.Handle(t, api.Unrelate, r.unrelatable, r.unrelate)
	op.Handle(t, api.Tuples, r.listable, r.list)
}

type relationOps struct {
	words
	names  storage.Names
	shares *storage.Shares
}

// relateGrant is the right to relate somebody to an object: exactly one of its sides was decided.
type relateGrant struct {
	File   schema.ShareFile
	Link   storage.LinkGrant
	Group  schema.ManageGroup
	Tenant schema.AdministerTenant
	side   side
}

// side says which grant of a struct was decided.
type side uint8

const (
	none    side = iota
	file         // share a file
	link         // link a file into a folder
	group        // manage a group
	founded      // administer the tenant, to found a group in it
	tenant       // administer the tenant itself
	own          // oneself, within the tenant
)

func (r relationOps) relatable(ctx context.Context, who authz.Principal, p *api.RelateParams) (n authz.Need[relateGrant], err error) {
	if err := home(who, p.Tenant); err != nil {
		return n, err
	}
	if _, err := relation(p.Object.Type(), p.Relation); err != nil {
		return n, err
	}
	switch p.Object.Type() {
	case "file":
		return r.sharing(ctx, who, p)
	case "group":
		return enrolling(who, p.Object.ID())
	case "tenant":
		if _, err := r.tenant(who, p.Object.ID()); err != nil {
			return n, err
		}
		return authz.Map(schema.Home(who).Administer(), func(g schema.AdministerTenant) relateGrant { return relateGrant{Tenant: g, side: tenant} }), nil
	}
	return n, errs.New(errs.Invalid, "a %s takes no relationships", p.Object.Type()).Marked(errs.NotValid)
}

func (r relationOps) sharing(ctx context.Context, who authz.Principal, p *api.RelateParams) (n authz.Need[relateGrant], err error) {
	a, err := r.names.Address(ctx, who.Tenant, p.Object.ID())
	if err != nil {
		return n, err
	}
	share := schema.File{Address: a}.Share()
	if name, _ := relation("file", p.Relation); name != "link" {
		return authz.Map(share, func(g schema.ShareFile) relateGrant { return relateGrant{File: g, side: file} }), nil
	}
	if p.Subject.Type() != "file" || p.Subject.Relation() != "" {
		return n, errs.New(errs.Invalid, "the parent of a file is a file").Marked(errs.NotValid)
	}
	into, err := r.names.Address(ctx, who.Tenant, p.Subject.ID())
	if err != nil {
		return n, err
	}
	both := authz.Both(share, schema.Dir{Address: into}.Write())
	return authz.Map(both, func(g authz.Pair[schema.ShareFile, schema.WriteDir]) relateGrant {
		return relateGrant{Link: storage.LinkGrant{Child: g.First, Into: g.Second}, side: link}
	}), nil
}

// enrolling is the need to manage a group, or to administer the tenant and found it. Both are asked whether or not the group
// is there, so that a refusal does not tell: nobody manages a group that is not.
func enrolling(who authz.Principal, name string) (n authz.Need[relateGrant], err error) {
	g, err := schema.GroupOf(who.Tenant, name)
	if err != nil {
		return n, err
	}
	manage := authz.Map(g.Manage(), func(g schema.ManageGroup) relateGrant { return relateGrant{Group: g, side: group} })
	administer := authz.Map(schema.Home(who).Administer(), func(g schema.AdministerTenant) relateGrant { return relateGrant{Tenant: g, side: founded} })
	return either(manage, administer), nil
}

func (r relationOps) relate(ctx context.Context, who authz.Principal, p *api.RelateParams, g relateGrant) (api.TupleID, error) {
	name, err := relation(p.Object.Type(), p.Relation)
	if err != nil {
		return "", err
	}
	s, err := r.subject(ctx, who, p.Subject)
	if err != nil {
		return "", err
	}
	id, err := r.bind(ctx, who, p, g, name, s)
	return api.TupleID(id), err
}

func (r relationOps) bind(ctx context.Context, who authz.Principal, p *api.RelateParams, g relateGrant, name string, s storage.Subject) (string, error) {
	expires := p.Expires.Time
	switch g.side {
	case file:
		return r.shares.ShareFile(ctx, g.File, name, s, expires)
	case link:
		return r.shares.Link(ctx, g.Link, expires)
	case group:
		return r.shares.Enrol(ctx, g.Group, name, s, expires)
	case tenant:
		return r.shares.Appoint(ctx, g.Tenant, name, s, expires)
	case founded:
		in, err := schema.GroupOf(who.Tenant, p.Object.ID())
		if err != nil {
			return "", err
		}
		return r.shares.Found(ctx, g.Tenant, in, name, s, expires)
	}
	return "", errs.Bug("relations.create with no side")
}

// unrelateGrant is the right to end a relationship on an object: exactly one of its sides was decided.
type unrelateGrant struct {
	File   schema.ShareFile
	Group  schema.ManageGroup
	Tenant schema.AdministerTenant
	Nobody schema.AccessTenant
	side   side
}

func (r relationOps) unrelatable(ctx context.Context, who authz.Principal, p *api.UnrelateParams) (n authz.Need[unrelateGrant], err error) {
	object, _, found, err := r.names.Tuple(ctx, who.Tenant, p.ID)
	if err != nil {
		return n, err
	}
	switch {
	case found && object.Type == "file":
		a, err := r.names.AddressOf(ctx, object)
		if errors.Is(err, errs.NotFound) {
			break // it went since
		}
		if err != nil {
			return n, err
		}
		return authz.Map(schema.File{Address: a}.Share(), func(g schema.ShareFile) unrelateGrant { return unrelateGrant{File: g, side: file} }), nil
	case found && object.Type == "group":
		in, err := schema.GroupFrom(object)
		if err != nil {
			return n, err
		}
		return authz.Map(in.Manage(), func(g schema.ManageGroup) unrelateGrant { return unrelateGrant{Group: g, side: group} }), nil
	case found && object.Type == "tenant":
		return authz.Map(schema.Home(who).Administer(), func(g schema.AdministerTenant) unrelateGrant { return unrelateGrant{Tenant: g, side: tenant} }), nil
	}
	return authz.Map(schema.Home(who).Access(), func(g schema.AccessTenant) unrelateGrant { return unrelateGrant{Nobody: g} }), nil
}

func (r relationOps) unrelate(ctx context.Context, _ authz.Principal, p *api.UnrelateParams, g unrelateGrant) (bool, error) {
	switch g.side {
	case file:
		return r.shares.UnshareFile(ctx, g.File, p.ID)
	case group:
		return r.shares.Expel(ctx, g.Group, p.ID)
	case tenant:
		return r.shares.Dismiss(ctx, g.Tenant, p.ID)
	}
	return false, nil
}

// tuplesGrant is the right to list relationships: exactly one of its sides was decided.
type tuplesGrant struct {
	File   schema.ShareFile
	Group  schema.ManageGroup
	Own    schema.AccessTenant
	Tenant schema.AdministerTenant
	side   side
}

func (r relationOps) listable(ctx context.Context, who authz.Principal, p *api.TuplesParams) (n authz.Need[tuplesGrant], err error) {
	switch {
	case p.Object != nil && p.Object.Type() == "file":
		a, err := r.names.Address(ctx, who.Tenant, p.Object.ID())
		if err != nil {
			return n, err
		}
		return authz.Map(schema.File{Address: a}.Share(), func(g schema.ShareFile) tuplesGrant { return tuplesGrant{File: g, side: file} }), nil
	case p.Object != nil && p.Object.Type() == "group":
		in, err := schema.GroupOf(who.Tenant, p.Object.ID())
		if err != nil {
			return n, err
		}
		return authz.Map(in.Manage(), func(g schema.ManageGroup) tuplesGrant { return tuplesGrant{Group: g, side: group} }), nil
	case p.Object == nil && p.Subject != nil && self(who, p.Subject):
		return authz.Map(schema.Home(who).Access(), func(g schema.AccessTenant) tuplesGrant { return tuplesGrant{Own: g, side: own} }), nil
	}
	return authz.Map(schema.Home(who).Administer(), func(g schema.AdministerTenant) tuplesGrant { return tuplesGrant{Tenant: g, side: tenant} }), nil
}

func (r relationOps) list(ctx context.Context, who authz.Principal, p *api.TuplesParams, g tuplesGrant) ([]api.Tuple, error) {
	all := []api.Tuple{}
	only, some, err := r.filter(ctx, who, p)
	if err != nil || !some {
		return all, err
	}
	found, err := r.tuples(ctx, g, only)
	if err != nil {
		return nil, err
	}
	for _, t := range found {
		if selects(only, t.Relationship) {
			all = append(all, r.tuple(ctx, t))
		}
	}
	return all, nil
}

func (r relationOps) tuples(ctx context.Context, g tuplesGrant, f relations.Filter) ([]storage.Tuple, error) {
	switch g.side {
	case file:
		return r.shares.OnFile(ctx, g.File)
	case group:
		return r.shares.OnGroup(ctx, g.Group)
	case own:
		return r.shares.Of(ctx, g.Own)
	}
	if f.ResourceType != "" || f.SubjectType != "" {
		return r.shares.In(ctx, g.Tenant, f)
	}
	var all []storage.Tuple
	for _, definition := range schema.Definitions() {
		f.ResourceType = definition
		more, err := r.shares.In(ctx, g.Tenant, f)
		if err != nil {
			return nil, err
		}
		all = append(all, more...)
	}
	return all, nil
}

// filter returns what p asks for, in the engine's terms. some is false when nothing can fit: p names a path that has no row,
// and so no relationships.
func (r relationOps) filter(ctx context.Context, who authz.Principal, p *api.TuplesParams) (f relations.Filter, some bool, err error) {
	if p.Object != nil {
		object, has, err := r.row(ctx, who, p.Object)
		if err != nil || !has {
			return f, false, err
		}
		f.ResourceType, f.ResourceID = object.Type, object.ID
	}
	if p.Subject != nil {
		s, has, err := r.row(ctx, who, p.Subject)
		if err != nil || !has {
			return f, false, err
		}
		f.SubjectType, f.SubjectID, f.SubjectRelation = s.Type, s.ID, p.Subject.Relation()
	}
	f.Relation = p.Relation
	if known, ok := legacy[p.Relation]; ok {
		f.Relation = known
	}
	return f, true, nil
}

func selects(f relations.Filter, r relations.Relationship) bool {
	is := func(want, got string) bool { return want == "" || want == got }
	return is(f.ResourceType, r.Resource.Type) && is(f.ResourceID, r.Resource.ID) && is(f.Relation, r.Relation) &&
		is(f.SubjectType, r.Subject.Type) && is(f.SubjectID, r.Subject.ID) && is(f.SubjectRelation, r.SubjectRelation)
}

func (r relationOps) tuple(ctx context.Context, t storage.Tuple) api.Tuple {
	subject, object := r.wire(ctx, t.Subject), r.wire(ctx, t.Resource)
	out := api.Tuple{
		ID: t.ID, Relation: t.Relation, Object: object, Subject: subject,
		Created: api.Time{Time: t.Created}, Expires: api.Time{Time: t.Expires}, Tenant: ids.Plain(schema.TenantOf(t.Resource)),
		SubjectType: subject.Type(), SubjectID: subject.ID(), ObjectType: object.Type(), ObjectID: object.ID(),
	}
	if t.SubjectRelation != "" {
		out.Subject = append(out.Subject, t.SubjectRelation)
	}
	return out
}
