package spice

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	caveattypes "github.com/authzed/spicedb/pkg/caveats/types"
	"github.com/authzed/spicedb/pkg/diff"
	nsdiff "github.com/authzed/spicedb/pkg/diff/namespace"
	core "github.com/authzed/spicedb/pkg/proto/core/v1"
	"github.com/authzed/spicedb/pkg/schemadsl/generator"
	"github.com/authzed/spicedb/pkg/tuple"
)

// Change is one difference between two schemas: something of a type, or of caveat, that is there afterwards (+), before (-),
// or in both and not the same (~).
type Change struct {
	Sign string `json:"sign"`
	What string `json:"what"`
}

// String returns the change as a line.
func (c Change) String() string { return c.Sign + " " + c.What }

// Diff returns what changes when the text after takes the place of before, by name. Comments and the order in which things
// are written change nothing.
func Diff(_ context.Context, before, after string) ([]Change, error) {
	was, err := compile(before)
	if err != nil {
		return nil, err
	}
	is, err := compile(after)
	if err != nil {
		return nil, err
	}
	d, err := diff.DiffSchemas(diff.NewDiffableSchemaFromCompiledSchema(was), diff.NewDiffableSchemaFromCompiledSchema(is), caveattypes.Default.TypeSet)
	if err != nil {
		return nil, invalidSchema(err)
	}
	var all []Change
	all = append(all, changesOf("-", "definition", d.RemovedNamespaces)...)
	all = append(all, changesOf("+", "definition", d.AddedNamespaces)...)
	all = append(all, changesOf("-", "caveat", d.RemovedCaveats)...)
	all = append(all, changesOf("+", "caveat", d.AddedCaveats)...)
	all = append(all, changesOf("~", "caveat", slices.Collect(maps.Keys(d.ChangedCaveats)))...)
	for _, name := range slices.Sorted(maps.Keys(d.ChangedNamespaces)) {
		changes := d.ChangedNamespaces[name]
		all = append(all, deltas(definitionOf(was.ObjectDefinitions, name), definitionOf(is.ObjectDefinitions, name), changes.Deltas())...)
	}
	return all, nil
}

func changesOf(sign, what string, names []string) []Change {
	slices.Sort(names)
	var all []Change
	for _, name := range names {
		all = append(all, Change{sign, what + " " + name})
	}
	return all
}

func definitionOf(all []*core.NamespaceDefinition, name string) *core.NamespaceDefinition {
	i := slices.IndexFunc(all, func(d *core.NamespaceDefinition) bool { return d.GetName() == name })
	return all[i]
}

// deltas returns the changes of one definition, by relation and permission.
func deltas(was, is *core.NamespaceDefinition, found []nsdiff.Delta) []Change {
	var all []Change
	add := func(sign, format string, args ...any) {
		all = append(all, Change{sign, fmt.Sprintf(format, args...)})
	}
	for _, d := range found {
		at := is.GetName() + "#" + d.RelationName
		switch d.Type {
		case nsdiff.AddedRelation:
			add("+", "relation %s: %s", at, admits(is, d.RelationName))
		case nsdiff.RemovedRelation:
			add("-", "relation %s: %s", at, admits(was, d.RelationName))
		case nsdiff.RelationAllowedTypeAdded:
			add("+", "relation %s admits %s", at, subjectText(d.AllowedType))
		case nsdiff.RelationAllowedTypeRemoved:
			add("-", "relation %s admits %s", at, subjectText(d.AllowedType))
		case nsdiff.AddedPermission:
			add("+", "permission %s = %s", at, expressionText(is, d.RelationName))
		case nsdiff.RemovedPermission:
			add("-", "permission %s = %s", at, expressionText(was, d.RelationName))
		case nsdiff.ChangedPermissionImpl:
			add("~", "permission %s = %s, was %s", at, expressionText(is, d.RelationName), expressionText(was, d.RelationName))
		}
	}
	slices.SortStableFunc(all, func(a, b Change) int { return strings.Compare(a.What, b.What) })
	return all
}

func relationOf(def *core.NamespaceDefinition, name string) *core.Relation {
	i := slices.IndexFunc(def.GetRelation(), func(r *core.Relation) bool { return r.GetName() == name })
	return def.GetRelation()[i]
}

func admits(def *core.NamespaceDefinition, name string) string {
	var all []string
	for _, a := range relationOf(def, name).GetTypeInformation().GetAllowedDirectRelations() {
		all = append(all, subjectText(a))
	}
	return strings.Join(all, " | ")
}

// expressionText returns what a permission is, in the language.
func expressionText(def *core.NamespaceDefinition, name string) string {
	text, err := generator.GenerateRelationSource(relationOf(def, name), caveattypes.Default.TypeSet)
	if err != nil {
		return "?"
	}
	_, expression, _ := strings.Cut(text, " = ")
	return strings.TrimSpace(expression)
}

// Admits reports whether a relation of the type admits such a subject.
func (t OwnType) Admits(relation, subject, set string, expires bool) bool {
	i := slices.IndexFunc(t.def.GetRelation(), func(r *core.Relation) bool { return r.GetName() == relation })
	if i < 0 {
		return false
	}
	if set == "" {
		set = tuple.Ellipsis
	}
	return slices.ContainsFunc(t.def.GetRelation()[i].GetTypeInformation().GetAllowedDirectRelations(), func(a *core.AllowedRelation) bool {
		return a.GetNamespace() == subject && a.GetRelation() == set && (a.GetRequiredExpiration() != nil) == expires
	})
}
