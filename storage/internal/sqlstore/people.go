package sqlstore

import (
	"context"
	"encoding/json"

	"nexus/internal/sqldb"
)

// Key is an API key's row. The key itself is nowhere: only its SHA-256.
type Key struct {
	ID, Hash, Prefix, Last4, Name      string
	Tenant, User                       string
	SubjectType, Subject               string
	Admin, Platform                    bool
	Scopes                             []string
	Created, Expires, Revoked, LastUse int64
}

var (
	insertTenant = sqldb.SQL(`INSERT INTO tenants (id, seq, created) VALUES ($1, 0, $2) ON CONFLICT (id) DO NOTHING`)
	hasTenant    = sqldb.SQL(`SELECT count(*) FROM tenants WHERE id = $1`)
	allTenants   = sqldb.SQL(`SELECT id FROM tenants ORDER BY id`)
	insertUser   = sqldb.SQL(`INSERT INTO users (tenant, id, created) VALUES ($1, $2, $3) ON CONFLICT (tenant, id) DO NOTHING`)
	hasUser      = sqldb.SQL(`SELECT count(*) FROM users WHERE tenant = $1 AND id = $2`)
	insertAgent  = sqldb.SQL(`INSERT INTO agents (tenant, id, owner, created) VALUES ($1, $2, $3, $4) ON CONFLICT (tenant, id) DO NOTHING`)
	agentOwner   = sqldb.SQL(`SELECT owner FROM agents WHERE tenant = $1 AND id = $2`)
	insertKey    = sqldb.SQL(`INSERT INTO api_keys (id, hash, prefix, last4, name, tenant, user_id, subject_type, subject_id, admin, platform, scopes,
		created, expires, revoked, last_used) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, 0, 0)`)
	keyByHash = sqldb.SQL(`SELECT id, tenant, user_id, subject_type, subject_id, admin, platform, scopes, expires, revoked FROM api_keys WHERE hash = $1`)
	adminKeys = sqldb.SQL(`SELECT count(*) FROM api_keys WHERE tenant = $1 AND user_id = $2 AND admin IS TRUE AND revoked = 0`)
	anyKeys   = sqldb.SQL(`SELECT count(*) FROM api_keys`)
	useKey    = sqldb.SQL(`UPDATE api_keys SET last_used = $2 WHERE id = $1 AND last_used < $2`)
)

// InsertTenant adds a tenant and reports whether it is new.
func InsertTenant(ctx context.Context, tx sqldb.Tx, id string, at int64) (bool, error) {
	n, err := tx.Exec(ctx, insertTenant, id, at)
	return n > 0, err
}

// HasTenant reports whether the tenant, by its quoted name, exists.
func HasTenant(ctx context.Context, q sqldb.Q, id string) (bool, error) {
	return some(q.Row(ctx, hasTenant, id))
}

// Tenants returns the quoted names of all tenants, in order.
func Tenants(ctx context.Context, q sqldb.Q) (all []string, err error) {
	err = q.Each(ctx, allTenants, nil, func(r sqldb.Row) error {
		var id string
		err := r.Scan(&id)
		all = append(all, id)
		return err
	})
	return all, err
}

// InsertUser adds a user unless he is there.
func InsertUser(ctx context.Context, tx sqldb.Tx, tenant, name string, at int64) error {
	_, err := tx.Exec(ctx, insertUser, tenant, name, at)
	return err
}

// HasUser reports whether the user exists.
func HasUser(ctx context.Context, q sqldb.Q, tenant, name string) (bool, error) {
	return some(q.Row(ctx, hasUser, tenant, name))
}

// InsertAgent adds an agent and reports whether it is new: one that is there keeps its owner.
func InsertAgent(ctx context.Context, tx sqldb.Tx, tenant, name, owner string, at int64) (bool, error) {
	n, err := tx.Exec(ctx, insertAgent, tenant, name, owner, at)
	return n > 0, err
}

// AgentOwner returns the name of the user to whom an agent belongs; ErrNoRows when there is no such agent.
func AgentOwner(ctx context.Context, q sqldb.Q, tenant, name string) (owner string, err error) {
	err = q.Row(ctx, agentOwner, tenant, name).Scan(&owner)
	return owner, err
}

// InsertKey adds a key.
func InsertKey(ctx context.Context, tx sqldb.Tx, k *Key) error {
	scopes, err := json.Marshal(k.Scopes)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, insertKey, k.ID, k.Hash, k.Prefix, k.Last4, k.Name, k.Tenant, k.User, k.SubjectType, k.Subject, k.Admin, k.Platform,
		string(scopes), k.Created, k.Expires)
	return err
}

// KeyByHash returns the key with that hash: whom it stands for and whether it does, without what people see of it.
func KeyByHash(ctx context.Context, q sqldb.Q, hash string) (*Key, error) {
	k := Key{Hash: hash}
	var scopes string
	err := q.Row(ctx, keyByHash, hash).Scan(&k.ID, &k.Tenant, &k.User, &k.SubjectType, &k.Subject, &k.Admin, &k.Platform, &scopes,
		&k.Expires, &k.Revoked)
	if err != nil {
		return nil, err
	}
	return &k, json.Unmarshal([]byte(scopes), &k.Scopes)
}

// HasAdminKey reports whether a user holds an admin key that is not revoked.
func HasAdminKey(ctx context.Context, q sqldb.Q, tenant, user string) (bool, error) {
	return some(q.Row(ctx, adminKeys, tenant, user))
}

// HasKeys reports whether there is any key at all.
func HasKeys(ctx context.Context, q sqldb.Q) (bool, error) { return some(q.Row(ctx, anyKeys)) }

// UseKey notes when a key was last used.
func UseKey(ctx context.Context, tx sqldb.Tx, id string, at int64) error {
	_, err := tx.Exec(ctx, useKey, id, at)
	return err
}

func some(r sqldb.Row) (bool, error) {
	var n int64
	err := r.Scan(&n)
	return n > 0, err
}
