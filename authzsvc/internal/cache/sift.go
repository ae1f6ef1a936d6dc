package cache

import (
	"context"
	"slices"
	"strconv"

	"nexus/authzsvc/authz"
	"nexus/schema"
)

const (
	fewObjects = 16  // objects up to which asking one by one, mostly from memory, beats reading relationships
	atOnce     = 500 // checks in one question to the engine
	maxSteps   = 256 // steps up a tree; the limits of the Writer are far below
)

// Sift reports for each member whether any of subjects has permission on it, all at one revision. A permission that is a
// union is taken apart once: what a member's folder has passes for the member, and of the others only those pass that have
// a relationship of their own to the subjects or to what these are in. So it reads a page in a few queries, and the
// engine is asked about folders and subject sets, not about members. Every other permission is asked about in bulk.
//
// It takes a member's word for what it stands in, but for members that changed after the revision since, the oldest at which
// any of them was read: those may have moved.
func (c *Cache) Sift(ctx context.Context, subjects []authz.Ref, permission, since string, members []authz.Member) ([]bool, error) {
	pass := make([]bool, len(members))
	if len(members) == 0 {
		return pass, nil
	}
	m := c.model.Load()
	linked, head, err := c.linked(ctx, m)
	if err != nil {
		return nil, err
	}
	who, read := whoever(subjects), c.readAt(since)
	for _, part := range split(members) {
		s := newSifting(c.asking(m, head, who), part.tenant)
		rows, err := s.rows(ctx, members, part.places, word{linked, read})
		if err != nil {
			return nil, err
		}
		got, err := s.decide(ctx, Set{part.kind, permission}, rows)
		if err != nil {
			return nil, err
		}
		for i, place := range part.places {
			pass[place] = got[i]
		}
	}
	return pass, nil
}

// readAt returns the revision that since names. Of members read at no known revision nothing is believed.
func (c *Cache) readAt(since string) int64 {
	if rev, err := strconv.ParseInt(since, 10, 64); err == nil {
		return rev
	}
	return -1
}

// word is what decides whether a member's word for what it stands in is taken.
type word struct {
	linked map[string]bool // members with a second parent
	read   int64           // no member was read at an older revision
}

// taken reports whether m stands where it says, and nowhere else.
func (w word) taken(c *Cache, tree string, m authz.Member) bool {
	return m.In.Type == tree && !w.linked[m.Object.ID] && (c.anything.touched.Load() <= w.read || c.nodes.stamp(m.Object) <= w.read)
}

// part is what members have in common: definition and tenant. Mostly there is one.
type part struct {
	kind, tenant string
	places       []int
}

func split(members []authz.Member) []*part {
	var parts []*part
	var last *part
	for i, m := range members {
		t := schema.TenantOf(m.Object)
		if last == nil || last.kind != m.Object.Type || last.tenant != t {
			at := slices.IndexFunc(parts, func(p *part) bool { return p.kind == m.Object.Type && p.tenant == t })
			if at < 0 {
				parts = append(parts, &part{kind: m.Object.Type, tenant: t})
				at = len(parts) - 1
			}
			last = parts[at]
		}
		last.places = append(last.places, i)
	}
	return parts
}

// row is an object whose permission is sought, with the steps that lead from it up the tree.
type row struct {
	ref authz.Ref
	up  []step
}

type step struct {
	over string
	to   authz.Ref
}

// sifting is one Sift within one tenant.
type sifting struct {
	*asking
	tenant string
	grp    *groups
	walked bool
	known  map[Set]map[authz.Ref]bool
	depth  int
}

func newSifting(a *asking, tenant string) *sifting {
	return &sifting{asking: a, tenant: tenant, known: map[Set]map[authz.Ref]bool{}}
}

// rows returns the members at places as rows. Where it is certain that nothing has moved, the member's word is taken.
func (s *sifting) rows(ctx context.Context, members []authz.Member, places []int, w word) ([]row, error) {
	rows := make([]row, len(places))
	words := make([]step, len(places)) // one allocation for nearly all steps
	tree := s.model.shape.Tree
	var unsure []int
	for i, place := range places {
		m := members[place]
		rows[i].ref = m.Object
		switch {
		case m.Object.Type != tree:
		case !w.taken(s.cache, tree, m):
			unsure = append(unsure, i)
		default:
			words[i] = step{s.model.shape.Parent, m.In}
			rows[i].up = words[i : i+1 : i+1]
		}
	}
	return rows, s.look(ctx, rows, unsure)
}

// look finds the steps up from the rows at places.
func (s *sifting) look(ctx context.Context, rows []row, places []int) error {
	if len(places) == 0 || s.model.idle {
		return nil
	}
	level := make([]*node, len(places))
	for i, place := range places {
		level[i] = s.cache.nodes.get(name{object, rows[place].ref.ID})
	}
	found, err := s.cache.edges(ctx, s.model, s.rev, level)
	if err != nil {
		return err
	}
	for i, place := range places {
		for _, e := range found[level[i]] {
			to := authz.Ref{Type: s.model.shape.Tree, ID: e.to.name.id}
			rows[place].up = append(rows[place].up, step{s.model.shape.Up[e.over], to})
		}
	}
	return nil
}

// decide reports for each row whether the principal has the permission that p names.
func (s *sifting) decide(ctx context.Context, p Set, rows []row) ([]bool, error) {
	leaves := s.model.leaves(p)
	if leaves == nil || s.depth > maxSteps || len(rows) <= fewObjects {
		return s.askRows(ctx, p, rows)
	}
	pass, err := s.inherited(ctx, leaves, rows)
	if err != nil {
		return nil, err
	}
	return pass, s.direct(ctx, p.Type, leaves, rows, pass)
}

// inherited reports which rows have the permission from what they stand in: for each leaf that leads up the tree, what
// the leaf asks is decided once for each object that it leads to.
func (s *sifting) inherited(ctx context.Context, leaves []Leaf, rows []row) ([]bool, error) {
	pass := make([]bool, len(rows))
	for _, leaf := range leaves {
		if !s.leadsUp(leaf) {
			continue
		}
		targets := map[authz.Ref]bool{}
		var last authz.Ref // most rows stand where the one before them does
		for i, r := range rows {
			for _, up := range r.up {
				if !pass[i] && up.over == leaf.Relation && up.to != last {
					targets[up.to], last = false, up.to
				}
			}
		}
		if err := s.hold(ctx, Set{s.model.shape.Tree, leaf.Through}, targets); err != nil {
			return nil, err
		}
		last, holds := authz.Ref{}, false
		for i, r := range rows {
			for _, up := range r.up {
				if up.over != leaf.Relation {
					continue
				}
				if up.to != last {
					last, holds = up.to, targets[up.to]
				}
				pass[i] = pass[i] || holds
			}
		}
	}
	return pass, nil
}

// leadsUp reports whether leaf asks a permission of what the object stands in.
func (s *sifting) leadsUp(leaf Leaf) bool {
	_, up := s.model.up[leaf.Relation]
	return up && leaf.Through != ""
}

// hold sets each of objects to whether the principal has p on it.
func (s *sifting) hold(ctx context.Context, p Set, objects map[authz.Ref]bool) error {
	memo := s.known[p]
	if memo == nil {
		memo = map[authz.Ref]bool{}
		s.known[p] = memo
	}
	var rows []row
	for o := range objects {
		if _, ok := memo[o]; !ok {
			rows = append(rows, row{ref: o})
		}
	}
	got, err := s.climbed(ctx, p, rows)
	if err != nil {
		return err
	}
	for i, r := range rows {
		memo[r.ref] = got[i]
	}
	for o := range objects {
		objects[o] = memo[o]
	}
	return nil
}

// climbed decides rows of which only the object is known: a few by asking, many by taking the permission apart once more.
func (s *sifting) climbed(ctx context.Context, p Set, rows []row) ([]bool, error) {
	if len(rows) == 0 {
		return nil, nil
	}
	if !s.model.sound(p) {
		return make([]bool, len(rows)), nil // what a sound permission leads to is sound, so this one is not defined
	}
	if p.Type != s.model.shape.Tree {
		return s.askRows(ctx, p, rows)
	}
	all := make([]int, len(rows))
	for i := range all {
		all[i] = i
	}
	if err := s.look(ctx, rows, all); err != nil {
		return nil, err
	}
	s.depth++
	defer func() { s.depth-- }()
	return s.decide(ctx, p, rows)
}

// askRows asks about each row, from memory or in bulk.
func (s *sifting) askRows(ctx context.Context, p Set, rows []row) ([]bool, error) {
	pass := make([]bool, 0, len(rows))
	checks := make([]authz.Check, 0, min(len(rows), atOnce))
	for chunk := range slices.Chunk(rows, atOnce) {
		checks = checks[:0]
		for _, r := range chunk {
			checks = append(checks, authz.Check{Type: r.ref.Type, ID: r.ref.ID, Permission: p.Relation})
		}
		answers, err := s.answer(ctx, checks)
		if err != nil {
			return nil, err
		}
		for _, a := range answers {
			pass = append(pass, a.Allowed)
		}
	}
	return pass, nil
}
