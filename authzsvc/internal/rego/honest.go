package rego

import (
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
)

// inspection follows a compiled rule through everything it uses, and notes what it reads. Metadata that says otherwise is refused: the gate
// builds the input, asks once a list, and shares answers on the strength of it.
type inspection struct {
	rule     *Rule
	compiler *ast.Compiler
	own      ast.Ref // the rule's package
	reached  map[*ast.Rule]bool
	read     parts
	loops    int  // reads of input.objects
	self     bool // whether refuse or oblige is used by another rule
	problems []error
}

// inspect checks that rule does what its metadata says, and completes it.
func inspect(rule *Rule, compiler *ast.Compiler) *inspection {
	in := &inspection{rule: rule, compiler: compiler, own: rule.module.Package.Path, reached: map[*ast.Rule]bool{}}
	compiled := compiler.Modules[rule.File]
	for _, r := range compiled.Rules {
		in.enter(r)
	}
	in.checkEntries(compiled)
	in.checkReached(compiled)
	in.checkReads()
	return in
}

func (in *inspection) problem(loc *ast.Location, format string, args ...any) {
	in.problems = append(in.problems, at(loc, "rule "+in.rule.ID+": "+format, args...))
}

// enter follows r when it is one of the two sets that the gate asks for.
func (in *inspection) enter(r *ast.Rule) {
	name := entryName(r)
	if name == "" {
		return
	}
	if r.Head.RuleKind() != ast.MultiValue || len(r.Head.Ref()) != 1 {
		in.problem(r.Loc(), `%s is not a set: write "%s contains … if …"`, name, name)
		return
	}
	in.rule.refuses = in.rule.refuses || name == refuseName
	in.rule.obliges = in.rule.obliges || name == obligeName
	in.follow(r)
}

// entryName returns refuse or oblige when r defines it, and "" otherwise.
func entryName(r *ast.Rule) string {
	name, ok := r.Head.Ref()[0].Value.(ast.Var)
	if ok && (name == refuseName || name == obligeName) {
		return string(name)
	}
	return ""
}

func (in *inspection) follow(r *ast.Rule) {
	if in.reached[r] {
		return
	}
	in.reached[r] = true
	in.walk(r)
	for used := range in.compiler.Graph.Dependencies(r) {
		if next, ok := used.(*ast.Rule); ok {
			in.follow(next)
		}
	}
}

// walk notes every reference to the input and to data that stands in node.
func (in *inspection) walk(node any) {
	visitor := ast.NewGenericVisitor(func(x any) bool {
		switch x := x.(type) {
		case *ast.With:
			in.problem(x.Loc(), "with changes the input that is decided upon")
		case ast.Ref:
			in.note(x)
			in.walkInside(x)
			return true
		case ast.Var:
			in.note(ast.Ref{ast.NewTerm(x)})
		}
		return false
	})
	visitor.Walk(node)
}

func (in *inspection) walkInside(ref ast.Ref) {
	if _, ok := ref[0].Value.(ast.Var); !ok {
		in.walk(ref[0])
	}
	for _, term := range ref[1:] {
		in.walk(term)
	}
}

func (in *inspection) note(ref ast.Ref) {
	switch {
	case ref[0].Equal(ast.InputRootDocument):
		in.noteInput(ref)
	case ref[0].Equal(ast.DefaultRootDocument):
		in.noteData(ref)
	}
}

// noteInput marks the part that ref reads; one that is not fixed in the text may be any.
func (in *inspection) noteInput(ref ast.Ref) {
	name := ""
	if len(ref) > 1 {
		constant, _ := ref[1].Value.(ast.String)
		name = string(constant)
	}
	switch name {
	case "operation":
	case "principal":
		in.read.principal = true
	case "context":
		in.read.context = true
	case "objects":
		in.read.object = true
		in.loops++
	default:
		in.read = parts{principal: true, object: true, context: true}
		in.loops++
	}
}

// noteData refuses what is neither of the rule's own package nor of a library: rules do not depend on each other.
func (in *inspection) noteData(ref ast.Ref) {
	depth := len(in.own)
	if len(ref) <= depth || !ref[:depth].Equal(in.own) && !ref.HasPrefix(libRef) {
		in.problem(ref[0].Loc(), "%s is outside of the rule and of nexus.lib", ref)
		return
	}
	if len(in.compiler.GetRulesDynamic(ref[:depth+1])) == 0 {
		in.problem(ref[0].Loc(), "%s names nothing", ref)
	}
	if ref.HasPrefix(in.own) && slices.Contains([]ast.Value{ast.String(refuseName), ast.String(obligeName)}, ref[depth].Value) {
		in.self = true
	}
}

// checkEntries holds what the rule defines against what it says it obliges to.
func (in *inspection) checkEntries(module *ast.Module) {
	rule := in.rule
	if !rule.refuses && !rule.obliges {
		in.problem(module.Package.Loc(), "defines neither refuse nor oblige")
	}
	if rule.obliges != (len(rule.Obliges) > 0) {
		in.problem(module.Package.Loc(), "custom.obliges and the set oblige need each other")
	}
}

// checkReached refuses what nothing uses: it is a misspelt refuse more often than not.
func (in *inspection) checkReached(module *ast.Module) {
	used := map[string]bool{}
	for r := range in.reached {
		used[r.Ref().GroundPrefix().String()] = true
	}
	for _, r := range module.Rules {
		if name := r.Ref().GroundPrefix().String(); !used[name] && entryName(r) == "" {
			in.problem(r.Loc(), "neither refuse nor oblige uses %s", r.Head.Ref())
		}
	}
}

func (in *inspection) checkReads() {
	if in.read == in.rule.read {
		return
	}
	in.problem(in.rule.module.Package.Loc(), "its metadata says that it looks at %v, but it reads %v", in.rule.read.names(), in.read.names())
}
