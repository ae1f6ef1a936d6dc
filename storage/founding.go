package storage

import (
	"context"

	"nexus/internal/ids"
	"nexus/internal/sqldb"
	"nexus/storage/internal/sqlstore"
)

// DefaultTenant is the tenant that a new store has.
const DefaultTenant = "default"

// Founding sets up a store that has no key yet. No decision can precede it: there is nobody to decide about.
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
