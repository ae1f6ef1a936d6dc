package api

import (
	"cmp"

	"nexus/apiserver/op"
	"nexus/internal/errs"
)

// User is a person as who administers his tenant sees him.
type User struct {
	UserID     string `json:"user_id"`
	Tenant     string `json:"tenant_id"`
	Disabled   bool   `json:"disabled"`
	DisabledAt Time   `json:"disabled_at"`
	Created    Time   `json:"created_at"`
	Keys       int64  `json:"keys"`     // of his and of his agents, neither revoked nor expired
	Agents     int64  `json:"agents"`   // that he owns
	IsAdmin    bool   `json:"is_admin"` // whether one of the keys administers
}

// ListUsersParams are those of users.list.
type ListUsersParams struct {
	Tenant string `json:"tenant_id" audit:"plain" doc:"tenant (default: the caller's)"`
	Limit  int    `json:"limit" audit:"plain" doc:"how many at the most, up to 1000 (default: 100)"`
	Cursor string `json:"cursor" doc:"next_cursor of the page before"`
}

// Defaults are those of every list of an admin.
func (p *ListUsersParams) Defaults() { p.Limit = 100 }

// Clean refuses a page that cannot be.
func (p *ListUsersParams) Clean() error { return cmp.Or(tenantName(p.Tenant), pageLimit(p.Limit)) }

// UserList is a page of users, in order of their names.
type UserList struct {
	Users      []User `json:"users"`
	NextCursor string `json:"next_cursor,omitempty"` // of the next page; none after the last
	Complete   bool   `json:"complete"`              // nothing follows
}

// UserParams name a user.
type UserParams struct {
	UserID string `json:"user_id" need:"required" audit:"plain" doc:"name of the user"`
	Tenant string `json:"tenant_id" audit:"plain" doc:"tenant (default: the caller's)"`
}

// Clean refuses nobody's name.
func (p *UserParams) Clean() error { return cmp.Or(tenantName(p.Tenant), userName(p.UserID)) }

func userName(name string) error {
	if name == "" {
		return errs.New(errs.Invalid, "a user's name must not be empty").Marked(errs.NotValid)
	}
	return noWildcard(name)
}

// TransferUserParams are those of users.transfer.
type TransferUserParams struct {
	From     string `json:"from_user" need:"required" audit:"plain" doc:"name of the user who owns"`
	To       string `json:"to_user" need:"required" audit:"plain" doc:"name of the user who is to own"`
	Tenant   string `json:"tenant_id" audit:"plain" doc:"tenant of both (default: the caller's)"`
	KeepKeys bool   `json:"keep_agent_keys" audit:"plain" doc:"the keys of the agents go on; otherwise they are revoked, because who owned an agent knows its keys (default: false)"`
}

// Clean refuses nobody's name.
func (p *TransferUserParams) Clean() error {
	return cmp.Or(tenantName(p.Tenant), userName(p.From), userName(p.To))
}

// UserTransfer is how far a transfer has come.
type UserTransfer struct {
	From     string `json:"from_user"`
	To       string `json:"to_user"`
	Tenant   string `json:"tenant_id"`
	Complete bool   `json:"complete"` // nothing is left; otherwise call again
	Moved    int64  `json:"moved"`    // by this call
	Files    int64  `json:"files"`    // files and folders, by all calls so far
	Groups   int64  `json:"groups"`
	Agents   int64  `json:"agents"`
	Started  Time   `json:"started_at"`
	Finished Time   `json:"finished_at"`
}

// Operations on people. A user comes to be with his first key.
var (
	ListUsers = &op.Contract[ListUsersParams, UserList]{
		Decl: op.Decl{
			Name: "users.list", Method: "admin_list_users", Access: op.Reads, Essential: true,
			Summary: "List the users of a tenant in order of their names.",
			Doc:     "Needs administer on the platform or the tenant. A user comes to be with his first key.",
		},
		Sample: ListUsersParams{Limit: 100},
	}
	DisableUser = &op.Contract[UserParams, User]{
		Decl: op.Decl{
			Name: "users.disable", Method: "admin_disable_user", Access: op.Writes, Essential: true,
			NoTool:  "who comes in is for people to say",
			Summary: "Keep a user and his agents out.",
			Doc: "Needs administer on the platform or the tenant. His keys and those of his agents are refused from the next request on, streams that run with them " +
				"end within a second, and nobody can stand in for him. His relationships stay: rebac_check answers as before, and enabling restores everything. " +
				"Nobody disables himself or the last who administers; a platform admin is disabled by another one only.",
		},
		Sample: UserParams{UserID: "sample-user"},
	}
	EnableUser = &op.Contract[UserParams, User]{
		Decl: op.Decl{
			Name: "users.enable", Method: "admin_enable_user", Access: op.Writes, Essential: true,
			NoTool:  "who comes in is for people to say",
			Summary: "Let a disabled user in again, with all he had.",
			Doc:     "Needs administer on the platform or the tenant.",
		},
		Sample: UserParams{UserID: "sample-user"},
	}
	TransferUser = &op.Contract[TransferUserParams, UserTransfer]{
		Decl: op.Decl{
			Name: "users.transfer", Method: "admin_transfer_user", Access: op.Writes, Essential: true,
			NoTool:  "who owns what somebody leaves behind is for people to say",
			Summary: "Move what a user owns to another: files, folders, groups he manages, agents.",
			Doc: "Needs administer on the platform or the tenant. It goes in steps of a hundred things, each decided and recorded by itself; a call takes some thousands, " +
				"and is made again until complete. So is one that was interrupted, and one too many does nothing. What was shared with him, and his place in groups, " +
				"stays his. Disable him first, or he goes on making things.",
		},
		Sample: TransferUserParams{From: "sample-user", To: "sample-heir"},
	}
)
