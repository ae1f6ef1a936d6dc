package rego

import "github.com/open-policy-agent/opa/v1/ast"

// The list form of a rule answers for many objects in one evaluation. Most rules look at objects in one way, one after the other:
//
//	refuse contains "message" if {
//		some object in input.objects
//		…
//	}
//
// Such a rule says of many objects what it says of each, so the loader makes a second one of it that keeps the index of the object beside the
// message: [i, "message"]. A rule that looks at objects in any other way (counts them, compares two) has no list form and is asked object by object.

// everyObject is the index that stands for all: a body that does not look at the objects says the same of each.
const everyObject = -1

// indexVar cannot be written in Rego, so it is no variable of a rule's own.
var indexVar = ast.VarTerm("object#")

var objectsRef = ast.MustParseRef("input.objects")

// listForm rewrites a freshly parsed module into its list form, and returns how many loops over the objects it rewrote; false when a rule has
// two in one body.
func listForm(module *ast.Module, id string) (loops int, ok bool) {
	module.Package.Path = append(listsRef.Copy(), ast.StringTerm(id))
	module.Annotations = nil
	for _, r := range module.Rules {
		r.Annotations = nil
		if entryName(r) == "" {
			continue
		}
		n := rewriteLoops(r.Body)
		if n > 1 {
			return 0, false
		}
		index := ast.IntNumberTerm(everyObject)
		if n == 1 {
			index = indexVar
		}
		r.Head.Key = ast.ArrayTerm(index, r.Head.Key)
		loops += n
	}
	return loops, true
}

// rewriteLoops turns "some object in input.objects" into "some index, object in input.objects" and returns how often.
func rewriteLoops(body ast.Body) int {
	n := 0
	for _, expr := range body {
		decl, ok := expr.Terms.(*ast.SomeDecl)
		if !ok {
			continue
		}
		call, ok := decl.Symbols[0].Value.(ast.Call)
		if !ok || len(call) != 3 || ast.Compare(call[2].Value, objectsRef) != 0 {
			continue
		}
		decl.Symbols[0].Value = ast.Call{ast.NewTerm(ast.MemberWithKey.Ref()), indexVar, call[1], call[2]}
		n++
	}
	return n
}
