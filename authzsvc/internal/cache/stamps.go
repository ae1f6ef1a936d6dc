package cache

import (
	"nexus/authzsvc/authz"
	"nexus/authzsvc/relations"
	"nexus/schema"
)

// Touched raises the stamps of resources, whose relationships change as of rev. Call it before the change is committed, and
// for relationships that expire before the head passes their expiry. A change that is then rolled back costs a few misses.
func (c *Cache) Touched(rev relations.Revision, resources []authz.Ref) {
	s := stamper{cache: c, rev: int64(rev), shape: &c.model.Load().shape, done: map[name]bool{}}
	c.anything.raise(s.rev)
	for _, r := range resources {
		s.touch(r)
	}
	c.journal.add(s.records)
}

// stamper raises the stamps for one call of Touched.
type stamper struct {
	cache   *Cache
	rev     int64
	shape   *Shape
	done    map[name]bool // tenants
	records []record
}

func (s *stamper) touch(r authz.Ref) {
	t := schema.TenantOf(r)
	s.raise(name{tenant, t})
	if r.Type == s.shape.Tree {
		s.object(name{object, r.ID})
		return
	}
	s.cache.everybody.raise(s.rev)
	s.raise(name{others, t})
}

// raise stamps a tenant's node, once a call.
func (s *stamper) raise(k name) {
	if s.done[k] {
		return
	}
	s.done[k] = true
	if k.id != "" {
		s.object(k)
		return
	}
	if k.kind == others {
		s.cache.platform.raise(s.rev)
		return
	}
	s.cache.platformAny.raise(s.rev)
}

func (s *stamper) object(k name) {
	n := s.cache.nodes.get(k)
	n.raise(s.rev)
	s.records = append(s.records, record{n, s.rev})
}

// tenantDeps returns what every answer about tenant t depends on beside the tree. What belongs to no tenant may be
// referred to by all and so depends on all.
func (c *Cache) tenantDeps(t string) []*node {
	if t == "" {
		return []*node{c.everybody}
	}
	return []*node{c.nodes.get(name{others, t}), c.platform}
}

// anyDeps returns what an answer depends on of which nothing was proven: everything in its tenant.
func (c *Cache) anyDeps(t string) []*node {
	if t == "" {
		return []*node{c.anything}
	}
	return []*node{c.nodes.get(name{tenant, t}), c.platformAny}
}

// stamps are what the answers of one question depend on.
type stamps struct {
	cache   *Cache
	model   *model
	schemas uint64 // schemas written, where an answer was about a definition of which nothing was proven
	loose   bool   // whether there was one
	rev     int64
	deps    [][]*node
	few     [4][]*node // where deps begin, so that most questions allocate none
}

func (s *stamps) add(deps []*node) { s.deps = append(s.deps, deps) }

// Hold reports whether nothing the answers depended on has changed since. It reads atomic integers and takes no lock.
func (s *stamps) Hold() bool {
	if s.cache.model.Load() != s.model || s.loose && s.cache.schemas.Load() != s.schemas {
		return false
	}
	for _, deps := range s.deps {
		if !unchanged(deps, s.rev) {
			return false
		}
	}
	return true
}

// Defined raises the stamp of what depends on a tenant's own definitions, which change as of rev. Call it as Touched is
// called. Answers about the product's definitions depend on none of a tenant's, so they all stay.
func (c *Cache) Defined(rev relations.Revision, of string) {
	s := stamper{cache: c, rev: int64(rev), done: map[name]bool{}}
	c.anything.raise(s.rev)
	s.raise(name{tenant, of})
	c.journal.add(s.records)
}
