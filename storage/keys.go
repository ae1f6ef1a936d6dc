package storage

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"strings"
	"time"

	"nexus/authzsvc/authz"
	"nexus/authzsvc/relations"
	"nexus/internal/errs"
	"nexus/internal/ids"
	"nexus/internal/sqldb"
	"nexus/schema"
	"nexus/storage/internal/sqlstore"
)

// Keys is the façade of API keys. It is safe for concurrent use.
type Keys struct{ s *Store }

// Keys returns the façade.
func (s *Store) Keys() *Keys { return &Keys{s} }

// KeySpec says what key to make.
type KeySpec struct {
	Name        string
	Prefix      string
	User        string // whose key it is
	SubjectType string // user or agent
	Subject     string // name of the subject
	Admin       bool
	Scopes      []string
	Lifetime    time.Duration // zero: for ever
}

// Key is a key as it may be shown. Secret is set only by the method that made it.
type Key struct {
	ID     string
	Secret string
	Tenant string // quoted
	KeySpec
	Expires time.Time // zero: never
}

// Create makes a key for the granted tenant.
func (k *Keys) Create(ctx context.Context, in schema.AdministerTenant, spec KeySpec) (Key, error) {
	tenant, err := in.Use()
	if err != nil {
		return Key{}, err
	}
	return k.create(ctx, in.Decision(), tenant.Named().ID, false, spec)
}

// CreateIn makes a key for any tenant, which is made first when there is none of that quoted name.
func (k *Keys) CreateIn(ctx context.Context, over schema.AdministerPlatform, tenant string, spec KeySpec) (Key, error) {
	if _, err := over.Use(); err != nil {
		return Key{}, err
	}
	return k.create(ctx, over.Decision(), tenant, false, spec)
}

// CreatePlatform makes a key that administers the whole deployment; its user belongs to the granting principal's tenant.
func (k *Keys) CreatePlatform(ctx context.Context, over schema.AdministerPlatform, spec KeySpec) (Key, error) {
	if _, err := over.Use(); err != nil {
		return Key{}, err
	}
	spec.Admin = true
	return k.create(ctx, over.Decision(), over.Decision().Principal().Tenant, true, spec)
}

func (k *Keys) create(ctx context.Context, d *authz.Decision, tenant string, platform bool, spec KeySpec) (Key, error) {
	key := k.s.forge(tenant, spec)
	err := k.s.act(ctx, d, func(ctx context.Context, tx sqldb.Tx, _ int64) (bool, error) {
		return true, k.s.addKey(ctx, tx, key, platform)
	})
	if err != nil {
		return Key{}, err
	}
	return key, nil
}

// addKey writes a key's row with the tenant, the user or agent, and the relationships that come with it.
func (s *Store) addKey(ctx context.Context, tx sqldb.Tx, key Key, platform bool) error {
	at := s.now()
	updates, err := s.settle(ctx, tx, key.Tenant, at)
	if err != nil {
		return err
	}
	more, err := s.enlist(ctx, tx, key, at)
	if err != nil {
		return err
	}
	updates = append(updates, more...)
	if key.Admin || platform {
		updates = append(updates, touch(administration(key.ID, key.Tenant, platform, key.Expires))...)
	}
	if err := s.writer.Write(ctx, tx, updates...); err != nil {
		return err
	}
	return sqlstore.InsertKey(ctx, tx, keyRow(key, at, platform))
}

// keyRow returns the row of a key that is made at a time.
func keyRow(key Key, at int64, platform bool) *sqlstore.Key {
	row := &sqlstore.Key{
		ID: key.ID, Hash: digest(key.Secret), Prefix: key.Prefix, Last4: key.Secret[len(key.Secret)-4:], Name: key.Name,
		Tenant: key.Tenant, User: key.User, SubjectType: key.SubjectType, Subject: key.Subject,
		Admin: key.Admin, Platform: platform, Scopes: key.Scopes, Created: at,
	}
	if !key.Expires.IsZero() {
		row.Expires = key.Expires.UnixMicro()
	}
	return row
}

// settle makes a tenant with its root unless it is there.
func (s *Store) settle(ctx context.Context, tx sqldb.Tx, tenant string, at int64) ([]relations.Update, error) {
	isNew, err := sqlstore.InsertTenant(ctx, tx, tenant, at)
	if err != nil || !isNew {
		return nil, err
	}
	root := &sqlstore.Dir{ID: newID(tenant), Tenant: tenant, Path: "/", State: sqlstore.Explicit, Created: at, Modified: at}
	if err := sqlstore.InsertDir(ctx, tx, root); err != nil {
		return nil, err
	}
	trash := &sqlstore.Dir{ID: sqlstore.TrashOf(tenant), Tenant: tenant, Path: sqlstore.TrashPath, State: sqlstore.Trash, Created: at, Modified: at}
	if err := sqlstore.InsertDir(ctx, tx, trash); err != nil {
		return nil, err
	}
	t := authz.Ref{Type: "tenant", ID: tenant}
	return append(staff(tenant),
		touch(relationship(t, "platform", Subject{Ref: schema.Platform}, time.Time{}))[0],
		touch(relationship(fileRef(root.ID), "direct_owner", Subject{Ref: t, Relation: "administer"}, time.Time{}))[0],
	), nil
}

// enlist adds a key's user and, for an agent's key, the agent.
func (s *Store) enlist(ctx context.Context, tx sqldb.Tx, key Key, at int64) ([]relations.Update, error) {
	user, err := schema.UserOf(key.Tenant, key.User)
	if err != nil {
		return nil, err
	}
	if err := sqlstore.InsertUser(ctx, tx, key.Tenant, key.User, at); err != nil {
		return nil, err
	}
	if stands, err := sqlstore.StandingUser(ctx, tx, key.Tenant, key.User); err != nil || !stands {
		return nil, firstErr(err, errs.New(errs.Precondition, "user %q is disabled", key.User))
	}
	t := authz.Ref{Type: "tenant", ID: key.Tenant}
	updates := touch(relationship(t, "member", Subject{Ref: user.Named().Ref}, time.Time{}))
	if key.SubjectType != "agent" {
		return updates, nil
	}
	agent, err := schema.AgentOf(key.Tenant, key.Subject)
	if err != nil {
		return nil, err
	}
	if _, err := sqlstore.InsertAgent(ctx, tx, key.Tenant, key.Subject, key.User, at); err != nil {
		return nil, err
	}
	more, err := s.approve(ctx, tx, key.Tenant, agent.Named().Ref, user.Named().Ref)
	return append(updates, more...), err
}

// administration is the relationship that lets a key administer its tenant, or the platform. It ends with the key.
func administration(id, tenant string, platform bool, expires time.Time) relations.Relationship {
	if platform {
		return relationship(schema.Platform, "admin", Subject{Ref: authz.Ref{Type: "key", ID: id}}, expires)
	}
	return relationship(authz.Ref{Type: "tenant", ID: tenant}, "admin", Subject{Ref: authz.Ref{Type: "key", ID: tenant + "/" + id}}, expires)
}

// forge makes a key: 160 random bits behind its prefix.
func (s *Store) forge(tenant string, spec KeySpec) Key {
	var random [20]byte
	_, _ = rand.Read(random[:]) // never fails: crypto/rand ends the program instead
	secret := spec.Prefix + strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(random[:]))
	key := Key{ID: "key-" + ids.New(), Secret: secret, Tenant: tenant, KeySpec: spec}
	if spec.Lifetime > 0 {
		key.Expires = s.after(spec.Lifetime)
	}
	return key
}

// after returns the time so long from now, as rows keep it: a key's row and its relationship end in the same instant.
func (s *Store) after(d time.Duration) time.Time {
	return s.clock.Now().Add(d).UTC().Truncate(time.Microsecond)
}

// digest is what is kept of a key. A key has 160 random bits, so a plain hash can be neither guessed nor searched.
func digest(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}
