package api

import (
	"cmp"

	"nexus/apiserver/op"
	"nexus/authzsvc/explain"
	"nexus/internal/errs"
)

// AccessParams are those of sharing.list_access.
type AccessParams struct {
	Object     Ref    `json:"object" need:"required" audit:"plain" doc:"on what: [type, id]; a file's id is its path"`
	Permission string `json:"permission" audit:"plain" doc:"a permission or relation (default: read on a file, member of a group, access to a tenant)"`
	PageParams
}

// Clean brings the path into its one form, and settles which permission is meant.
func (p *AccessParams) Clean() error {
	if err := cmp.Or(p.PageParams.Clean(), cleanAll(p.Object)); err != nil {
		return err
	}
	if p.Permission == "" {
		p.Permission = map[string]string{"group": "member", "tenant": "access", "agent": "view"}[p.Object.Type()]
	}
	if p.Permission == "" {
		p.Permission = "read"
	}
	return nil
}

// Way says how somebody comes to a permission.
type Way string

// The ways there are.
const (
	Direct    Way = "direct"    // by a relationship on the object itself
	Inherited Way = "inherited" // by one on something that the object stands in, or is linked into
)

// Accessor is one who has a permission, and how he comes to it. Of what the asker may not read, hidden is shown.
type Accessor struct {
	Subject Ref            `json:"subject"`         // somebody, or all who have a relation: [group, eng, member]
	Way     Way            `json:"way"`             //
	Grant   string         `json:"grant,omitempty"` // the relation that gives it: direct_viewer and the like
	On      Ref            `json:"on,omitempty"`    // what that relation is on
	Through []Ref          `json:"through"`         // groups from the subject's own to the one that has the relation
	Path    []explain.Step `json:"path"`            // the whole way, from the subject to the object
	Partial bool           `json:"partial,omitempty"`
}

// AccessList is a page of those who have a permission on an object, in order of type and name.
type AccessList struct {
	Subjects []Accessor `json:"subjects"`
	Page
}

// SharedParams are those of sharing.with_me.
type SharedParams struct {
	Permission string `json:"permission" audit:"plain" doc:"only what the caller has this on: read, write or share (default: read)"`
	PageParams
}

// Clean refuses a permission that is not among those.
func (p *SharedParams) Clean() error {
	if p.Permission == "" {
		p.Permission = "read"
	}
	if p.Permission != "read" && p.Permission != "write" && p.Permission != "share" {
		return errs.New(errs.Invalid, "permission must be read, write or share").Marked(errs.NotValid)
	}
	return p.PageParams.Clean()
}

// SharedFile is a file or folder that somebody else shares with the caller.
type SharedFile struct {
	TupleID     string `json:"tuple_id"`
	Path        string `json:"path"`
	IsDirectory bool   `json:"is_directory"`
	Relation    string `json:"relation"` // direct_viewer and the like
	With        Ref    `json:"with"`     // the caller, or a group he is in
	By          Ref    `json:"shared_by"`
	Since       Time   `json:"since"`
	Expires     Time   `json:"expires_at"`
}

// SharedList is a page of what is shared with the caller.
type SharedList struct {
	Files []SharedFile `json:"files"`
	Page
}

// Operations on who shares what with whom.
var (
	ListAccess = &op.Contract[AccessParams, AccessList]{
		Decl: op.Decl{
			Name: "sharing.list_access", Method: "list_access", Access: op.Reads, Prompt: true,
			Summary: "List who has a permission on an object, and how each comes to it.",
			Doc:     "Needs share on a file, manage on a group, or administer on the tenant. Groups are listed as such and their members one by one; what the caller may not read of a way is hidden. Pages of 100, or as limit says.",
		},
		Sample: AccessParams{Object: Ref{"file", "/sample/file.txt"}, Permission: "read"},
		Hidden: func(p *AccessParams) AccessList { return AccessList{Subjects: []Accessor{}, Page: p.Last()} },
	}
	SharedWithMe = &op.Contract[SharedParams, SharedList]{
		Decl: op.Decl{
			Name: "sharing.with_me", Method: "shared_with_me", Access: op.Reads, Prompt: true,
			Summary: "List the files and folders that others share with the caller or with a group he is in.",
			Doc:     "One entry for each grant, of what exists and the caller may read now. What he made himself is not among them, nor what everybody in the tenant may see. Pages of 100, or as limit says; a page may be short, or empty, and still not be the last: go on until complete.",
		},
		Sample: SharedParams{Permission: "read"},
	}
)
