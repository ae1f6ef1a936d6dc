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

// UnshareFile ends the relationship known by id on the granted file or folder; false when there is none. The right is gone
// when it returns. A row that only kept grants goes with the last of them.
func (h *Shares) UnshareFile(ctx context.Context, on schema.ShareFile, id string) (bool, error) {
	file, err := on.Use()
	if err != nil {
		return false, err
	}
	return h.end(ctx, on.Decision(), file.Named().Ref, id, func(ctx context.Context, tx sqldb.Tx) error {
		if _, err := same(ctx, tx, file.Address); err != nil {
			return err // such as: what was reserved has become a file
		}
		return h.unreserve(ctx, tx, file.Address)
	})
}

// Expel ends the relationship known by id on the granted group.
func (h *Shares) Expel(ctx context.Context, in schema.ManageGroup, id string) (bool, error) {
	group, err := in.Use()
	if err != nil {
		return false, err
	}
	return h.end(ctx, in.Decision(), group.Named().Ref, id, nil)
}

// Dismiss ends the relationship known by id on the granted tenant itself.
func (h *Shares) Dismiss(ctx context.Context, in schema.AdministerTenant, id string) (bool, error) {
	tenant, err := in.Use()
	if err != nil {
		return false, err
	}
	return h.end(ctx, in.Decision(), tenant.Named().Ref, id, nil)
}

func (h *Shares) end(ctx context.Context, d *authz.Decision, on authz.Ref, id string, after func(context.Context, sqldb.Tx) error) (ended bool, err error) {
	err = h.s.act(ctx, d, func(ctx context.Context, tx sqldb.Tx, _ int64) (bool, error) {
		ended = false
		t, err := sqlstore.TupleByID(ctx, tx, id)
		if errors.Is(err, sqldb.ErrNoRows) || err == nil && t.Resource != on {
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

// unreserve deletes the reserved row at a when nothing keeps it any more, and then the reserved folders above it.
func (h *Shares) unreserve(ctx context.Context, tx sqldb.Tx, a schema.Address) error {
	for a.HasRow() && a.Reserved {
		kept, err := h.kept(ctx, tx, a)
		if err != nil || kept {
			return err
		}
		if err := h.s.writer.DeleteObject(ctx, tx, fileRef(a.Anchor)); err != nil {
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

func (h *Shares) kept(ctx context.Context, tx sqldb.Tx, a schema.Address) (bool, error) {
	if n, err := sqlstore.GrantsOn(ctx, tx, fileRef(a.Anchor)); err != nil || n > 0 {
		return n > 0, err
	}
	if !a.Folder {
		return false, nil
	}
	n, err := sqlstore.Inside(ctx, tx, a.Anchor)
	return n > 0, err
}

// Tuple is a relationship as people see it.
type Tuple struct {
	ID string
	relations.Relationship
	Created time.Time // when it got its id
}

// MaxTuples is how many relationships one list returns at the most.
const MaxTuples = 10_000

// OnFile lists the relationships on the granted file or folder.
func (h *Shares) OnFile(ctx context.Context, g schema.ShareFile) ([]Tuple, error) {
	file, err := g.Use()
	if err != nil {
		return nil, err
	}
	if !file.HasRow() {
		return nil, nil
	}
	return h.list(ctx, file.Tenant, relations.Filter{ResourceType: "file", ResourceID: file.Anchor})
}

// OnGroup lists the relationships on the granted group.
func (h *Shares) OnGroup(ctx context.Context, g schema.ManageGroup) ([]Tuple, error) {
	group, err := g.Use()
	if err != nil {
		return nil, err
	}
	ref := group.Named().Ref
	return h.list(ctx, schema.TenantOf(ref), relations.Filter{ResourceType: ref.Type, ResourceID: ref.ID})
}

// Of lists the relationships of one who has access to the granted tenant: his own.
func (h *Shares) Of(ctx context.Context, g schema.AccessTenant) ([]Tuple, error) {
	tenant, err := g.Use()
	if err != nil {
		return nil, err
	}
	me := g.Decision().Principal().Base
	return h.list(ctx, tenant.Named().ID, relations.Filter{SubjectType: me.Type, SubjectID: me.ID})
}

// In lists the relationships of the granted tenant that f selects. f must name a resource type or a subject type.
func (h *Shares) In(ctx context.Context, g schema.AdministerTenant, f relations.Filter) ([]Tuple, error) {
	tenant, err := g.Use()
	if err != nil {
		return nil, err
	}
	return h.list(ctx, tenant.Named().ID, f)
}

func (h *Shares) list(ctx context.Context, tenant string, f relations.Filter) ([]Tuple, error) {
	head, err := h.s.reader.Head(ctx)
	if err != nil {
		return nil, err
	}
	var found []relations.Relationship
	err = h.s.reader.Read(ctx, head, f, func(r relations.Relationship) bool {
		if schema.TenantOf(r.Resource) == tenant {
			found = append(found, r)
		}
		return len(found) <= MaxTuples
	})
	if err != nil {
		return nil, err
	}
	if len(found) > MaxTuples {
		return nil, errs.New(errs.Exhausted, "more than %d relationships: name an object or a subject", MaxTuples).Marked(errs.NotValid)
	}
	return h.identify(ctx, tenant, found)
}

// identify gives every relationship its id; one that the store itself wrote gets it when it is first shown.
func (h *Shares) identify(ctx context.Context, tenant string, found []relations.Relationship) ([]Tuple, error) {
	tuples, unknown := make([]Tuple, len(found)), 0
	for i, r := range found {
		t, err := sqlstore.TupleOf(ctx, h.s.db, r)
		switch {
		case err == nil:
			tuples[i] = Tuple{ID: t.ID, Relationship: r, Created: micros(t.Created)}
		case errors.Is(err, sqldb.ErrNoRows):
			tuples[i] = Tuple{Relationship: r}
			unknown++
		default:
			return nil, err
		}
	}
	if unknown == 0 {
		return tuples, nil
	}
	return tuples, h.s.db.Tx(ctx, func(ctx context.Context, tx sqldb.Tx) error {
		for i := range tuples {
			if tuples[i].ID != "" {
				continue
			}
			t, err := h.s.tuple(ctx, tx, tenant, tuples[i].Relationship)
			if err != nil {
				return err
			}
			tuples[i].ID, tuples[i].Created = t.ID, micros(t.Created)
		}
		return nil
	})
}
