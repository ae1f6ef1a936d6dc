package grantcheck

import (
	"go/ast"
	"go/constant"
	"go/types"
	"strings"
)

// literal reports a literal of a proof, and one that leaves a proof zero.
func (c *checker) literal(lit *ast.CompositeLit) {
	t := c.pass.TypesInfo.TypeOf(lit)
	switch {
	case !carries(t):
	case isProof(t):
		c.report(lit, "literal of %s: only a gate makes one", c.name(t))
	default:
		u, ok := t.Underlying().(*types.Struct)
		if !ok {
			c.report(lit, "array of grants that no gate made")
			return
		}
		c.missing(lit, u, oneOfSeveral(t))
	}
}

// oneOfSeveral reports whether t names the grants of one operation, of which it may have decided only some.
func oneOfSeveral(t types.Type) bool {
	named, ok := types.Unalias(t).(*types.Named)
	return ok && namesGrants(named.Obj().Name())
}

// missing reports the fields with proofs to which lit gives no value; where some suffices, only if none has one.
func (c *checker) missing(lit *ast.CompositeLit, u *types.Struct, some bool) {
	if len(lit.Elts) > 0 {
		if _, keyed := lit.Elts[0].(*ast.KeyValueExpr); !keyed {
			return // without keys the compiler wants every field
		}
	}
	given := map[string]bool{}
	for _, e := range lit.Elts {
		if kv, ok := e.(*ast.KeyValueExpr); ok {
			if id, ok := kv.Key.(*ast.Ident); ok {
				given[id.Name] = true
			}
		}
	}
	var left []string
	for f := range u.Fields() {
		switch {
		case !carries(f.Type()):
		case given[f.Name()] && some:
			return
		case !given[f.Name()]:
			left = append(left, f.Name())
		}
	}
	if len(left) > 0 {
		c.report(lit, "left without a grant: %s", strings.Join(left, ", "))
	}
}

// variable reports variables that begin as zero proofs.
func (c *checker) variable(spec *ast.ValueSpec) {
	if len(spec.Values) > 0 || spec.Type == nil {
		return
	}
	if t := c.pass.TypesInfo.TypeOf(spec.Type); carries(t) {
		c.report(spec, "variable of %s without a value: only a gate makes one", c.name(t))
	}
}

// results reports named results, which begin as zero proofs.
func (c *checker) results(f *ast.FuncType) {
	if f.Results == nil {
		return
	}
	for _, r := range f.Results.List {
		if len(r.Names) == 0 {
			continue
		}
		if t := c.pass.TypesInfo.TypeOf(r.Type); carries(t) {
			c.report(r, "named result of %s begins as one that no gate made", c.name(t))
		}
	}
}

// builtin reports new and make of zero proofs.
func (c *checker) builtin(call *ast.CallExpr) {
	id, ok := ast.Unparen(call.Fun).(*ast.Ident)
	if !ok || len(call.Args) == 0 {
		return
	}
	b, ok := c.pass.TypesInfo.Uses[id].(*types.Builtin)
	if !ok {
		return
	}
	arg := c.pass.TypesInfo.Types[call.Args[0]]
	switch b.Name() {
	case "new":
		if arg.IsType() && carries(arg.Type) {
			c.report(call, "new %s: only a gate makes one", c.name(arg.Type))
		}
	case "make":
		s, ok := arg.Type.Underlying().(*types.Slice)
		if ok && carries(s.Elem()) && !c.isZero(call.Args[1]) {
			c.report(call, "make with a length makes grants that no gate made: make it empty and append")
		}
	}
}

func (c *checker) isZero(e ast.Expr) bool {
	v := c.pass.TypesInfo.Types[e].Value
	return v != nil && v.Kind() == constant.Int && constant.Sign(v) == 0
}

// name writes t as the checked package would.
func (c *checker) name(t types.Type) string {
	return types.TypeString(t, func(p *types.Package) string { return p.Name() })
}
