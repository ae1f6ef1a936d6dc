package storage

import (
	"context"
	"errors"
	"slices"
	"time"

	"nexus/authzsvc/relations"
	"nexus/internal/sqldb"
	"nexus/schema"
	"nexus/storage/internal/sqlstore"
)

// Tuple is a relationship as people see it.
type Tuple struct {
	ID string
	relations.Relationship
	Created time.Time // when it got its id
}

// MaxPage is how many relationships one page returns at the most.
const MaxPage = 1000

// named is how many relationships one transaction gives their ids.
const named = 200

// Page says which part of a list of relationships to return: up to Limit of those behind After, or from the start.
type Page struct {
	After relations.Relationship
	Limit int // 1 to MaxPage
}

// Tuples is a part of a list of relationships. More says that there are others behind the last of them.
type Tuples struct {
	Tuples []Tuple
	Last   relations.Relationship // what the next part begins behind
	More   bool
}

// OnFile lists the relationships on the granted file or folder that f selects; what f says about the resource does not count.
func (h *Shares) OnFile(ctx context.Context, g schema.ShareFile, f relations.Filter, p Page) (Tuples, error) {
	file, err := g.Use()
	if err != nil || !file.HasRow() {
		return Tuples{}, err
	}
	f.ResourceType, f.ResourceID, f.ResourcePrefix = "file", file.Anchor, ""
	return h.s.list(ctx, file.Tenant, f, p, all)
}

// OnGroup lists the relationships on the granted group that f selects; what f says about the resource does not count.
func (h *Shares) OnGroup(ctx context.Context, g schema.ManageGroup, f relations.Filter, p Page) (Tuples, error) {
	group, err := g.Use()
	if err != nil {
		return Tuples{}, err
	}
	ref := group.Named().Ref
	f.ResourceType, f.ResourceID, f.ResourcePrefix = ref.Type, ref.ID, ""
	return h.s.list(ctx, schema.TenantOf(ref), f, p, all)
}

// Nestings lists the relationships by which the granted group stands in others that f selects; what f says about the subject
// and the resource's type does not count.
func (h *Shares) Nestings(ctx context.Context, g schema.ManageGroup, f relations.Filter, p Page) (Tuples, error) {
	group, err := g.Use()
	if err != nil {
		return Tuples{}, err
	}
	ref := group.Named().Ref
	f.ResourceType, f.SubjectType, f.SubjectID = "group", ref.Type, ref.ID
	return h.s.list(ctx, schema.TenantOf(ref), f, p, all)
}

// Of lists the relationships of one who has access to the granted tenant, his own, that f selects; what f says about the
// subject does not count.
func (h *Shares) Of(ctx context.Context, g schema.AccessTenant, f relations.Filter, p Page) (Tuples, error) {
	tenant, err := g.Use()
	if err != nil {
		return Tuples{}, err
	}
	me := g.Decision().Principal().Base
	f.SubjectType, f.SubjectID, f.SubjectRelation = me.Type, me.ID, ""
	return h.s.list(ctx, tenant.Named().ID, f, p, all)
}

// In lists the relationships of the granted tenant that f selects.
func (h *Shares) In(ctx context.Context, g schema.AdministerTenant, f relations.Filter, p Page) (Tuples, error) {
	tenant, err := g.Use()
	if err != nil {
		return Tuples{}, err
	}
	if f.ResourceType != "" || f.SubjectType != "" {
		return h.s.list(ctx, tenant.Named().ID, f, p, all)
	}
	return h.everything(ctx, tenant.Named().ID, f, p)
}

// everything lists type by type, because a walk begins at a type or at a subject.
func (h *Shares) everything(ctx context.Context, tenant string, f relations.Filter, p Page) (Tuples, error) {
	definitions, err := h.s.definitions(ctx, tenant)
	if err != nil {
		return Tuples{}, err
	}
	var found Tuples
	for _, definition := range definitions {
		switch from := p.After.Resource.Type; {
		case definition < from:
			continue
		case definition > from:
			p.After = relations.Relationship{}
		}
		f.ResourceType = definition
		more, err := h.s.list(ctx, tenant, f, p, all)
		if err != nil {
			return Tuples{}, err
		}
		if found.Tuples = append(found.Tuples, more.Tuples...); !more.Last.Resource.IsZero() {
			found.Last = more.Last
		}
		if more.More {
			found.More = true
			return found, nil
		}
		p.Limit -= len(more.Tuples) // with none left, the other types are looked into for whether they have any
	}
	return found, nil
}

// definitions returns the names of all types that a tenant's relationships can be of, in order.
func (s *Store) definitions(ctx context.Context, tenant string) ([]string, error) {
	names := schema.Definitions()
	own, err := sqlstore.Kinds(ctx, s.db, tenant)
	for _, k := range own {
		names = append(names, k.Type)
	}
	slices.Sort(names)
	return names, err
}

func all(relations.Relationship) bool { return true }

// list returns the part p of the relationships of a tenant that f and only select.
func (s *Store) list(ctx context.Context, tenant string, f relations.Filter, p Page, only func(relations.Relationship) bool) (Tuples, error) {
	head, err := s.reader.Head(ctx)
	if err != nil {
		return Tuples{}, err
	}
	f.After = p.After
	var found []relations.Relationship
	err = s.reader.Read(ctx, head, ranged(f, tenant), func(r relations.Relationship) bool {
		if schema.TenantOf(r.Resource) == tenant && only(r) {
			found = append(found, r)
		}
		return len(found) <= p.Limit
	})
	part := Tuples{More: len(found) > p.Limit}
	found = found[:min(len(found), p.Limit)]
	if err != nil || len(found) == 0 {
		return part, err
	}
	part.Last = found[len(found)-1]
	for some := range slices.Chunk(found, named) {
		tuples, err := s.identify(ctx, tenant, some)
		if err != nil {
			return Tuples{}, err
		}
		part.Tuples = append(part.Tuples, tuples...)
	}
	return part, nil
}

// ranged returns f so that a walk meets a tenant's resources and no other's: ids begin with their tenant.
func ranged(f relations.Filter, tenant string) relations.Filter {
	switch {
	case f.ResourceType == "" || f.ResourceID != "":
	case f.ResourceType == "tenant":
		f.ResourceID = tenant
	default:
		f.ResourcePrefix = tenant + "/"
	}
	return f
}

// identify gives every relationship its id; one that the store itself wrote gets it when it is first shown. What is gone
// meanwhile is left out, so that nothing but what stands has an id.
func (s *Store) identify(ctx context.Context, tenant string, found []relations.Relationship) ([]Tuple, error) {
	tuples, unknown := make([]Tuple, 0, len(found)), 0
	for _, r := range found {
		t, err := sqlstore.TupleOf(ctx, s.db, r)
		if errors.Is(err, sqldb.ErrNoRows) {
			tuples = append(tuples, Tuple{Relationship: r})
			unknown++
			continue
		}
		if err != nil {
			return nil, err
		}
		tuples = append(tuples, Tuple{ID: t.ID, Relationship: r, Created: micros(t.Created)})
	}
	if unknown == 0 {
		return tuples, nil
	}
	var known []Tuple
	err := s.db.Tx(ctx, func(ctx context.Context, tx sqldb.Tx) error {
		known = known[:0]
		if err := sqlstore.LockTenant(ctx, tx, tenant); err != nil {
			return err
		}
		for _, t := range tuples {
			if t.ID == "" {
				stands, err := s.name(ctx, tx, tenant, &t)
				if err != nil {
					return err
				}
				if !stands {
					continue
				}
			}
			known = append(known, t)
		}
		return nil
	})
	return known, err
}

// name gives t its id, if its relationship stands in tx.
func (s *Store) name(ctx context.Context, tx sqldb.Tx, tenant string, t *Tuple) (stands bool, err error) {
	now, stands, err := s.writer.Find(ctx, tx, t.Relationship)
	if err != nil || !stands {
		return false, err
	}
	row, err := s.tuple(ctx, tx, tenant, now)
	if err != nil {
		return false, err
	}
	t.ID, t.Created = row.ID, micros(row.Created)
	return true, nil
}
