package ops

import (
	"context"
	"slices"

	"nexus/apiserver/api"
	"nexus/authzsvc/authz"
	"nexus/internal/errs"
	"nexus/schema"
	"nexus/storage"
)

// Objects of types that tenants define. Whether a tenant defines a type is no more to be seen before a decision than whether
// an object is there: what is asked about an unknown type is what an administrator would be asked.

// itemSide is the side of objects of tenants' types, beside those of the product's.
const itemSide side = 255

// itemGrant is the right to relate somebody to an item: by the item's own type, or as an administrator of its tenant.
type itemGrant struct {
	Item   schema.ShareItem
	Tenant schema.AdministerTenant
	admin  bool
}

// foreign reports whether r is of a type that the product does not define.
func foreign(r api.Ref) bool { return !slices.Contains(schema.Definitions(), r.Type()) }

// sharingItem is the need for the permission by which an item's type lets people write its relationships, or to administer.
func (w words) sharingItem(ctx context.Context, who authz.Principal, r api.Ref) (n authz.Need[itemGrant], err error) {
	administer := authz.Map(schema.Home(who).Administer(), func(g schema.AdministerTenant) itemGrant { return itemGrant{Tenant: g, admin: true} })
	k, found, err := w.names.Kind(ctx, who.Tenant, r.Type())
	if err != nil || !found {
		return administer, err
	}
	i, err := schema.ItemOf(who.Tenant, k, r.ID())
	if err != nil || !i.HasSharing() {
		return administer, err
	}
	return either(authz.Map(i.Share(), func(g schema.ShareItem) itemGrant { return itemGrant{Item: g} }), administer), nil
}

// kind returns the type that r is of, which its tenant must have defined.
func (w words) kind(ctx context.Context, who authz.Principal, r api.Ref) (schema.Kind, error) {
	k, found, err := w.names.Kind(ctx, who.Tenant, r.Type())
	if err == nil && !found {
		err = errs.New(errs.Invalid, "there is no type %q here: use file, group, user, agent or tenant, or define it", r.Type()).Marked(errs.NotValid)
	}
	return k, err
}

// item returns the object that r names, of a type that its tenant defined.
func (w words) item(ctx context.Context, who authz.Principal, r api.Ref) (schema.Item, schema.Kind, error) {
	k, err := w.kind(ctx, who, r)
	if err != nil {
		return schema.Item{}, k, err
	}
	i, err := schema.ItemOf(who.Tenant, k, r.ID())
	return i, k, err
}

// askedOn returns the object that r names, on which a permission is asked, and the rest of a path below it. Of the product's
// types it is known that they have the permission.
func (w words) askedOn(ctx context.Context, who authz.Principal, r api.Ref, permission string) (ref authz.Ref, rest string, err error) {
	if !foreign(r) {
		return w.named(ctx, who, r)
	}
	i, k, err := w.item(ctx, who, r)
	if err == nil && !k.Has(permission) {
		err = errs.New(errs.Invalid, "there is no permission %q on %s", permission, r.Type()).Marked(errs.NotValid)
	}
	return i.Named().Ref, "", err
}

func (r relationOps) relatableItem(ctx context.Context, who authz.Principal, p *api.RelateParams) (authz.Need[relateGrant], error) {
	n, err := r.sharingItem(ctx, who, p.Object)
	return authz.Map(n, func(g itemGrant) relateGrant { return relateGrant{Item: g, side: itemSide} }), err
}

func (r relationOps) relateItem(ctx context.Context, who authz.Principal, p *api.RelateParams, g itemGrant) (api.TupleID, error) {
	i, k, err := r.item(ctx, who, p.Object)
	if err != nil {
		return "", err
	}
	switch {
	case slices.Contains(k.Permissions, p.Relation):
		return "", errs.New(errs.Invalid, "relation %s is computed; use a stored one", p.Relation).Marked(errs.ComputedRelation)
	case !slices.Contains(k.Relations, p.Relation):
		return "", errs.New(errs.Invalid, "there is no relation %q on %s", p.Relation, p.Object.Type()).Marked(errs.NotValid)
	}
	s, err := r.subject(ctx, who, p.Subject)
	if err != nil {
		return "", err
	}
	if p.Caveat == "" && len(p.Context) > 0 {
		return "", errs.New(errs.Invalid, "caveat_context without a caveat").Marked(errs.NotValid)
	}
	terms := storage.Terms{Expires: p.Expires.Time, Context: string(p.Context)}
	if p.Caveat != "" {
		terms.Caveat = k.Caveat(p.Caveat)
	}
	var id string
	if g.admin {
		id, err = r.shares.RelateItemIn(ctx, g.Tenant, i, p.Relation, s, terms)
	} else {
		id, err = r.shares.RelateItem(ctx, g.Item, p.Relation, s, terms)
	}
	return api.TupleID(id), err
}

// unrelatableItem is the need to end a relationship of object, which a tenant's type is of.
func (r relationOps) unrelatableItem(ctx context.Context, who authz.Principal, object authz.Ref) (authz.Need[unrelateGrant], error) {
	n, err := r.sharingItem(ctx, who, api.Ref{schema.TypeName(object.Type), schema.NameOf(object)})
	return authz.Map(n, func(g itemGrant) unrelateGrant { return unrelateGrant{Item: g, side: itemSide} }), err
}

func (r relationOps) unrelateItem(ctx context.Context, id string, g itemGrant) (bool, error) {
	if g.admin {
		return r.shares.EndItemIn(ctx, g.Tenant, id)
	}
	return r.shares.EndItem(ctx, g.Item, id)
}

// listableItem is the need to list an item's relationships.
func (r relationOps) listableItem(ctx context.Context, who authz.Principal, object api.Ref) (authz.Need[tuplesGrant], error) {
	n, err := r.sharingItem(ctx, who, object)
	return authz.Map(n, func(g itemGrant) tuplesGrant {
		if g.admin {
			return tuplesGrant{Tenant: g.Tenant, side: tenant}
		}
		return tuplesGrant{Item: g, side: itemSide}
	}), err
}

// knowingItem is the need to know everything about an item.
func (q questionOps) knowingItem(ctx context.Context, who authz.Principal, object api.Ref) (authz.Need[askGrant], error) {
	n, err := q.sharingItem(ctx, who, object)
	return authz.Map(n, func(g itemGrant) askGrant {
		if g.admin {
			return askGrant{g.Tenant, true}
		}
		return askGrant{g.Item, true}
	}), err
}
