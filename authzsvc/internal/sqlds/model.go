package sqlds

import (
	"context"
	"errors"
	"slices"

	"github.com/authzed/spicedb/pkg/datastore"
	"github.com/authzed/spicedb/pkg/namespace"
	core "github.com/authzed/spicedb/pkg/proto/core/v1"
	iv1 "github.com/authzed/spicedb/pkg/proto/impl/v1"

	"nexus/internal/errs"
)

// model is a compiled schema as far as writing needs it: which relationships may exist.
type model struct {
	definitions map[string]map[string]relation
}

type relation struct {
	computed bool // a permission, which nobody writes
	admits   map[subjectKind]struct{}
	sets     []string // types of which it admits subject sets
}

// subjectKind is one alternative of a relation's declaration.
type subjectKind struct {
	typ, relation, caveat string
	expires               bool
}

func newModel(definitions []*core.NamespaceDefinition) *model {
	m := &model{map[string]map[string]relation{}}
	for _, def := range definitions {
		all := make(map[string]relation, len(def.Relation))
		for _, r := range def.Relation {
			all[r.Name] = newRelation(r)
		}
		m.definitions[def.Name] = all
	}
	return m
}

// newRelation leaves wildcards out: nothing that is written may name everybody.
func newRelation(r *core.Relation) relation {
	n := relation{
		computed: r.UsersetRewrite != nil || namespace.GetRelationKind(r) == iv1.RelationMetadata_PERMISSION,
		admits:   map[subjectKind]struct{}{},
	}
	for _, a := range r.GetTypeInformation().GetAllowedDirectRelations() {
		if a.GetPublicWildcard() != nil {
			continue
		}
		kind := subjectKind{
			typ: a.Namespace, relation: a.GetRelation(),
			caveat: a.GetRequiredCaveat().GetCaveatName(), expires: a.RequiredExpiration != nil,
		}
		n.admits[kind] = struct{}{}
		if kind.relation != datastore.Ellipsis && !slices.Contains(n.sets, kind.typ) {
			n.sets = append(n.sets, kind.typ)
		}
	}
	return n
}

func (m *model) setTypes(typ, rel string) []string { return m.definitions[typ][rel].sets }

// check refuses a relationship that the schema does not admit.
func (m *model) check(c *change, caveat string) error {
	def, ok := m.definitions[c.rt]
	if !ok {
		return errs.New(errs.Invalid, "no type %q", c.rt).Marked(errs.NotValid)
	}
	rel, ok := def[c.rr]
	switch {
	case !ok:
		return errs.New(errs.Invalid, "%s has no relation %q", c.rt, c.rr).Marked(errs.NotValid)
	case rel.computed:
		return errs.New(errs.Invalid, "%s#%s is computed and cannot be written", c.rt, c.rr).Marked(errs.ComputedRelation)
	}
	kind := subjectKind{typ: c.st, relation: c.sr, caveat: caveat, expires: c.expiry != never}
	if _, ok := rel.admits[kind]; !ok {
		return errs.New(errs.Invalid, "%s#%s does not admit %s", c.rt, c.rr, kind).Marked(errs.NotValid)
	}
	return nil
}

// String describes the kind of subject as a schema declares it.
func (k subjectKind) String() string {
	s := k.typ
	if k.relation != datastore.Ellipsis {
		s += "#" + k.relation
	}
	if k.caveat != "" {
		s += " with " + k.caveat
	}
	if k.expires {
		s += " with expiration"
	}
	return s
}

// models keeps the newest committed model. It belongs to whoever has the writer's turn.
type models struct{ newest *model }

func (m *models) forget() { m.newest = nil }

// schemaModel returns the model of the schema that holds within the transaction.
func (j *join) schemaModel(ctx context.Context) (*model, error) {
	if j.model != nil {
		return j.model, nil
	}
	b, kept := &j.d.batch, &j.d.models
	if !b.schema && kept.newest != nil {
		return kept.newest, nil
	}
	definitions, err := j.definitions(ctx)
	if err != nil {
		return nil, err
	}
	j.model = newModel(definitions)
	if !b.schema {
		kept.newest = j.model
	}
	return j.model, nil
}

// definitions returns those of the stored schema, or the single ones where no schema is stored as a whole.
func (j *join) definitions(ctx context.Context) ([]*core.NamespaceDefinition, error) {
	return definitionsOf(ctx, j.reader())
}

func definitionsOf(ctx context.Context, r *reader) ([]*core.NamespaceDefinition, error) {
	whole, err := r.ReadStoredSchema(ctx)
	if err == nil {
		var all []*core.NamespaceDefinition
		for _, def := range whole.Get().GetV1().GetNamespaceDefinitions() {
			all = append(all, def)
		}
		return all, nil
	}
	if !errors.Is(err, datastore.ErrSchemaNotFound) {
		return nil, err
	}
	single, err := r.LegacyListAllNamespaces(ctx)
	return datastore.DefinitionsOf(single), err
}

// wroteSchema is called whenever the closure changes definitions.
func (j *join) wroteSchema() {
	j.schema, j.model = true, nil
	j.d.batch.schema = true
}
