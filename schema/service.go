package schema

import "nexus/authzsvc/authz"

// Role is what a part of the server does by itself in a tenant: the relation that it has to it.
type Role string

// The roles there are. Each admits façade methods that return no contents.
const (
	Sweeper Role = "sweeper" // deletes what its time has come for
	Indexer Role = "indexer" // keeps the search index in step with the files
	Expirer Role = "expirer" // ends what was made for a time only
)

// Roles returns every role.
func Roles() []Role { return []Role{Sweeper, Indexer, Expirer} }

// Staff returns the service that has a role in a quoted tenant.
func Staff(tenant string, r Role) authz.Ref {
	return authz.Ref{Type: "service", ID: tenant + "/" + string(r)}
}

// Servant returns the principal as which the server works by itself, in a role, in a quoted tenant. Nothing that comes from
// outside makes one.
func Servant(tenant string, r Role) authz.Principal {
	return authz.Principal{Base: Staff(tenant, r), Tenant: tenant}
}
