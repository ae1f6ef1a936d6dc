package cache

import (
	"context"

	"nexus/authzsvc/authz"
	"nexus/authzsvc/relations"
	"nexus/schema"
)

// edge is one step up the tree: over a relation of Shape.Up, by its index, to an object.
type edge struct {
	over uint8
	to   *node
}

// above is what an object referred to in the tree at rev. It still does while the object's stamp is not later.
type above struct {
	model *model
	rev   int64
	edges []edge
}

// lineage is an object with all it reached in the tree at rev, and what else answers about it depend on.
type lineage struct {
	model *model
	rev   int64
	deps  []*node
}

// maxLineage bounds what one answer may depend on. What reaches more is not kept.
const maxLineage = 1024

// climb returns the edges at head of each of from and of all they reach. It reads level by level what no memo knows.
func (c *Cache) climb(ctx context.Context, m *model, head int64, from []*node) (map[*node][]edge, error) {
	known := make(map[*node][]edge, 2*len(from))
	for level := from; len(level) > 0; {
		read, err := c.edges(ctx, m, head, level)
		if err != nil {
			return nil, err
		}
		var next []*node
		for _, n := range level {
			if _, ok := known[n]; ok {
				continue
			}
			known[n] = read[n]
			for _, e := range read[n] {
				if _, ok := known[e.to]; !ok {
					next = append(next, e.to)
				}
			}
		}
		level = next
	}
	return known, nil
}

// edges returns what each of level refers to in the tree at head: from memory where that is still true, else by one read.
func (c *Cache) edges(ctx context.Context, m *model, head int64, level []*node) (map[*node][]edge, error) {
	found := make(map[*node][]edge, len(level))
	var ids []string
	var unknown []*node
	for _, n := range level {
		if _, ok := found[n]; ok {
			continue
		}
		found[n] = nil
		if a := n.above.Load(); a.holds(n, m, head) {
			found[n] = a.edges
			continue
		}
		unknown = append(unknown, n)
		ids = append(ids, n.name.id)
	}
	if len(ids) == 0 {
		return found, nil
	}
	err := c.readMany(ctx, head, m.shape.Tree, ids, m.shape.Up, nil, func(r relations.Relationship) bool {
		if r.Subject.Type != m.shape.Tree {
			return true
		}
		n := c.nodes.get(name{object, r.Resource.ID})
		found[n] = append(found[n], edge{m.up[r.Relation], c.nodes.get(name{object, r.Subject.ID})})
		return true
	})
	if err != nil {
		return nil, err
	}
	for _, n := range unknown {
		n.above.Store(&above{model: m, rev: head, edges: found[n]})
	}
	return found, nil
}

func (a *above) holds(n *node, m *model, head int64) bool {
	return a != nil && a.model == m && n.touched.Load() <= min(a.rev, head)
}

// lineages returns for each of objects what answers about it at head depend on; nil for one that depends on too much.
func (c *Cache) lineages(ctx context.Context, m *model, head int64, objects []authz.Ref) ([][]*node, error) {
	deps := make([][]*node, len(objects))
	starts := make([]*node, len(objects))
	var climbers []*node
	for i, o := range objects {
		if o.Type != m.shape.Tree {
			deps[i] = c.tenantDeps(schema.TenantOf(o))
			continue
		}
		n := c.nodes.get(name{object, o.ID})
		if l := n.lineage.Load(); l != nil && l.model == m && unchanged(l.deps, min(l.rev, head)) {
			deps[i] = l.deps
			continue
		}
		starts[i] = n
		climbers = append(climbers, n)
	}
	if len(climbers) == 0 {
		return deps, nil
	}
	known, err := c.climb(ctx, m, head, climbers)
	if err != nil {
		return nil, err
	}
	for i, n := range starts {
		if n == nil {
			continue
		}
		if all := closure(known, n); all != nil {
			deps[i] = append(all, c.tenantDeps(schema.TenantOf(objects[i]))...)
			n.lineage.Store(&lineage{model: m, rev: head, deps: deps[i]})
		}
	}
	return deps, nil
}

// closure returns n and all it reaches over known, or nil when that is too much.
func closure(known map[*node][]edge, n *node) []*node {
	all := make([]*node, 1, 12)
	all[0] = n
	var seen map[*node]bool
	for i := 0; i < len(all); i++ {
		for _, e := range known[all[i]] {
			if seen == nil {
				seen = map[*node]bool{n: true}
			}
			if seen[e.to] {
				continue
			}
			seen[e.to] = true
			all = append(all, e.to)
		}
		if len(all) > maxLineage {
			return nil
		}
	}
	return all
}
