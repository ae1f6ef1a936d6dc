package explain

import (
	"maps"
	"slices"
	"strings"

	"nexus/schema"
)

// Schema is a compiled schema as data: what is written, and how permissions follow from it.
type Schema struct {
	Definitions map[string]*Definition
}

// Definition is one object type of a Schema.
type Definition struct {
	Relations   map[string][]SubjectType // what may be written
	Permissions map[string]Term          // what is computed
}

// SubjectType is one kind of subject that a relation admits.
type SubjectType struct {
	Type     string
	Relation string // "member" in group#member; empty for the object itself
}

// Op says how a Term computes.
type Op uint8

const (
	Never        Op = iota // holds for nobody
	Same                   // whoever holds Name on this object
	Arrow                  // whoever holds Name on an object that this one has relation Over to
	All                    // whoever holds Name on every object that this one has relation Over to
	Self                   // the object itself
	Union                  // any of Terms
	Intersection           // each of Terms
	Exclusion              // the first of Terms, and none of the others
)

// Term is the expression that defines a permission.
type Term struct {
	Op    Op
	Over  string
	Name  string
	Terms []Term
}

// Has reports whether definition has a relation or permission of that name.
func (s *Schema) Has(definition, name string) bool {
	d := s.Definitions[definition]
	if d == nil {
		return false
	}
	_, relation := d.Relations[name]
	_, permission := d.Permissions[name]
	return relation || permission
}

// Joint reports whether a permission can need more than one of its parts.
func (s *Schema) Joint(definition, permission string) bool {
	d := s.Definitions[definition]
	return d != nil && joint(d.Permissions[permission])
}

func joint(t Term) bool {
	return t.Op == Intersection || t.Op == Exclusion || t.Op == All || slices.ContainsFunc(t.Terms, joint)
}

// Arrows returns the relations over which definition's permission reaches name of another definition, in order of the schema.
func (s *Schema) Arrows(definition, permission, other, name string) []string {
	d := s.Definitions[definition]
	if d == nil {
		return nil
	}
	var over []string
	walk(d.Permissions[permission], func(t Term) {
		if (t.Op == Arrow || t.Op == All) && s.Means(other, t.Name, name) && !slices.Contains(over, t.Over) {
			over = append(over, t.Over)
		}
	})
	return over
}

// Sets returns the subject sets of another definition that definition's relation admits and that mean name.
func (s *Schema) Sets(definition, relation, other, name string) []string {
	d := s.Definitions[definition]
	if d == nil {
		return nil
	}
	var sets []string
	for _, t := range d.Relations[relation] {
		if t.Type == other && s.Means(other, t.Relation, name) {
			sets = append(sets, t.Relation)
		}
	}
	return sets
}

// Means reports whether alias is name, or is defined as just name, or as just what is defined so. The engine asks the last
// of such a chain in place of the first.
func (s *Schema) Means(definition, alias, name string) bool {
	d := s.Definitions[definition]
	for range maxAliases {
		if alias == name {
			return true
		}
		if d == nil || d.Permissions[alias].Op != Same {
			return false
		}
		alias = d.Permissions[alias].Name
	}
	return false
}

// maxAliases ends the walk over a chain of aliases that is a circle, which no schema that compiles has.
const maxAliases = 100

// Direct returns, sorted, the relations of definition each of which is enough for permission on the same object. What is
// defined with & or - has none, because no single relation is enough.
func (s *Schema) Direct(definition, permission string) []string {
	found := map[string]bool{}
	s.direct(definition, permission, found, map[string]bool{})
	return slices.Sorted(maps.Keys(found))
}

func (s *Schema) direct(definition, name string, found, seen map[string]bool) {
	d := s.Definitions[definition]
	if d == nil || seen[name] {
		return
	}
	seen[name] = true
	if _, ok := d.Relations[name]; ok {
		found[name] = true
		return
	}
	for _, n := range alternatives(d.Permissions[name]) {
		s.direct(definition, n, found, seen)
	}
}

// alternatives returns the names on the same object any one of which is enough for t.
func alternatives(t Term) []string {
	switch t.Op {
	case Same:
		return []string{t.Name}
	case Union:
		var names []string
		for _, part := range t.Terms {
			names = append(names, alternatives(part)...)
		}
		return names
	}
	return nil
}

// Grants returns, sorted, the permissions of definition for which relation alone is enough.
func (s *Schema) Grants(definition, relation string) []string {
	d := s.Definitions[definition]
	if d == nil {
		return nil
	}
	var granted []string
	for _, p := range slices.Sorted(maps.Keys(d.Permissions)) {
		if slices.Contains(s.Direct(definition, p), relation) {
			granted = append(granted, p)
		}
	}
	return granted
}

// Admits reports whether a subject of type t may be written into the relation by itself.
func (s *Schema) Admits(definition, relation, t string) bool {
	d := s.Definitions[definition]
	return d != nil && slices.Contains(d.Relations[relation], SubjectType{Type: t})
}

// sharing lists the permissions that let somebody write relationships of an object, the usual one first.
var sharing = []string{"share", "manage", "administer"}

// Sharing returns the permission that its holder needs to share an object of the type with others, "" when it has none.
func (s *Schema) Sharing(definition string) string {
	d := s.Definitions[definition]
	if d == nil {
		return ""
	}
	if schema.IsOwn(definition) {
		return d.kind(definition).Sharing()
	}
	for _, p := range sharing {
		if _, ok := d.Permissions[p]; ok {
			return p
		}
	}
	return ""
}

// kind returns what can be said of a tenant's type.
func (d *Definition) kind(name string) schema.Kind {
	return schema.Kind{Type: name, Relations: slices.Sorted(maps.Keys(d.Relations)), Permissions: slices.Sorted(maps.Keys(d.Permissions))}
}

// Reading returns the permission by which somebody may see an object of a tenant's type, "" when it has none.
func (s *Schema) Reading(definition string) string {
	for _, name := range []string{"read", "view", s.Sharing(definition)} {
		if s.Has(definition, name) {
			return name
		}
	}
	return ""
}

// Holders returns every kind of subject that can come to hold name on an object of the definition: objects by themselves
// first, then subject sets, each in order of their names.
func (s *Schema) Holders(definition, name string) []SubjectType {
	found := map[SubjectType]bool{}
	s.holders(definition, name, found, map[string]bool{})
	return slices.SortedFunc(maps.Keys(found), func(a, b SubjectType) int {
		if (a.Relation == "") != (b.Relation == "") {
			return strings.Compare(a.Relation, b.Relation)
		}
		return strings.Compare(a.Type+"#"+a.Relation, b.Type+"#"+b.Relation)
	})
}

func (s *Schema) holders(definition, name string, found map[SubjectType]bool, seen map[string]bool) {
	d := s.Definitions[definition]
	if key := definition + "#" + name; d == nil || seen[key] {
		return
	} else {
		seen[key] = true
	}
	for _, t := range d.Relations[name] {
		found[t] = true
		if t.Relation != "" {
			s.holders(t.Type, t.Relation, found, seen)
		}
	}
	walk(d.Permissions[name], func(t Term) {
		switch t.Op {
		case Same:
			s.holders(definition, t.Name, found, seen)
		case Self:
			found[SubjectType{Type: definition}] = true
		case Arrow, All:
			for _, to := range d.Relations[t.Over] {
				s.holders(to.Type, t.Name, found, seen)
			}
		}
	})
}

func walk(t Term, visit func(Term)) {
	visit(t)
	for _, part := range t.Terms {
		walk(part, visit)
	}
}
