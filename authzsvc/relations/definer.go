package relations

import (
	"context"
	"encoding/json"

	"nexus/internal/sqldb"
	"nexus/schema"
)

// Definition is one type of a tenant, or one caveat, in the tenant's own words.
type Definition struct {
	Name   string
	Caveat bool            // a condition, not a type; it has nothing but a text
	Text   string          // in SpiceDB's language
	Config json.RawMessage // the same as a namespace's configuration
	Kind   schema.Kind     // what can be said of the type, by its name in the tenant's words
}

// Draft is a tenant's definitions, compiled and checked. It does not change.
type Draft interface {
	// Definitions returns the definitions by name, caveats first.
	Definitions() []Definition
}

// Definer compiles tenants' definitions and puts them in force. It is safe for concurrent use.
type Definer interface {
	// Translate returns the definition that a namespace's configuration means, in SpiceDB's language. errs.Invalid says what
	// is wrong with it.
	Translate(objectType string, config json.RawMessage) (text string, err error)
	// Join returns one text of several definitions.
	Join(texts []string) string
	// Compile checks the definitions of a tenant, all there are to be, by themselves and against the product's, and holds
	// them against the limits of a tenant. errs.Invalid says what is wrong with them.
	Compile(ctx context.Context, text string) (Draft, error)
	// Define puts a draft in force for the tenant, in place of what it had, when tx commits. It refuses with
	// errs.Precondition to leave behind a relationship that the schema no longer admits.
	Define(ctx context.Context, tx sqldb.Tx, tenant string, number int64, d Draft) error
}
