package cache

import (
	"nexus/authzsvc/authz"
	"nexus/internal/errs"
	"nexus/schema"
)

// model is a shape in force, or the wait for one. Entries name the model they were made under; there never are two alike.
type model struct {
	shape Shape
	up    map[string]uint8 // index in shape.Up
	idle  bool
	after *model // for an idle one: what comes back if the product's part turns out to be unchanged
}

func newModel(s Shape) *model {
	m := &model{shape: s, up: make(map[string]uint8, len(s.Up))}
	for i, relation := range s.Up {
		m.up[relation] = uint8(i)
	}
	return m
}

func (m *model) sound(s Set) bool { return !m.idle && m.shape.Sound[s] }

// leaves returns the leaves of a union, or nil when s is not known to be one.
func (m *model) leaves(s Set) []Leaf {
	if m.idle {
		return nil
	}
	return m.shape.Unions[s]
}

// next returns the model in force after m, once digest is known to be that of the product's schema, or "" while it is not.
func (m *model) next(digest string) *model {
	switch {
	case digest == "" && !m.idle:
		return &model{shape: m.shape, up: m.up, idle: true, after: m}
	case digest == "":
		return m
	case digest != m.shape.Digest && m.idle && m.after == nil:
		return m
	case digest != m.shape.Digest:
		return &model{shape: m.shape, up: m.up, idle: true}
	case !m.idle:
		return m
	case m.after != nil:
		return m.after
	}
	return newModel(m.shape)
}

// SchemaChanged tells what became of a write of the schema. Call it with "" from within the write, and with the digest of
// the product's part once the write is published, or has failed, and before it is acknowledged. In between every question
// goes to the engine and no decision holds. When the digest is the same again, nothing in memory is lost: tenants may
// change their definitions. With another one the cache stands aside until Adopt brings its shape.
func (c *Cache) SchemaChanged(digest string) {
	c.schemas.Add(1)
	for {
		now := c.model.Load()
		if c.model.CompareAndSwap(now, now.next(digest)) {
			return
		}
	}
}

// Adopt puts the shape of a new product schema in force. Call it in place of SchemaChanged, once that schema is published.
// Which definition forms trees cannot change while the cache is in use.
func (c *Cache) Adopt(s Shape) error {
	if err := s.check(); err != nil {
		return err
	}
	if tree := c.model.Load().shape.Tree; s.Tree != tree {
		return errs.New(errs.Precondition, "the tree is made of %q and cannot become one of %q while the server runs", tree, s.Tree)
	}
	c.schemas.Add(1)
	c.model.Store(newModel(s))
	return nil
}

func tenantOf(c authz.Check) string { return schema.TenantOf(c.Object()) }
