package schema

import "nexus/authzsvc/authz"

// Address is where a path leads: the nearest row at or above it, and what is left of the path below that row. What has no
// row has no relationships, so a decision on the anchor is the decision on it. Only storage's resolver makes one worth using.
type Address struct {
	Tenant string // quoted
	Path   string // absolute and clean, in the caller's words
	Anchor string // the engine's id of the nearest row
	Parent string // the engine's id of the folder the anchor stands in; empty for a tenant's root
	Folder bool   // whether the anchor is a folder
	Rest   string // the part of Path below the anchor; empty when Path itself has a row
	// Reserved says that the anchor's row only keeps grants for what does not exist yet.
	Reserved bool
}

// Named returns the anchor, with the path that led to it.
func (a Address) Named() authz.Named {
	return authz.Named{Ref: authz.Ref{Type: "file", ID: a.Anchor}, Name: a.Path, Rest: a.Rest}
}

// HasRow reports whether Path itself has a row, so that it can have relationships of its own.
func (a Address) HasRow() bool { return a.Rest == "" }

// Exists reports whether there is a file or folder at Path.
func (a Address) Exists() bool { return a.HasRow() && !a.Reserved }

// File is an address whose permissions are those of a file. It may be a folder, where an operation serves both.
type File struct{ Address }

// Dir is an address whose anchor is a folder, or would become one by what is made below it.
type Dir struct{ Address }
