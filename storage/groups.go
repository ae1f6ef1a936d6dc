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

// Enrol relates subject, who is no group, to the granted group.
func (h *Shares) Enrol(ctx context.Context, in schema.ManageGroup, relation string, subject Subject, expires time.Time) (string, error) {
	group, err := in.Use()
	if err != nil {
		return "", err
	}
	if subject.Type == "group" {
		return "", errs.Bug("a group is nested with a grant on one of the two alone")
	}
	return h.enrol(ctx, in.Decision(), group, relation, subject, expires)
}

// NestGrant is what it needs to let the members of one group be something in another: to manage both. So nobody but its
// managers puts a group into a chain of others, above it or below it, and shows others who its members are.
type NestGrant struct {
	Into  schema.ManageGroup
	Group schema.ManageGroup
}

// Nest relates the members of one group to the other.
func (h *Shares) Nest(ctx context.Context, g NestGrant, relation string, expires time.Time) (string, error) {
	into, err := g.Into.Use()
	if err != nil {
		return "", err
	}
	group, err := g.Group.Use()
	if err != nil {
		return "", err
	}
	return h.enrol(ctx, g.Into.Decision(), into, relation, Subject{Ref: group.Named().Ref, Relation: "member"}, expires)
}

func (h *Shares) enrol(ctx context.Context, d *authz.Decision, in schema.Group, relation string, subject Subject, expires time.Time) (string, error) {
	r := relationship(in.Named().Ref, relation, subject, expires)
	return h.relate(ctx, d, r, func(ctx context.Context, tx sqldb.Tx) ([]relations.Update, error) {
		return nil, groupStands(ctx, tx, d.Principal().Tenant, r.Resource)
	})
}

// Found makes the group of that name in the granted tenant and relates subject to it. A group of that name that was deleted
// is errs.Precondition until the last of its relationships is gone: a new one inherits nothing.
func (h *Shares) Found(ctx context.Context, in schema.AdministerTenant, group schema.Group, relation string, subject Subject, expires time.Time) (string, error) {
	tenant, err := in.Use()
	if err != nil {
		return "", err
	}
	object := group.Named()
	if schema.TenantOf(object.Ref) != tenant.Named().ID {
		return "", errs.Bug("group %s is not of the granted tenant", object.Ref)
	}
	return h.relate(ctx, in.Decision(), relationship(object.Ref, relation, subject, expires), func(ctx context.Context, tx sqldb.Tx) ([]relations.Update, error) {
		isNew, err := sqlstore.InsertGroup(ctx, tx, tenant.Named().ID, schema.NameOf(object.Ref), h.s.now())
		if err != nil {
			return nil, err
		}
		if !isNew {
			return nil, groupStands(ctx, tx, tenant.Named().ID, object.Ref)
		}
		return touch(relationship(object.Ref, "tenant", Subject{Ref: tenant.Named().Ref}, time.Time{})), nil
	})
}

// groupStands refuses a group that does not exist, or was deleted: what is related to a name that nobody answers to would fall
// to whoever founds a group of that name. Other refs pass.
func groupStands(ctx context.Context, tx sqldb.Tx, tenant string, r authz.Ref) error {
	if r.Type != "group" {
		return nil
	}
	name := schema.NameOf(r)
	row, err := sqlstore.GroupByName(ctx, tx, tenant, name)
	switch {
	case errors.Is(err, sqldb.ErrNoRows):
		return errs.New(errs.Invalid, "there is no group %s", name).Marked(errs.NotValid)
	case err != nil:
		return err
	case row.Closed != 0:
		return errs.New(errs.Precondition, "group %s was deleted, and what it was related to is still being removed: try again", name)
	}
	return nil
}

// Groups is the façade of groups as such. It is safe for concurrent use.
type Groups struct{ s *Store }

// Groups returns the façade.
func (s *Store) Groups() *Groups { return &Groups{s} }

// Group is a group as people see it.
type Group struct {
	Name    string
	Created time.Time
}

const (
	groupPage = 1000 // groups that one page looks at
	trimmed   = 200  // relationships of a kind that one transaction deletes
)

// List returns up to limit groups that the scope admits, in order of name behind the one of that name, and where the list
// goes on; an empty name when it does not.
func (g *Groups) List(ctx context.Context, in schema.ViewGroups, after string, limit int) (found []Group, next string, err error) {
	tenant, err := in.Tenant()
	if err != nil {
		return nil, "", err
	}
	rows, err := sqlstore.GroupsAfter(ctx, g.s.db, tenant, after, groupPage)
	if err != nil {
		return nil, "", err
	}
	seen := 0
	for seen < len(rows) && len(found) < limit {
		some := rows[seen:min(len(rows), seen+limit-len(found))]
		if found, err = g.admit(ctx, in, tenant, some, found); err != nil {
			return nil, "", err
		}
		seen += len(some)
	}
	if seen < len(rows) || len(rows) == groupPage {
		next = rows[seen-1].Name
	}
	return found, next, in.Close(ctx, next == "")
}

func (g *Groups) admit(ctx context.Context, in schema.ViewGroups, tenant string, rows []sqlstore.Group, found []Group) ([]Group, error) {
	members, created := make([]schema.Group, len(rows)), make(map[schema.Group]int64, len(rows))
	for i, row := range rows {
		one, err := schema.GroupOf(tenant, row.Name)
		if err != nil {
			return nil, err
		}
		members[i], created[one] = one, row.Created
	}
	admitted, err := in.Admit(ctx, members, func(schema.Group) authz.Ref { return authz.Ref{Type: "tenant", ID: tenant} })
	if err != nil {
		return nil, err
	}
	for _, one := range admitted {
		found = append(found, Group{Name: schema.NameOf(one.Named().Ref), Created: micros(created[one])})
	}
	return found, nil
}

// Members lists who is in the granted group and who manages it: one by one, and groups as such.
func (g *Groups) Members(ctx context.Context, on schema.ViewGroup, p Page) (Tuples, error) {
	group, err := on.Use()
	if err != nil {
		return Tuples{}, err
	}
	ref := group.Named().Ref
	return g.s.list(ctx, schema.TenantOf(ref), relations.Filter{ResourceType: ref.Type, ResourceID: ref.ID}, p, func(r relations.Relationship) bool {
		return r.Relation != "tenant"
	})
}

// Delete ends the granted group. It has no members and takes no relationships from here on. What it was related to goes in
// the same transaction where that is little, and by Sweep where it is much; over says that nobody has a right through the
// group any more. Its name is free when all is gone.
func (g *Groups) Delete(ctx context.Context, on schema.ManageGroup) (over bool, err error) {
	group, err := on.Use()
	if err != nil {
		return false, err
	}
	ref := group.Named().Ref
	tenant, name := schema.TenantOf(ref), schema.NameOf(ref)
	err = g.s.act(ctx, on.Decision(), func(ctx context.Context, tx sqldb.Tx, _ int64) (bool, error) {
		if err := groupStands(ctx, tx, tenant, ref); err != nil {
			return false, err
		}
		if err := sqlstore.CloseGroup(ctx, tx, tenant, name, g.s.now()); err != nil {
			return false, err
		}
		over, err = g.s.dissolve(ctx, tx, ref)
		return true, err
	})
	return over && err == nil, err
}

// dissolve deletes some of a deleted group's relationships, and the group with the last. Nobody has a right through a group
// that has no members, or that nothing names: over says that it has come to that.
func (s *Store) dissolve(ctx context.Context, tx sqldb.Tx, group authz.Ref) (over bool, err error) {
	grants, err := s.trim(ctx, tx, relations.Filter{SubjectType: group.Type, SubjectID: group.ID})
	if err != nil {
		return false, err
	}
	members, err := s.trim(ctx, tx, relations.Filter{ResourceType: group.Type, ResourceID: group.ID})
	if err != nil {
		return false, err
	}
	if grants < trimmed && members < trimmed {
		return true, sqlstore.DeleteGroup(ctx, tx, schema.TenantOf(group), schema.NameOf(group))
	}
	return grants < trimmed || members < trimmed, nil
}

// trim deletes some of the relationships that f selects, with all that is kept about them, and returns how many.
func (s *Store) trim(ctx context.Context, tx sqldb.Tx, f relations.Filter) (int, error) {
	gone, err := s.writer.Trim(ctx, tx, f, trimmed)
	if err != nil {
		return 0, err
	}
	for _, r := range gone {
		if err := sqlstore.DeleteTupleOf(ctx, tx, r); err != nil {
			return 0, err
		}
		if err := s.release(ctx, tx, r.Resource); err != nil {
			return 0, err
		}
	}
	return len(gone), nil
}
