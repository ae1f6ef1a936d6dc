package ops

import (
	"context"

	"nexus/apiserver/api"
	"nexus/authzsvc/authz"
	"nexus/authzsvc/relations"
	"nexus/internal/errs"
	"nexus/internal/ids"
	"nexus/schema"
	"nexus/storage"
)

// maxTuples is how many relationships a list without pages answers at the most.
const maxTuples = 100_000

// tuplesGrant is the right to list relationships: exactly one of its sides was decided.
type tuplesGrant struct {
	File   schema.ShareFile
	Group  schema.ManageGroup
	Own    schema.AccessTenant
	Tenant schema.AdministerTenant
	Item   itemGrant
	side   side
}

func (r relationOps) listable(ctx context.Context, who authz.Principal, p *api.TuplesParams) (n authz.Need[tuplesGrant], err error) {
	administer := authz.Map(schema.Home(who).Administer(), func(g schema.AdministerTenant) tuplesGrant { return tuplesGrant{Tenant: g, side: tenant} })
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
	case p.Object != nil && foreign(p.Object):
		return r.listableItem(ctx, who, p.Object)
	case p.Object == nil && p.Subject != nil && self(who, p.Subject):
		return authz.Map(schema.Home(who).Access(), func(g schema.AccessTenant) tuplesGrant { return tuplesGrant{Own: g, side: own} }), nil
	case p.Object == nil && p.Subject != nil && p.Subject.Type() == "group":
		of, err := schema.GroupOf(who.Tenant, p.Subject.ID())
		if err != nil {
			return n, err
		}
		manage := authz.Map(of.Manage(), func(g schema.ManageGroup) tuplesGrant { return tuplesGrant{Group: g, side: nested} })
		return either(administer, manage), nil
	}
	return administer, nil
}

func (r relationOps) list(ctx context.Context, who authz.Principal, p *api.TuplesParams, g tuplesGrant) (api.TupleList, error) {
	out := api.TupleList{Tuples: []api.Tuple{}, Page: p.Last()}
	only, some, err := r.filter(ctx, who, p)
	if err != nil || !some {
		return out, err
	}
	pages, from := about(r.cursors, api.Tuples.Name, who, p.Subject.String(), p.Relation, p.Object.String()), storage.Page{Limit: p.Size()}
	if err := pages.resume(&p.PageParams, &from.After); err != nil {
		return out, err
	}
	if !p.Paged() {
		return r.whole(ctx, g, only, out)
	}
	found, err := r.tuples(ctx, g, only, from)
	if err != nil {
		return out, err
	}
	out.Tuples = r.shown(ctx, found.Tuples)
	out.Page, err = pages.page(&p.PageParams, found.Last, found.More)
	return out, err
}

// whole answers all there is, page by page.
func (r relationOps) whole(ctx context.Context, g tuplesGrant, only relations.Filter, out api.TupleList) (api.TupleList, error) {
	for page := (storage.Page{Limit: storage.MaxPage}); ; {
		found, err := r.tuples(ctx, g, only, page)
		if err != nil {
			return out, err
		}
		out.Tuples = append(out.Tuples, r.shown(ctx, found.Tuples)...)
		if !found.More {
			return out, nil
		}
		if len(out.Tuples) >= maxTuples {
			return out, errs.New(errs.Exhausted, "more than %d relationships: give a limit, and go on with next_cursor", maxTuples).Marked(errs.NotValid)
		}
		page.After = found.Last
	}
}

func (r relationOps) tuples(ctx context.Context, g tuplesGrant, f relations.Filter, p storage.Page) (storage.Tuples, error) {
	switch g.side {
	case file:
		return r.shares.OnFile(ctx, g.File, f, p)
	case group:
		return r.shares.OnGroup(ctx, g.Group, f, p)
	case nested:
		return r.shares.Nestings(ctx, g.Group, f, p)
	case own:
		return r.shares.Of(ctx, g.Own, f, p)
	case tenant:
		return r.shares.In(ctx, g.Tenant, f, p)
	case itemSide:
		return r.shares.OnItem(ctx, g.Item.Item, f, p)
	}
	return storage.Tuples{}, errs.Bug("relations.list with no side")
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

func (r relationOps) shown(ctx context.Context, all []storage.Tuple) []api.Tuple {
	out := make([]api.Tuple, len(all))
	for i, t := range all {
		out[i] = r.tuple(ctx, t)
	}
	return out
}

func (r relationOps) tuple(ctx context.Context, t storage.Tuple) api.Tuple {
	subject, object := r.wire(ctx, t.Subject), r.wire(ctx, t.Resource)
	return api.Tuple{
		Caveat: schema.TypeName(t.Caveat), Context: api.Object(t.Context),
		ID: t.ID, Relation: t.Relation, Object: object, Subject: r.subjectOf(ctx, t.Relationship),
		Created: api.Time{Time: t.Created}, Expires: api.Time{Time: t.Expires}, Tenant: ids.Plain(schema.TenantOf(t.Resource)),
		SubjectType: subject.Type(), SubjectID: subject.ID(), ObjectType: object.Type(), ObjectID: object.ID(),
	}
}
