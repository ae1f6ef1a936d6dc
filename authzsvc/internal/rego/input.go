package rego

import (
	"net/netip"
	"strings"
	"time"
)

// Input is what a policy may know of one request. Every field is always in the document that rules see, empty where nothing is known, so that
// a rule never meets an undefined value; testdata/input.golden shows the shape.
type Input struct {
	Principal Principal
	Operation string   // name of the operation, "files.read"
	Objects   []Object // what it is about; empty for an operation about nothing
	Context   Context
}

// Principal is who asks: a base, and the actors in front of it, nearest first.
type Principal struct {
	Base   Subject
	Actors []Subject
	Key    string   // id of the key that authenticated, never the key
	Admin  bool     // whether the key is an admin key
	Scopes []string // of the key
}

// Subject is one party of a principal.
type Subject struct {
	Type   string // "user", "agent", "sandbox"
	ID     string // its name within the tenant, not quoted
	Tenant string
}

// Object is one thing that an operation is about.
type Object struct {
	Type   string
	Tenant string
	ID     string
	Path   string // for a file, as resolved: its own path, or its anchor's when it has no row; empty for what has no path
	Name   string // in the caller's words; rules see it for what has no path
	Rest   string // the part of the path below the anchor, for a file without a row of its own
}

// path returns the whole path that rules see, so that a rule that looks at the path has looked at the rest too.
func (o *Object) path() string {
	switch {
	case o.Rest == "":
		return o.Path
	case strings.HasSuffix(o.Path, "/") || strings.HasPrefix(o.Rest, "/"):
		return o.Path + o.Rest
	default:
		return o.Path + "/" + o.Rest
	}
}

// name returns the name that rules see: the last element of path, or the caller's words for what has no path.
func (o *Object) name(path string) string {
	if path == "" {
		return o.Name
	}
	path = strings.TrimRight(path, "/")
	return path[strings.LastIndexByte(path, '/')+1:]
}

// Context is what surrounds a request.
type Context struct {
	Time    time.Time        // when the decision is made; the only clock that rules have
	Address netip.Addr       // of the client; IPv4 mapped into IPv6 reads as IPv4, the zero address as ""
	Tier    string           // of the tenant
	Sandbox string           // id of the sandbox that the request comes from, or empty
	Counts  map[string]int64 // usage so far, by name
}
