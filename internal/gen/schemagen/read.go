package main

import (
	"strings"

	"github.com/authzed/spicedb/pkg/namespace"
	core "github.com/authzed/spicedb/pkg/proto/core/v1"
	"github.com/authzed/spicedb/pkg/schemadsl/compiler"
	"github.com/authzed/spicedb/pkg/schemadsl/input"
)

// definition is one definition of the schema, with its relations and permissions in the order of the text.
type definition struct {
	Name        string
	Doc         string
	Relations   []relation
	Permissions []permission
}

type relation struct {
	Name     string
	Doc      string
	Subjects []string // what the relation admits, as the schema writes it
}

type permission struct {
	Name string
	Doc  string
}

// read compiles text with SpiceDB's own compiler.
func read(text string) ([]definition, error) {
	compiled, err := compiler.Compile(
		compiler.InputSchema{Source: input.Source(source), SchemaString: text},
		compiler.AllowUnprefixedObjectType(),
	)
	if err != nil {
		return nil, err
	}
	defs := make([]definition, 0, len(compiled.ObjectDefinitions))
	for _, d := range compiled.ObjectDefinitions {
		defs = append(defs, define(d))
	}
	return defs, nil
}

func define(d *core.NamespaceDefinition) definition {
	def := definition{Name: d.GetName(), Doc: comment(d.GetMetadata())}
	for _, r := range d.GetRelation() {
		doc := comment(r.GetMetadata())
		if r.GetUsersetRewrite() != nil {
			def.Permissions = append(def.Permissions, permission{Name: r.GetName(), Doc: doc})
			continue
		}
		rel := relation{Name: r.GetName(), Doc: doc}
		for _, s := range r.GetTypeInformation().GetAllowedDirectRelations() {
			rel.Subjects = append(rel.Subjects, subject(s))
		}
		def.Relations = append(def.Relations, rel)
	}
	return def
}

// subject writes an allowed subject as the schema does.
func subject(s *core.AllowedRelation) string {
	text := s.GetNamespace()
	switch {
	case s.GetPublicWildcard() != nil:
		text += ":*"
	case s.GetRelation() != "" && s.GetRelation() != "...":
		text += "#" + s.GetRelation()
	}
	var with []string
	if c := s.GetRequiredCaveat(); c != nil {
		with = append(with, c.GetCaveatName())
	}
	if s.GetRequiredExpiration() != nil {
		with = append(with, "expiration")
	}
	if len(with) > 0 {
		text += " with " + strings.Join(with, " and ")
	}
	return text
}

// comment returns the text of a doc comment without its marks, on one line.
func comment(m *core.Metadata) string {
	var words []string
	for _, c := range namespace.GetComments(m) {
		c = strings.TrimSpace(c)
		c = strings.TrimSuffix(strings.TrimPrefix(c, "/**"), "*/")
		for line := range strings.Lines(c) {
			line = strings.TrimSpace(line)
			line = strings.TrimPrefix(strings.TrimPrefix(line, "//"), "*")
			words = append(words, strings.Fields(line)...)
		}
	}
	return strings.Join(words, " ")
}
