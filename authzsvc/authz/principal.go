package authz

import (
	"slices"
	"time"
)

// Principal is who makes a request: a base, whose relations are asked, and the actors in front of it, each of which can
// only take away. The zero Principal is nobody.
type Principal struct {
	Base   Ref     // user, agent or service: looked up in the relations
	Admin  Ref     // key:K of an admin key, looked up beside the base; zero otherwise
	Owner  Ref     // for an agent: the user who owns it and what it makes; zero otherwise
	Actors []Actor // nearest to the request first
	Tenant string  // quoted name of the tenant whose tree the request means
	Via    Via
}

// Actor acts for the base within a mandate.
type Actor struct {
	Ref
	Mandate Mandate
}

// Via is how a request came in. It is recorded and shown to policy; relations never see it.
type Via struct {
	Key     string // id of the key that authenticated
	Scopes  []string
	Address string // of the client, without port
	Request string // id of the request
}

// IsZero reports whether nobody is asking.
func (p Principal) IsZero() bool { return p.Base.IsZero() }

// Subjects returns the subjects whose relations count: the base, and an admin key beside it.
func (p Principal) Subjects() []Ref {
	if p.Admin.IsZero() {
		return []Ref{p.Base}
	}
	return []Ref{p.Base, p.Admin}
}

// IsAgent reports whether a program acts: as the base, or as an actor in front of it.
func (p Principal) IsAgent() bool {
	return p.Base.Type == "agent" || slices.ContainsFunc(p.Actors, func(a Actor) bool { return a.Type == "agent" })
}

func (p Principal) actors() []Ref {
	var refs []Ref
	for _, a := range p.Actors {
		refs = append(refs, a.Ref)
	}
	return refs
}

// until returns the earlier of t and the end of every actor's mandate.
func (p Principal) until(t time.Time) time.Time {
	for _, a := range p.Actors {
		if end := a.Mandate.Expires; !end.IsZero() && end.Before(t) {
			t = end
		}
	}
	return t
}

// permits reports whether every actor's mandate includes c at the time now.
func (p Principal) permits(c Check, now time.Time) bool {
	for _, a := range p.Actors {
		if !a.Mandate.permits(c, now) {
			return false
		}
	}
	return true
}

// Mandate bounds what an actor may do of what its base may. The zero Mandate is the default one: everything but sharing,
// administration and the reading of secrets.
type Mandate struct {
	// Permissions maps a definition to the permissions included; a definition that is missing is left out whole.
	// nil means the default.
	Permissions map[string][]string
	// Roots are the objects that it is limited to: these, and what stands below one of them in the tree of files, wherever
	// that is moved. nil means no limit, and an empty list nothing. A collection of the tenant may be opened whatever the
	// roots are, and shows what stands below them; what else asks about the tenant needs the tenant as a root.
	Roots []Ref
	// Expires ends the mandate; zero means that it does not end by itself.
	Expires time.Time
}

// withheld is what the default mandate leaves out, whatever the definition.
var withheld = []string{"share", "administer", "manage", "owner", "register_agent"}

func (m Mandate) permits(c Check, now time.Time) bool {
	if !m.Expires.IsZero() && !now.Before(m.Expires) {
		return false
	}
	if m.Permissions != nil {
		return slices.Contains(m.Permissions[c.Type], c.Permission)
	}
	if c.Type == "secret" && c.Permission == "read" {
		return false
	}
	return !slices.Contains(withheld, c.Permission)
}
