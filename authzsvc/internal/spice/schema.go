package spice

import (
	"context"
	"slices"
	"strings"

	core "github.com/authzed/spicedb/pkg/proto/core/v1"
	typesystem "github.com/authzed/spicedb/pkg/schema"
	"github.com/authzed/spicedb/pkg/schemadsl/compiler"
	"github.com/authzed/spicedb/pkg/schemadsl/input"

	"nexus/internal/errs"
	"nexus/schema"
)

// Product is the product's schema, compiled. Its permissions are what the gate asks; tenants' definitions are checked against it.
type Product struct {
	Text     string
	compiled *compiler.CompiledSchema
}

// CompileProduct compiles text and refuses with errs.Invalid what the product's schema must not have: a wildcard subject
// ("user:*"), which would admit everybody of every tenant, and a name with a slash, which would be a tenant's.
func CompileProduct(ctx context.Context, text string) (*Product, error) {
	compiled, err := compile(text)
	if err != nil {
		return nil, err
	}
	ts := typesystem.NewTypeSystem(typesystem.ResolverForCompiledSchema(compiled))
	for _, definition := range compiled.ObjectDefinitions {
		if strings.Contains(definition.GetName(), "/") {
			return nil, wrong("definition %s: the product's names have no slash", definition.GetName())
		}
		if _, err := ts.GetValidatedDefinition(ctx, definition.GetName()); err != nil {
			return nil, invalidSchema(err)
		}
		for _, relation := range definition.GetRelation() {
			if t := wildcard(relation); t != "" {
				return nil, wrong("relation %s of %s admits %s:*, which would be everybody of every tenant", relation.GetName(), definition.GetName(), t)
			}
		}
	}
	for _, definition := range compiled.ObjectDefinitions {
		aliased(definition)
	}
	return &Product{text, compiled}, nil
}

// Definitions returns what the product defines.
func (p *Product) Definitions() ([]*core.NamespaceDefinition, []*core.CaveatDefinition) {
	return p.compiled.ObjectDefinitions, p.compiled.CaveatDefinitions
}

// Has reports whether a definition has a relation or permission of that name.
func (p *Product) Has(definition, name string) bool {
	for _, d := range p.compiled.ObjectDefinitions {
		if d.GetName() == definition {
			return slices.ContainsFunc(d.GetRelation(), func(r *core.Relation) bool { return r.GetName() == name })
		}
	}
	return false
}

func compile(text string) (*compiler.CompiledSchema, error) {
	compiled, err := compiler.Compile(
		compiler.InputSchema{Source: input.Source("schema"), SchemaString: text},
		compiler.AllowUnprefixedObjectType(), compiler.DisallowImportFlag(),
	)
	if err != nil {
		return nil, invalidSchema(err)
	}
	return compiled, nil
}

func wildcard(relation *core.Relation) string {
	for _, allowed := range relation.GetTypeInformation().GetAllowedDirectRelations() {
		if allowed.GetPublicWildcard() != nil {
			return allowed.GetNamespace()
		}
	}
	return ""
}

// invalidSchema is for the author, so it carries the compiler's words, up to the end of their first line.
func invalidSchema(err error) error {
	text, _, _ := strings.Cut(err.Error(), "\n")
	return errs.New(errs.Invalid, "the schema is not valid: %s", text).Marked(errs.NotValid).Because(err)
}

// Vocabulary returns the types that text defines.
func Vocabulary(text string) ([]schema.Kind, error) {
	compiled, err := compile(text)
	if err != nil {
		return nil, err
	}
	var all []schema.Kind
	for _, d := range compiled.ObjectDefinitions {
		k := schema.Kind{Type: d.GetName()}
		for _, r := range d.GetRelation() {
			if r.GetUsersetRewrite() == nil {
				k.Relations = append(k.Relations, r.GetName())
			} else {
				k.Permissions = append(k.Permissions, r.GetName())
			}
		}
		all = append(all, k)
	}
	return all, nil
}
