package storage

import (
	"context"
	"errors"

	"nexus/authzsvc/authz"
	"nexus/authzsvc/relations"
	"nexus/internal/errs"
	"nexus/internal/sqldb"
	"nexus/schema"
	"nexus/storage/internal/sqlstore"
)

// UnshareFile ends the relationship known by id on the granted file or folder; false when there is none. The right is gone
// when it returns. A row that only kept grants goes with the last of them.
func (h *Shares) UnshareFile(ctx context.Context, on schema.ShareFile, id string) (bool, error) {
	file, err := on.Use()
	if err != nil {
		return false, err
	}
	return h.end(ctx, on.Decision(), id, onResource(file.Named().Ref), func(ctx context.Context, tx sqldb.Tx) error {
		if _, err := same(ctx, tx, file.Address); err != nil {
			return err // such as: what was reserved has become a file
		}
		return h.s.unreserve(ctx, tx, file.Address)
	})
}

// Expel ends the relationship known by id on the granted group.
func (h *Shares) Expel(ctx context.Context, in schema.ManageGroup, id string) (bool, error) {
	group, err := in.Use()
	if err != nil {
		return false, err
	}
	return h.end(ctx, in.Decision(), id, onResource(group.Named().Ref), nil)
}

// Withdraw ends the relationship known by id by which the granted group stands in another: its managers may, as those of the
// other may.
func (h *Shares) Withdraw(ctx context.Context, group schema.ManageGroup, id string) (bool, error) {
	nested, err := group.Use()
	if err != nil {
		return false, err
	}
	return h.end(ctx, group.Decision(), id, func(r relations.Relationship) bool {
		return r.Resource.Type == "group" && r.Subject == nested.Named().Ref
	}, nil)
}

// Dismiss ends the relationship known by id on the granted tenant itself.
func (h *Shares) Dismiss(ctx context.Context, in schema.AdministerTenant, id string) (bool, error) {
	tenant, err := in.Use()
	if err != nil {
		return false, err
	}
	return h.end(ctx, in.Decision(), id, onResource(tenant.Named().Ref), nil)
}

func onResource(ref authz.Ref) func(relations.Relationship) bool {
	return func(r relations.Relationship) bool { return r.Resource == ref }
}

// end ends the relationship known by id, if it is one that d was about.
func (h *Shares) end(ctx context.Context, d *authz.Decision, id string, about func(relations.Relationship) bool, after func(context.Context, sqldb.Tx) error) (ended bool, err error) {
	err = h.s.act(ctx, d, func(ctx context.Context, tx sqldb.Tx, _ int64) (bool, error) {
		ended = false
		t, err := sqlstore.TupleByID(ctx, tx, id)
		if errors.Is(err, sqldb.ErrNoRows) || err == nil && !about(t.Relationship) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		if ofTheStore(t.Relationship) {
			return false, errs.New(errs.Invalid, "relation %s of %s belongs to the store", t.Relation, t.Resource.Type).Marked(errs.NotValid)
		}
		if err := h.s.writer.Write(ctx, tx, relations.Update{Kind: relations.Delete, Relationship: t.Relationship}); err != nil {
			return false, err
		}
		if err := sqlstore.DeleteTuple(ctx, tx, id); err != nil {
			return false, err
		}
		ended = true
		if after == nil {
			return true, nil
		}
		return true, after(ctx, tx)
	})
	return ended && err == nil, err
}

// ofTheStore reports whether a relationship says what rows say too: then it changes with them, and not by itself.
func ofTheStore(r relations.Relationship) bool {
	switch r.Resource.Type + "#" + r.Relation {
	case "file#parent", "group#tenant", "tenant#platform", "tenant#agent", "tenant#guest_agent":
		return true
	}
	return r.Subject.Type == "key" || r.Subject.Type == "service"
}

// release deletes the row of a file or folder if a grant alone reserved it and none keeps it any more. Other refs pass.
func (s *Store) release(ctx context.Context, tx sqldb.Tx, file authz.Ref) error {
	if file.Type != "file" {
		return nil
	}
	path, err := sqlstore.PathOf(ctx, tx, file.ID)
	if errors.Is(err, sqldb.ErrNoRows) || err == nil && path[0] != '/' { // it went, or lies in the trash
		return nil
	}
	if err != nil {
		return err
	}
	tenant := schema.TenantOf(file)
	place, err := sqlstore.Locate(ctx, tx, tenant, path)
	if err != nil {
		return err
	}
	return s.unreserve(ctx, tx, address(place, tenant, path))
}

// unreserve deletes the reserved row at a when nothing keeps it any more, and then the reserved folders above it.
func (s *Store) unreserve(ctx context.Context, tx sqldb.Tx, a schema.Address) error {
	for a.HasRow() && a.Reserved {
		kept, err := kept(ctx, tx, a)
		if err != nil || kept {
			return err
		}
		if err := s.writer.DeleteObject(ctx, tx, fileRef(a.Anchor)); err != nil {
			return err
		}
		if err := sqlstore.DeleteTuplesOn(ctx, tx, fileRef(a.Anchor)); err != nil {
			return err
		}
		drop := sqlstore.DeleteFile
		if a.Folder {
			drop = sqlstore.DeleteDir
		}
		if err := drop(ctx, tx, a.Anchor); err != nil {
			return err
		}
		dir, err := sqlstore.DirByID(ctx, tx, a.Parent)
		if err != nil {
			return err
		}
		a = address(sqlstore.Place{Dir: dir}, a.Tenant, sqlstore.Unslashed(dir.Path))
	}
	return nil
}

func kept(ctx context.Context, tx sqldb.Tx, a schema.Address) (bool, error) {
	if n, err := sqlstore.GrantsOn(ctx, tx, fileRef(a.Anchor)); err != nil || n > 0 {
		return n > 0, err
	}
	if !a.Folder {
		return false, nil
	}
	n, err := sqlstore.Inside(ctx, tx, a.Anchor)
	return n > 0, err
}
