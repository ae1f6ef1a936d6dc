package api

import (
	"cmp"

	"nexus/apiserver/op"
	"nexus/internal/errs"
)

// ListGroupsParams are those of groups.list.
type ListGroupsParams struct{ PageParams }

// Group is a group that the caller may know of.
type Group struct {
	ID      string `json:"group_id"`
	Created Time   `json:"created_at"`
	Tenant  string `json:"tenant_id"`
}

// GroupList is a page of groups in order of their names.
type GroupList struct {
	Groups []Group `json:"groups"`
	Page
}

// GroupParams name one group.
type GroupParams struct {
	ID string `json:"group_id" need:"required" audit:"plain" doc:"name of the group"`
}

// Clean refuses a name that no group can have.
func (p *GroupParams) Clean() error {
	if p.ID == "" {
		return errs.New(errs.Invalid, "group_id must not be empty").Marked(errs.NotValid)
	}
	return noWildcard(p.ID)
}

// MembersParams are those of groups.members.
type MembersParams struct {
	GroupParams
	PageParams
}

// Clean refuses what either part refuses.
func (p *MembersParams) Clean() error { return cmp.Or(p.GroupParams.Clean(), p.PageParams.Clean()) }

// Member is one who is in a group, or manages it; another group stands for its members.
type Member struct {
	TupleID  string `json:"tuple_id"`
	Subject  Ref    `json:"subject"`
	Relation string `json:"relation"` // member or manager
	Since    Time   `json:"since"`
	Expires  Time   `json:"expires_at"`
}

// MemberList is a page of a group's members and managers.
type MemberList struct {
	Members []Member `json:"members"`
	Page
}

// GroupDeleted is the answer to groups.delete. Over says that nobody has a right through the group any more.
type GroupDeleted struct {
	Success bool `json:"success"`
	Over    bool `json:"rights_ended"`
}

// Operations on groups. They are founded, and their members made, with relations.create.
var (
	ListGroups = &op.Contract[ListGroupsParams, GroupList]{
		Decl: op.Decl{
			Name: "groups.list", Method: "group_list", Access: op.Reads, Prompt: true,
			Summary: "List the groups that the caller is in or manages; for a tenant's admin, all of them.",
			Doc:     "In order of their names, in pages of 100, or as limit says; a page may be short, or empty, and still not be the last: go on until complete.",
		},
	}
	GroupMembers = &op.Contract[MembersParams, MemberList]{
		Decl: op.Decl{
			Name: "groups.members", Method: "group_members", Access: op.Reads, Prompt: true,
			Summary: "List who is in a group, and who manages it.",
			Doc:     "Needs view on the group: to be in it or to manage it. Groups that stand in it are listed as such. Pages of 100, or as limit says.",
		},
		Sample: MembersParams{GroupParams: GroupParams{ID: "sample-group"}},
		Hidden: func(p *MembersParams) MemberList { return MemberList{Members: []Member{}, Page: p.Last()} },
	}
	DeleteGroup = &op.Contract[GroupParams, GroupDeleted]{
		Decl: op.Decl{
			Name: "groups.delete", Method: "group_delete", Access: op.Writes, Essential: true,
			Summary: "Delete a group with all that it is related to.",
			Doc: "Needs manage on the group. It takes no relationships from here on. Where both its members and what is shared with it are many, they go little by little, and rights_ended is false; " +
				"otherwise every right through it is gone when the answer arrives. A group can be founded under the name when all is gone, and inherits nothing.",
		},
		Sample: GroupParams{ID: "sample-group"},
	}
)
