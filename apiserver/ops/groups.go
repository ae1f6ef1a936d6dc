package ops

import (
	"context"

	"nexus/apiserver/api"
	"nexus/apiserver/op"
	"nexus/authzsvc/authz"
	"nexus/authzsvc/relations"
	"nexus/internal/cursor"
	"nexus/internal/ids"
	"nexus/schema"
	"nexus/storage"
)

func groups(t *op.Table, d Deps) {
	g := groupOps{words: words{d.Store.Names()}, groups: d.Store.Groups(), gate: t.Gate(), cursors: d.Cursors}
	op.Handle(t, api.ListGroups, g.listable, g.list)
	op.Handle(t, api.GroupMembers, g.viewable, g.members)
	op.Handle(t, api.DeleteGroup, g.deletable, g.delete)
}

type groupOps struct {
	words
	groups  *storage.Groups
	gate    *authz.Gate
	cursors *cursor.Sealer
}

func (o groupOps) listable(_ context.Context, who authz.Principal, _ *api.ListGroupsParams) (authz.Need[schema.ViewGroups], error) {
	return schema.ViewGroupsWithin(o.gate, schema.Home(who).Access(), api.GroupMembers.Name), nil
}

func (o groupOps) list(ctx context.Context, who authz.Principal, p *api.ListGroupsParams, in schema.ViewGroups) (api.GroupList, error) {
	pages, after := about(o.cursors, api.ListGroups.Name, who), ""
	if err := pages.resume(&p.PageParams, &after); err != nil {
		return api.GroupList{}, err
	}
	found, next, err := o.groups.List(ctx, in, after, p.Size())
	if err != nil {
		return api.GroupList{}, err
	}
	out := api.GroupList{Groups: make([]api.Group, len(found))}
	for i, g := range found {
		out.Groups[i] = api.Group{ID: g.Name, Created: api.Time{Time: g.Created}, Tenant: ids.Plain(who.Tenant)}
	}
	out.Page, err = pages.page(&p.PageParams, next, next != "")
	return out, err
}

func (o groupOps) viewable(_ context.Context, who authz.Principal, p *api.MembersParams) (n authz.Need[schema.ViewGroup], err error) {
	g, err := schema.GroupOf(who.Tenant, p.ID)
	if err != nil {
		return n, err
	}
	return g.View(), nil
}

func (o groupOps) members(ctx context.Context, who authz.Principal, p *api.MembersParams, g schema.ViewGroup) (api.MemberList, error) {
	pages, after := about(o.cursors, api.GroupMembers.Name, who, p.ID), relations.Relationship{}
	if err := pages.resume(&p.PageParams, &after); err != nil {
		return api.MemberList{}, err
	}
	found, err := o.groups.Members(ctx, g, storage.Page{After: after, Limit: p.Size()})
	if err != nil {
		return api.MemberList{}, err
	}
	out := api.MemberList{Members: make([]api.Member, len(found.Tuples))}
	for i, t := range found.Tuples {
		out.Members[i] = api.Member{
			TupleID: t.ID, Subject: o.subjectOf(ctx, t.Relationship), Relation: t.Relation,
			Since: api.Time{Time: t.Created}, Expires: api.Time{Time: t.Expires},
		}
	}
	out.Page, err = pages.page(&p.PageParams, found.Last, found.More)
	return out, err
}

func (o groupOps) deletable(_ context.Context, who authz.Principal, p *api.GroupParams) (n authz.Need[schema.ManageGroup], err error) {
	g, err := schema.GroupOf(who.Tenant, p.ID)
	if err != nil {
		return n, err
	}
	return g.Manage(), nil
}

func (o groupOps) delete(ctx context.Context, _ authz.Principal, _ *api.GroupParams, g schema.ManageGroup) (api.GroupDeleted, error) {
	over, err := o.groups.Delete(ctx, g)
	return api.GroupDeleted{Success: err == nil, Over: over}, err
}
