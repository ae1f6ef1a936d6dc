package authn

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"nexus/authzsvc/authz"
	"nexus/internal/errs"
	"nexus/internal/ids"
	"nexus/schema"
)

// Headers that name somebody. The RPC face alone reads them.
const (
	SubjectHeader     = "X-Nexus-Subject"   // type:name
	TenantHeader      = "X-Nexus-Tenant-ID" // a tenant's name
	OlderTenantHeader = "X-Tenant-ID"       // the same, as RemoteNexusFS sends it from whoami
	AgentHeader       = "X-Agent-ID"        // an agent's name
)

var nameHeaders = []string{SubjectHeader, TenantHeader, OlderTenantHeader, AgentHeader}

// filesAndRelations is the mandate of an admin's key that stands for somebody else: whatever can be asked about files, the
// entry to the tenant, and the relations of groups. No vault, keys, sync or sandboxes, and no administration.
var filesAndRelations = authz.Mandate{Permissions: map[string][]string{
	"file":   schema.Permissions("file"),
	"group":  {"manage"},
	"tenant": {"access"},
}}

// named applies the headers to who, whom cred stands for.
func (g *Guard) named(ctx context.Context, who authz.Principal, cred *Credential, h http.Header) (authz.Principal, error) {
	tenant, err := g.tenant(ctx, cred, h)
	if err != nil {
		return authz.Principal{}, err
	}
	who.Tenant = tenant
	stand, err := g.standIn(ctx, who, cred, h)
	if err != nil {
		return authz.Principal{}, err
	}
	return g.through(ctx, stand, cred, h)
}

// through returns who with the agent that X-Agent-ID names in front: one that the key's user owns, within its mandate. The
// agent acts for the user, not with an admin's key. An agent's own key may name that agent, which changes nothing.
func (g *Guard) through(ctx context.Context, who authz.Principal, cred *Credential, h http.Header) (authz.Principal, error) {
	name, ok, err := single(h, AgentHeader)
	if err != nil || !ok {
		return who, err
	}
	own := len(who.Actors) == 0 && who.Tenant == cred.Tenant
	if own && cred.is("agent", name) {
		return who, nil
	}
	if !own || cred.SubjectType != "user" || who.Base.Type != "user" {
		return authz.Principal{}, cannotName(AgentHeader)
	}
	owner, mandate, err := g.credentials.Agent(ctx, cred.Tenant, name)
	if err != nil && !errors.Is(err, errs.NotFound) {
		return authz.Principal{}, err
	}
	agent, invalid := subject(cred.Tenant, "agent", name)
	if err != nil || invalid != nil || owner != cred.SubjectName {
		return authz.Principal{}, cannotName(AgentHeader)
	}
	return authz.Principal{Base: who.Base, Tenant: who.Tenant, Via: who.Via, Actors: []authz.Actor{{Ref: agent, Mandate: mandate}}}, nil
}

// tenant returns the quoted tenant that a request means: the key's own, or for a platform admin's key any that exists.
func (g *Guard) tenant(ctx context.Context, cred *Credential, h http.Header) (string, error) {
	name, header, err := tenantName(h)
	if err != nil {
		return "", err
	}
	quoted := ids.Quote(name)
	if header == "" || quoted == cred.Tenant {
		return cred.Tenant, nil
	}
	if !cred.Platform {
		return "", cannotName(header)
	}
	exists, err := g.credentials.Tenant(ctx, name)
	if err != nil {
		return "", err
	}
	if !exists {
		return "", cannotName(header)
	}
	return quoted, nil
}

// tenantName returns the tenant that the headers name, and the header that does. Two that differ are refused.
func tenantName(h http.Header) (name, header string, err error) {
	name, ok, err := single(h, TenantHeader)
	if err != nil {
		return "", "", err
	}
	older, too, err := single(h, OlderTenantHeader)
	switch {
	case err != nil:
		return "", "", err
	case ok && too && older != name:
		return "", "", cannotName(OlderTenantHeader)
	case ok:
		return name, TenantHeader, nil
	case too:
		return older, OlderTenantHeader, nil
	}
	return "", "", nil
}

// standIn returns who X-Nexus-Subject names, with the admin's key as an actor in front, or who itself when it names nobody else.
func (g *Guard) standIn(ctx context.Context, who authz.Principal, cred *Credential, h http.Header) (authz.Principal, error) {
	value, ok, err := single(h, SubjectHeader)
	if err != nil || !ok {
		return who, err
	}
	typ, name, ok := strings.Cut(value, ":")
	if ok && cred.is(typ, name) && who.Tenant == cred.Tenant {
		return who, nil
	}
	base, err := subject(who.Tenant, typ, name)
	if !ok || err != nil || who.Admin.IsZero() {
		return authz.Principal{}, cannotName(SubjectHeader)
	}
	exists, admin, err := g.credentials.Subject(ctx, who.Tenant, typ, name)
	if err != nil {
		return authz.Principal{}, err
	}
	if !exists || admin {
		return authz.Principal{}, cannotName(SubjectHeader)
	}
	owner, err := g.owner(ctx, base, who.Tenant, name)
	if err != nil {
		return authz.Principal{}, err
	}
	return authz.Principal{
		Base: base, Owner: owner, Tenant: who.Tenant, Via: who.Via,
		Actors: []authz.Actor{{Ref: who.Admin, Mandate: filesAndRelations}},
	}, nil
}

// owner returns the user who owns base when it is an agent, as the agent's own key would have it.
func (g *Guard) owner(ctx context.Context, base authz.Ref, tenant, agent string) (authz.Ref, error) {
	if base.Type != "agent" {
		return authz.Ref{}, nil
	}
	name, err := g.credentials.Owner(ctx, tenant, agent)
	if err != nil {
		return authz.Ref{}, err
	}
	return subject(tenant, "user", name)
}

// is reports whether the credential's own subject is meant.
func (c *Credential) is(typ, name string) bool { return c.SubjectType == typ && c.SubjectName == name }

// nobodyNames refuses headers that name somebody when there is no key.
func nobodyNames(h http.Header) error {
	for _, header := range nameHeaders {
		if len(h.Values(header)) > 0 {
			return cannotName(header)
		}
	}
	return nil
}

// single returns the one value of a header. Two that differ, or an empty one, name somebody that cannot be made out: an
// error, because taking the header for missing would act as the key's own subject.
func single(h http.Header, header string) (value string, ok bool, err error) {
	values := h.Values(header)
	if len(values) == 0 {
		return "", false, nil
	}
	for _, v := range values {
		if v == "" || v != values[0] {
			return "", false, cannotName(header)
		}
	}
	return values[0], true, nil
}

// cannotName is the one refusal of a header: it does not tell whether what was named exists.
func cannotName(header string) error {
	return errs.New(errs.Unauthenticated, "header %s names whom this key cannot stand for", header)
}
