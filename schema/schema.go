// Package schema holds the product's definitions, the typed objects generated from them, and how object ids are written.
// It decides nothing. To add a permission, change nexus.zed and run go generate.
package schema

import (
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"strings"

	"nexus/authzsvc/authz"
	"nexus/internal/errs"
	"nexus/internal/ids"
)

//go:generate go run nexus/internal/gen/schemagen

// Text is the product's schema in SpiceDB's language.
//
//go:embed nexus.zed
var Text string

// Digest names the product's schema in records: the first 16 hex digits of its SHA-256.
func Digest() string {
	sum := sha256.Sum256([]byte(Text))
	return hex.EncodeToString(sum[:8])
}

// Platform is the one object of definition platform.
var Platform = authz.Ref{Type: "platform", ID: "nexus"}

// ID returns the engine's id of a name within a tenant: tenant/name, both quoted.
func ID(tenant, name string) (string, error) {
	if tenant == "" || name == "" {
		return "", errs.New(errs.Invalid, "an id needs a tenant and a name")
	}
	id := ids.Quote(tenant) + "/" + ids.Quote(name)
	if len(id) > ids.MaxQuoted {
		return "", errs.New(errs.Invalid, "id is longer than %d bytes once quoted", ids.MaxQuoted).Marked(errs.NotValid)
	}
	return id, nil
}

// TenantOf returns the quoted tenant that an object belongs to, or "" for what belongs to the whole deployment.
// It is a function of the name alone: an id that people choose cannot reach into another tenant.
func TenantOf(r authz.Ref) string {
	if r.Type == "tenant" {
		return r.ID
	}
	tenant, _, ok := strings.Cut(r.ID, "/")
	if !ok {
		return ""
	}
	return tenant
}

// NameOf returns the name that people gave an object: the unquoted part behind the tenant.
func NameOf(r authz.Ref) string {
	_, name, ok := strings.Cut(r.ID, "/")
	if !ok {
		name = r.ID
	}
	plain, err := ids.Unquote(name)
	if err != nil {
		return name
	}
	return plain
}
