package storage

import (
	"context"

	"nexus/authzsvc/authz"
	"nexus/internal/errs"
	"nexus/internal/sqldb"
	"nexus/schema"
	"nexus/storage/internal/sqlstore"
)

// Reach is the right to administer: the whole deployment, or else one tenant.
type Reach = authz.Choice[schema.AdministerPlatform, schema.AdministerTenant]

// realm is what a Reach reaches.
type realm struct {
	d          *authz.Decision
	tenant     string // quoted; empty with everywhere
	everywhere bool   // every tenant, and the platform's own keys
}

func realmOf(r Reach) (realm, error) {
	return authz.Match(r,
		func(g schema.AdministerPlatform) (realm, error) {
			_, err := g.Use()
			return realm{d: g.Decision(), everywhere: true}, err
		},
		func(g schema.AdministerTenant) (realm, error) {
			tenant, err := g.Use()
			return realm{d: g.Decision(), tenant: tenant.Named().ID}, err
		})
}

// enter refuses a tenant that is out of reach.
func (r realm) enter(tenant string) error {
	if r.everywhere || r.tenant == tenant {
		return nil
	}
	return errs.Bug("tenant %s is not the granted tenant %s", tenant, r.tenant)
}

// has reports whether a key is within reach. The platform's own keys are out of any tenant's, also of the one their user is of.
func (r realm) has(k *sqlstore.Key) bool {
	return r.everywhere || k.Tenant == r.tenant && !k.Platform
}

// reform runs f as act does, one such change after the other on every engine: what f reads of who administers is true until
// it commits, and what is remembered of keys and users is void after it.
func (s *Store) reform(ctx context.Context, d *authz.Decision, f func(ctx context.Context, tx sqldb.Tx) (changed bool, err error)) error {
	return s.act(ctx, d, func(ctx context.Context, tx sqldb.Tx, _ int64) (bool, error) {
		if err := sqlstore.LockAdmins(ctx, tx); err != nil {
			return false, err
		}
		changed, err := f(ctx, tx)
		if changed && err == nil {
			s.peopleChange(tx)
		}
		return changed, err
	})
}

// mustLeaveAdmins refuses to take away an administrator of the platform, or of a tenant, when nobody would be left who comes
// in with an admin key. The platform's admins may leave a tenant without any of its own: they can make new ones.
func (s *Store) mustLeaveAdmins(ctx context.Context, tx sqldb.Tx, r realm, taken authority, but sqlstore.But) error {
	if taken.platform {
		if left, err := sqlstore.PlatformAdmins(ctx, tx, s.now(), but); err != nil || !left {
			return firstErr(err, lastAdmin("the platform"))
		}
	}
	if taken.tenant != "" && !r.everywhere {
		if left, err := sqlstore.TenantAdmins(ctx, tx, taken.tenant, s.now(), but); err != nil || !left {
			return firstErr(err, lastAdmin("the tenant"))
		}
	}
	return nil
}

// authority is what is administered.
type authority struct {
	platform bool
	tenant   string // quoted; empty: none
}

// authorityOf returns what a key administers now.
func authorityOf(k *sqlstore.Key, at int64) authority {
	switch {
	case !k.Admin || !k.Stands(at):
		return authority{}
	case k.Platform:
		return authority{platform: true}
	}
	return authority{tenant: k.Tenant}
}

func lastAdmin(of string) error {
	return errs.New(errs.Precondition, "this is the last admin key of %s: make another one first", of).Marked(errs.LastAdmin)
}
