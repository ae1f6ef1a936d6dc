package storage

import (
	"context"
	"errors"
	"time"

	"nexus/authzsvc/authz"
	"nexus/internal/errs"
	"nexus/internal/sqldb"
	"nexus/schema"
	"nexus/storage/internal/sqlstore"
)

// Users is the façade of people. It is safe for concurrent use.
type Users struct{ s *Store }

// Users returns the façade.
func (s *Store) Users() *Users { return &Users{s} }

// User is a person as he may be shown to who administers his tenant.
type User struct {
	Name     string
	Tenant   string // quoted
	Created  time.Time
	Disabled time.Time // zero: he is not
	Keys     int64     // keys of his and of his agents that are neither revoked nor expired
	Agents   int64     // agents he owns
	Admin    bool      // whether one of the keys administers
}

// List returns up to limit users of a tenant in reach whose names come behind after, in order.
func (u *Users) List(ctx context.Context, reach Reach, tenant, after string, limit int) ([]User, error) {
	r, err := realmOf(reach)
	if err != nil {
		return nil, err
	}
	if err := r.enter(tenant); err != nil {
		return nil, err
	}
	rows, err := sqlstore.UsersAfter(ctx, u.s.db, tenant, after, u.s.now(), limit)
	all := make([]User, 0, len(rows))
	for _, row := range rows {
		all = append(all, userOf(row))
	}
	return all, err
}

// Disable keeps a user out: his keys, those of his agents and what runs with them end, and nobody can stand in for him.
// His relationships stay, so that Enable restores everything. Nobody disables himself, nor the last who administers.
func (u *Users) Disable(ctx context.Context, reach Reach, tenant, name string) (User, error) {
	return u.change(ctx, reach, tenant, name, func(ctx context.Context, tx sqldb.Tx, r realm, row *sqlstore.User) error {
		if row.Disabled != 0 {
			return nil
		}
		if himself(r.d.Principal(), tenant, name) {
			return errs.New(errs.Precondition, "nobody disables himself")
		}
		row.Disabled = u.s.now()
		return u.mayGo(ctx, tx, r, tenant, name)
	})
}

// Enable lets a user in again with all he had.
func (u *Users) Enable(ctx context.Context, reach Reach, tenant, name string) (User, error) {
	return u.change(ctx, reach, tenant, name, func(_ context.Context, _ sqldb.Tx, _ realm, row *sqlstore.User) error {
		row.Disabled = 0
		return nil
	})
}

func (u *Users) change(ctx context.Context, reach Reach, tenant, name string, f func(context.Context, sqldb.Tx, realm, *sqlstore.User) error) (user User, err error) {
	r, err := realmOf(reach)
	if err != nil {
		return user, err
	}
	if err := r.enter(tenant); err != nil {
		return user, err
	}
	err = u.s.reform(ctx, r.d, func(ctx context.Context, tx sqldb.Tx) (bool, error) {
		row, err := u.s.user(ctx, tx, tenant, name)
		if err != nil {
			return false, err
		}
		if err := u.mayTouch(ctx, tx, r, tenant, name); err != nil {
			return false, err
		}
		was := row.Disabled
		if err := f(ctx, tx, r, row); err != nil {
			return false, err
		}
		user = userOf(row)
		if row.Disabled == was {
			return false, nil
		}
		return true, sqlstore.DisableUser(ctx, tx, tenant, name, row.Disabled)
	})
	return user, err
}

// mayTouch leaves whoever administers the platform to the platform's admins, whatever tenant he is of.
func (u *Users) mayTouch(ctx context.Context, tx sqldb.Tx, r realm, tenant, name string) error {
	if r.everywhere {
		return nil
	}
	platform, err := sqlstore.HasPlatformKey(ctx, tx, tenant, name, u.s.now())
	if err == nil && platform {
		return errs.New(errs.Denied, "permission denied: user %s administers the platform", name)
	}
	return err
}

// mayGo refuses to let the last one go who administers something.
func (u *Users) mayGo(ctx context.Context, tx sqldb.Tx, r realm, tenant, name string) (err error) {
	at, taken := u.s.now(), authority{}
	if taken.platform, err = sqlstore.HasPlatformKey(ctx, tx, tenant, name, at); err != nil {
		return err
	}
	admin, err := sqlstore.HasTenantKey(ctx, tx, tenant, name, at)
	if err != nil {
		return err
	}
	if admin {
		taken.tenant = tenant
	}
	return u.s.mustLeaveAdmins(ctx, tx, r, taken, sqlstore.But{Tenant: tenant, User: name})
}

// user returns a user's row; errs.NotFound when the tenant has none of that name.
func (s *Store) user(ctx context.Context, q sqldb.Q, tenant, name string) (*sqlstore.User, error) {
	row, err := sqlstore.UserNamed(ctx, q, tenant, name, s.now())
	if errors.Is(err, sqldb.ErrNoRows) {
		return nil, errs.New(errs.NotFound, "User not found: %s", name)
	}
	return row, err
}

// himself reports whether a user is who asks: as the base, or as the owner of an agent that does.
func himself(who authz.Principal, tenant, name string) bool {
	user, err := schema.UserOf(tenant, name)
	if err != nil {
		return false
	}
	ref := user.Named().Ref
	return who.Base == ref || who.Owner == ref
}

func userOf(row *sqlstore.User) User {
	return User{
		Name: row.Name, Tenant: row.Tenant, Created: micros(row.Created), Disabled: micros(row.Disabled),
		Keys: row.Keys, Agents: row.Agents, Admin: row.Admin,
	}
}
