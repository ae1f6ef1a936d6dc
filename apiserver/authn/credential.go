package authn

import (
	"context"
	"time"

	"nexus/authzsvc/authz"
)

// Credential is what a key stands for.
type Credential struct {
	KeyID       string // plain, as people and records write it
	Tenant      string // quoted; empty for a platform admin's key that belongs to no tenant
	SubjectType string // user or agent
	SubjectName string // as people write it
	User        string // whose key it is, as people write it
	Owner       string // for an agent: the user who owns it, as people write it
	Admin       bool   // administers its tenant
	Platform    bool   // administers the deployment
	Scopes      []string
	Expires     time.Time // zero: never
}

// Credentials finds what keys stand for. Storage meets it. It is safe for concurrent use.
type Credentials interface {
	// ByHash returns the credential of the key whose SHA-256 this is: errs.NotFound for one that is unknown, revoked or
	// expired, or whose subject is disabled. A revoked key is not found as soon as the revocation has returned.
	ByHash(ctx context.Context, sha256 [32]byte) (Credential, error)
	// Used remembers when a key was last used. It is called for every request and never blocks.
	Used(keyID string, at time.Time)
	// Subject reports whether a user or agent exists in a tenant, and whether it administers anything: by a key, by a
	// relationship or through a group. One that is disabled, or whose owner is, does not exist. The tenant is quoted, the
	// name is as people write it.
	Subject(ctx context.Context, tenant, typ, name string) (exists, admin bool, err error)
	// Owner returns the name of the user who owns an agent that exists. The tenant is quoted.
	Owner(ctx context.Context, tenant, agent string) (string, error)
	// Agent returns the name of the user who owns an agent, and the mandate within which it acts for him: errs.NotFound for one
	// that does not exist or was deleted. The tenant is quoted.
	Agent(ctx context.Context, tenant, agent string) (owner string, m authz.Mandate, err error)
	// Tenant reports whether a tenant of that name, as people write it, exists.
	Tenant(ctx context.Context, name string) (exists bool, err error)
}
