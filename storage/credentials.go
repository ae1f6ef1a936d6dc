package storage

import (
	"context"
	"encoding/hex"
	"errors"
	"time"

	"nexus/authzsvc/authz"
	"nexus/internal/errs"
	"nexus/internal/ids"
	"nexus/internal/sqldb"
	"nexus/schema"
	"nexus/storage/internal/sqlstore"
)

// Credentials answers who holds a key, before there is a principal to decide about. It is safe for concurrent use.
type Credentials struct {
	s     *Store
	known *holders // nil: nothing is remembered
	uses  uses
}

// Credentials returns the answerer. Run must run for last uses to be kept.
func (s *Store) Credentials() *Credentials { return &Credentials{s: s} }

// Remember makes c remember up to n holders, so that a request costs no statement for its key. What is remembered is exact:
// it is forgotten when a change of a key or of a user commits, before the change is acknowledged. That holds for changes
// made through the same Store, so only a process that is alone with its database may remember. Call it before the first
// question.
func (c *Credentials) Remember(n int) *Credentials {
	c.known = newHolders(n)
	return c
}

// Holder is who holds a key.
type Holder struct {
	KeyID       string
	Tenant      string // quoted
	SubjectType string
	Subject     string // name
	User        string // name of the user whose key it is: for an agent, who owns the agent
	Admin       bool
	Platform    bool
	Scopes      []string // not to be changed: holders are shared
	Expires     time.Time

	base, owner authz.Ref // whom the key stands for; the owner is an agent's
}

// ByHash returns the holder of the key with that SHA-256; errs.NotFound for one that is unknown, revoked or expired, or whose
// user is disabled: for an agent's key, the user who owns the agent.
func (c *Credentials) ByHash(ctx context.Context, sum [32]byte) (Holder, error) {
	return c.holder(ctx, holderKey{sum: sum}, func(ctx context.Context) (*sqlstore.Key, error) {
		return sqlstore.KeyByHash(ctx, c.s.db, hex.EncodeToString(sum[:]))
	})
}

// byID is ByHash for who knows the id alone.
func (c *Credentials) byID(ctx context.Context, id string) (Holder, error) {
	return c.holder(ctx, holderKey{id: id}, func(ctx context.Context) (*sqlstore.Key, error) {
		return sqlstore.KeyByID(ctx, c.s.db, id)
	})
}

// holder answers from what is remembered, or else from the database. The state of the people is read first: what changes
// after that is not in force for what is remembered here.
func (c *Credentials) holder(ctx context.Context, key holderKey, look func(context.Context) (*sqlstore.Key, error)) (Holder, error) {
	state := c.s.people.Load()
	if h, ok := c.known.get(state, key); ok {
		return h, h.ended(c.s.clock.Now())
	}
	k, err := look(ctx)
	if errors.Is(err, sqldb.ErrNoRows) || err == nil && !k.Stands(c.s.now()) {
		return Holder{}, noSuchKey()
	}
	if err != nil {
		return Holder{}, err
	}
	h, err := holderOf(k)
	if err != nil {
		return Holder{}, err
	}
	c.known.put(state, key, h)
	return h, nil
}

func holderOf(k *sqlstore.Key) (Holder, error) {
	h := Holder{
		KeyID: k.ID, Tenant: k.Tenant, SubjectType: k.SubjectType, Subject: k.Subject, User: k.User,
		Admin: k.Admin, Platform: k.Platform, Scopes: k.Scopes, Expires: micros(k.Expires),
	}
	user, err := schema.UserOf(k.Tenant, k.User)
	if err != nil {
		return Holder{}, err
	}
	if k.SubjectType != "agent" {
		h.base = user.Named().Ref
		return h, nil
	}
	agent, err := schema.AgentOf(k.Tenant, k.Subject)
	h.base, h.owner = agent.Named().Ref, user.Named().Ref
	return h, err
}

// ended returns errs.NotFound once the key has expired.
func (h *Holder) ended(now time.Time) error {
	if h.Expires.IsZero() || now.Before(h.Expires) {
		return nil
	}
	*h = Holder{}
	return noSuchKey()
}

func noSuchKey() error { return errs.New(errs.NotFound, "no such key") }

// Stands returns nil while who may go on: the key he came with is good and still stands for him, or, where an admin's key
// stands in for him, it is an admin's still and he is not disabled. Otherwise it is errs.Unauthenticated. Who came without
// a key is a part of the server, and stands.
func (c *Credentials) Stands(ctx context.Context, who authz.Principal) error {
	if who.Via.Key == "" {
		return nil
	}
	h, err := c.byID(ctx, who.Via.Key)
	if errors.Is(err, errs.NotFound) {
		return fallen()
	}
	if err != nil {
		return err
	}
	if h.base == who.Base && h.owner == who.Owner {
		return c.actorsStand(ctx, who)
	}
	if !h.Admin {
		return fallen()
	}
	exists, err := c.exists(ctx, schema.TenantOf(who.Base), who.Base.Type, schema.NameOf(who.Base))
	if err == nil && !exists {
		return fallen()
	}
	return err
}

// fallen is a fresh error each time, because the dispatcher writes the operation into what it gets.
func fallen() error { return errs.New(errs.Unauthenticated, "authentication failed") }

// Subject reports whether a user or agent of that name exists in the tenant, and whether he holds an admin key that has not
// ended. One that is disabled, or whose owner is, does not exist. What he administers by relationships is not seen here.
func (c *Credentials) Subject(ctx context.Context, tenant, typ, name string) (exists, admin bool, err error) {
	exists, err = c.exists(ctx, tenant, typ, name)
	if err != nil || !exists || typ != "user" {
		return exists, false, err
	}
	admin, err = sqlstore.HasAdminKey(ctx, c.s.db, tenant, name, c.s.now())
	return true, admin, err
}

func (c *Credentials) exists(ctx context.Context, tenant, typ, name string) (bool, error) {
	switch typ {
	case "user":
		return sqlstore.StandingUser(ctx, c.s.db, tenant, name)
	case "agent":
		owner, err := sqlstore.AgentOwner(ctx, c.s.db, tenant, name)
		if errors.Is(err, sqldb.ErrNoRows) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		return sqlstore.StandingUser(ctx, c.s.db, tenant, owner)
	}
	return false, nil
}

// Owner returns the name of the user to whom an agent belongs.
func (c *Credentials) Owner(ctx context.Context, tenant, agent string) (string, error) {
	return sqlstore.AgentOwner(ctx, c.s.db, tenant, agent)
}

// Tenant reports whether there is a tenant of that name.
func (c *Credentials) Tenant(ctx context.Context, name string) (bool, error) {
	return sqlstore.HasTenant(ctx, c.s.db, ids.Quote(name))
}
