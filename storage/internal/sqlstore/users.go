package sqlstore

import (
	"context"

	"nexus/internal/sqldb"
)

// User is a person's row, with what else is known of him.
type User struct {
	Tenant, Name      string
	Created, Disabled int64 // microseconds; 0: not disabled
	Keys, Agents      int64 // keys that stand but for his being disabled, those of his agents among them; agents he owns
	Admin             bool  // whether one of the keys administers
}

var (
	insertUser  = sqldb.SQL(`INSERT INTO users (tenant, id, created) VALUES ($1, $2, $3) ON CONFLICT (tenant, id) DO NOTHING`)
	standing    = sqldb.SQL(`SELECT count(*) FROM users WHERE tenant = $1 AND id = $2 AND disabled = 0`)
	disableUser = sqldb.SQL(`UPDATE users SET disabled = $3 WHERE tenant = $1 AND id = $2`)
	oneUser     = sqldb.SQL(`SELECT u.tenant, u.id, u.created, u.disabled,
		(SELECT count(*) FROM api_keys k WHERE k.tenant = u.tenant AND k.user_id = u.id AND k.revoked = 0 AND (k.expires = 0 OR k.expires > $3)),
		(SELECT count(*) FROM agents a WHERE a.tenant = u.tenant AND a.owner = u.id AND a.ended = 0),
		EXISTS (SELECT 1 FROM api_keys k WHERE k.tenant = u.tenant AND k.user_id = u.id AND k.admin IS TRUE AND k.revoked = 0 AND (k.expires = 0 OR k.expires > $3))
		FROM users u WHERE u.tenant = $1 AND u.id = $2`)
	usersAfter = sqldb.SQL(`SELECT u.tenant, u.id, u.created, u.disabled,
		(SELECT count(*) FROM api_keys k WHERE k.tenant = u.tenant AND k.user_id = u.id AND k.revoked = 0 AND (k.expires = 0 OR k.expires > $3)),
		(SELECT count(*) FROM agents a WHERE a.tenant = u.tenant AND a.owner = u.id AND a.ended = 0),
		EXISTS (SELECT 1 FROM api_keys k WHERE k.tenant = u.tenant AND k.user_id = u.id AND k.admin IS TRUE AND k.revoked = 0 AND (k.expires = 0 OR k.expires > $3))
		FROM users u WHERE u.tenant = $1 AND u.id > $2 ORDER BY u.id LIMIT $4`)

	insertAgent = sqldb.SQL(`INSERT INTO agents (tenant, id, owner, created) VALUES ($1, $2, $3, $4) ON CONFLICT (tenant, id) DO NOTHING`)
	agentOwner  = sqldb.SQL(`SELECT owner FROM agents WHERE tenant = $1 AND id = $2 AND ended = 0`)
	agentsOf    = sqldb.SQL(`SELECT id FROM agents WHERE tenant = $1 AND owner = $2 AND ended = 0 ORDER BY id LIMIT $3`)
	giveAgent   = sqldb.SQL(`UPDATE agents SET owner = $4 WHERE tenant = $1 AND id = $2 AND owner = $3 AND ended = 0`)
	giveKeys    = sqldb.SQL(`UPDATE api_keys SET user_id = $4 WHERE tenant = $1 AND user_id = $3 AND subject_type = 'agent' AND subject_id = $2`)
	endKeys     = sqldb.SQL(`UPDATE api_keys SET revoked = $4 WHERE tenant = $1 AND user_id = $3 AND subject_type = 'agent' AND subject_id = $2 AND revoked = 0`)
)

// InsertUser adds a user unless he is there.
func InsertUser(ctx context.Context, tx sqldb.Tx, tenant, name string, at int64) error {
	_, err := tx.Exec(ctx, insertUser, tenant, name, at)
	return err
}

// StandingUser reports whether there is such a user and he is not disabled.
func StandingUser(ctx context.Context, q sqldb.Q, tenant, name string) (bool, error) {
	return some(q.Row(ctx, standing, tenant, name))
}

// UserNamed returns a user as of at, in microseconds; ErrNoRows when there is none.
func UserNamed(ctx context.Context, q sqldb.Q, tenant, name string, at int64) (*User, error) {
	return scanUser(q.Row(ctx, oneUser, tenant, name, at))
}

// UsersAfter returns up to n users of a tenant behind a name, in order of their names, as of at.
func UsersAfter(ctx context.Context, q sqldb.Q, tenant, after string, at int64, n int) ([]*User, error) {
	var all []*User
	err := q.Each(ctx, usersAfter, []any{tenant, after, at, n}, func(r sqldb.Row) error {
		u, err := scanUser(r)
		all = append(all, u)
		return err
	})
	return all, err
}

// DisableUser says since when a user is disabled; 0 enables him.
func DisableUser(ctx context.Context, tx sqldb.Tx, tenant, name string, at int64) error {
	_, err := tx.Exec(ctx, disableUser, tenant, name, at)
	return err
}

// InsertAgent adds an agent and reports whether it is new: one that is there keeps its owner.
func InsertAgent(ctx context.Context, tx sqldb.Tx, tenant, name, owner string, at int64) (bool, error) {
	n, err := tx.Exec(ctx, insertAgent, tenant, name, owner, at)
	return n > 0, err
}

// AgentOwner returns the name of the user to whom an agent belongs; ErrNoRows when there is no such agent, or it has ended.
func AgentOwner(ctx context.Context, q sqldb.Q, tenant, name string) (owner string, err error) {
	err = q.Row(ctx, agentOwner, tenant, name).Scan(&owner)
	return owner, err
}

// AgentsOf returns the names of up to n agents of a user, in order.
func AgentsOf(ctx context.Context, q sqldb.Q, tenant, owner string, n int) (all []string, err error) {
	err = q.Each(ctx, agentsOf, []any{tenant, owner, n}, func(r sqldb.Row) error {
		var id string
		err := r.Scan(&id)
		all = append(all, id)
		return err
	})
	return all, err
}

// GiveAgent makes an agent that belongs to one user another's, and reports whether it did belong to him.
func GiveAgent(ctx context.Context, tx sqldb.Tx, tenant, agent, from, to string) (bool, error) {
	n, err := tx.Exec(ctx, giveAgent, tenant, agent, from, to)
	return n > 0, err
}

// GiveKeys moves the keys of an agent from one owner to another.
func GiveKeys(ctx context.Context, tx sqldb.Tx, tenant, agent, from, to string) error {
	_, err := tx.Exec(ctx, giveKeys, tenant, agent, from, to)
	return err
}

// EndKeys revokes, at a time in microseconds, the keys of an agent that belong to a user.
func EndKeys(ctx context.Context, tx sqldb.Tx, tenant, agent, owner string, at int64) error {
	_, err := tx.Exec(ctx, endKeys, tenant, agent, owner, at)
	return err
}

func scanUser(r sqldb.Row) (*User, error) {
	var u User
	if err := r.Scan(&u.Tenant, &u.Name, &u.Created, &u.Disabled, &u.Keys, &u.Agents, &u.Admin); err != nil {
		return nil, err
	}
	return &u, nil
}
