package gatetest

import (
	"nexus/authzsvc/authz"
	"nexus/internal/ids"
)

// User returns a person of a tenant. Both are names as people write them.
func User(tenant, name string) authz.Principal { return principal("user", tenant, name) }

// Agent returns an agent of a tenant that acts by a key of its own. Both are names as people write them.
func Agent(tenant, name string) authz.Principal { return principal("agent", tenant, name) }

// Behind returns who with an actor in front of it that has mandate m.
func Behind(who authz.Principal, actor authz.Ref, m authz.Mandate) authz.Principal {
	who.Actors = append([]authz.Actor{{Ref: actor, Mandate: m}}, who.Actors...)
	return who
}

func principal(definition, tenant, name string) authz.Principal {
	quoted := ids.Quote(tenant)
	return authz.Principal{
		Base:   authz.Ref{Type: definition, ID: quoted + "/" + ids.Quote(name)},
		Tenant: quoted,
		Via:    authz.Via{Key: "k1", Address: "127.0.0.1", Request: "r1"},
	}
}
