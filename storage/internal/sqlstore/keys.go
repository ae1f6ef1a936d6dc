package sqlstore

import (
	"context"
	"encoding/json"

	"nexus/internal/sqldb"
)

// Key is an API key's row, with what decides beside it whether it stands. The key itself is nowhere: only its SHA-256.
type Key struct {
	ID, Hash, Prefix, Last4, Name      string
	Tenant, User                       string
	SubjectType, Subject               string
	Admin, Platform                    bool
	Scopes                             []string
	Created, Expires, Revoked, LastUse int64
	Disabled                           int64 // when its user was disabled; 0: he is not
}

// Stands reports whether the key is good at a time, in microseconds.
func (k *Key) Stands(at int64) bool {
	return k.Revoked == 0 && k.Disabled == 0 && (k.Expires == 0 || at < k.Expires)
}

var (
	insertKey = sqldb.SQL(`INSERT INTO api_keys (id, hash, prefix, last4, name, tenant, user_id, subject_type, subject_id, admin, platform, scopes,
		created, expires, revoked, last_used) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, 0, 0)`)
	keyByHash = sqldb.SQL(`SELECT k.id, k.prefix, k.last4, k.name, k.tenant, k.user_id, k.subject_type, k.subject_id, k.admin, k.platform, k.scopes,
		k.created, k.expires, k.revoked, k.last_used, u.disabled
		FROM api_keys k JOIN users u ON u.tenant = k.tenant AND u.id = k.user_id WHERE k.hash = $1`)
	keyByID = sqldb.SQL(`SELECT k.id, k.prefix, k.last4, k.name, k.tenant, k.user_id, k.subject_type, k.subject_id, k.admin, k.platform, k.scopes,
		k.created, k.expires, k.revoked, k.last_used, u.disabled
		FROM api_keys k JOIN users u ON u.tenant = k.tenant AND u.id = k.user_id WHERE k.id = $1`)
	someKeys = sqldb.SQL(`SELECT k.id, k.prefix, k.last4, k.name, k.tenant, k.user_id, k.subject_type, k.subject_id, k.admin, k.platform, k.scopes,
		k.created, k.expires, k.revoked, k.last_used, u.disabled
		FROM api_keys k JOIN users u ON u.tenant = k.tenant AND u.id = k.user_id
		WHERE ($1 = '' OR k.tenant = $1) AND ($2 = '' OR k.user_id = $2)
			AND ($3 = 0 OR k.platform IS TRUE AND $3 = 1 OR k.platform IS FALSE AND $3 = 2)
			AND ($4 = 0 OR k.admin IS TRUE AND $4 = 1 OR k.admin IS FALSE AND $4 = 2)
			AND (k.expires > $5 OR k.expires = 0 OR $5 = 0) AND ($6 = 1 OR k.revoked = 0)
		ORDER BY k.created DESC, k.id DESC LIMIT $7 OFFSET $8`)
	countKeys = sqldb.SQL(`SELECT count(*) FROM api_keys k
		WHERE ($1 = '' OR k.tenant = $1) AND ($2 = '' OR k.user_id = $2)
			AND ($3 = 0 OR k.platform IS TRUE AND $3 = 1 OR k.platform IS FALSE AND $3 = 2)
			AND ($4 = 0 OR k.admin IS TRUE AND $4 = 1 OR k.admin IS FALSE AND $4 = 2)
			AND (k.expires > $5 OR k.expires = 0 OR $5 = 0) AND ($6 = 1 OR k.revoked = 0)`)
	updateKey = sqldb.SQL(`UPDATE api_keys SET name = $2, admin = $3, platform = $4, expires = $5, revoked = $6 WHERE id = $1`)
	useKey    = sqldb.SQL(`UPDATE api_keys SET last_used = $2 WHERE id = $1 AND last_used < $2`)
	anyKeys   = sqldb.SQL(`SELECT count(*) FROM api_keys`)

	adminKeysOf = sqldb.SQL(`SELECT count(*) FROM api_keys WHERE tenant = $1 AND user_id = $2 AND admin IS TRUE
		AND revoked = 0 AND (expires = 0 OR expires > $3)`)
	tenantKeysOf = sqldb.SQL(`SELECT count(*) FROM api_keys WHERE tenant = $1 AND user_id = $2 AND admin IS TRUE AND platform IS FALSE
		AND revoked = 0 AND (expires = 0 OR expires > $3)`)
	platformKeysOf = sqldb.SQL(`SELECT count(*) FROM api_keys WHERE tenant = $1 AND user_id = $2 AND platform IS TRUE
		AND revoked = 0 AND (expires = 0 OR expires > $3)`)
	platformAdmins = sqldb.SQL(`SELECT count(*) FROM api_keys k JOIN users u ON u.tenant = k.tenant AND u.id = k.user_id
		WHERE k.platform IS TRUE AND k.revoked = 0 AND (k.expires = 0 OR k.expires > $1) AND u.disabled = 0
			AND k.id <> $2 AND NOT (k.tenant = $3 AND k.user_id = $4)`)
	tenantAdmins = sqldb.SQL(`SELECT count(*) FROM api_keys k JOIN users u ON u.tenant = k.tenant AND u.id = k.user_id
		WHERE k.tenant = $5 AND k.admin IS TRUE AND k.platform IS FALSE AND k.revoked = 0 AND (k.expires = 0 OR k.expires > $1)
			AND u.disabled = 0 AND k.id <> $2 AND NOT (k.tenant = $3 AND k.user_id = $4)`)
	lockAdmins = sqldb.SQL(`INSERT INTO settings (name, value) VALUES ('admins', '') ON CONFLICT (name) DO UPDATE SET value = settings.value`)
)

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

// KeyByHash returns the key with that hash.
func KeyByHash(ctx context.Context, q sqldb.Q, hash string) (*Key, error) {
	return scanKey(q.Row(ctx, keyByHash, hash))
}

// KeyByID returns the key of that id.
func KeyByID(ctx context.Context, q sqldb.Q, id string) (*Key, error) {
	return scanKey(q.Row(ctx, keyByID, id))
}

// Choice narrows a list by a flag.
type Choice int64

const (
	Either  Choice = 0
	With    Choice = 1 // only those that have the flag
	Without Choice = 2
)

// KeyFilter selects keys. An empty field selects every one.
type KeyFilter struct {
	Tenant, User    string
	Platform, Admin Choice
	StandingAt      int64 // microseconds: only keys that have not expired then
	Revoked         bool  // revoked ones, too
}

// args are the parameters that the list and its count share.
func (f KeyFilter) args() []any {
	revoked := int64(0)
	if f.Revoked {
		revoked = 1
	}
	return []any{f.Tenant, f.User, int64(f.Platform), int64(f.Admin), f.StandingAt, revoked}
}

// Keys returns up to limit of the keys that f selects behind the first offset, the newest first.
func Keys(ctx context.Context, q sqldb.Q, f KeyFilter, limit, offset int) ([]*Key, error) {
	var all []*Key
	err := q.Each(ctx, someKeys, append(f.args(), limit, offset), func(r sqldb.Row) error {
		k, err := scanKey(r)
		all = append(all, k)
		return err
	})
	return all, err
}

// CountKeys counts the keys that f selects.
func CountKeys(ctx context.Context, q sqldb.Q, f KeyFilter) (n int64, err error) {
	err = q.Row(ctx, countKeys, f.args()...).Scan(&n)
	return n, err
}

// UpdateKey writes what can change of a key: its name, its rights, its ends.
func UpdateKey(ctx context.Context, tx sqldb.Tx, k *Key) error {
	_, err := tx.Exec(ctx, updateKey, k.ID, k.Name, k.Admin, k.Platform, k.Expires, k.Revoked)
	return err
}

// UseKey notes when a key was last used.
func UseKey(ctx context.Context, tx sqldb.Tx, id string, at int64) error {
	_, err := tx.Exec(ctx, useKey, id, at)
	return err
}

// HasKeys reports whether there is any key at all.
func HasKeys(ctx context.Context, q sqldb.Q) (bool, error) { return some(q.Row(ctx, anyKeys)) }

// HasAdminKey reports whether a user holds an admin key that is neither revoked nor expired at a time.
func HasAdminKey(ctx context.Context, q sqldb.Q, tenant, user string, at int64) (bool, error) {
	return some(q.Row(ctx, adminKeysOf, tenant, user, at))
}

// HasPlatformKey reports whether a user holds a platform admin's key that is neither revoked nor expired at a time.
func HasPlatformKey(ctx context.Context, q sqldb.Q, tenant, user string, at int64) (bool, error) {
	return some(q.Row(ctx, platformKeysOf, tenant, user, at))
}

// HasTenantKey reports whether a user holds a tenant admin's key that is neither revoked nor expired at a time.
func HasTenantKey(ctx context.Context, q sqldb.Q, tenant, user string, at int64) (bool, error) {
	return some(q.Row(ctx, tenantKeysOf, tenant, user, at))
}

// But leaves keys out of a count: that of an id, those of a user.
type But struct{ Key, Tenant, User string }

// PlatformAdmins reports whether there is a platform admin's key that stands at a time.
func PlatformAdmins(ctx context.Context, q sqldb.Q, at int64, but But) (bool, error) {
	return some(q.Row(ctx, platformAdmins, at, but.Key, but.Tenant, but.User))
}

// TenantAdmins reports whether a tenant has an admin's key of its own that stands at a time.
func TenantAdmins(ctx context.Context, q sqldb.Q, tenant string, at int64, but But) (bool, error) {
	return some(q.Row(ctx, tenantAdmins, at, but.Key, but.Tenant, but.User, tenant))
}

// LockAdmins makes changes of who administers come one after the other, on every engine.
func LockAdmins(ctx context.Context, tx sqldb.Tx) error {
	_, err := tx.Exec(ctx, lockAdmins)
	return err
}

func scanKey(r sqldb.Row) (*Key, error) {
	var k Key
	var scopes string
	err := r.Scan(&k.ID, &k.Prefix, &k.Last4, &k.Name, &k.Tenant, &k.User, &k.SubjectType, &k.Subject, &k.Admin, &k.Platform, &scopes,
		&k.Created, &k.Expires, &k.Revoked, &k.LastUse, &k.Disabled)
	if err != nil {
		return nil, err
	}
	return &k, json.Unmarshal([]byte(scopes), &k.Scopes)
}
