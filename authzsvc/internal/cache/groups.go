package cache

import (
	"context"
	"slices"

	"nexus/authzsvc/authz"
	"nexus/schema"
)

// maxGroups bounds the groups of one principal that are held in memory. Who is in more is asked about group by group.
const maxGroups = 4096

// groupsOf names the question which groups a principal is in. No permission has that name.
const groupsOf = "\x00groups"

// member is a subject that stands for a principal: itself, or a subject set it is in.
type member struct {
	authz.Ref
	relation string
}

// groups are the subject sets of Shape.Groups that a principal is in, with the principal's own subjects.
type groups struct {
	all map[member]bool
}

// groups returns what stands for the principal in relationships of tenant t at a's revision; nil when that is too much.
// What it finds holds until the tenant's epoch moves.
func (a *asking) groups(ctx context.Context, t string) (*groups, error) {
	k := newKey(a.who, authz.Ref{Type: "tenant", ID: t}, groupsOf)
	if e := a.cache.entries.find(&k, a.model, a.rev); e != nil {
		return e.groups, nil
	}
	deps := a.cache.tenantDeps(t)
	g, err := a.walkGroups(ctx, t)
	if err != nil {
		return nil, err
	}
	if !a.model.idle && unchanged(deps, a.rev) {
		a.cache.entries.put(&entry{key: k, model: a.model, rev: a.rev, deps: deps, groups: g})
	}
	return g, nil
}

// walkGroups goes from the subjects to the groups they are in, the groups those are in, and so on.
func (a *asking) walkGroups(ctx context.Context, t string) (*groups, error) {
	g := &groups{all: map[member]bool{}}
	var level []member
	for _, s := range a.who.all {
		level = append(level, member{Ref: s})
	}
	for len(level) > 0 {
		var next []member
		for _, m := range level {
			if g.all[m] {
				continue
			}
			g.all[m] = true
			above, err := a.groupsAbove(ctx, t, m)
			if err != nil {
				return nil, err
			}
			next = append(next, above...)
		}
		if len(g.all)+len(next) > maxGroups {
			return nil, nil
		}
		level = next
	}
	return g, nil
}

func (a *asking) groupsAbove(ctx context.Context, t string, m member) ([]member, error) {
	var above []member
	for _, set := range a.model.shape.Groups {
		err := a.cache.readGranted(ctx, a.rev, set, m, everything, func(id string) bool {
			group := authz.Ref{Type: set.Type, ID: id}
			if owner := schema.TenantOf(group); owner == t || owner == "" || t == "" {
				above = append(above, member{group, set.Relation})
			}
			return true
		})
		if err != nil {
			return nil, err
		}
	}
	return above, nil
}

// isGroup reports whether membership in sets of that kind is known from the walk.
func (m *model) isGroup(s Set) bool { return slices.Contains(m.shape.Groups, s) }
