package storage

import (
	"context"
	"errors"
	"time"

	"nexus/authzsvc/authz"
	"nexus/authzsvc/relations"
	"nexus/internal/errs"
	"nexus/internal/sqldb"
	"nexus/schema"
	"nexus/storage/internal/sqlstore"
)

// Delete ends the granted agent and its keys; false when there is none. Nobody can act as it when it returns. Its name stays
// taken until Bury has removed what is related to it.
func (a *Agents) Delete(ctx context.Context, what schema.ManageAgent) (ended bool, err error) {
	agent, err := what.Use()
	if err != nil {
		return false, err
	}
	ref := agent.Named().Ref
	tenant, id := schema.TenantOf(ref), schema.NameOf(ref)
	err = a.s.act(ctx, what.Decision(), func(ctx context.Context, tx sqldb.Tx, _ int64) (bool, error) {
		ended, err = sqlstore.EndAgent(ctx, tx, tenant, id, a.s.now())
		if err != nil || !ended {
			return false, err
		}
		a.s.peopleChange(tx) // its keys
		return true, a.s.retire(ctx, tx, tenant, ref, id)
	})
	return ended && err == nil, err
}

// retire deletes the relationships by which an agent is one.
func (s *Store) retire(ctx context.Context, tx sqldb.Tx, tenant string, ref authz.Ref, id string) error {
	row, err := sqlstore.AgentByID(ctx, tx, tenant, id, s.now())
	if err != nil {
		return err
	}
	owner, err := schema.UserOf(tenant, row.Owner)
	if err != nil {
		return err
	}
	updates := append(enrolment(tenant, ref, owner.Named().Ref, "agent"),
		touch(relationship(authz.Ref{Type: "tenant", ID: tenant}, "guest_agent", Subject{Ref: ref}, time.Time{}))...)
	for i := range updates {
		updates[i].Kind = relations.Delete
	}
	return s.writer.Write(ctx, tx, updates...)
}

// Bury removes a part of what is related to the agents of the granted tenant that have ended, and frees the name of one to
// which nothing is related any more. It reports whether some is left.
func (a *Agents) Bury(ctx context.Context, in schema.SweepTenant) (left bool, err error) {
	tenant, err := in.Use()
	if err != nil {
		return false, err
	}
	id := tenant.Named().ID
	err = a.s.act(ctx, in.Decision(), func(ctx context.Context, tx sqldb.Tx, _ int64) (bool, error) {
		ended, err := sqlstore.EndedAgents(ctx, tx, id, 1)
		if left = len(ended) > 0; err != nil || !left {
			return false, err
		}
		agent, err := schema.AgentOf(id, ended[0])
		if err != nil {
			return false, err
		}
		all, err := a.s.unrelate(ctx, tx, agent.Named().Ref)
		if err != nil || !all {
			return true, err
		}
		return true, sqlstore.DropAgent(ctx, tx, id, ended[0])
	})
	return left && err == nil, err
}

// unrelate deletes some of what is related to an agent, and reports whether that was all.
func (s *Store) unrelate(ctx context.Context, tx sqldb.Tx, agent authz.Ref) (all bool, err error) {
	given, err := s.trim(ctx, tx, relations.Filter{SubjectType: agent.Type, SubjectID: agent.ID})
	if err != nil || given == trimmed {
		return false, err
	}
	own, err := s.trim(ctx, tx, relations.Filter{ResourceType: agent.Type, ResourceID: agent.ID})
	return own < trimmed, err
}

// vacate removes what was related to a name before its agent was made. It is not done for a name that is taken.
func (a *Agents) vacate(ctx context.Context, d *authz.Decision, ref authz.Ref, row *sqlstore.Agent) error {
	for all := false; !all; {
		err := a.s.db.Tx(ctx, func(ctx context.Context, tx sqldb.Tx) error {
			if err := d.Hold(); err != nil {
				return err
			}
			if err := a.free(ctx, tx, row); err != nil {
				return err
			}
			var err error
			all, err = a.s.unrelate(ctx, tx, ref)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// free returns an error when an agent has the name of row.
func (a *Agents) free(ctx context.Context, tx sqldb.Tx, row *sqlstore.Agent) error {
	has, err := sqlstore.AgentByID(ctx, tx, row.Tenant, row.ID, row.Created)
	switch {
	case errors.Is(err, sqldb.ErrNoRows):
		return nil
	case err != nil:
		return err
	case has.Ended == 0:
		return stale() // taken since the decision
	case has.Owner == row.Owner:
		return notFree(row.ID)
	}
	return errs.New(errs.Exists, "the name is taken")
}

func notFree(name string) error {
	return errs.New(errs.Conflict, "agent %q was deleted, and its name is not free yet: try again", name).Marked(errs.NotValid)
}

// approve makes an agent one of the tenant's: an admin has issued a key for it. One that has ended is errs.Conflict.
func (s *Store) approve(ctx context.Context, tx sqldb.Tx, tenant string, agent, owner authz.Ref) ([]relations.Update, error) {
	row, err := sqlstore.AgentByID(ctx, tx, tenant, schema.NameOf(agent), s.now())
	if err != nil {
		return nil, err
	}
	switch {
	case row.Ended != 0:
		return nil, notFree(row.ID)
	case row.Owner != schema.NameOf(owner):
		return nil, errs.New(errs.Exists, "agent %q belongs to another user", row.ID).Marked(errs.NotValid)
	}
	return enrolment(tenant, agent, owner, "agent"), nil
}
