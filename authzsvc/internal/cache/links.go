package cache

import (
	"context"
	"maps"
	"slices"
	"sync"

	"nexus/authzsvc/relations"
)

// links knows which tree objects have a second parent: a relationship over a relation of Shape.Up other than Parent. They
// are few, and a list must know them. The set is read once and then kept up by what the journal says has changed.
type links struct {
	mu    sync.Mutex // guards what follows, and is held while reading
	model *model
	from  uint64 // where in the journal the next look begins
	set   map[string]bool
}

// linked returns the ids of the objects with a second parent, and the head at which they are those. The set is the
// caller's to read and never changes.
func (c *Cache) linked(ctx context.Context, m *model) (set map[string]bool, head int64, err error) {
	l := &c.links
	l.mu.Lock()
	defer l.mu.Unlock()
	from := c.journal.position() // before the head: what comes later is looked at next time
	if head, err = c.head(ctx); err != nil {
		return nil, 0, err
	}
	others := slices.DeleteFunc(slices.Clone(m.shape.Up), func(r string) bool { return r == m.shape.Parent })
	if len(others) == 0 || m.idle {
		return nil, head, nil
	}
	changed, complete := c.journal.since(l.from)
	if l.model != m || !complete {
		set, err = c.scanLinks(ctx, m, head, others)
	} else {
		set, err = c.updateLinks(ctx, m, head, others, l.set, changed)
	}
	if err != nil {
		return nil, 0, err
	}
	l.model, l.set, l.from = m, set, c.journal.firstAfter(l.startOf(m, from), from, head)
	return set, head, nil
}

// startOf returns where a look for changes that are not yet visible must begin.
func (l *links) startOf(m *model, from uint64) uint64 {
	if l.model != m {
		return 0
	}
	return min(l.from, from)
}

// linkRelation is the relation that ReadLinked reads.
const linkRelation = "link"

func (c *Cache) scanLinks(ctx context.Context, m *model, head int64, others []string) (map[string]bool, error) {
	set := map[string]bool{}
	for _, relation := range others {
		if relation == linkRelation && c.quick != nil {
			err := c.quick.ReadLinked(ctx, relations.Revision(head), m.shape.Tree, func(id string) bool {
				set[id] = true
				return true
			})
			if err != nil {
				return nil, err
			}
			continue
		}
		f := relations.Filter{ResourceType: m.shape.Tree, Relation: relation}
		err := c.reader.Read(ctx, relations.Revision(head), f, func(r relations.Relationship) bool {
			set[r.Resource.ID] = true
			return true
		})
		if err != nil {
			return nil, err
		}
	}
	return set, nil
}

func (c *Cache) updateLinks(ctx context.Context, m *model, head int64, others []string, set map[string]bool, changed []record) (map[string]bool, error) {
	ids := make(map[string]bool, len(changed))
	for _, r := range changed {
		if r.node.name.kind == object {
			ids[r.node.name.id] = true
		}
	}
	if len(ids) == 0 {
		return set, nil
	}
	now := map[string]bool{}
	err := c.readMany(ctx, head, m.shape.Tree, slices.Collect(maps.Keys(ids)), others, nil, func(r relations.Relationship) bool {
		now[r.Resource.ID] = true
		return true
	})
	if err != nil {
		return nil, err
	}
	return replaced(set, ids, now), nil
}

// replaced returns set with what it says about ids replaced by now. It copies only when that makes a difference.
func replaced(set, ids, now map[string]bool) map[string]bool {
	same := true
	for id := range ids {
		same = same && set[id] == now[id]
	}
	if same {
		return set
	}
	next := maps.Clone(set)
	for id := range ids {
		delete(next, id)
	}
	maps.Copy(next, now)
	return next
}
