package storage

import (
	"context"
	"time"

	"nexus/authzsvc/authz"
	"nexus/authzsvc/relations"
	"nexus/internal/ids"
	"nexus/internal/sqldb"
	"nexus/schema"
	"nexus/storage/internal/sqlstore"
)

// DefaultTenant is the tenant that a new store has.
const DefaultTenant = "default"

// Founding sets up a store before it serves. No decision can precede it: there is nobody to decide about.
type Founding struct{ s *Store }

// Founding returns the one who sets up.
func (s *Store) Founding() Founding { return Founding{s} }

// Found makes the default tenant and the first key, of user admin, which administers the platform. It returns the key and
// true when the store was empty, and false without touching anything otherwise.
func (f Founding) Found(ctx context.Context) (Key, bool, error) {
	key := f.s.forge(ids.Quote(DefaultTenant), KeySpec{
		Name: "first admin key", Prefix: "nxk_live_", User: "admin", SubjectType: "user", Subject: "admin", Admin: true,
		Scopes: []string{"read", "write", "evaluate"},
	})
	founded := false
	err := f.s.db.Tx(ctx, func(ctx context.Context, tx sqldb.Tx) error {
		founded = false
		has, err := sqlstore.HasKeys(ctx, tx)
		if err != nil || has {
			return err
		}
		founded = true
		return f.s.addKey(ctx, tx, key, true)
	})
	if err != nil || !founded {
		return Key{}, false, err
	}
	return key, true, nil
}

// Staff gives every tenant the services that work in it by themselves: those that an older version of the program did not
// know. It runs at each start, before anything listens.
func (f Founding) Staff(ctx context.Context) error {
	tenants, err := sqlstore.Tenants(ctx, f.s.db)
	if err != nil {
		return err
	}
	for _, t := range tenants {
		missing, err := f.missing(ctx, t)
		if err != nil || len(missing) == 0 {
			return err
		}
		err = f.s.db.Tx(ctx, func(ctx context.Context, tx sqldb.Tx) error { return f.s.writer.Write(ctx, tx, missing...) })
		if err != nil {
			return err
		}
	}
	return nil
}

// missing returns the relationships that a tenant's services lack.
func (f Founding) missing(ctx context.Context, tenant string) (updates []relations.Update, err error) {
	head, err := f.s.reader.Head(ctx)
	if err != nil {
		return nil, err
	}
	for _, u := range staff(tenant) {
		there := false
		filter := relations.Filter{ResourceType: "tenant", ResourceID: tenant, Relation: u.Relationship.Relation}
		err := f.s.reader.Read(ctx, head, filter, func(relations.Relationship) bool {
			there = true
			return false
		})
		if err != nil {
			return nil, err
		}
		if !there {
			updates = append(updates, u)
		}
	}
	return updates, nil
}

// staff returns the relationships of the services that work in a tenant by themselves.
func staff(tenant string) (updates []relations.Update) {
	t := authz.Ref{Type: "tenant", ID: tenant}
	for _, r := range schema.Roles() {
		updates = append(updates, touch(relationship(t, string(r), Subject{Ref: schema.Staff(tenant, r)}, time.Time{}))...)
	}
	return updates
}
