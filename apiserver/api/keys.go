package api

import (
	"cmp"

	"nexus/apiserver/op"
	"nexus/internal/errs"
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
	case p.ExpiresDays != nil && (*p.ExpiresDays < 1 || *p.ExpiresDays > 36500):
		return errs.New(errs.Invalid, "expires_days must be 1 to 36500").Marked(errs.NotValid)
	case len(p.Prefix) > 16:
		return errs.New(errs.Invalid, "prefix is longer than 16 bytes").Marked(errs.NotValid)
	}
	if err := cmp.Or(noWildcard(p.UserID), noWildcard(p.SubjectID)); err != nil {
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

// CreateKey makes keys.
var CreateKey = &op.Contract[CreateKeyParams, NewKey]{
	Decl: op.Decl{
		Name: "keys.create", Method: "admin_create_key", Access: op.Writes,
		Summary: "Make an API key for a user or an agent.",
		Doc:     "Needs administer on the tenant; on the platform for a key of tenant *. The key is shown once.",
	},
	Sample: CreateKeyParams{UserID: "sample-user", Name: "sample key"},
}
