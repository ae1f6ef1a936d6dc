// Package ops gives every operation its behaviour: the need as a function of the parameters, and the deed that gets the
// Grant. It opens no database and speaks no protocol. To add an operation, write its need and its deed in the file of its
// noun and list it in Fill.
package ops

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"nexus/apiserver/api"
	"nexus/apiserver/op"
	"nexus/authzsvc/authz"
	"nexus/authzsvc/relations"
	"nexus/internal/cursor"
	"nexus/schema"
	"nexus/storage"
)

// Deps is what the deeds work with.
type Deps struct {
	Store    *storage.Store
	Search   *storage.Search
	Inquiry  Inquiry
	Record   Record
	Backups  Backups
	Info     Info
	Definer  relations.Definer
	Policies Policies
	Cursors  *cursor.Sealer
}

// Info is what the server tells of itself.
type Info struct {
	Version  string
	Backend  map[string]string
	Metadata map[string]string
}

// Question is a check about somebody, in the engine's terms, with the words in which it was asked.
type Question struct {
	Subjects []authz.Ref // any of whom may hold it: a person, and his admin key
	Check    authz.Check
	Asked    api.Ref        // the object as the caller wrote it
	Rest     string         // what of its path lies below the object of Check and has no row
	At       time.Time      // as of this time; zero: now
	Full     bool           // trace past every cache
	Values   map[string]any // for the parameters of caveats; nil: none
}

// Inquiry answers questions about relationships. Each takes the proof that somebody decided the asker may ask.
type Inquiry interface {
	Check(ctx context.Context, may authz.Proof, q Question) (bool, error)
	// Explain shows the asker what he may read of the way to the answer; open says that he may know about the object.
	Explain(ctx context.Context, may authz.Proof, q Question, open bool) (api.Explanation, error)
	Expand(ctx context.Context, may authz.Proof, object authz.Ref, permission string) ([]storage.Subject, error)
	// Access returns up to limit of those who have a permission on object, behind after, in order of type, id and relation,
	// with how each comes to it as far as the asker may read it. Their subjects are not named yet.
	Access(ctx context.Context, may authz.Proof, object authz.Ref, permission string, after storage.Subject, limit int) (page []Accessor, more bool, err error)
}

// Accessor is one who has a permission, and how he comes to it.
type Accessor struct {
	Subject storage.Subject
	api.Accessor
}

// Record reads the record of decisions.
type Record interface {
	// Decisions returns what f selects of a tenant's record, newest first, as it was written.
	Decisions(ctx context.Context, may authz.Proof, tenant string, f api.DecisionsParams) ([]json.RawMessage, error)
	// Explain returns a decision of the tenant with the reasons it had; nil when the tenant has none of that id.
	Explain(ctx context.Context, may authz.Proof, tenant, id string) (*api.DecisionExplained, error)
}

// Backups makes backups of the whole server.
type Backups interface {
	// Start begins one, or goes on with the unfinished one of that id, and returns at once.
	Start(ctx context.Context, may schema.AdministerPlatform, id string) (api.Backup, error)
	// Status returns how far one has come; without an id, the newest.
	Status(ctx context.Context, may schema.AdministerPlatform, id string) (api.Backup, error)
}

// Fill gives t every operation, and reports what keeps it from being served.
func Fill(t *op.Table, d Deps) error {
	files(t, d)
	transfer(t, d)
	tree(t, d)
	versions(t, d)
	workspaces(t, d)
	searching(t, d)
	relating(t, d)
	asking(t, d)
	sharing(t, d)
	groups(t, d)
	namespaces(t, d)
	policies(t, d)
	keys(t, d)
	users(t, d)
	agents(t, d)
	record(t, d)
	server(t, d)
	backups(t, d)
	events(t, d)
	return t.Check(api.All())
}

// asked names a question for its cursors: the operation, who asks it where, and the parameters that must stay the same.
func asked(op string, who authz.Principal, params ...any) string {
	for _, actor := range who.Actors {
		params = append(params, actor.String())
	}
	return fmt.Sprintf("%s %s %s %s %q", op, who.Tenant, who.Base, who.Admin, params)
}
