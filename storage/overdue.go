package storage

import (
	"context"

	"nexus/authzsvc/relations"
	"nexus/internal/sqldb"
	"nexus/schema"
	"nexus/storage/internal/sqlstore"
)

// due is how many relationships one transaction looks at, to see whether they have expired.
const due = 100

// Sweep removes some of what is left over in the granted tenant: relationships that have expired, with their ids and the paths
// that only they kept, and what deleted groups were related to. more says that it is to be called again. Every call leaves
// the tenant in order, so a server that ends in between goes on where it was.
func (h *Shares) Sweep(ctx context.Context, in schema.SweepTenant) (more bool, err error) {
	tenant, err := in.Use()
	if err != nil {
		return false, err
	}
	id := tenant.Named().ID
	err = h.s.act(ctx, in.Decision(), func(ctx context.Context, tx sqldb.Tx, _ int64) (bool, error) {
		looked, err := h.s.expire(ctx, tx, id)
		if err != nil {
			return false, err
		}
		if more = looked == due; more {
			return true, nil
		}
		group, err := sqlstore.ClosedGroups(ctx, tx, id, 1)
		if err != nil || len(group) == 0 {
			return looked > 0, err
		}
		more = true
		ref, err := schema.GroupOf(id, group[0].Name)
		if err != nil {
			return false, err
		}
		_, err = h.s.dissolve(ctx, tx, ref.Named().Ref)
		return true, err
	})
	return more && err == nil, err
}

// expire looks at the relationships of a tenant that should have expired, removes those that have, and returns how many it
// looked at.
func (s *Store) expire(ctx context.Context, tx sqldb.Tx, tenant string) (int, error) {
	all, err := sqlstore.DueTuples(ctx, tx, tenant, s.now(), due)
	if err != nil {
		return 0, err
	}
	for i := range all {
		t := &all[i]
		now, stands, err := s.writer.Find(ctx, tx, t.Relationship)
		if err != nil {
			return 0, err
		}
		if stands {
			t.Expires = expiry(now)
			err = sqlstore.KeepTuple(ctx, tx, t)
		} else {
			err = s.bury(ctx, tx, t)
		}
		if err != nil {
			return 0, err
		}
	}
	return len(all), nil
}

// bury removes what is left of a relationship that has expired.
func (s *Store) bury(ctx context.Context, tx sqldb.Tx, t *sqlstore.Tuple) error {
	if err := s.writer.Write(ctx, tx, relations.Update{Kind: relations.Delete, Relationship: t.Relationship}); err != nil {
		return err
	}
	if err := sqlstore.DeleteTuple(ctx, tx, t.ID); err != nil {
		return err
	}
	return s.release(ctx, tx, t.Resource)
}
