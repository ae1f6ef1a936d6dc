package storage

import (
	"context"
	"encoding/hex"
	"errors"
	"sync"
	"time"

	"nexus/internal/errs"
	"nexus/internal/ids"
	"nexus/internal/sqldb"
	"nexus/storage/internal/sqlstore"
)

// Credentials answers who holds a key, before there is a principal to decide about. It is safe for concurrent use.
type Credentials struct {
	s *Store

	mu   sync.Mutex       // guards used
	used map[string]int64 // key id → last use, not yet written
}

// Credentials returns the answerer. Run must run for last uses to be kept.
func (s *Store) Credentials() *Credentials {
	return &Credentials{s: s, used: map[string]int64{}}
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
	Scopes      []string
	Expires     time.Time
}

// ByHash returns the holder of the key with that SHA-256; errs.NotFound for one that is unknown, revoked or expired.
func (c *Credentials) ByHash(ctx context.Context, sum [32]byte) (Holder, error) {
	k, err := sqlstore.KeyByHash(ctx, c.s.db, hex.EncodeToString(sum[:]))
	if errors.Is(err, sqldb.ErrNoRows) || err == nil && (k.Revoked != 0 || k.Expires != 0 && k.Expires <= c.s.now()) {
		return Holder{}, errs.New(errs.NotFound, "no such key")
	}
	if err != nil {
		return Holder{}, err
	}
	return Holder{
		KeyID: k.ID, Tenant: k.Tenant, SubjectType: k.SubjectType, Subject: k.Subject, User: k.User,
		Admin: k.Admin, Platform: k.Platform, Scopes: k.Scopes, Expires: micros(k.Expires),
	}, nil
}

// Subject reports whether a user or agent of that name exists in the tenant, and whether he holds an admin key.
func (c *Credentials) Subject(ctx context.Context, tenant, typ, name string) (exists, admin bool, err error) {
	switch typ {
	case "user":
		if exists, err = sqlstore.HasUser(ctx, c.s.db, tenant, name); err != nil || !exists {
			return exists, false, err
		}
		admin, err = sqlstore.HasAdminKey(ctx, c.s.db, tenant, name)
		return true, admin, err
	case "agent":
		_, err = sqlstore.AgentOwner(ctx, c.s.db, tenant, name)
		if errors.Is(err, sqldb.ErrNoRows) {
			return false, false, nil
		}
		return err == nil, false, err
	}
	return false, false, nil
}

// Owner returns the name of the user to whom an agent belongs.
func (c *Credentials) Owner(ctx context.Context, tenant, agent string) (string, error) {
	return sqlstore.AgentOwner(ctx, c.s.db, tenant, agent)
}

// Tenant reports whether there is a tenant of that name.
func (c *Credentials) Tenant(ctx context.Context, name string) (bool, error) {
	return sqlstore.HasTenant(ctx, c.s.db, ids.Quote(name))
}

// Used remembers when a key was last used. It never waits.
func (c *Credentials) Used(keyID string, at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.used[keyID] = at.UnixMicro()
}

// flushEvery is how often last uses are written: what a crash may lose of them.
const flushEvery = 5 * time.Second

// Run writes last uses down until ctx ends, and once more then.
func (c *Credentials) Run(ctx context.Context) error {
	tick := time.NewTicker(flushEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if err := c.flush(ctx); err != nil && ctx.Err() == nil {
				continue // the uses are kept for the next round
			}
		case <-ctx.Done():
			return c.flush(context.WithoutCancel(ctx))
		}
	}
}

func (c *Credentials) flush(ctx context.Context) error {
	c.mu.Lock()
	used := c.used
	c.used = map[string]int64{}
	c.mu.Unlock()
	if len(used) == 0 {
		return nil
	}
	err := c.s.db.Tx(ctx, func(ctx context.Context, tx sqldb.Tx) error {
		for id, at := range used {
			if err := sqlstore.UseKey(ctx, tx, id, at); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		c.restore(used)
	}
	return err
}

// restore puts back what could not be written, unless something newer came.
func (c *Credentials) restore(used map[string]int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for id, at := range used {
		c.used[id] = max(c.used[id], at)
	}
}
