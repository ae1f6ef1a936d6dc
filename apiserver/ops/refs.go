package ops

import (
	"context"
	"slices"

	"nexus/apiserver/api"
	"nexus/authzsvc/authz"
	"nexus/authzsvc/relations"
	"nexus/internal/errs"
	"nexus/internal/ids"
	"nexus/schema"
	"nexus/storage"
)

// words turns what people write into what the engine knows, and back. It works within the principal's own tenant: nothing
// of another tenant has a name here.
type words struct{ names storage.Names }

// legacy maps relations as older clients write them.
var legacy = map[string]string{
	"member-of": "member", "owner-of": "direct_owner", "editor-of": "direct_editor", "viewer-of": "direct_viewer",
}

// relation returns the stored relation that name means on a definition. A computed one is refused: it cannot be stored.
func relation(definition, name string) (string, error) {
	if known, ok := legacy[name]; ok {
		name = known
	}
	if definition == "file" && name == "parent" {
		return "link", nil
	}
	switch {
	case definition == "file" && name == "link", reserved(definition, name):
	case slices.Contains(schema.Direct(definition), name):
		return name, nil
	case slices.Contains(schema.Permissions(definition), name):
		return "", errs.New(errs.Invalid, "relation %s is computed; use a direct one, such as direct_%s", name, name).Marked(errs.ComputedRelation)
	}
	return "", errs.New(errs.Invalid, "there is no relation %q on %s", name, definition).Marked(errs.NotValid)
}

// reserved reports whether the store alone writes a relation.
func reserved(definition, name string) bool {
	switch definition {
	case "group":
		return name == "tenant"
	case "tenant":
		return name != "admin" && name != "member"
	case "platform", "agent":
		return true
	}
	return false
}

// permission checks that name can be asked on an object, where its type is the product's.
func permission(object api.Ref, name string) error {
	definition := object.Type()
	if foreign(object) || slices.Contains(schema.Permissions(definition), name) || slices.Contains(schema.Direct(definition), name) {
		return nil
	}
	return errs.New(errs.Invalid, "there is no permission %q on %s", name, definition).Marked(errs.NotValid)
}

// subject returns who is meant by r. A group without a relation means its members.
func (w words) subject(ctx context.Context, who authz.Principal, r api.Ref) (storage.Subject, error) {
	ref, err := w.object(ctx, who, r)
	if err != nil {
		return storage.Subject{}, err
	}
	s := storage.Subject{Ref: ref, Relation: r.Relation()}
	if r.Type() == "group" && s.Relation == "" {
		s.Relation = "member"
	}
	return s, nil
}

// named is object, with what of a path lies below the row.
func (w words) named(ctx context.Context, who authz.Principal, r api.Ref) (ref authz.Ref, rest string, err error) {
	if r.Type() != "file" {
		ref, err = w.object(ctx, who, r)
		return ref, "", err
	}
	a, err := w.names.Address(ctx, who.Tenant, r.ID())
	return a.Named().Ref, a.Rest, err
}

// object returns the object that r names; for a path, the row that decisions about it are made on.
func (w words) object(ctx context.Context, who authz.Principal, r api.Ref) (authz.Ref, error) {
	switch r.Type() {
	case "file":
		ref, _, err := w.named(ctx, who, r)
		return ref, err
	case "user":
		u, err := schema.UserOf(who.Tenant, r.ID())
		return u.Named().Ref, err
	case "agent":
		a, err := schema.AgentOf(who.Tenant, r.ID())
		return a.Named().Ref, err
	case "group":
		g, err := schema.GroupOf(who.Tenant, r.ID())
		return g.Named().Ref, err
	case "tenant":
		return w.tenant(who, r.ID())
	}
	i, _, err := w.item(ctx, who, r)
	return i.Named().Ref, err
}

// row is object for relationships themselves: a path that has no row of its own has none, whatever is above it.
func (w words) row(ctx context.Context, who authz.Principal, r api.Ref) (ref authz.Ref, has bool, err error) {
	ref, rest, err := w.named(ctx, who, r)
	return ref, err == nil && rest == "", err
}

func (w words) tenant(who authz.Principal, name string) (authz.Ref, error) {
	if ids.Quote(name) != who.Tenant {
		return authz.Ref{}, errs.New(errs.Denied, "permission denied: tenant %s", name)
	}
	return authz.Ref{Type: "tenant", ID: who.Tenant}, nil
}

// wire returns how people write an object: a file by its path, where it still has one.
func (w words) wire(ctx context.Context, ref authz.Ref) api.Ref {
	if ref.Type == "file" {
		if path, err := w.names.Path(ctx, ref); err == nil {
			return api.Ref{"file", path}
		}
	}
	return api.Ref{schema.TypeName(ref.Type), schema.NameOf(ref)}
}

// setOf returns how people write a subject: somebody, or all who have a relation.
func (w words) setOf(ctx context.Context, s storage.Subject) api.Ref {
	ref := w.wire(ctx, s.Ref)
	if s.Relation != "" {
		ref = append(ref, s.Relation)
	}
	return ref
}

// subjectOf returns how people write the subject of a relationship.
func (w words) subjectOf(ctx context.Context, r relations.Relationship) api.Ref {
	return w.setOf(ctx, storage.Subject{Ref: r.Subject, Relation: r.SubjectRelation})
}

// self reports whether r names the principal's base.
func self(who authz.Principal, r api.Ref) bool {
	return r.Type() == who.Base.Type && r.ID() == schema.NameOf(who.Base) && r.Relation() == ""
}

// home refuses a tenant parameter that names another tenant than the principal's.
func home(who authz.Principal, tenant string) error {
	if tenant == "" || ids.Quote(tenant) == who.Tenant {
		return nil
	}
	return errs.New(errs.Denied, "permission denied: tenant %s", tenant)
}
