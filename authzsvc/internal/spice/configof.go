package spice

import (
	"encoding/json"
	"strings"

	core "github.com/authzed/spicedb/pkg/proto/core/v1"
	"github.com/authzed/spicedb/pkg/tuple"
)

// configOf returns the configuration that means the same as def.
func configOf(def *core.NamespaceDefinition) json.RawMessage {
	relations, permissions := map[string]any{}, map[string]any{}
	for _, r := range def.GetRelation() {
		if r.GetUsersetRewrite() != nil {
			permissions[r.GetName()] = expressionOf(r.GetUsersetRewrite())
			continue
		}
		subjects := []string{}
		for _, a := range r.GetTypeInformation().GetAllowedDirectRelations() {
			subjects = append(subjects, subjectText(a))
		}
		relations[r.GetName()] = map[string]any{"subjects": subjects}
	}
	raw, err := json.Marshal(map[string]any{"relations": relations, "permissions": permissions})
	if err != nil {
		return json.RawMessage("null") // maps, lists and texts can be written
	}
	return raw
}

func subjectText(a *core.AllowedRelation) string {
	s := a.GetNamespace()
	if a.GetRelation() != tuple.Ellipsis {
		s += "#" + a.GetRelation()
	}
	var conditions []string
	if rule := a.GetRequiredCaveat().GetCaveatName(); rule != "" {
		conditions = append(conditions, rule)
	}
	if a.GetRequiredExpiration() != nil {
		conditions = append(conditions, "expiration")
	}
	if len(conditions) > 0 {
		s += " with " + strings.Join(conditions, " and ")
	}
	return s
}

func expressionOf(rewrite *core.UsersetRewrite) any {
	parts := []any{}
	for _, child := range children(rewrite) {
		parts = append(parts, partOf(child))
	}
	switch rewrite.GetRewriteOperation().(type) {
	case *core.UsersetRewrite_Intersection:
		return map[string]any{"intersection": parts}
	case *core.UsersetRewrite_Exclusion:
		return map[string]any{"exclusion": parts}
	}
	return map[string]any{"union": parts}
}

func partOf(child *core.SetOperation_Child) any {
	switch c := child.GetChildType().(type) {
	case *core.SetOperation_Child_ComputedUserset:
		return c.ComputedUserset.GetRelation()
	case *core.SetOperation_Child_TupleToUserset:
		return arrowOf("tupleToUserset", c.TupleToUserset.GetTupleset().GetRelation(), c.TupleToUserset.GetComputedUserset())
	case *core.SetOperation_Child_FunctionedTupleToUserset:
		f := c.FunctionedTupleToUserset
		if f.GetFunction() == core.FunctionedTupleToUserset_FUNCTION_ALL {
			return arrowOf("allOfTupleToUserset", f.GetTupleset().GetRelation(), f.GetComputedUserset())
		}
		return arrowOf("tupleToUserset", f.GetTupleset().GetRelation(), f.GetComputedUserset())
	case *core.SetOperation_Child_UsersetRewrite:
		return expressionOf(c.UsersetRewrite)
	case *core.SetOperation_Child_XSelf:
		return map[string]any{"self": true}
	}
	return map[string]any{"union": []any{}} // nobody
}

func arrowOf(name, over string, computed *core.ComputedUserset) any {
	return map[string]any{name: map[string]string{"tupleset": over, "computedUserset": computed.GetRelation()}}
}
