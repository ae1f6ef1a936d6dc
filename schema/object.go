package schema

import (
	"slices"
	"strings"

	"nexus/authzsvc/authz"
	"nexus/internal/errs"
	"nexus/internal/ids"
)

// A tenant is written in two ways, and each place takes one of them. ID and TenantNamed take the name that people gave it.
// Principal.Tenant, Address.Tenant, TenantOf and the constructors that end in Of hold or take it quoted: it is quoted once,
// where a request enters.

// vocabulary is what can be said of a definition: relations are stored, permissions are computed.
type vocabulary struct {
	name        string
	direct      []string
	permissions []string
}

// Definitions returns the names of the product's definitions, in the order of the schema.
func Definitions() []string {
	names := make([]string, len(definitions))
	for i, d := range definitions {
		names[i] = d.name
	}
	return names
}

// Direct returns the relations of a definition, those that relationships can name; nil for an unknown definition.
func Direct(definition string) []string { return slices.Clone(lookup(definition).direct) }

// Permissions returns the permissions of a definition, those that checks can name beside its relations; nil for an unknown definition.
func Permissions(definition string) []string { return slices.Clone(lookup(definition).permissions) }

func lookup(definition string) vocabulary {
	for _, d := range definitions {
		if d.name == definition {
			return d
		}
	}
	return vocabulary{}
}

// within returns the id of name in a tenant that is quoted already.
func within(tenant, name string) (string, error) {
	plain, err := ids.Unquote(tenant)
	if err != nil || ids.Quote(plain) != tenant {
		return "", errs.New(errs.Invalid, "tenant %q is not quoted", tenant).Marked(errs.NotValid)
	}
	return ID(plain, name)
}

// quoted returns the id of a name that belongs to no tenant.
func quoted(name string) (string, error) {
	id := ids.Quote(name)
	if id == "" || len(id) > ids.MaxQuoted {
		return "", errs.New(errs.Invalid, "an id needs between 1 and %d bytes once quoted", ids.MaxQuoted).Marked(errs.NotValid)
	}
	return id, nil
}

// nameWithin returns the name in an id that carries its tenant.
func nameWithin(ref authz.Ref, definition string) (string, error) {
	tenant, name, ok := strings.Cut(ref.ID, "/")
	if !ok || ref.Type != definition {
		return "", notA(ref, definition)
	}
	plain, err := ids.Unquote(name)
	if err != nil {
		return "", notA(ref, definition)
	}
	if id, err := within(tenant, plain); err != nil || id != ref.ID {
		return "", notA(ref, definition)
	}
	return plain, nil
}

// nameAlone returns the name in an id that carries no tenant.
func nameAlone(ref authz.Ref, definition string) (string, error) {
	plain, err := ids.Unquote(ref.ID)
	if err != nil || ref.Type != definition {
		return "", notA(ref, definition)
	}
	if id, err := quoted(plain); err != nil || id != ref.ID {
		return "", notA(ref, definition)
	}
	return plain, nil
}

func notA(ref authz.Ref, definition string) error {
	return errs.New(errs.Invalid, "%q is no %s", ref.String(), definition).Marked(errs.NotValid)
}

// Home returns the tenant whose tree a request means. For a principal without one it is the zero Tenant, on which nothing holds.
func Home(who authz.Principal) Tenant {
	t, err := TenantFrom(authz.Ref{Type: "tenant", ID: who.Tenant})
	if err != nil {
		return Tenant{}
	}
	return t
}
