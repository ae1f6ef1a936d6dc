package cache

import (
	"context"
	"maps"
	"slices"

	"nexus/authzsvc/authz"
)

// Granted returns the ids of the objects of kind in tenant that are granted directly to any of subjects with a relationship
// that permission may follow from, at one revision, in no order: whoever has permission on an object has one of these at it
// or above it. So who looks for what the principal may see need look nowhere else; what stands there still has to be sifted.
// known is false when they are more than most, or when not everything can be found from the side of the principal: for a
// permission that is no union, and in a tenant where objects of the tree are linked.
func (c *Cache) Granted(ctx context.Context, subjects []authz.Ref, kind, permission, tenant string, most int) (ids []string, known bool, err error) {
	m := c.model.Load()
	linked, head, err := c.linked(ctx, m)
	if err != nil || kind != m.shape.Tree || tenant == "" {
		return nil, false, err
	}
	for id := range linked {
		if in(tenant, id) {
			return nil, false, nil
		}
	}
	leaves, ok := m.below(Set{kind, permission})
	if !ok {
		return nil, false, nil
	}
	s := newSifting(c.asking(m, head, whoever(subjects)), tenant)
	return s.grantedIn(ctx, leaves, most)
}

// in reports whether id belongs to tenant.
func in(tenant, id string) bool {
	return len(id) > len(tenant) && id[len(tenant)] == '/' && id[:len(tenant)] == tenant
}

// below returns the stored relations of the tree from which p may follow on an object that has them, or that stands below
// one; false when p may follow from anything else.
func (m *model) below(p Set) (own []Leaf, ok bool) {
	open, seen := []Set{p}, map[Set]bool{}
	for len(open) > 0 {
		next := open[len(open)-1]
		open = open[:len(open)-1]
		if seen[next] {
			continue
		}
		seen[next] = true
		leaves := m.leaves(next)
		if leaves == nil {
			return nil, false
		}
		for _, leaf := range leaves {
			_, up := m.up[leaf.Relation]
			switch {
			case leaf.Through == "" && slices.ContainsFunc(own, func(l Leaf) bool { return l.Relation == leaf.Relation }):
			case leaf.Through == "":
				own = append(own, leaf)
			case !up:
				return nil, false
			default:
				open = append(open, Set{p.Type, leaf.Through})
			}
		}
	}
	return own, true
}

// grantedIn reads what leaves grant to the principal in its tenant.
func (s *sifting) grantedIn(ctx context.Context, leaves []Leaf, most int) (ids []string, known bool, err error) {
	if err := s.walk(ctx); err != nil {
		return nil, false, err
	}
	within := span{s.tenant + "/", s.tenant + "0"} // '0' follows '/'
	found := map[string]bool{}
	for _, leaf := range leaves {
		holders, known, err := s.holders(ctx, leaf)
		if err != nil || !known {
			return nil, false, err
		}
		for _, h := range holders {
			err := s.cache.readGranted(ctx, s.rev, Set{s.model.shape.Tree, leaf.Relation}, h, within, func(id string) bool {
				found[id] = true
				return len(found) <= most
			})
			if err != nil || len(found) > most {
				return nil, false, err
			}
		}
	}
	return slices.Collect(maps.Keys(found)), true, nil
}
