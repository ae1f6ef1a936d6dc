package authzsvc

import (
	"context"
	"slices"
	"strconv"

	"nexus/authzsvc/authz"
	"nexus/authzsvc/relations"
	"nexus/internal/errs"
)

// tree tells where objects stand from the relationships that storage keeps equal to the paths. Every level above a question
// is one read, mostly from memory; who asks for many objects at once pays for each folder once.
type tree struct{ reader relations.Reader }

var _ authz.Tree = tree{}

// manyReader is offered by readers that read the relationships of many resources at once.
type manyReader interface {
	ReadMany(ctx context.Context, at relations.Revision, resourceType string, ids, names, subjects []string, yield func(relations.Relationship) bool) error
}

// Where the tree stands in the schema.
const (
	treeType = "file"
	treeEdge = "parent"
)

// maxHeight bounds the steps up a tree: more than the Writer lets be, so that what does not end is outside.
const maxHeight = 256

// Below implements authz.Tree.
func (t tree) Below(ctx context.Context, revision string, roots, objects []authz.Ref) ([]bool, error) {
	at, err := t.at(ctx, revision)
	if err != nil {
		return nil, err
	}
	up, err := t.climb(ctx, at, roots, objects)
	if err != nil {
		return nil, err
	}
	below := make([]bool, len(objects))
	for i, o := range objects {
		for range maxHeight {
			if below[i] = slices.Contains(roots, o); below[i] || o.Type != treeType || up[o.ID] == "" {
				break
			}
			o.ID = up[o.ID]
		}
	}
	return below, nil
}

func (t tree) at(ctx context.Context, revision string) (relations.Revision, error) {
	if revision == "" {
		return t.reader.Head(ctx)
	}
	at, err := strconv.ParseInt(revision, 10, 64)
	if err != nil {
		return 0, errs.Bug("%q is no revision", revision)
	}
	return relations.Revision(at), nil
}

// climb returns the folder that each file among objects stands in, and each of those, up to the roots.
func (t tree) climb(ctx context.Context, at relations.Revision, roots, objects []authz.Ref) (map[string]string, error) {
	up := map[string]string{}
	for level := objects; len(level) > 0; {
		var ids []string
		for _, o := range level {
			if _, met := up[o.ID]; !met && o.Type == treeType && !slices.Contains(roots, o) {
				up[o.ID] = ""
				ids = append(ids, o.ID)
			}
		}
		level = level[:0:0]
		err := t.parents(ctx, at, ids, func(r relations.Relationship) bool {
			up[r.Resource.ID] = r.Subject.ID
			level = append(level, r.Subject)
			return true
		})
		if err != nil {
			return nil, err
		}
	}
	return up, nil
}

func (t tree) parents(ctx context.Context, at relations.Revision, ids []string, yield func(relations.Relationship) bool) error {
	if many, ok := t.reader.(manyReader); ok {
		if len(ids) == 0 {
			return nil
		}
		return many.ReadMany(ctx, at, treeType, ids, []string{treeEdge}, nil, yield)
	}
	for _, id := range ids {
		f := relations.Filter{ResourceType: treeType, ResourceID: id, Relation: treeEdge}
		if err := t.reader.Read(ctx, at, f, yield); err != nil {
			return err
		}
	}
	return nil
}
