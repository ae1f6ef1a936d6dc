package ops

import (
	"context"
	"time"

	"nexus/apiserver/api"
	"nexus/apiserver/op"
	"nexus/authzsvc/authz"
	"nexus/internal/ids"
	"nexus/schema"
	"nexus/storage"
)

func keys(t *op.Table, d Deps) {
	k := keyOps{keys: d.Store.Keys()}
	op.Handle(t, api.CreateKey, k.creatable, k.create)
}

type keyOps struct{ keys *storage.Keys }

// keyGrant is the right to make keys: for one's own tenant, or for any. Exactly one of its sides was decided.
type keyGrant struct {
	Tenant   schema.AdministerTenant
	Platform schema.AdministerPlatform
	anywhere bool
}

// everyTenant stands for the whole deployment where a tenant is named.
const everyTenant = "*"

func (k keyOps) creatable(_ context.Context, who authz.Principal, p *api.CreateKeyParams) (authz.Need[keyGrant], error) {
	if p.Tenant == "" || ids.Quote(p.Tenant) == who.Tenant {
		return authz.Map(schema.Home(who).Administer(), func(g schema.AdministerTenant) keyGrant { return keyGrant{Tenant: g} }), nil
	}
	return authz.Map(schema.ThePlatform.Administer(), func(g schema.AdministerPlatform) keyGrant { return keyGrant{Platform: g, anywhere: true} }), nil
}

func (k keyOps) create(ctx context.Context, _ authz.Principal, p *api.CreateKeyParams, g keyGrant) (api.NewKey, error) {
	spec := storage.KeySpec{
		Name: p.Name, Prefix: p.Prefix, User: p.UserID, SubjectType: p.SubjectType, Subject: p.SubjectID, Admin: p.IsAdmin, Scopes: p.Scopes,
	}
	if p.ExpiresDays != nil {
		spec.Lifetime = time.Duration(*p.ExpiresDays) * 24 * time.Hour
	}
	key, err := k.forge(ctx, g, p.Tenant, spec)
	if err != nil {
		return api.NewKey{}, err
	}
	out := api.NewKey{
		KeyID: key.ID, APIKey: key.Secret, UserID: key.User, Name: key.Name, SubjectType: key.SubjectType, SubjectID: key.Subject,
		Tenant: ids.Plain(key.Tenant), IsAdmin: key.Admin, Expires: api.Time{Time: key.Expires}, Scopes: key.Scopes,
	}
	if p.Tenant == everyTenant {
		out.Tenant = everyTenant
	}
	return out, nil
}

func (k keyOps) forge(ctx context.Context, g keyGrant, tenant string, spec storage.KeySpec) (storage.Key, error) {
	switch {
	case !g.anywhere:
		return k.keys.Create(ctx, g.Tenant, spec)
	case tenant == everyTenant:
		return k.keys.CreatePlatform(ctx, g.Platform, spec)
	}
	return k.keys.CreateIn(ctx, g.Platform, ids.Quote(tenant), spec)
}
