package spice

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"nexus/internal/errs"
)

// A namespace's configuration says in JSON what a definition says in SpiceDB's language:
//
//	relations    {}                                         stored, for users, agents and members of groups
//	             {"subjects": ["user", "team#member", …]}   stored, for these, each also "… with expiration"
//	             an expression                              computed
//	permissions  an expression
//
//	expression   ["a", "b"], {"union": […]}                 any of them
//	             {"intersection": […]}                      all of them
//	             {"exclusion": ["a", "b", …]}               the first, and none of the others
//	             {"exclusion": "b"}                         not b: as a part of an intersection alone
//	             {"tupleToUserset": {"tupleset": "parent", "computedUserset": "a"}}   a of something that parent leads to
//	             {"allOfTupleToUserset": {…}}                                         a of everything that parent leads to
//	             {"self": true}                             the object itself
//
// A part of an expression is the name of a relation or permission, or an expression.
type namespaceConfig struct {
	Relations   map[string]json.RawMessage `json:"relations"`
	Permissions map[string]json.RawMessage `json:"permissions"`
}

// Translate returns the definition that a namespace's configuration means.
func Translate(objectType string, raw json.RawMessage) (string, error) {
	if err := called("object_type", objectType); err != nil {
		return "", err
	}
	var c namespaceConfig
	if err := strict(raw, &c); err != nil || c.Relations == nil || c.Permissions == nil {
		return "", malformed(`config must be an object with "relations" and "permissions"`)
	}
	t := translator{typ: objectType, config: c, over: map[string]bool{}}
	return t.definition()
}

// translator writes one definition.
type translator struct {
	typ    string
	config namespaceConfig
	over   map[string]bool // relations that a tupleToUserset goes over
	depth  int
	out    strings.Builder
}

func (t *translator) definition() (string, error) {
	computed := map[string]string{}
	if err := t.names(); err != nil {
		return "", err
	}
	for _, name := range slices.Sorted(maps.Keys(t.config.Permissions)) {
		text, err := t.top(name, t.config.Permissions[name])
		if err != nil {
			return "", err
		}
		computed[name] = text
	}
	var stored []string
	for _, name := range slices.Sorted(maps.Keys(t.config.Relations)) {
		kind, err := t.kindOf(name)
		if err != nil {
			return "", err
		}
		switch kind {
		case isStored:
			stored = append(stored, name)
		case isComputed:
			if computed[name], err = t.top(name, t.config.Relations[name]); err != nil {
				return "", err
			}
		}
	}
	return t.write(stored, computed)
}

func (t *translator) names() error {
	for _, part := range []map[string]json.RawMessage{t.config.Relations, t.config.Permissions} {
		for _, name := range slices.Sorted(maps.Keys(part)) {
			if err := called(t.typ, name); err != nil {
				return err
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(t.config.Relations)) {
		if t.isPermission(name) {
			return wrong("%s: %q is a relation and a permission", t.typ, name)
		}
	}
	return nil
}

func (t *translator) write(stored []string, computed map[string]string) (string, error) {
	fmt.Fprintf(&t.out, "definition %s {\n", t.typ)
	for _, name := range stored {
		subjects, err := t.subjects(name)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&t.out, "\trelation %s: %s\n", name, strings.Join(subjects, " | "))
	}
	for _, name := range slices.Sorted(maps.Keys(computed)) {
		fmt.Fprintf(&t.out, "\tpermission %s = %s\n", name, computed[name])
	}
	t.out.WriteString("}")
	return t.out.String(), nil
}

func (t *translator) isPermission(name string) bool {
	_, ok := t.config.Permissions[name]
	return ok
}

// relationKind is what an entry of relations is.
type relationKind uint8

const (
	isStored relationKind = iota + 1
	isComputed
	isNegation // {"exclusion": "b"}: it is nothing by itself
)

func (t *translator) kindOf(name string) (relationKind, error) {
	raw := t.config.Relations[name]
	var members map[string]json.RawMessage
	if err := json.Unmarshal(raw, &members); err != nil || members == nil {
		return 0, malformed("%s: relation %q must be an object", t.typ, name)
	}
	if _, ok := members["subjects"]; ok || len(members) == 0 {
		if len(members) > 1 {
			return 0, malformed("%s: relation %q has subjects and is computed: make it two", t.typ, name)
		}
		return isStored, nil
	}
	if _, ok := negated(raw); ok {
		return isNegation, nil
	}
	return isComputed, nil
}

// negated returns b of {"exclusion": "b"}.
func negated(raw json.RawMessage) (string, bool) {
	var e struct {
		Exclusion *string `json:"exclusion"`
	}
	if err := strict(raw, &e); err != nil || e.Exclusion == nil {
		return "", false
	}
	return *e.Exclusion, true
}

var defaultSubjects = []string{
	"user", "user with expiration", "agent", "agent with expiration", "group#member", "group#member with expiration",
}

// subjects returns who may be written into a stored relation.
func (t *translator) subjects(name string) ([]string, error) {
	var r struct {
		Subjects *[]string `json:"subjects"`
	}
	if err := strict(t.config.Relations[name], &r); err != nil {
		return nil, malformed("%s: subjects of relation %q must be a list of texts", t.typ, name)
	}
	if r.Subjects == nil {
		all := slices.Clone(defaultSubjects)
		if t.over[name] {
			all = append(all, t.typ)
		}
		return all, nil
	}
	if len(*r.Subjects) == 0 {
		return nil, wrong("%s: relation %q admits nobody", t.typ, name)
	}
	for _, s := range *r.Subjects {
		if !subjectForm(s) {
			return nil, wrong("%s#%s: %q is not a subject such as user, group#member or team#member with expiration", t.typ, name, s)
		}
	}
	return *r.Subjects, nil
}

// subjectForm reports whether s is TYPE, or TYPE#RELATION, with or without a condition behind it.
func subjectForm(s string) bool {
	s, condition, conditional := strings.Cut(s, " with ")
	typ, set, isSet := strings.Cut(s, "#")
	if strings.HasSuffix(typ, ":*") {
		typ = strings.TrimSuffix(typ, ":*") // refused later, in better words
	}
	if !nameForm.MatchString(typ) || isSet && !nameForm.MatchString(set) {
		return false
	}
	for _, one := range strings.Split(condition, " and ") {
		if conditional && !nameForm.MatchString(one) {
			return false
		}
	}
	return true
}

// top returns the expression of a permission or computed relation.
func (t *translator) top(name string, raw json.RawMessage) (string, error) {
	text, err := t.expression(raw)
	if e := errs.From(err); e != nil {
		return "", errs.New(e.Kind, "%s#%s: %s", t.typ, name, e.Text).Marked(e.Reason)
	}
	return text, nil
}

// node is an expression as an object: exactly one of its members is set.
type node struct {
	Union        []json.RawMessage `json:"union"`
	Intersection []json.RawMessage `json:"intersection"`
	Exclusion    json.RawMessage   `json:"exclusion"`
	Arrow        *arrowNode        `json:"tupleToUserset"`
	All          *arrowNode        `json:"allOfTupleToUserset"`
	Self         bool              `json:"self"`
}

type arrowNode struct {
	Over string `json:"tupleset"`
	Name string `json:"computedUserset"`
}

// maxNested is how deep expressions stand in one another.
const maxNested = 32

func (t *translator) expression(raw json.RawMessage) (string, error) {
	if t.depth++; t.depth > maxNested {
		return "", wrong("expressions stand in one another more than %d deep", maxNested)
	}
	defer func() { t.depth-- }()
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) == nil && list != nil {
		return t.parts(list, " + ")
	}
	var n node
	if err := strict(raw, &n); err != nil || n.members() != 1 {
		return "", malformed("an expression is a list, or an object with one of union, intersection, exclusion, tupleToUserset, allOfTupleToUserset and self")
	}
	switch {
	case n.Union != nil:
		return t.parts(n.Union, " + ")
	case n.Intersection != nil:
		return t.intersection(n.Intersection)
	case n.Exclusion != nil:
		return t.exclusion(n.Exclusion)
	case n.Arrow != nil:
		over, err := t.arrow(n.Arrow)
		return over + "->" + n.Arrow.Name, err
	case n.All != nil:
		over, err := t.arrow(n.All)
		return over + ".all(" + n.All.Name + ")", err
	}
	return "self", nil
}

func (n *node) members() (set int) {
	for _, is := range []bool{n.Union != nil, n.Intersection != nil, n.Exclusion != nil, n.Arrow != nil, n.All != nil, n.Self} {
		if is {
			set++
		}
	}
	return set
}

// arrow returns the relation that n goes over.
func (t *translator) arrow(n *arrowNode) (string, error) {
	kind := relationKind(0)
	if _, ok := t.config.Relations[n.Over]; ok {
		var err error
		if kind, err = t.kindOf(n.Over); err != nil {
			return "", err
		}
	}
	if kind != isStored {
		return "", wrong("tupleset %q is not a stored relation", n.Over)
	}
	t.over[n.Over] = true
	return n.Over, called("computedUserset", n.Name)
}

func (t *translator) parts(list []json.RawMessage, operator string) (string, error) {
	if len(list) == 0 {
		return "nil", nil
	}
	texts := make([]string, len(list))
	for i, raw := range list {
		text, err := t.part(raw)
		if err != nil {
			return "", err
		}
		texts[i] = text
	}
	return strings.Join(texts, operator), nil
}

// part returns a name, or an expression in brackets.
func (t *translator) part(raw json.RawMessage) (string, error) {
	var name string
	if json.Unmarshal(raw, &name) != nil {
		text, err := t.expression(raw)
		if err != nil || !strings.Contains(text, " ") {
			return text, err
		}
		return "(" + text + ")", nil
	}
	if _, ok := t.negation(raw); ok {
		return "", wrong("%q says who is not meant, so it can only stand in an intersection, beside one who is", name)
	}
	_, isRelation := t.config.Relations[name]
	if !isRelation && !t.isPermission(name) {
		return "", wrong("there is no relation or permission %q", name)
	}
	return name, nil
}

// negation returns the name of which a part of an intersection is the opposite.
func (t *translator) negation(raw json.RawMessage) (string, bool) {
	var name string
	if json.Unmarshal(raw, &name) == nil {
		entry, ok := t.config.Relations[name]
		if !ok {
			return "", false
		}
		raw = entry
	}
	return negated(raw)
}

func (t *translator) intersection(list []json.RawMessage) (string, error) {
	var positive, negative []json.RawMessage
	for _, raw := range list {
		if not, ok := t.negation(raw); ok {
			name, err := json.Marshal(not)
			if err != nil {
				return "", err
			}
			negative = append(negative, name)
			continue
		}
		positive = append(positive, raw)
	}
	if len(positive) == 0 {
		return "", wrong("an intersection needs a part that says who is meant")
	}
	text, err := t.parts(positive, " & ")
	if err != nil || len(negative) == 0 {
		return text, err
	}
	if len(positive) > 1 {
		text = "(" + text + ")"
	}
	without, err := t.parts(negative, " - ")
	return text + " - " + without, err
}

func (t *translator) exclusion(raw json.RawMessage) (string, error) {
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) != nil || len(list) < 2 {
		return "", wrong(`an exclusion is a list: who is meant, and who not; {"exclusion": "b"} can only stand in an intersection`)
	}
	return t.parts(list, " - ")
}

// malformed is a mistake in the form of a configuration.
func malformed(format string, args ...any) error { return errs.New(errs.Invalid, format, args...) }

// strict reads raw into v and refuses members that v does not have.
func strict(raw json.RawMessage, v any) error {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	return dec.Decode(v)
}
