package cache

import (
	"slices"

	"nexus/internal/errs"
)

// Shape is what the cache must know of the product's schema. spice.ShapeOf computes it from the compiled schema. The zero
// Shape proves nothing: with it every question goes to the engine.
type Shape struct {
	// Digest names the product's schema.
	Digest string
	// Tree is the definition whose objects form trees ("file"). Each of its objects has a stamp of its own.
	Tree string
	// Parent is the relation of Tree that equals the path tree.
	Parent string
	// Up holds every relation over which Tree refers to itself, Parent among them.
	Up []string
	// Sound holds the permissions and relations for which the rule of the cache was proven: in what they reach, Tree
	// refers to Tree over Up alone, no other definition refers to Tree, nothing is conditional and nobody is everybody.
	Sound map[Set]bool
	// Unions holds those sound permissions that are a union of leaves and nothing else, as their leaves.
	Unions map[Set][]Leaf
	// Groups holds the relations whose subjects are principals and such relations only: group#member.
	Groups []Set
}

// Set names a relation or permission of a definition, and the subject sets it makes.
type Set struct{ Type, Relation string }

// Leaf is one part of a union: a stored relation, or a permission of what a stored relation leads to.
type Leaf struct {
	Relation string
	Through  string // the permission asked of the relation's subjects; empty when the subjects themselves count
	Sets     []Set  // for a stored relation: the subject sets it admits
}

func (s *Shape) check() error {
	if s.Digest == "" && len(s.Sound) > 0 {
		return errs.New(errs.Internal, "a shape names no schema")
	}
	for union := range s.Unions {
		if !s.Sound[union] {
			return errs.New(errs.Internal, "nothing is proven of the union %s#%s", union.Type, union.Relation)
		}
	}
	if s.Tree == "" {
		if s.Parent != "" || len(s.Up) > 0 {
			return errs.New(errs.Internal, "a shape has relations of a tree and no tree")
		}
		return nil
	}
	if !slices.Contains(s.Up, s.Parent) {
		return errs.New(errs.Internal, "relation %q is not among those that lead up the tree", s.Parent)
	}
	return nil
}
