package spice

import (
	"cmp"
	"slices"
	"strings"

	core "github.com/authzed/spicedb/pkg/proto/core/v1"
	"github.com/authzed/spicedb/pkg/tuple"

	decisions "nexus/authzsvc/internal/cache"
	"nexus/internal/errs"
)

// The definition whose objects form the tree, and its relation that equals the path tree.
const (
	treeType   = "file"
	treeParent = "parent"
)

// ShapeOf proves from the compiled product schema what the decision cache and lists rely on. digest names the schema. What
// cannot be proven is left out, so that it is asked of the engine; only a schema that does not compile is refused.
func ShapeOf(text, digest string) (decisions.Shape, error) {
	compiled, err := compile(text)
	if err != nil {
		return decisions.Shape{}, err
	}
	if digest == "" {
		return decisions.Shape{}, errs.New(errs.Internal, "a schema without a digest has no shape")
	}
	p := &prover{relations: map[decisions.Set]*core.Relation{}, sound: map[decisions.Set]bool{}}
	for _, d := range compiled.ObjectDefinitions {
		for _, r := range d.GetRelation() {
			p.relations[decisions.Set{Type: d.GetName(), Relation: r.GetName()}] = r
		}
	}
	return p.shape(digest), nil
}

// prover holds a schema's relations and permissions, and which of them may be remembered.
type prover struct {
	relations map[decisions.Set]*core.Relation
	up        []string
	sound     map[decisions.Set]bool
}

func (p *prover) shape(digest string) decisions.Shape {
	s := decisions.Shape{Digest: digest, Sound: p.sound, Unions: map[decisions.Set][]decisions.Leaf{}}
	if p.up = p.upward(); p.up != nil {
		s.Tree, s.Parent, s.Up = treeType, treeParent, p.up
	}
	for set := range p.relations {
		if p.proven(set) {
			p.sound[set] = true
		}
	}
	s.Groups = p.groups()
	for set := range p.sound {
		if leaves, ok := p.flatten(set, nil); ok && p.isPermission(set) {
			s.Unions[set] = leaves
		}
	}
	return s
}

func (p *prover) isPermission(set decisions.Set) bool {
	return p.relations[set].GetUsersetRewrite() != nil
}

// upward returns the relations of the tree's definition over which it refers to itself alone, in order; nil when the path
// relation is not one of them.
func (p *prover) upward() []string {
	var up []string
	for set, r := range p.relations {
		if set.Type == treeType && r.GetUsersetRewrite() == nil && onlyPlain(r, treeType) {
			up = append(up, set.Relation)
		}
	}
	if !slices.Contains(up, treeParent) {
		return nil
	}
	slices.Sort(up)
	return up
}

// onlyPlain reports whether r admits objects of kind and nothing else: no subject set, no wildcard, no condition.
func onlyPlain(r *core.Relation, kind string) bool {
	allowed := r.GetTypeInformation().GetAllowedDirectRelations()
	return len(allowed) > 0 && !slices.ContainsFunc(allowed, func(a *core.AllowedRelation) bool {
		return a.GetNamespace() != kind || a.GetRelation() != tuple.Ellipsis || a.GetRequiredCaveat() != nil
	})
}

// proven reports whether the cache's rule is sound for set: in all that it reaches the tree refers to itself only upward,
// nothing else refers to the tree, and there is neither a wildcard nor a condition.
func (p *prover) proven(set decisions.Set) bool {
	seen := map[decisions.Set]bool{}
	for open := []decisions.Set{set}; len(open) > 0; {
		next := open[len(open)-1]
		open = open[:len(open)-1]
		r := p.relations[next]
		if seen[next] || r == nil {
			continue
		}
		seen[next] = true
		reached, ok := p.step(next, r)
		if !ok {
			return false
		}
		open = append(open, reached...)
	}
	return true
}

// step returns what set refers to directly, and false where that breaks the rule.
func (p *prover) step(set decisions.Set, r *core.Relation) ([]decisions.Set, bool) {
	if rewrite := r.GetUsersetRewrite(); rewrite != nil {
		return p.operands(set.Type, rewrite)
	}
	var reached []decisions.Set
	for _, a := range r.GetTypeInformation().GetAllowedDirectRelations() {
		if a.GetPublicWildcard() != nil || a.GetRequiredCaveat() != nil {
			return nil, false
		}
		if a.GetNamespace() == treeType && (set.Type != treeType || !slices.Contains(p.up, set.Relation)) {
			return nil, false
		}
		if a.GetRelation() != tuple.Ellipsis {
			reached = append(reached, decisions.Set{Type: a.GetNamespace(), Relation: a.GetRelation()})
		}
	}
	return reached, true
}

// operands returns what an expression of kind refers to, and false for what is not understood.
func (p *prover) operands(kind string, rewrite *core.UsersetRewrite) ([]decisions.Set, bool) {
	var reached []decisions.Set
	for _, child := range children(rewrite) {
		switch c := child.GetChildType().(type) {
		case *core.SetOperation_Child_ComputedUserset:
			reached = append(reached, decisions.Set{Type: kind, Relation: c.ComputedUserset.GetRelation()})
		case *core.SetOperation_Child_TupleToUserset:
			reached = append(reached, p.arrow(kind, c.TupleToUserset.GetTupleset().GetRelation(), c.TupleToUserset.GetComputedUserset())...)
		case *core.SetOperation_Child_FunctionedTupleToUserset:
			f := c.FunctionedTupleToUserset
			reached = append(reached, p.arrow(kind, f.GetTupleset().GetRelation(), f.GetComputedUserset())...)
		case *core.SetOperation_Child_UsersetRewrite:
			inner, ok := p.operands(kind, c.UsersetRewrite)
			if !ok {
				return nil, false
			}
			reached = append(reached, inner...)
		case *core.SetOperation_Child_XNil, *core.SetOperation_Child_XSelf:
		default:
			return nil, false
		}
	}
	return reached, true
}

// arrow returns the relation that is followed, and the permission on everything it may lead to.
func (p *prover) arrow(kind, over string, computed *core.ComputedUserset) []decisions.Set {
	along := decisions.Set{Type: kind, Relation: over}
	reached := []decisions.Set{along}
	for _, a := range p.relations[along].GetTypeInformation().GetAllowedDirectRelations() {
		reached = append(reached, decisions.Set{Type: a.GetNamespace(), Relation: computed.GetRelation()})
	}
	return reached
}

func children(rewrite *core.UsersetRewrite) []*core.SetOperation_Child {
	switch op := rewrite.GetRewriteOperation().(type) {
	case *core.UsersetRewrite_Union:
		return op.Union.GetChild()
	case *core.UsersetRewrite_Intersection:
		return op.Intersection.GetChild()
	case *core.UsersetRewrite_Exclusion:
		return op.Exclusion.GetChild()
	}
	return nil
}

// flatten returns the leaves of set when it is a union all the way down to stored relations and arrows over them.
func (p *prover) flatten(set decisions.Set, through []decisions.Set) ([]decisions.Leaf, bool) {
	r := p.relations[set]
	if r == nil || slices.Contains(through, set) {
		return nil, false
	}
	rewrite := r.GetUsersetRewrite()
	if rewrite == nil {
		return []decisions.Leaf{{Relation: set.Relation, Sets: setsOf(r)}}, true
	}
	return p.flattenUnion(set.Type, rewrite, append(slices.Clone(through), set))
}

func (p *prover) flattenUnion(kind string, rewrite *core.UsersetRewrite, through []decisions.Set) ([]decisions.Leaf, bool) {
	if rewrite.GetUnion() == nil {
		return nil, false
	}
	var leaves []decisions.Leaf
	for _, child := range children(rewrite) {
		more, ok := p.flattenChild(kind, child, through)
		if !ok {
			return nil, false
		}
		for _, leaf := range more {
			if !slices.ContainsFunc(leaves, func(l decisions.Leaf) bool { return l.Relation == leaf.Relation && l.Through == leaf.Through }) {
				leaves = append(leaves, leaf)
			}
		}
	}
	return leaves, true
}

func (p *prover) flattenChild(kind string, child *core.SetOperation_Child, through []decisions.Set) ([]decisions.Leaf, bool) {
	switch c := child.GetChildType().(type) {
	case *core.SetOperation_Child_ComputedUserset:
		return p.flatten(decisions.Set{Type: kind, Relation: c.ComputedUserset.GetRelation()}, through)
	case *core.SetOperation_Child_TupleToUserset:
		return arrowLeaf(c.TupleToUserset.GetTupleset().GetRelation(), c.TupleToUserset.GetComputedUserset())
	case *core.SetOperation_Child_FunctionedTupleToUserset:
		f := c.FunctionedTupleToUserset
		if f.GetFunction() != core.FunctionedTupleToUserset_FUNCTION_ANY {
			return nil, false
		}
		return arrowLeaf(f.GetTupleset().GetRelation(), f.GetComputedUserset())
	case *core.SetOperation_Child_UsersetRewrite:
		return p.flattenUnion(kind, c.UsersetRewrite, through)
	case *core.SetOperation_Child_XNil:
		return nil, true
	}
	return nil, false
}

func arrowLeaf(over string, computed *core.ComputedUserset) ([]decisions.Leaf, bool) {
	return []decisions.Leaf{{Relation: over, Through: computed.GetRelation()}}, true
}

// setsOf returns the subject sets that r admits.
func setsOf(r *core.Relation) []decisions.Set {
	var sets []decisions.Set
	for _, a := range r.GetTypeInformation().GetAllowedDirectRelations() {
		set := decisions.Set{Type: a.GetNamespace(), Relation: a.GetRelation()}
		if a.GetPublicWildcard() == nil && set.Relation != tuple.Ellipsis && !slices.Contains(sets, set) {
			sets = append(sets, set)
		}
	}
	return sets
}

// groups returns, in order, the sound stored relations outside the tree that subjects name as sets, and that admit no sets
// but such: whoever is in one can be found from the subject upward.
func (p *prover) groups() []decisions.Set {
	named := map[decisions.Set]bool{}
	for _, r := range p.relations {
		for _, set := range setsOf(r) {
			named[set] = set.Type != treeType && p.sound[set] && !p.isPermission(set)
		}
	}
	for changed := true; changed; {
		changed = false
		for set, in := range named {
			if in && slices.ContainsFunc(setsOf(p.relations[set]), func(s decisions.Set) bool { return !named[s] }) {
				named[set], changed = false, true
			}
		}
	}
	var all []decisions.Set
	for set, in := range named {
		if in {
			all = append(all, set)
		}
	}
	slices.SortFunc(all, func(a, b decisions.Set) int {
		return cmp.Or(strings.Compare(a.Type, b.Type), strings.Compare(a.Relation, b.Relation))
	})
	return all
}
