package storage

import (
	"context"
	"errors"
	"time"

	"nexus/authzsvc/relations"
	"nexus/internal/errs"
	"nexus/internal/sqldb"
	"nexus/storage/internal/sqlstore"
)

// KeyState is a key with what became of it. Its Secret is empty.
type KeyState struct {
	Key
	Platform bool // administers the deployment
	Last4    string
	Created  time.Time
	Revoked  time.Time // zero: it is not
	LastUsed time.Time // zero: never; written every few seconds
}

// KeyFilter selects keys. The zero filter selects those that are neither revoked nor expired.
type KeyFilter struct {
	Tenant       string // quoted; empty: all that are in reach
	PlatformOnly bool   // only the platform's own
	User         string
	Admin        *bool
	Revoked      bool // revoked ones, too
	Expired      bool // expired ones, too
}

// List returns up to limit of the keys in reach that f selects behind the first offset, the newest first, and how many f
// selects in all.
func (k *Keys) List(ctx context.Context, reach Reach, f KeyFilter, limit, offset int) (keys []KeyState, total int64, err error) {
	r, err := realmOf(reach)
	if err != nil {
		return nil, 0, err
	}
	rows := k.rows(f)
	if !r.everywhere {
		if f.Tenant != "" && f.Tenant != r.tenant || f.PlatformOnly {
			return nil, 0, errs.Bug("a list of keys out of the granted tenant %s", r.tenant)
		}
		rows.Tenant, rows.Platform = r.tenant, sqlstore.Without
	}
	if total, err = sqlstore.CountKeys(ctx, k.s.db, rows); err != nil {
		return nil, 0, err
	}
	found, err := sqlstore.Keys(ctx, k.s.db, rows, limit, offset)
	for _, row := range found {
		keys = append(keys, keyState(row))
	}
	return keys, total, err
}

// rows returns f in the terms of rows. A tenant's keys are those without the platform's own.
func (k *Keys) rows(f KeyFilter) sqlstore.KeyFilter {
	rows := sqlstore.KeyFilter{Tenant: f.Tenant, User: f.User, Revoked: f.Revoked}
	switch {
	case f.PlatformOnly:
		rows.Platform = sqlstore.With
	case f.Tenant != "":
		rows.Platform = sqlstore.Without
	}
	if f.Admin != nil {
		rows.Admin = sqlstore.Without
		if *f.Admin {
			rows.Admin = sqlstore.With
		}
	}
	if !f.Expired {
		rows.StandingAt = k.s.now()
	}
	return rows
}

// Get returns a key in reach; one that is out of reach is missing.
func (k *Keys) Get(ctx context.Context, reach Reach, id string) (KeyState, error) {
	r, err := realmOf(reach)
	if err != nil {
		return KeyState{}, err
	}
	row, err := k.find(ctx, k.s.db, r, id)
	if err != nil {
		return KeyState{}, err
	}
	return keyState(row), nil
}

// find returns a key's row. What is missing and what is out of reach is one answer.
func (k *Keys) find(ctx context.Context, q sqldb.Q, r realm, id string) (*sqlstore.Key, error) {
	row, err := sqlstore.KeyByID(ctx, q, id)
	if errors.Is(err, sqldb.ErrNoRows) || err == nil && !r.has(row) {
		return nil, errs.New(errs.NotFound, "API key not found: %s", id)
	}
	return row, err
}

// Revoke ends a key in reach for good, and with it its right to administer. No request that begins after it has returned
// comes in with the key. Revoking it again changes nothing.
func (k *Keys) Revoke(ctx context.Context, reach Reach, id string) error {
	_, err := k.change(ctx, reach, id, func(row *sqlstore.Key) error {
		if row.Revoked == 0 {
			row.Revoked = k.s.now()
		}
		return nil
	})
	return err
}

// KeyChange says what to change of a key; what is nil or false stays.
type KeyChange struct {
	Name     *string
	Admin    *bool          // false takes the platform from a platform admin's key, too
	Lifetime *time.Duration // from now
	Forever  bool           // it no longer ends
}

// Update changes a key in reach and returns what it is then. A revoked key stays as it is: errs.Precondition.
func (k *Keys) Update(ctx context.Context, reach Reach, id string, c KeyChange) (KeyState, error) {
	row, err := k.change(ctx, reach, id, func(row *sqlstore.Key) error {
		if row.Revoked != 0 {
			return errs.New(errs.Precondition, "API key %s is revoked: make a new one", id)
		}
		return k.s.alter(row, c)
	})
	if err != nil {
		return KeyState{}, err
	}
	return keyState(row), nil
}

// alter makes c of row.
func (s *Store) alter(row *sqlstore.Key, c KeyChange) error {
	if c.Name != nil {
		row.Name = *c.Name
	}
	if c.Admin != nil {
		if *c.Admin && row.SubjectType == "agent" {
			return errs.New(errs.Invalid, "an agent's key cannot administer").Marked(errs.NotValid)
		}
		row.Admin, row.Platform = *c.Admin, row.Platform && *c.Admin
	}
	switch {
	case c.Lifetime != nil:
		row.Expires = s.after(*c.Lifetime).UnixMicro()
	case c.Forever:
		row.Expires = 0
	}
	return nil
}

// change makes what f makes of a key's row true of its relationship, too, unless it would take the last admin.
func (k *Keys) change(ctx context.Context, reach Reach, id string, f func(row *sqlstore.Key) error) (row *sqlstore.Key, err error) {
	r, err := realmOf(reach)
	if err != nil {
		return nil, err
	}
	err = k.s.reform(ctx, r.d, func(ctx context.Context, tx sqldb.Tx) (bool, error) {
		if row, err = k.find(ctx, tx, r, id); err != nil {
			return false, err
		}
		was := *row
		if err := f(row); err != nil {
			return false, err
		}
		if unchanged(&was, row) {
			return false, nil
		}
		if weaker(&was, row) {
			if err := k.s.mustLeaveAdmins(ctx, tx, r, authorityOf(&was, k.s.now()), sqlstore.But{Key: id}); err != nil {
				return false, err
			}
		}
		if err := k.s.writer.Write(ctx, tx, k.s.appointment(&was, row)...); err != nil {
			return false, err
		}
		return true, sqlstore.UpdateKey(ctx, tx, row)
	})
	return row, err
}

// unchanged reports whether nothing that can change of a key has.
func unchanged(was, is *sqlstore.Key) bool {
	return was.Name == is.Name && was.Admin == is.Admin && was.Platform == is.Platform && was.Expires == is.Expires && was.Revoked == is.Revoked
}

// weaker reports whether an admin key loses something: its right, or time that it had it for. The last admin's may not be
// given an end either: that would be a lock-out to come.
func weaker(was, is *sqlstore.Key) bool {
	sooner := is.Expires != 0 && (was.Expires == 0 || is.Expires < was.Expires)
	return is.Revoked != was.Revoked || is.Admin != was.Admin || is.Platform != was.Platform || sooner
}

// appointment returns what a change of a key's row means for its right to administer.
func (s *Store) appointment(was, is *sqlstore.Key) (updates []relations.Update) {
	if was.Admin && (!is.Admin || is.Revoked != 0 || was.Platform != is.Platform) {
		old := administration(was.ID, was.Tenant, was.Platform, time.Time{})
		updates = append(updates, relations.Update{Kind: relations.Delete, Relationship: old})
	}
	if is.Admin && is.Revoked == 0 && (is.Expires == 0 || s.now() < is.Expires) {
		updates = append(updates, touch(administration(is.ID, is.Tenant, is.Platform, micros(is.Expires)))...)
	}
	return updates
}

func keyState(row *sqlstore.Key) KeyState {
	return KeyState{
		Key: Key{
			ID: row.ID, Tenant: row.Tenant, Expires: micros(row.Expires), KeySpec: KeySpec{
				Name: row.Name, Prefix: row.Prefix, User: row.User, SubjectType: row.SubjectType, Subject: row.Subject,
				Admin: row.Admin, Scopes: row.Scopes,
			},
		},
		Platform: row.Platform, Last4: row.Last4, Created: micros(row.Created), Revoked: micros(row.Revoked), LastUsed: micros(row.LastUse),
	}
}
