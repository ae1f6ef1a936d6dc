package ops

import (
	"context"
	"errors"

	"nexus/apiserver/api"
	"nexus/apiserver/op"
	"nexus/authzsvc/authz"
	"nexus/authzsvc/relations"
	"nexus/internal/cursor"
	"nexus/internal/errs"
	"nexus/schema"
	"nexus/storage"
)

func relating(t *op.Table, d Deps) {
	r := relationOps{words: words{d.Store.Names()}, names: d.Store.Names(), shares: d.Store.Shares(), cursors: d.Cursors}
	op.Handle(t, api.Relate, r.relatable, r.relate)
	op.Handle(t, api.Unrelate, r.unrelatable, r.unrelate)
	op.Handle(t, api.Tuples, r.listable, r.list)
}

type relationOps struct {
	words
	names   storage.Names
	shares  *storage.Shares
	cursors *cursor.Sealer
}

// relateGrant is the right to relate somebody to an object: exactly one of its sides was decided.
type relateGrant struct {
	File   schema.ShareFile
	Link   storage.LinkGrant
	Group  schema.ManageGroup
	Nest   storage.NestGrant
	Tenant schema.AdministerTenant
	Item   itemGrant
	side   side
}

// side says which grant of a struct was decided.
type side uint8

const (
	none    side = iota
	file         // share a file
	link         // link a file into a folder
	group        // manage a group
	nested       // manage two groups, of which one is to stand in the other
	founded      // administer the tenant, to found a group in it
	tenant       // administer the tenant itself
	own          // oneself, within the tenant
)

func (r relationOps) relatable(ctx context.Context, who authz.Principal, p *api.RelateParams) (n authz.Need[relateGrant], err error) {
	if err := home(who, p.Tenant); err != nil {
		return n, err
	}
	if foreign(p.Object) {
		return r.relatableItem(ctx, who, p)
	}
	if _, err := relation(p.Object.Type(), p.Relation); err != nil {
		return n, err
	}
	switch p.Object.Type() {
	case "file":
		return r.sharing(ctx, who, p)
	case "group":
		return enrolling(who, p)
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
// is there, so that a refusal does not tell: nobody manages a group that is not. Who puts a group into it manages that, too.
func enrolling(who authz.Principal, p *api.RelateParams) (n authz.Need[relateGrant], err error) {
	g, err := schema.GroupOf(who.Tenant, p.Object.ID())
	if err != nil {
		return n, err
	}
	manage := authz.Map(g.Manage(), func(g schema.ManageGroup) relateGrant { return relateGrant{Group: g, side: group} })
	if p.Subject.Type() == "group" {
		of, err := schema.GroupOf(who.Tenant, p.Subject.ID())
		if err != nil {
			return n, err
		}
		manage = authz.Map(authz.Both(g.Manage(), of.Manage()), func(g authz.Pair[schema.ManageGroup, schema.ManageGroup]) relateGrant {
			return relateGrant{Nest: storage.NestGrant{Into: g.First, Group: g.Second}, side: nested}
		})
	}
	administer := authz.Map(schema.Home(who).Administer(), func(g schema.AdministerTenant) relateGrant { return relateGrant{Tenant: g, side: founded} })
	return either(manage, administer), nil
}

func (r relationOps) relate(ctx context.Context, who authz.Principal, p *api.RelateParams, g relateGrant) (api.TupleID, error) {
	if g.side == itemSide {
		return r.relateItem(ctx, who, p, g.Item)
	}
	if p.Caveat != "" || len(p.Context) > 0 {
		return "", errs.New(errs.Invalid, "no relation of %s has a condition", p.Object.Type()).Marked(errs.NotValid)
	}
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
	case nested:
		if s.Relation != "member" {
			return "", errs.New(errs.Invalid, "a group stands in another with its members, not with %q", s.Relation).Marked(errs.NotValid)
		}
		return r.shares.Nest(ctx, g.Nest, name, expires)
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
	Item   itemGrant
	side   side
}

func (r relationOps) unrelatable(ctx context.Context, who authz.Principal, p *api.UnrelateParams) (n authz.Need[unrelateGrant], err error) {
	t, found, err := r.names.Tuple(ctx, who.Tenant, p.ID)
	if err != nil {
		return n, err
	}
	switch {
	case found && t.Resource.Type == "file":
		a, err := r.names.AddressOf(ctx, t.Resource)
		if errors.Is(err, errs.NotFound) {
			break // it went since
		}
		if err != nil {
			return n, err
		}
		return authz.Map(schema.File{Address: a}.Share(), func(g schema.ShareFile) unrelateGrant { return unrelateGrant{File: g, side: file} }), nil
	case found && t.Resource.Type == "group":
		return expelling(t)
	case found && schema.IsOwn(t.Resource.Type):
		return r.unrelatableItem(ctx, who, t.Resource)
	case found && t.Resource.Type == "tenant":
		return authz.Map(schema.Home(who).Administer(), func(g schema.AdministerTenant) unrelateGrant { return unrelateGrant{Tenant: g, side: tenant} }), nil
	}
	return authz.Map(schema.Home(who).Access(), func(g schema.AccessTenant) unrelateGrant { return unrelateGrant{Nobody: g} }), nil
}

// expelling is the need to manage the group, or the one that stands in it.
func expelling(t relations.Relationship) (n authz.Need[unrelateGrant], err error) {
	in, err := schema.GroupFrom(t.Resource)
	if err != nil {
		return n, err
	}
	manage := authz.Map(in.Manage(), func(g schema.ManageGroup) unrelateGrant { return unrelateGrant{Group: g, side: group} })
	if t.Subject.Type != "group" {
		return manage, nil
	}
	of, err := schema.GroupFrom(t.Subject)
	if err != nil {
		return n, err
	}
	return either(manage, authz.Map(of.Manage(), func(g schema.ManageGroup) unrelateGrant { return unrelateGrant{Group: g, side: nested} })), nil
}

func (r relationOps) unrelate(ctx context.Context, _ authz.Principal, p *api.UnrelateParams, g unrelateGrant) (bool, error) {
	switch g.side {
	case file:
		return r.shares.UnshareFile(ctx, g.File, p.ID)
	case group:
		return r.shares.Expel(ctx, g.Group, p.ID)
	case nested:
		return r.shares.Withdraw(ctx, g.Group, p.ID)
	case tenant:
		return r.shares.Dismiss(ctx, g.Tenant, p.ID)
	case itemSide:
		return r.unrelateItem(ctx, p.ID, g.Item)
	}
	return false, nil
}
