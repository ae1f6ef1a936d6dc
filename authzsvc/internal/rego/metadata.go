package rego

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// Rule is what the metadata of one rule says, checked against what the rule does.
type Rule struct {
	ID          string
	Title       string
	Description string
	File        string   // module path
	Operations  []string // every operation that asks the rule, patterns resolved, sorted
	Principals  []string // types of principal that it concerns, sorted; nil is everybody
	LooksAt     []string // of object, principal, context: what it reads, all of it and nothing else
	Obliges     []string // obligations that it may attach

	module  *ast.Module
	read    parts
	refuses bool // whether it defines refuse
	obliges bool // whether it defines oblige
	listed  bool // whether it has a list form
}

// The keys of METADATA's custom object.
const (
	keyOperations = "operations"
	keyPrincipals = "principals"
	keyLooksAt    = "looks_at"
	keyObliges    = "obliges"
)

// principalTypes are the types that a principal's base and actors have.
var principalTypes = []string{"agent", "key", "sandbox", "service", "user"}

// The names of the two sets that a rule may define.
const (
	refuseName = "refuse"
	obligeName = "oblige"
)

// reader collects the problems of one METADATA block.
type reader struct {
	id       string
	from     *ast.Annotations
	problems []error
}

func (r *reader) problem(format string, args ...any) {
	r.problems = append(r.problems, at(r.from.Loc(), "rule %s: %s", r.id, fmt.Sprintf(format, args...)))
}

// readMetadata makes a Rule of what the METADATA block above the package line says.
func readMetadata(id string, module *ast.Module, c *Config) (*Rule, []error) {
	from := packageAnnotations(module)
	if from == nil {
		return nil, []error{at(module.Package.Loc(), "rule %s has no METADATA block above its package line", id)}
	}
	r := &reader{id: id, from: from}
	custom := r.custom()
	rule := &Rule{
		ID: id, Title: from.Title, Description: from.Description, File: module.Package.Loc().File,
		Operations: r.operations(custom[keyOperations], c.Operations),
		Principals: r.principals(custom),
		LooksAt:    unique(custom[keyLooksAt]),
		Obliges:    r.obliges(custom[keyObliges], c.Obligations),
		read:       r.looksAt(custom[keyLooksAt]),
		module:     module,
	}
	if rule.Title == "" {
		r.problem("the metadata has no title")
	}
	return rule, r.problems
}

// custom returns the lists of the block's custom object.
func (r *reader) custom() map[string][]string {
	lists := map[string][]string{}
	for _, key := range slices.Sorted(maps.Keys(r.from.Custom)) {
		list, ok := stringList(r.from.Custom[key])
		switch {
		case !slices.Contains([]string{keyOperations, keyPrincipals, keyLooksAt, keyObliges}, key):
			r.problem("unknown key custom.%s", key)
		case !ok:
			r.problem("custom.%s is not a list of names", key)
		default:
			lists[key] = list
		}
	}
	return lists
}

func (r *reader) operations(patterns, known []string) []string {
	if len(patterns) == 0 {
		r.problem("custom.operations names no operation")
	}
	var all []string
	for _, pattern := range patterns {
		matched := matching(pattern, known)
		if len(matched) == 0 {
			r.problem("%q is no known operation", pattern)
		}
		all = append(all, matched...)
	}
	return unique(all)
}

// principals returns whom the rule concerns. An empty list is refused: it would concern nobody, and reads as if it were everybody.
func (r *reader) principals(custom map[string][]string) []string {
	types, given := custom[keyPrincipals]
	if given && len(types) == 0 {
		r.problem("custom.principals names nobody; a rule without it concerns everybody")
	}
	for _, name := range types {
		if !slices.Contains(principalTypes, name) {
			r.problem("principals: there is no type %q, only %s", name, strings.Join(principalTypes, ", "))
		}
	}
	return unique(types)
}

func (r *reader) looksAt(names []string) parts {
	var read parts
	for _, name := range names {
		if !read.set(name) {
			r.problem("looks_at: %q is not object, principal or context", name)
		}
	}
	return read
}

func (r *reader) obliges(names, known []string) []string {
	for _, name := range names {
		if !slices.Contains(known, name) {
			r.problem("obliges: there is no obligation %q", name)
		}
	}
	return unique(names)
}

// packageAnnotations returns the annotations of the package line, nil when there are none.
func packageAnnotations(module *ast.Module) *ast.Annotations {
	for _, a := range module.Annotations {
		if a.Scope == "package" {
			return a
		}
	}
	return nil
}

func stringList(value any) ([]string, bool) {
	items, ok := value.([]any)
	if !ok {
		return nil, false
	}
	list := make([]string, len(items))
	for i, item := range items {
		if list[i], ok = item.(string); !ok {
			return nil, false
		}
	}
	return list, true
}

// matching returns the known operations that pattern names: itself, every one of a noun (files.*), or all (*).
func matching(pattern string, known []string) []string {
	if pattern == "*" {
		return known
	}
	var matched []string
	for _, operation := range known {
		noun, _, _ := strings.Cut(operation, ".")
		if operation == pattern || noun+".*" == pattern {
			matched = append(matched, operation)
		}
	}
	return matched
}

// set marks the part that looks_at calls name; false when there is none.
func (p *parts) set(name string) bool {
	switch name {
	case "object":
		p.object = true
	case "principal":
		p.principal = true
	case "context":
		p.context = true
	default:
		return false
	}
	return true
}

// names returns the parts as looks_at writes them.
func (p parts) names() []string {
	var names []string
	if p.context {
		names = append(names, "context")
	}
	if p.object {
		names = append(names, "object")
	}
	if p.principal {
		names = append(names, "principal")
	}
	return names
}
