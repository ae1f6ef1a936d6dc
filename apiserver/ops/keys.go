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
	op.Handle(t, api.ListKeys, k.listable, k.list)
	op.Handle(t, api.GetKey, inReach[api.KeyParams], k.get)
	op.Handle(t, api.RevokeKey, inReach[api.KeyParams], k.revoke)
	op.Handle(t, api.UpdateKey, inReach[api.UpdateKeyParams], k.update)
}

type keyOps struct{ keys *storage.Keys }

// inReach is the need of what names a key alone: whose it is, storage finds out.
func inReach[P any](_ context.Context, who authz.Principal, _ *P) (authz.Need[storage.Reach], error) {
	return reach(who, ""), nil
}

// reach is the need to administer: the platform, or else the tenant of that name, the caller's where none is named.
func reach(who authz.Principal, tenant string) authz.Need[storage.Reach] {
	who.Tenant = meant(who, tenant)
	return authz.Either(schema.ThePlatform.Administer(), schema.Home(who).Administer())
}

// meant returns the quoted tenant that a parameter means.
func meant(who authz.Principal, tenant string) string {
	if tenant == "" {
		return who.Tenant
	}
	return ids.Quote(tenant)
}

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
		spec.Lifetime = lifetime(*p.ExpiresDays)
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

func lifetime(days int) time.Duration { return time.Duration(days) * 24 * time.Hour }

func (k keyOps) listable(_ context.Context, who authz.Principal, p *api.ListKeysParams) (authz.Need[storage.Reach], error) {
	return reach(who, p.Tenant), nil
}

func (k keyOps) list(ctx context.Context, who authz.Principal, p *api.ListKeysParams, g storage.Reach) (api.KeyList, error) {
	f := storage.KeyFilter{User: p.UserID, Admin: p.IsAdmin, Revoked: p.Revoked, Expired: p.Expired}
	switch _, everywhere := g.Left(); {
	case p.Tenant == everyTenant:
		f.PlatformOnly = true
	case p.Tenant != "", !everywhere, schema.TenantOf(who.Base) != who.Tenant:
		f.Tenant = meant(who, p.Tenant)
	}
	found, total, err := k.keys.List(ctx, g, f, p.Limit, p.Offset)
	if err != nil {
		return api.KeyList{}, err
	}
	out := api.KeyList{Keys: make([]api.Key, len(found)), Total: total}
	for i := range found {
		out.Keys[i] = shownKey(&found[i])
	}
	return out, nil
}

func (k keyOps) get(ctx context.Context, _ authz.Principal, p *api.KeyParams, g storage.Reach) (api.Key, error) {
	key, err := k.keys.Get(ctx, g, p.KeyID)
	if err != nil {
		return api.Key{}, err
	}
	return shownKey(&key), nil
}

func (k keyOps) revoke(ctx context.Context, _ authz.Principal, p *api.KeyParams, g storage.Reach) (api.KeyRevoked, error) {
	err := k.keys.Revoke(ctx, g, p.KeyID)
	return api.KeyRevoked{Success: err == nil, KeyID: p.KeyID}, err
}

func (k keyOps) update(ctx context.Context, _ authz.Principal, p *api.UpdateKeyParams, g storage.Reach) (api.Key, error) {
	c := storage.KeyChange{Name: p.Name, Admin: p.IsAdmin, Forever: p.NeverExpires}
	if p.ExpiresDays != nil {
		c.Lifetime = new(lifetime(*p.ExpiresDays))
	}
	key, err := k.keys.Update(ctx, g, p.KeyID, c)
	if err != nil {
		return api.Key{}, err
	}
	return shownKey(&key), nil
}

func shownKey(k *storage.KeyState) api.Key {
	out := api.Key{
		KeyID: k.ID, UserID: k.User, SubjectType: k.SubjectType, SubjectID: k.Subject, Name: k.Name, Tenant: ids.Plain(k.Tenant),
		IsAdmin: k.Admin, Created: api.Time{Time: k.Created}, Expires: api.Time{Time: k.Expires}, Revoked: !k.Revoked.IsZero(),
		RevokedAt: api.Time{Time: k.Revoked}, LastUsed: api.Time{Time: k.LastUsed}, Prefix: k.Prefix, Last4: k.Last4, Scopes: k.Scopes,
	}
	if k.Platform {
		out.Tenant = everyTenant
	}
	return out
}
