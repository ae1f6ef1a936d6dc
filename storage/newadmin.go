package storage

import (
	"context"

	"nexus/internal/errs"
	"nexus/internal/ids"
	"nexus/internal/sqldb"
	"nexus/storage/internal/sqlstore"
)

// NewAdmin makes a platform admin's key for a user of the default tenant, who is enabled if he was disabled: for when every
// such key is lost. A store that was never founded has nothing to recover: errs.Precondition. The effect is noted under
// decision, the id of the entry that the caller has put into the record, at the sequence that is returned.
//
// Whoever can open the database has all that is in it, so there is nobody to ask.
func (f Founding) NewAdmin(ctx context.Context, decision, user string) (key Key, seq int64, err error) {
	tenant := ids.Quote(DefaultTenant)
	key = f.s.forge(tenant, KeySpec{
		Name: "recovered admin key", Prefix: "nxk_live_", User: user, SubjectType: "user", Subject: user, Admin: true,
		Scopes: []string{"read", "write", "evaluate"},
	})
	err = f.s.db.Tx(ctx, func(ctx context.Context, tx sqldb.Tx) error {
		has, err := sqlstore.HasKeys(ctx, tx)
		if err != nil {
			return err
		}
		if !has {
			return errs.New(errs.Precondition, "no key was ever made here: nexus serve makes the first one")
		}
		if seq, err = sqlstore.NextSeq(ctx, tx, tenant); err != nil {
			return err
		}
		if err := sqlstore.DisableUser(ctx, tx, tenant, user, 0); err != nil {
			return err
		}
		if err := f.s.addKey(ctx, tx, key, true); err != nil {
			return err
		}
		f.s.peopleChange(tx)
		return sqlstore.InsertEffect(ctx, tx, decision, tenant, seq, seq, f.s.now())
	})
	if err != nil {
		return Key{}, 0, err
	}
	return key, seq, nil
}
