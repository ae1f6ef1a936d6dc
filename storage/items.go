package storage

import (
	"context"
	"time"

	"nexus/authzsvc/relations"
	"nexus/internal/errs"
	"nexus/schema"
)

// Terms say how long, and under which condition, a relationship holds.
type Terms struct {
	Expires time.Time // zero: never
	Caveat  string    // in the engine; empty: always
	Context string    // what is known of its parameters, a JSON object; empty: nothing
}

func (t Terms) of(r relations.Relationship) relations.Relationship {
	r.Expires, r.Caveat, r.Context = t.Expires, t.Caveat, t.Context
	return r
}

// RelateItem relates subject to the granted object of a type that its tenant defined, and returns the relationship's id.
func (h *Shares) RelateItem(ctx context.Context, on schema.ShareItem, relation string, subject Subject, terms Terms) (string, error) {
	item, err := on.Use()
	if err != nil {
		return "", err
	}
	return h.relate(ctx, on.Decision(), terms.of(relationship(item.Named().Ref, relation, subject, time.Time{})), nil)
}

// RelateItemIn relates subject to an object of a type that the granted tenant defined.
func (h *Shares) RelateItemIn(ctx context.Context, in schema.AdministerTenant, on schema.Item, relation string, subject Subject, terms Terms) (string, error) {
	tenant, err := in.Use()
	if err != nil {
		return "", err
	}
	object := on.Named().Ref
	if schema.TenantOf(object) != tenant.Named().ID {
		return "", errs.Bug("%s is not of the granted tenant", object)
	}
	return h.relate(ctx, in.Decision(), terms.of(relationship(object, relation, subject, time.Time{})), nil)
}

// EndItem ends the relationship known by id on the granted object; false when there is none.
func (h *Shares) EndItem(ctx context.Context, on schema.ShareItem, id string) (bool, error) {
	item, err := on.Use()
	if err != nil {
		return false, err
	}
	return h.end(ctx, on.Decision(), id, func(r relations.Relationship) bool { return r.Resource == item.Named().Ref }, nil)
}

// EndItemIn ends the relationship known by id on an object of a type that the granted tenant defined; false when there is none.
func (h *Shares) EndItemIn(ctx context.Context, in schema.AdministerTenant, id string) (bool, error) {
	tenant, err := in.Use()
	if err != nil {
		return false, err
	}
	return h.end(ctx, in.Decision(), id, func(r relations.Relationship) bool {
		return schema.IsOwn(r.Resource.Type) && schema.TenantOf(r.Resource) == tenant.Named().ID
	}, nil)
}

// OnItem lists the relationships on the granted object that f selects; what f says about the resource does not count.
func (h *Shares) OnItem(ctx context.Context, on schema.ShareItem, f relations.Filter, p Page) (Tuples, error) {
	item, err := on.Use()
	if err != nil {
		return Tuples{}, err
	}
	ref := item.Named().Ref
	f.ResourceType, f.ResourceID, f.ResourcePrefix = ref.Type, ref.ID, ""
	return h.s.list(ctx, schema.TenantOf(ref), f, p, all)
}
