package storage

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"nexus/authzsvc/authz"
	"nexus/authzsvc/relations"
	"nexus/internal/errs"
	"nexus/internal/sqldb"
	"nexus/schema"
	"nexus/storage/internal/sqlstore"
)

// Agents is the façade of agents. It is safe for concurrent use.
type Agents struct{ s *Store }

// Agents returns the façade.
func (s *Store) Agents() *Agents { return &Agents{s} }

// AgentPrefix begins the keys that agents get when they are registered.
const AgentPrefix = "nxa_live_"

// MaxAgents is how many agents one user may own.
const MaxAgents = 1000

// AgentSpec says what an agent is to be.
type AgentSpec struct {
	Name        string
	Description string
	Metadata    json.RawMessage // an object; nil keeps what there is
	Mandate     *authz.Mandate  // within which it acts for its owner; nil keeps what there is
	WithKey     bool            // make a key of its own unless it has one
}

// Agent is an agent as it may be shown. Secret is set only by the method that made its key.
type Agent struct {
	ID, Owner   string
	Name        string
	Description string
	Metadata    json.RawMessage
	Created     time.Time
	HasKey      bool
	Secret      string
}

// Register makes an agent of the user who asks, in the granted tenant: a guest there, with nothing but what it will be granted.
// What was related to its name before goes first: an agent begins with nothing. A name that was deleted and is not
// free yet is errs.Exists; to who owned it, errs.Conflict.
func (a *Agents) Register(ctx context.Context, in schema.RegisterAgentTenant, agent schema.Agent, spec AgentSpec) (Agent, error) {
	tenant, err := in.Use()
	if err != nil {
		return Agent{}, err
	}
	owner, ref := in.Decision().Principal().Base, agent.Named().Ref
	if t := tenant.Named().ID; owner.Type != "user" || schema.TenantOf(owner) != t || schema.TenantOf(ref) != t {
		return Agent{}, errs.Bug("%s registers %s in tenant %s", owner, ref, t)
	}
	row := &sqlstore.Agent{
		Tenant: tenant.Named().ID, ID: schema.NameOf(ref), Owner: schema.NameOf(owner), Created: a.s.now(),
	}
	if err := assign(row, spec); err != nil {
		return Agent{}, err
	}
	if err := a.vacate(ctx, in.Decision(), ref, row); err != nil {
		return Agent{}, err
	}
	secret := ""
	err = a.s.act(ctx, in.Decision(), func(ctx context.Context, tx sqldb.Tx, _ int64) (bool, error) {
		if err := a.enter(ctx, tx, row, ref, owner); err != nil {
			return false, err
		}
		secret, err = a.issue(ctx, tx, row, spec)
		return true, err
	})
	return shown(row, secret, err)
}

// enter adds a new agent's row and relationships.
func (a *Agents) enter(ctx context.Context, tx sqldb.Tx, row *sqlstore.Agent, ref, owner authz.Ref) error {
	owned, err := sqlstore.AgentsOwned(ctx, tx, row.Tenant, row.Owner)
	if err != nil {
		return err
	}
	if owned >= MaxAgents {
		return errs.New(errs.Exhausted, "a user owns at most %d agents", MaxAgents).Marked(errs.NotValid)
	}
	free, err := sqlstore.PutAgent(ctx, tx, row)
	if err != nil {
		return err
	}
	if !free {
		return a.free(ctx, tx, row)
	}
	if _, err := a.s.unrelate(ctx, tx, ref); err != nil { // what came in between
		return err
	}
	return a.s.writer.Write(ctx, tx, enrolment(row.Tenant, ref, owner, "guest_agent")...)
}

// Update changes what the granted agent is called and may do for its owner.
func (a *Agents) Update(ctx context.Context, what schema.ManageAgent, spec AgentSpec) (Agent, error) {
	agent, err := what.Use()
	if err != nil {
		return Agent{}, err
	}
	ref := agent.Named().Ref
	var row *sqlstore.Agent
	secret := ""
	err = a.s.act(ctx, what.Decision(), func(ctx context.Context, tx sqldb.Tx, _ int64) (bool, error) {
		if row, err = a.living(ctx, tx, ref); err != nil {
			return false, err
		}
		if err := assign(row, spec); err != nil {
			return false, err
		}
		if _, err := sqlstore.ChangeAgent(ctx, tx, row); err != nil {
			return false, err
		}
		secret, err = a.issue(ctx, tx, row, spec)
		return true, err
	})
	return shown(row, secret, err)
}

// living returns the row of an agent that must be there: who was granted it saw it.
func (a *Agents) living(ctx context.Context, tx sqldb.Tx, ref authz.Ref) (*sqlstore.Agent, error) {
	row, err := sqlstore.AgentByID(ctx, tx, schema.TenantOf(ref), schema.NameOf(ref), a.s.now())
	if errors.Is(err, sqldb.ErrNoRows) || err == nil && row.Ended != 0 {
		return nil, stale() // it went since the decision
	}
	return row, err
}

// issue makes a key of the agent's own where one is asked for and there is none, and returns it.
func (a *Agents) issue(ctx context.Context, tx sqldb.Tx, row *sqlstore.Agent, spec AgentSpec) (secret string, err error) {
	if !spec.WithKey || row.HasKey {
		return "", nil
	}
	key := a.s.forge(row.Tenant, KeySpec{
		Name: "agent " + row.ID, Prefix: AgentPrefix, User: row.Owner, SubjectType: "agent", Subject: row.ID, Scopes: []string{"read", "write"},
	})
	return key.Secret, sqlstore.InsertKey(ctx, tx, keyRow(key, a.s.now(), false))
}

// shown returns an agent with the key it just got, if it got one.
func shown(row *sqlstore.Agent, secret string, err error) (Agent, error) {
	if err != nil {
		return Agent{}, err
	}
	out := agentOf(row)
	out.HasKey, out.Secret = row.HasKey || secret != "", secret
	return out, nil
}

// assign puts what spec says into row.
func assign(row *sqlstore.Agent, spec AgentSpec) error {
	row.Name, row.Description = spec.Name, spec.Description
	if spec.Metadata != nil {
		row.Metadata = string(spec.Metadata)
	}
	if spec.Mandate == nil {
		return nil
	}
	kept, err := keepMandate(*spec.Mandate)
	row.Mandate = kept
	return err
}

// Get returns the granted agent; nil when it went since the decision.
func (a *Agents) Get(ctx context.Context, what schema.ViewAgent) (*Agent, error) {
	agent, err := what.Use()
	if err != nil {
		return nil, err
	}
	ref := agent.Named().Ref
	row, err := sqlstore.AgentByID(ctx, a.s.db, schema.TenantOf(ref), schema.NameOf(ref), a.s.now())
	if errors.Is(err, sqldb.ErrNoRows) || err == nil && row.Ended != 0 {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	out := agentOf(row)
	return &out, nil
}

// Own returns up to n agents of the user who asks, in order of their names and behind after.
func (a *Agents) Own(ctx context.Context, in schema.AccessTenant, after string, n int) ([]Agent, error) {
	tenant, err := in.Use()
	if err != nil {
		return nil, err
	}
	me := in.Decision().Principal().Base
	if me.Type != "user" || schema.TenantOf(me) != tenant.Named().ID {
		return nil, nil
	}
	return a.list(ctx, tenant.Named().ID, schema.NameOf(me), after, n)
}

// In returns up to n agents of the granted tenant, in order of their names and behind after.
func (a *Agents) In(ctx context.Context, in schema.AdministerTenant, after string, n int) ([]Agent, error) {
	tenant, err := in.Use()
	if err != nil {
		return nil, err
	}
	return a.list(ctx, tenant.Named().ID, "", after, n)
}

func (a *Agents) list(ctx context.Context, tenant, owner, after string, n int) ([]Agent, error) {
	rows, err := sqlstore.AgentsAfter(ctx, a.s.db, tenant, owner, after, n, a.s.now())
	all := make([]Agent, len(rows))
	for i := range rows {
		all[i] = agentOf(&rows[i])
	}
	return all, err
}

// enrolment returns the relationships that an agent has in its tenant.
func enrolment(tenant string, agent, owner authz.Ref, as string) (updates []relations.Update) {
	t := authz.Ref{Type: "tenant", ID: tenant}
	for _, r := range []relations.Relationship{
		relationship(agent, "tenant", Subject{Ref: t}, time.Time{}),
		relationship(agent, "owner", Subject{Ref: owner}, time.Time{}),
		relationship(agent, "identity", Subject{Ref: agent}, time.Time{}),
		relationship(t, as, Subject{Ref: agent}, time.Time{}),
	} {
		updates = append(updates, touch(r)...)
	}
	return updates
}

func agentOf(row *sqlstore.Agent) Agent {
	a := Agent{ID: row.ID, Owner: row.Owner, Name: row.Name, Description: row.Description, Created: micros(row.Created), HasKey: row.HasKey}
	if a.Name == "" {
		a.Name = row.ID
	}
	if row.Metadata != "" {
		a.Metadata = json.RawMessage(row.Metadata)
	}
	return a
}

// Agent reports whether an agent of that name is there.
func (n Names) Agent(ctx context.Context, agent schema.Agent) (bool, error) {
	ref := agent.Named().Ref
	_, err := sqlstore.AgentOwner(ctx, n.s.db, schema.TenantOf(ref), schema.NameOf(ref))
	if errors.Is(err, sqldb.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}
