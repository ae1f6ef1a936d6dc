package cache

import (
	"context"
	"slices"

	"nexus/authzsvc/authz"
	"nexus/authzsvc/relations"
)

// quickReader is offered by readers that answer in one query what would otherwise take many, or a sort.
type quickReader interface {
	// ReadMany calls yield for each relationship as of at whose resource is one of ids of resourceType, whose relation is one
	// of names and whose subject has one of the ids subjects (none: any), in any order, until yield returns false.
	ReadMany(ctx context.Context, at relations.Revision, resourceType string, ids, names, subjects []string, yield func(relations.Relationship) bool) error
	// ReadGranted returns the ids of up to most resources of resourceType, from first to last, that have relation name to
	// exactly the given subject as of at, in order. When they are fewer there are no more. subjectRelation is empty for the
	// subject itself.
	ReadGranted(ctx context.Context, at relations.Revision, resourceType, name string, subject authz.Ref, subjectRelation string,
		first, last string, most int) ([]string, error)
	// ReadLinked calls yield with the id of each resource of resourceType that has the relation link to anything as of at,
	// until yield returns false. It may come several times.
	ReadLinked(ctx context.Context, at relations.Revision, resourceType string, yield func(id string) bool) error
}

// readMany reads the relations names of many resources, to subjects of these ids or to any.
func (c *Cache) readMany(ctx context.Context, at int64, resourceType string, ids, names, subjects []string, yield func(relations.Relationship) bool) error {
	if len(ids) == 0 || len(names) == 0 {
		return nil
	}
	if c.quick != nil {
		return c.quick.ReadMany(ctx, relations.Revision(at), resourceType, ids, names, subjects, yield)
	}
	for _, id := range ids {
		f := relations.Filter{ResourceType: resourceType, ResourceID: id}
		if len(names) == 1 {
			f.Relation = names[0]
		}
		more := true
		err := c.reader.Read(ctx, relations.Revision(at), f, func(r relations.Relationship) bool {
			if slices.Contains(names, r.Relation) && (len(subjects) == 0 || slices.Contains(subjects, r.Subject.ID)) {
				more = yield(r)
			}
			return more
		})
		if err != nil || !more {
			return err
		}
	}
	return nil
}

// span is a range of ids, both ends included.
type span struct{ first, last string }

// everything is the span of all ids: no byte of one comes after "~".
var everything = span{"", "~"}

// grantPage bounds what one query for grants returns: no connection is held for longer than that takes.
const grantPage = 1000

// readGranted reads which resources within ids have the relation that of names to m.
func (c *Cache) readGranted(ctx context.Context, at int64, of Set, m member, ids span, yield func(id string) bool) error {
	for {
		page, err := c.grantedPage(ctx, at, of, m, ids, grantPage)
		if err != nil {
			return err
		}
		for _, id := range page {
			if !yield(id) {
				return nil
			}
		}
		if len(page) < grantPage {
			return nil
		}
		ids.first = behind(page)
	}
}

// behind returns the first text there is after the last of page.
func behind(page []string) string { return page[len(page)-1] + "\x00" }

// grantedPage returns the first of the resources within ids that have the relation that of names to m, in order; fewer than
// most when there are no more.
func (c *Cache) grantedPage(ctx context.Context, at int64, of Set, m member, ids span, most int) (page []string, err error) {
	if c.quick != nil {
		return c.quick.ReadGranted(ctx, relations.Revision(at), of.Type, of.Relation, m.Ref, m.relation, ids.first, ids.last, most)
	}
	f := relations.Filter{
		ResourceType: of.Type, Relation: of.Relation,
		SubjectType: m.Type, SubjectID: m.ID, SubjectRelation: m.relation,
	}
	err = c.reader.Read(ctx, relations.Revision(at), f, func(r relations.Relationship) bool {
		if id := r.Resource.ID; r.SubjectRelation == m.relation && ids.first <= id && id <= ids.last {
			page = append(page, id)
		}
		return true
	})
	slices.Sort(page)
	return page[:min(most, len(page))], err
}
