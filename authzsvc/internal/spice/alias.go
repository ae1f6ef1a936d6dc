package spice

import (
	"slices"

	core "github.com/authzed/spicedb/pkg/proto/core/v1"
)

// aliased notes in def which permissions are another name for a relation or permission of it: the engine then asks for that
// one at once, which saves it a step on each object.
func aliased(def *core.NamespaceDefinition) *core.NamespaceDefinition {
	for _, r := range def.GetRelation() {
		if of := aliasOf(def, r.GetName(), len(def.GetRelation())); of != r.GetName() {
			r.AliasingRelation = of
		}
	}
	return def
}

// aliasOf returns what name is another name for, following at most so many names.
func aliasOf(def *core.NamespaceDefinition, name string, most int) string {
	i := slices.IndexFunc(def.GetRelation(), func(r *core.Relation) bool { return r.GetName() == name })
	if i < 0 || most == 0 {
		return name
	}
	parts := def.GetRelation()[i].GetUsersetRewrite().GetUnion().GetChild()
	if len(parts) != 1 || parts[0].GetComputedUserset() == nil {
		return name
	}
	return aliasOf(def, parts[0].GetComputedUserset().GetRelation(), most-1)
}
