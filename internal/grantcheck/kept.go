package grantcheck

import (
	"go/ast"
	"go/token"
	"strings"

	"golang.org/x/tools/go/ast/inspector"
)

// globals reports package variables that hold proofs.
func (c *checker) globals(f *ast.File) {
	for _, d := range f.Decls {
		g, ok := d.(*ast.GenDecl)
		if !ok || g.Tok != token.VAR {
			continue
		}
		for _, s := range g.Specs {
			for _, name := range s.(*ast.ValueSpec).Names {
				if v := c.pass.TypesInfo.Defs[name]; v != nil && holds(v.Type(), isProof) {
					c.report(name, "package variable %s keeps a grant beyond its request", name.Name)
				}
			}
		}
	}
}

// fields reports struct fields that hold proofs, unless the struct is there to name the grants of one operation. An
// unexported struct may hold a scope: it is the state of a walk.
func (c *checker) fields(s *ast.StructType, cur inspector.Cursor) {
	kept := isProof
	if spec, ok := cur.Parent().Node().(*ast.TypeSpec); ok {
		if namesGrants(spec.Name.Name) {
			return
		}
		if !spec.Name.IsExported() {
			kept = isGrant
		}
	}
	for _, f := range s.Fields.List {
		if _, inner := f.Type.(*ast.StructType); inner {
			continue // its own fields are looked at
		}
		if holds(c.pass.TypesInfo.TypeOf(f.Type), kept) {
			c.report(f, "field keeps a grant: only a struct whose name ends in Grant has such fields")
		}
	}
}

// namesGrants reports whether a struct of that name may have fields with proofs.
func namesGrants(name string) bool { return strings.HasSuffix(name, "Grant") }

// typeSpec reports types that are made of a proof and are none by name.
func (c *checker) typeSpec(spec *ast.TypeSpec) {
	if t := c.pass.TypesInfo.TypeOf(spec.Type); !spec.Assign.IsValid() && isProof(t) {
		c.report(spec, "type %s is made of %s: name it with an alias", spec.Name.Name, c.name(t))
	}
}
