package api

import (
	"cmp"

	"nexus/apiserver/op"
	"nexus/internal/errs"
	"nexus/internal/ids"
)

// CreateKeyParams are those of keys.create.
type CreateKeyParams struct {
	UserID      string   `json:"user_id" need:"required" audit:"plain" doc:"whose key it is"`
	Name        string   `json:"name" need:"required" audit:"plain" doc:"what the key is called"`
	IsAdmin     bool     `json:"is_admin" audit:"plain" doc:"whether it administers the tenant (default: false)"`
	ExpiresDays *int     `json:"expires_days" audit:"plain" doc:"days until it ends; never, when left out"`
	Tenant      string   `json:"tenant_id" audit:"plain" doc:"tenant (default: the caller's); * makes a platform admin's key"`
	SubjectType string   `json:"subject_type" audit:"plain" doc:"user or agent (default: user)"`
	SubjectID   string   `json:"subject_id" audit:"plain" doc:"name of the subject (default: user_id)"`
	Prefix      string   `json:"prefix" audit:"plain" doc:"what the key begins with (default: nxk_live_)"`
	Scopes      []string `json:"scopes" audit:"plain" doc:"read, write, evaluate (default: read and write)"`
}

// Defaults are those of the document.
func (p *CreateKeyParams) Defaults() { p.SubjectType = "user" }

// Clean refuses what no key can have.
func (p *CreateKeyParams) Clean() error {
	if p.SubjectType == "" {
		p.SubjectType = "user"
	}
	if p.SubjectID == "" {
		p.SubjectID = p.UserID
	}
	if p.Prefix == "" {
		p.Prefix = "nxk_live_"
	}
	if len(p.Scopes) == 0 {
		p.Scopes = []string{"read", "write"}
	}
	switch {
	case p.UserID == "" || p.Name == "":
		return errs.New(errs.Invalid, "user_id and name must not be empty").Marked(errs.NotValid)
	case p.SubjectType != "user" && p.SubjectType != "agent":
		return errs.New(errs.Invalid, "subject_type must be user or agent").Marked(errs.NotValid)
	case p.IsAdmin && p.SubjectType == "agent":
		return errs.New(errs.Invalid, "an agent's key cannot administer").Marked(errs.NotValid)
	case p.SubjectType == "user" && p.SubjectID != p.UserID:
		return errs.New(errs.Invalid, "a user's key is for user_id itself").Marked(errs.NotValid)
	case len(p.Prefix) > 16:
		return errs.New(errs.Invalid, "prefix is longer than 16 bytes").Marked(errs.NotValid)
	}
	if err := cmp.Or(keyName(p.Name), days(p.ExpiresDays), tenantName(p.Tenant), noWildcard(p.UserID), noWildcard(p.SubjectID)); err != nil {
		return err
	}
	return p.vocabulary()
}

func (p *CreateKeyParams) vocabulary() error {
	for _, c := range []byte(p.Prefix) {
		if c != '_' && c != '-' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			return errs.New(errs.Invalid, "prefix may hold letters, digits, _ and - only").Marked(errs.NotValid)
		}
	}
	for _, s := range p.Scopes {
		if s != "read" && s != "write" && s != "evaluate" {
			return errs.New(errs.Invalid, "no scope %q: there are read, write and evaluate", s).Marked(errs.NotValid)
		}
	}
	return nil
}

// maxKeyName is the longest name of a key, in bytes.
const maxKeyName = 256

func keyName(name string) error {
	if name == "" || len(name) > maxKeyName {
		return errs.New(errs.Invalid, "a key's name has 1 to %d bytes", maxKeyName).Marked(errs.NotValid)
	}
	return nil
}

// days checks until when a key is to be good. 0 is refused: it could mean now as well as never.
func days(n *int) error {
	if n != nil && (*n < 1 || *n > 36500) {
		return errs.New(errs.Invalid, "expires_days must be 1 to 36500").Marked(errs.NotValid)
	}
	return nil
}

// NewKey is a key just made; APIKey is shown this once.
type NewKey struct {
	KeyID       string   `json:"key_id"`
	APIKey      string   `json:"api_key"`
	UserID      string   `json:"user_id"`
	Name        string   `json:"name"`
	SubjectType string   `json:"subject_type"`
	SubjectID   string   `json:"subject_id"`
	Tenant      string   `json:"tenant_id"`
	IsAdmin     bool     `json:"is_admin"`
	Expires     Time     `json:"expires_at"`
	Scopes      []string `json:"scopes"`
}

// Key is a key as it may be shown: never the key itself, nor its hash.
type Key struct {
	KeyID       string   `json:"key_id"`
	UserID      string   `json:"user_id"`
	SubjectType string   `json:"subject_type"`
	SubjectID   string   `json:"subject_id"`
	Name        string   `json:"name"`
	Tenant      string   `json:"tenant_id"` // * for a platform admin's
	IsAdmin     bool     `json:"is_admin"`
	Created     Time     `json:"created_at"`
	Expires     Time     `json:"expires_at"`
	Revoked     bool     `json:"revoked"`
	RevokedAt   Time     `json:"revoked_at"`
	LastUsed    Time     `json:"last_used_at"` // a few seconds late
	Prefix      string   `json:"prefix"`
	Last4       string   `json:"last4"`
	Scopes      []string `json:"scopes"`
}

// ListKeysParams are those of keys.list.
type ListKeysParams struct {
	UserID  string `json:"user_id" audit:"plain" doc:"only keys of this user"`
	Tenant  string `json:"tenant_id" audit:"plain" doc:"only keys of this tenant (default: the caller's; for a platform admin, all); * means those of platform admins"`
	IsAdmin *bool  `json:"is_admin" audit:"plain" doc:"only keys that administer, or only those that do not"`
	Revoked bool   `json:"include_revoked" audit:"plain" doc:"revoked keys, too (default: false)"`
	Expired bool   `json:"include_expired" audit:"plain" doc:"expired keys, too (default: false)"`
	Limit   int    `json:"limit" audit:"plain" doc:"how many at the most, up to 1000 (default: 100)"`
	Offset  int    `json:"offset" audit:"plain" doc:"how many to pass over (default: 0)"`
}

// Defaults are those of the document.
func (p *ListKeysParams) Defaults() { p.Limit = 100 }

// Clean refuses a page that cannot be.
func (p *ListKeysParams) Clean() error {
	if p.Offset < 0 {
		return errs.New(errs.Invalid, "offset must not be negative").Marked(errs.NotValid)
	}
	return cmp.Or(tenantName(p.Tenant), pageLimit(p.Limit))
}

// tenantName refuses what can be no tenant's name, nor the * that stands for the platform.
func tenantName(name string) error {
	if len(ids.Quote(name)) > ids.MaxQuoted {
		return errs.New(errs.Invalid, "a tenant's name has at most %d bytes once quoted", ids.MaxQuoted).Marked(errs.NotValid)
	}
	return nil
}

// pageLimit checks how many elements of a list were asked for.
func pageLimit(n int) error {
	if n < 1 || n > 1000 {
		return errs.New(errs.Invalid, "limit must be 1 to 1000").Marked(errs.NotValid)
	}
	return nil
}

// KeyList is a page of keys, the newest first, and how many match in all.
type KeyList struct {
	Keys  []Key `json:"keys"`
	Total int64 `json:"total"`
}

// KeyParams name a key.
type KeyParams struct {
	KeyID string `json:"key_id" need:"required" audit:"plain" doc:"id of the key"`
}

// UpdateKeyParams are those of keys.update.
type UpdateKeyParams struct {
	KeyParams
	ExpiresDays  *int    `json:"expires_days" audit:"plain" doc:"days from now until it ends; left out, its end stays"`
	NeverExpires bool    `json:"never_expires" audit:"plain" doc:"it no longer ends (default: false)"`
	IsAdmin      *bool   `json:"is_admin" audit:"plain" doc:"whether it administers its tenant; false takes the platform from a platform admin's key, too"`
	Name         *string `json:"name" audit:"plain" doc:"what the key is called"`
}

// Clean refuses what no key can become.
func (p *UpdateKeyParams) Clean() error {
	if p.NeverExpires && p.ExpiresDays != nil {
		return errs.New(errs.Invalid, "expires_days and never_expires contradict each other").Marked(errs.NotValid)
	}
	if err := days(p.ExpiresDays); err != nil || p.Name == nil {
		return err
	}
	return keyName(*p.Name)
}

// KeyRevoked is the answer of keys.revoke.
type KeyRevoked struct {
	Success bool   `json:"success"`
	KeyID   string `json:"key_id"`
}

// Operations on API keys.
var (
	CreateKey = &op.Contract[CreateKeyParams, NewKey]{
		Decl: op.Decl{
			Name: "keys.create", Method: "admin_create_key", Access: op.Writes, Essential: true,
			NoTool:  "a key that a model has seen is no secret any more",
			Summary: "Make an API key for a user or an agent.",
			Doc:     "Needs administer on the tenant; on the platform for a key of tenant *. The key is shown once. A disabled user gets none.",
		},
		Sample: CreateKeyParams{UserID: "sample-user", Name: "sample key"},
	}
	ListKeys = &op.Contract[ListKeysParams, KeyList]{
		Decl: op.Decl{
			Name: "keys.list", Method: "admin_list_keys", Access: op.Reads, Essential: true,
			Summary: "List API keys, the newest first.",
			Doc:     "Needs administer on the platform or the tenant. total counts all that match. A tenant's admin is not shown platform admins' keys.",
		},
		Sample: ListKeysParams{Limit: 100},
	}
	GetKey = &op.Contract[KeyParams, Key]{
		Decl: op.Decl{
			Name: "keys.get", Method: "admin_get_key", Access: op.Reads, Essential: true,
			Summary: "Return an API key's details.",
			Doc:     "Needs administer on the platform or the tenant. A key of another tenant is not found.",
		},
	}
	RevokeKey = &op.Contract[KeyParams, KeyRevoked]{
		Decl: op.Decl{
			Name: "keys.revoke", Method: "admin_revoke_key", Access: op.Writes, Essential: true,
			NoTool:  "who comes in is for people to say",
			Summary: "End an API key for good.",
			Doc: "Needs administer on the platform or the tenant. The next request with the key is refused, and streams that run with it end within a second. " +
				"The last admin key of the platform is not revoked, nor the last one of a tenant by the tenant's own admins.",
		},
	}
	UpdateKey = &op.Contract[UpdateKeyParams, Key]{
		Decl: op.Decl{
			Name: "keys.update", Method: "admin_update_key", Access: op.Writes, Essential: true,
			NoTool:  "who comes in is for people to say",
			Summary: "Change an API key's name, end, or right to administer.",
			Doc: "Needs administer on the platform or the tenant. A revoked key stays as it is; an expired one can be given a new end. " +
				"The last admin key keeps its right, and gets no end.",
		},
	}
)
