package storage

import (
	"context"
	"time"

	"nexus/storage/internal/sqlstore"
)

// Chores tells in which tenants work waits that the server does by itself. It says nothing of what the work is about; doing
// it takes a Grant, as everything does.
type Chores struct{ s *Store }

// Chores returns the teller.
func (s *Store) Chores() Chores { return Chores{s} }

// Tenants returns every tenant, quoted.
func (c Chores) Tenants(ctx context.Context) ([]string, error) { return sqlstore.Tenants(ctx, c.s.db) }

// Sweeping returns the tenants in whose trash grants remain.
func (c Chores) Sweeping(ctx context.Context) ([]string, error) {
	return sqlstore.Sweeping(ctx, c.s.db)
}

// Purging returns the tenants in whose trash something is to be removed for good, or that remember more of what was than anybody
// asks for.
func (c Chores) Purging(ctx context.Context) ([]string, error) {
	return sqlstore.Purging(ctx, c.s.db, c.s.recoverable(), c.s.again())
}

// Expiring returns the tenants in which a workspace's time has come.
func (c Chores) Expiring(ctx context.Context) ([]string, error) {
	return sqlstore.ExpiringTenants(ctx, c.s.db, c.s.now())
}

// Overdue returns the tenants in which relationships remain that have expired, or that a deleted group had.
func (c Chores) Overdue(ctx context.Context) ([]string, error) {
	return sqlstore.TenantsOverdue(ctx, c.s.db, c.s.now())
}

// Forgetting returns the tenants with changes that were made before at.
func (c Chores) Forgetting(ctx context.Context, at time.Time) ([]string, error) {
	return sqlstore.StaleChanges(ctx, c.s.db, at.UnixMicro())
}

// Burying returns the tenants in which something is still related to a deleted agent, or its name is not free yet.
func (c Chores) Burying(ctx context.Context) ([]string, error) {
	return sqlstore.HaveEnded(ctx, c.s.db)
}

// Hashing returns the tenants in which the hash of a snapshot's tree is to be made.
func (c Chores) Hashing(ctx context.Context) ([]string, error) {
	return sqlstore.HashingTenants(ctx, c.s.db)
}
