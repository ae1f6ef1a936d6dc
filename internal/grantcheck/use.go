package grantcheck

import (
	"go/ast"
	"go/token"
	"go/types"
	"slices"

	"golang.org/x/tools/go/ast/inspector"
	"golang.org/x/tools/go/types/typeutil"
)

// opening are the methods of proofs whose last result is an error that decides whether the others count.
var opening = []string{"Use", "Admit", "Close", "Tenant"}

// use reports a call of one of those methods whose error nobody looks at. A call whose results go on as they are (returned,
// or handed to a function) is the business of who gets them.
func (c *checker) use(call *ast.CallExpr, cur inspector.Cursor) {
	method := c.opens(call)
	if method == "" {
		return
	}
	switch parent := cur.Parent().Node().(type) {
	case *ast.ExprStmt, *ast.GoStmt, *ast.DeferStmt:
		c.report(call, "the error of %s is dropped", method)
	case *ast.ValueSpec:
		if last := parent.Names[len(parent.Names)-1]; last.Name == "_" {
			c.report(call, "the error of %s is dropped", method)
		}
	case *ast.AssignStmt:
		c.assigned(method, parent, cur.Parent())
	}
}

// opens returns the name of the method that call calls, if it is one of opening on a proof.
func (c *checker) opens(call *ast.CallExpr) string {
	f, ok := typeutil.Callee(c.pass.TypesInfo, call).(*types.Func)
	if !ok || !slices.Contains(opening, f.Name()) {
		return ""
	}
	recv := f.Signature().Recv()
	if recv == nil {
		return ""
	}
	t := recv.Type()
	if p, ok := t.(*types.Pointer); ok {
		t = p.Elem()
	}
	if !isProof(t) {
		return ""
	}
	return f.Name()
}

// assigned checks object, err := g.Use() and what follows it.
func (c *checker) assigned(method string, assign *ast.AssignStmt, cur inspector.Cursor) {
	if len(assign.Rhs) != 1 {
		return // the compiler lets only calls with one result stand here
	}
	results := make([]types.Object, len(assign.Lhs))
	for i, l := range assign.Lhs {
		id, ok := l.(*ast.Ident)
		if !ok {
			continue
		}
		if id.Name == "_" && i == len(assign.Lhs)-1 {
			c.report(assign, "the error of %s is dropped", method)
			return
		}
		results[i] = c.pass.TypesInfo.ObjectOf(id)
	}
	last := len(results) - 1
	if results[last] == nil {
		return // kept in a field: whoever reads it there looks at it
	}
	c.followed(method, results[:last], results[last], following(cur))
}

// followed reports the first of rest that uses one of values, or overwrites err, before err is looked at.
func (c *checker) followed(method string, values []types.Object, err types.Object, rest []ast.Node) {
	for _, s := range rest {
		if c.mentions(s, err) {
			return
		}
		if c.overwrites(s, err) {
			c.report(s, "the error of %s is overwritten before it is looked at", method)
			return
		}
		for _, v := range values {
			if v != nil && c.mentions(s, v) {
				c.report(s, "%s is used before the error of %s is looked at", v.Name(), method)
				return
			}
		}
	}
}

// following returns what runs after the statement at cur, as far as one block shows it.
func following(cur inspector.Cursor) []ast.Node {
	switch parent := cur.Parent().Node().(type) {
	case *ast.IfStmt:
		return []ast.Node{parent.Cond}
	case *ast.SwitchStmt:
		if parent.Tag != nil {
			return []ast.Node{parent.Tag}
		}
		return []ast.Node{parent.Body}
	case *ast.BlockStmt:
		return after(parent.List, cur.Node())
	case *ast.CaseClause:
		return after(parent.Body, cur.Node())
	case *ast.CommClause:
		return after(parent.Body, cur.Node())
	}
	return nil
}

func after(list []ast.Stmt, at ast.Node) []ast.Node {
	var rest []ast.Node
	for i, s := range list {
		if s == at {
			for _, later := range list[i+1:] {
				rest = append(rest, later)
			}
		}
	}
	return rest
}

// mentions reports whether n reads v.
func (c *checker) mentions(n ast.Node, v types.Object) bool {
	found := false
	ast.Inspect(n, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.AssignStmt:
			for _, r := range n.Rhs {
				found = found || c.mentions(r, v)
			}
			for _, l := range n.Lhs {
				if _, plain := l.(*ast.Ident); !plain || n.Tok != token.ASSIGN && n.Tok != token.DEFINE {
					found = found || c.mentions(l, v)
				}
			}
			return false
		case *ast.Ident:
			found = found || c.pass.TypesInfo.Uses[n] == v
		}
		return !found
	})
	return found
}

// overwrites reports whether n gives v a new value.
func (c *checker) overwrites(n ast.Node, v types.Object) bool {
	assign, ok := n.(*ast.AssignStmt)
	return ok && slices.ContainsFunc(assign.Lhs, func(l ast.Expr) bool {
		id, ok := l.(*ast.Ident)
		return ok && c.pass.TypesInfo.ObjectOf(id) == v
	})
}
