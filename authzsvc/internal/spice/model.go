package spice

import (
	"context"
	"sync"

	core "github.com/authzed/spicedb/pkg/proto/core/v1"
	"github.com/authzed/spicedb/pkg/tuple"

	"nexus/authzsvc/explain"
	"nexus/authzsvc/relations"
)

// Schema returns the schema in force at a revision, as data.
func (e *Engine) Schema(ctx context.Context, at relations.Revision) (*explain.Schema, error) {
	s, err := e.snapshot(ctx, at)
	if err != nil {
		return nil, err
	}
	return e.model(ctx, s)
}

// models keeps the last few schemas as data, by hash. Schemas are small and change seldom.
type models struct {
	mu     sync.Mutex
	byHash map[string]*explain.Schema
}

const maxModels = 8

func (m *models) get(hash string) *explain.Schema {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.byHash[hash]
}

func (m *models) put(hash string, s *explain.Schema) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.byHash == nil || len(m.byHash) >= maxModels {
		m.byHash = make(map[string]*explain.Schema, maxModels)
	}
	m.byHash[hash] = s
}

func (e *Engine) model(ctx context.Context, s snapshot) (*explain.Schema, error) {
	if known := e.models.get(s.hash); known != nil {
		return known, nil
	}
	stored, err := e.store.SnapshotReader(s.revision).ReadStoredSchema(ctx)
	if err != nil {
		return nil, fault(err)
	}
	definitions := stored.Get().GetV1().GetNamespaceDefinitions()
	schema := &explain.Schema{Definitions: make(map[string]*explain.Definition, len(definitions))}
	for name, d := range definitions {
		schema.Definitions[name] = definition(d)
	}
	e.models.put(s.hash, schema)
	return schema, nil
}

func definition(d *core.NamespaceDefinition) *explain.Definition {
	out := &explain.Definition{Relations: map[string][]explain.SubjectType{}, Permissions: map[string]explain.Term{}}
	for _, r := range d.GetRelation() {
		if r.GetUsersetRewrite() != nil {
			out.Permissions[r.GetName()] = rewrite(r.GetUsersetRewrite())
			continue
		}
		out.Relations[r.GetName()] = subjectTypes(r)
	}
	return out
}

func subjectTypes(r *core.Relation) []explain.SubjectType {
	var types []explain.SubjectType
	seen := map[explain.SubjectType]bool{} // user and user with expiration are one kind of subject
	for _, allowed := range r.GetTypeInformation().GetAllowedDirectRelations() {
		t := explain.SubjectType{Type: allowed.GetNamespace(), Relation: allowed.GetRelation()}
		if t.Relation == tuple.Ellipsis {
			t.Relation = ""
		}
		if !seen[t] {
			seen[t] = true
			types = append(types, t)
		}
	}
	return types
}

func rewrite(r *core.UsersetRewrite) explain.Term {
	switch op := r.GetRewriteOperation().(type) {
	case *core.UsersetRewrite_Union:
		return operation(explain.Union, op.Union)
	case *core.UsersetRewrite_Intersection:
		return operation(explain.Intersection, op.Intersection)
	case *core.UsersetRewrite_Exclusion:
		return operation(explain.Exclusion, op.Exclusion)
	}
	return explain.Term{}
}

func operation(op explain.Op, set *core.SetOperation) explain.Term {
	t := explain.Term{Op: op}
	for _, child := range set.GetChild() {
		t.Terms = append(t.Terms, term(child))
	}
	if len(t.Terms) == 1 && op == explain.Union { // how SpiceDB writes a permission of one part
		return t.Terms[0]
	}
	return t
}

func term(child *core.SetOperation_Child) explain.Term {
	switch c := child.GetChildType().(type) {
	case *core.SetOperation_Child_ComputedUserset:
		return explain.Term{Op: explain.Same, Name: c.ComputedUserset.GetRelation()}
	case *core.SetOperation_Child_TupleToUserset:
		return arrow(explain.Arrow, c.TupleToUserset.GetTupleset().GetRelation(), c.TupleToUserset.GetComputedUserset())
	case *core.SetOperation_Child_FunctionedTupleToUserset:
		f := c.FunctionedTupleToUserset
		if f.GetFunction() == core.FunctionedTupleToUserset_FUNCTION_ANY {
			return arrow(explain.Arrow, f.GetTupleset().GetRelation(), f.GetComputedUserset())
		}
		return arrow(explain.All, f.GetTupleset().GetRelation(), f.GetComputedUserset())
	case *core.SetOperation_Child_UsersetRewrite:
		return rewrite(c.UsersetRewrite)
	case *core.SetOperation_Child_XSelf:
		return explain.Term{Op: explain.Self}
	}
	return explain.Term{}
}

func arrow(op explain.Op, over string, computed *core.ComputedUserset) explain.Term {
	return explain.Term{Op: op, Over: over, Name: computed.GetRelation()}
}
