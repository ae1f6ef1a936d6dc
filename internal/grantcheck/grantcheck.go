// Package grantcheck is a go/analysis pass that finds what the compiler lets pass but what would weaken a grant. It is a
// second line and no proof: a zero grant is refused by Use whether or not it is found here, and code that stores a grant in
// a type parameter is not seen. To add a rule, write it beside the others and give it cases under testdata/src/a.
//
// Proofs are authz.Grant and authz.Scope. Outside package authz, generated files and tests the pass reports:
//
//   - a proof that no gate made: a literal, new, make with a length, a variable without a value, a named result, and a
//     struct literal that leaves a field with a proof out;
//   - a proof that is kept: in a package variable, or in a struct field. So a grant lives in parameters and local
//     variables, where one can see that it does not outlive the request;
//   - a new type made of a proof, which would be none of the above by name;
//   - a Use, Admit, Close or Tenant whose error nobody looks at, or whose result is used before the error is looked at.
//
// Two kinds of struct may have fields with proofs. One whose name ends in Grant names the grants of an operation that takes
// several; where the operation decides one of several, a literal gives that one and leaves the others zero, but never all.
// An unexported struct may hold a scope, as the state of one walk through a collection.
package grantcheck

import (
	"go/ast"
	"strings"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/passes/inspect"
	"golang.org/x/tools/go/ast/inspector"
)

// Analyzer is the pass.
var Analyzer = &analysis.Analyzer{
	Name:     "grantcheck",
	Doc:      "find grants that no gate made, grants that are kept, and uses whose error nobody looks at",
	Requires: []*analysis.Analyzer{inspect.Analyzer},
	Run:      run,
}

// vocabulary is the package that declares proofs, below the module.
const vocabulary = "authzsvc/authz"

func run(pass *analysis.Pass) (any, error) {
	if isVocabulary(pass.Pkg.Path()) {
		return nil, nil
	}
	in := pass.ResultOf[inspect.Analyzer].(*inspector.Inspector)
	c := &checker{pass: pass}
	for file := range in.Root().Children() {
		f := file.Node().(*ast.File)
		if ast.IsGenerated(f) || strings.HasSuffix(pass.Fset.Position(f.Pos()).Filename, "_test.go") {
			continue
		}
		c.globals(f)
		for cur := range file.Preorder() {
			c.node(cur)
		}
	}
	return nil, nil
}

type checker struct{ pass *analysis.Pass }

func (c *checker) node(cur inspector.Cursor) {
	switch n := cur.Node().(type) {
	case *ast.CompositeLit:
		c.literal(n)
	case *ast.ValueSpec:
		c.variable(n)
	case *ast.FuncType:
		c.results(n)
	case *ast.TypeSpec:
		c.typeSpec(n)
	case *ast.StructType:
		c.fields(n, cur)
	case *ast.CallExpr:
		c.builtin(n)
		c.use(n, cur)
	}
}

func (c *checker) report(at ast.Node, format string, args ...any) {
	c.pass.ReportRangef(at, format, args...)
}
