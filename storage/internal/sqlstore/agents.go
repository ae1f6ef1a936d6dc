package sqlstore

import (
	"context"

	"nexus/internal/sqldb"
)

// Agent is an agent's row. One that has ended keeps its name until nothing is related to it any more.
type Agent struct {
	Tenant, ID, Owner string
	Name, Description string
	Metadata, Mandate string // JSON; '' is none, and the default one
	Created, Ended    int64
	HasKey            bool // whether a key of its own works now; read, not written
}

const agentColumns = `SELECT tenant, id, owner, name, description, metadata, mandate, created, ended,
	EXISTS (SELECT 1 FROM api_keys k WHERE k.tenant = a.tenant AND k.subject_type = 'agent' AND k.subject_id = a.id AND k.revoked = 0
		AND (k.expires = 0 OR k.expires > $2)) FROM agents a `

var (
	agentByID   = sqldb.SQL(agentColumns + `WHERE tenant = $1 AND id = $3`)
	agentsAfter = sqldb.SQL(agentColumns + `WHERE tenant = $1 AND ended = 0 AND id > $3 ORDER BY id LIMIT $4`)
	agentsBy    = sqldb.SQL(agentColumns + `WHERE tenant = $1 AND owner = $5 AND ended = 0 AND id > $3 ORDER BY id LIMIT $4`)
	putAgent    = sqldb.SQL(`INSERT INTO agents (tenant, id, owner, name, description, metadata, mandate, created, ended)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0) ON CONFLICT (tenant, id) DO NOTHING`)
	changeAgent = sqldb.SQL(`UPDATE agents SET name = $3, description = $4, metadata = $5, mandate = $6 WHERE tenant = $1 AND id = $2 AND ended = 0`)
	endAgent    = sqldb.SQL(`UPDATE agents SET ended = $3 WHERE tenant = $1 AND id = $2 AND ended = 0`)
	endKeysOf   = sqldb.SQL(`UPDATE api_keys SET revoked = $3 WHERE tenant = $1 AND subject_type = 'agent' AND subject_id = $2 AND revoked = 0`)
	dropAgent   = sqldb.SQL(`DELETE FROM agents WHERE tenant = $1 AND id = $2 AND ended > 0`)
	endedAgents = sqldb.SQL(`SELECT id FROM agents WHERE ended > 0 AND tenant = $1 ORDER BY id LIMIT $2`)
	haveEnded   = sqldb.SQL(`SELECT DISTINCT tenant FROM agents WHERE ended > 0 ORDER BY tenant`)
	agentsOwned = sqldb.SQL(`SELECT count(*) FROM agents WHERE tenant = $1 AND owner = $2`)
)

// AgentByID returns an agent, whether or not it has ended; ErrNoRows when there is none of that name.
func AgentByID(ctx context.Context, q sqldb.Q, tenant, id string, now int64) (*Agent, error) {
	a := new(Agent)
	return a, scanAgent(q.Row(ctx, agentByID, tenant, now, id), a)
}

// AgentsAfter returns up to n living agents of a tenant behind the name after, in order; with an owner, only his.
func AgentsAfter(ctx context.Context, q sqldb.Q, tenant, owner, after string, n int, now int64) (all []Agent, err error) {
	statement, args := agentsAfter, []any{tenant, now, after, n}
	if owner != "" {
		statement, args = agentsBy, append(args, owner)
	}
	err = q.Each(ctx, statement, args, func(r sqldb.Row) error {
		var a Agent
		err := scanAgent(r, &a)
		all = append(all, a)
		return err
	})
	return all, err
}

// PutAgent adds an agent and reports whether its name was free.
func PutAgent(ctx context.Context, tx sqldb.Tx, a *Agent) (bool, error) {
	n, err := tx.Exec(ctx, putAgent, a.Tenant, a.ID, a.Owner, a.Name, a.Description, a.Metadata, a.Mandate, a.Created)
	return n > 0, err
}

// ChangeAgent rewrites what may change of a living agent, and reports whether there is one.
func ChangeAgent(ctx context.Context, tx sqldb.Tx, a *Agent) (bool, error) {
	n, err := tx.Exec(ctx, changeAgent, a.Tenant, a.ID, a.Name, a.Description, a.Metadata, a.Mandate)
	return n > 0, err
}

// EndAgent ends an agent and its keys, and reports whether it lived.
func EndAgent(ctx context.Context, tx sqldb.Tx, tenant, id string, at int64) (bool, error) {
	n, err := tx.Exec(ctx, endAgent, tenant, id, at)
	if err != nil || n == 0 {
		return false, err
	}
	_, err = tx.Exec(ctx, endKeysOf, tenant, id, at)
	return true, err
}

// DropAgent forgets an agent that has ended: its name is free.
func DropAgent(ctx context.Context, tx sqldb.Tx, tenant, id string) error {
	_, err := tx.Exec(ctx, dropAgent, tenant, id)
	return err
}

// EndedAgents returns the names of up to n agents of a tenant that have ended.
func EndedAgents(ctx context.Context, q sqldb.Q, tenant string, n int) ([]string, error) {
	return texts(ctx, q, endedAgents, tenant, n)
}

// HaveEnded returns the tenants in which agents have ended.
func HaveEnded(ctx context.Context, q sqldb.Q) ([]string, error) { return texts(ctx, q, haveEnded) }

// AgentsOwned counts the agents of a user, those that have ended and keep their names among them.
func AgentsOwned(ctx context.Context, q sqldb.Q, tenant, owner string) (n int64, err error) {
	err = q.Row(ctx, agentsOwned, tenant, owner).Scan(&n)
	return n, err
}

func scanAgent(r sqldb.Row, a *Agent) error {
	return r.Scan(&a.Tenant, &a.ID, &a.Owner, &a.Name, &a.Description, &a.Metadata, &a.Mandate, &a.Created, &a.Ended, &a.HasKey)
}

func texts(ctx context.Context, q sqldb.Q, s *sqldb.Stmt, args ...any) (all []string, err error) {
	err = q.Each(ctx, s, args, func(r sqldb.Row) error {
		var text string
		err := r.Scan(&text)
		all = append(all, text)
		return err
	})
	return all, err
}
