package sqlds

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/authzed/spicedb/pkg/datastore"
	"github.com/authzed/spicedb/pkg/namespace"
	core "github.com/authzed/spicedb/pkg/proto/core/v1"
	iv1 "github.com/authzed/spicedb/pkg/proto/impl/v1"

	"nexus/internal/errs"
	"nexus/schema"
)

// model is a compiled schema as far as writing needs it: which relationships may exist.
type model struct {
	definitions map[string]*typeModel
	rules       map[string]*core.CaveatDefinition
	owners      map[string]string // tenants by the prefix of their definitions
}

// typeModel is the part of a model that is about one type.
type typeModel struct {
	of        *core.NamespaceDefinition
	relations map[string]relation
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

// newModel returns the model of a schema. Of the definitions that base was made of, too, it is taken from there.
func newModel(w *composed, base *model) *model {
	v1 := w.schema.Get().GetV1()
	m := &model{make(map[string]*typeModel, len(v1.GetNamespaceDefinitions())), v1.GetCaveatDefinitions(), w.owners}
	for name, def := range v1.GetNamespaceDefinitions() {
		if base != nil && base.definitions[name] != nil && base.definitions[name].of == def {
			m.definitions[name] = base.definitions[name]
			continue
		}
		all := make(map[string]relation, len(def.Relation))
		for _, r := range def.Relation {
			all[r.Name] = newRelation(r)
		}
		m.definitions[name] = &typeModel{def, all}
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

func (m *model) relation(typ, name string) (rel relation, hasType, has bool) {
	def := m.definitions[typ]
	if def == nil {
		return rel, false, false
	}
	rel, has = def.relations[name]
	return rel, true, has
}

func (m *model) setTypes(typ, name string) []string {
	rel, _, _ := m.relation(typ, name)
	return rel.sets
}

// check refuses a relationship that the schema does not admit.
func (m *model) check(c *change, caveat string) error {
	typ := schema.TypeName(c.rt)
	rel, hasType, has := m.relation(c.rt, c.rr)
	switch {
	case !hasType:
		return errs.New(errs.Invalid, "no type %q", typ).Marked(errs.NotValid)
	case !has:
		return errs.New(errs.Invalid, "%s has no relation %q", typ, c.rr).Marked(errs.NotValid)
	case rel.computed:
		return errs.New(errs.Invalid, "%s#%s is computed and cannot be written", typ, c.rr).Marked(errs.ComputedRelation)
	}
	kind := subjectKind{typ: c.st, relation: c.sr, caveat: caveat, expires: c.expiry != never}
	if _, ok := rel.admits[kind]; !ok {
		return errs.New(errs.Invalid, "%s#%s does not admit %s", typ, c.rr, kind).Marked(errs.NotValid)
	}
	return m.own(c)
}

// own refuses an object of a tenant's type that is not that tenant's.
func (m *model) own(c *change) error {
	prefix, _, ok := strings.Cut(c.rt, "/")
	if !ok {
		return nil
	}
	if tenant := m.owners[prefix]; tenant == "" || tenant != schema.TenantOf(c.resource()) {
		return errs.New(errs.Invalid, "%s is not a type of that tenant", schema.TypeName(c.rt)).Marked(errs.CrossTenant)
	}
	return nil
}

// String describes the kind of subject as a schema declares it.
func (k subjectKind) String() string {
	s := schema.TypeName(k.typ)
	if k.relation != datastore.Ellipsis {
		s += "#" + k.relation
	}
	if k.caveat != "" {
		s += " with " + schema.TypeName(k.caveat)
	}
	if k.expires {
		s += " with expiration"
	}
	return s
}

// models keeps the newest committed model. It belongs to whoever has the writer's turn.
type models struct {
	newest *model
	stale  bool // newest is of an earlier schema, and good only to begin from
}

func (m *models) forget() { m.stale = true }

// schemaModel returns the model of the schema that holds within the transaction.
func (j *join) schemaModel(ctx context.Context) (*model, error) {
	if j.model != nil {
		return j.model, nil
	}
	b, kept := &j.d.batch, &j.d.models
	if !b.schema && kept.newest != nil && !kept.stale {
		return kept.newest, nil
	}
	w, err := schemaOf(ctx, j.reader())
	if err != nil {
		return nil, err
	}
	j.model = newModel(w, kept.newest)
	if !b.schema {
		kept.newest, kept.stale = j.model, false
	}
	return j.model, nil
}

// schemaOf returns the stored schema, or one of the single definitions where none is stored as a whole.
func schemaOf(ctx context.Context, r *reader) (*composed, error) {
	w, err := r.composed(ctx)
	if !errors.Is(err, datastore.ErrSchemaNotFound) {
		return w, err
	}
	single, err := r.LegacyListAllNamespaces(ctx)
	if err != nil {
		return nil, err
	}
	w = &composed{parts: map[partKey]part{}}
	for _, def := range datastore.DefinitionsOf(single) {
		w.parts[partKey{kindObject, def.GetName()}] = part{object: def}
	}
	return w.sealed(), nil
}

// wroteSchema is called whenever the closure changes definitions.
func (j *join) wroteSchema() {
	j.schema, j.model = true, nil
	j.d.batch.schema = true
}
