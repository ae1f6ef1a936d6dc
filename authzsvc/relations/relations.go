// Package relations is the vocabulary of relationships as a store: what one is, how one changes, who may write and read them.
// It opens no database. The Writer of the running engine is the only writer of relationships.
package relations

import (
	"context"
	"time"

	"nexus/authzsvc/authz"
	"nexus/internal/sqldb"
)

// Relationship is one stored edge: resource#relation@subject, with the subject's relation when it is a subject set.
type Relationship struct {
	Resource        authz.Ref
	Relation        string
	Subject         authz.Ref
	SubjectRelation string    // "member" in group:eng#member; empty for a subject itself
	Expires         time.Time // zero: never
	Caveat          string    // the condition under which it holds, by its name in the engine; empty: none
	Context         string    // what is known of the condition's parameters, a JSON object; empty: nothing
}

// String returns the relationship as the field writes it.
func (r Relationship) String() string {
	s := r.Resource.String() + "#" + r.Relation + "@" + r.Subject.String()
	if r.SubjectRelation != "" {
		s += "#" + r.SubjectRelation
	}
	return s
}

// Kind says what an Update does.
type Kind uint8

const (
	Touch  Kind = iota + 1 // there afterwards, whether or not it was before; an expiry is replaced
	Create                 // there afterwards; errs.Exists when it was before
	Delete                 // not there afterwards, whether or not it was before
)

// Update is one change of one relationship.
type Update struct {
	Kind Kind
	Relationship
}

// Revision is a point in the history of the relationships: nanoseconds since 1970, strictly increasing with each write.
type Revision int64

// Writer is the only writer of relationships.
type Writer interface {
	// Write applies updates in tx, so that they and the domain's rows commit together or not at all. It refuses with
	// errs.Invalid, before anything is applied: a relation or subject type the schema does not allow, an id that is too
	// long, a relationship between two tenants, a cycle, and what goes over the limits of depth and size.
	Write(ctx context.Context, tx sqldb.Tx, updates ...Update) error
	// DeleteObject deletes every relationship of which object is the resource or the subject.
	DeleteObject(ctx context.Context, tx sqldb.Tx, object authz.Ref) error
	// Trim deletes up to n relationships that f selects, be they expired, and returns them: fewer when no more are left in tx.
	Trim(ctx context.Context, tx sqldb.Tx, f Filter, n int) ([]Relationship, error)
	// Find returns the relationship of r's resource, relation and subject as tx sees it, with its expiry, and whether it is
	// there: one that has expired is not.
	Find(ctx context.Context, tx sqldb.Tx, r Relationship) (Relationship, bool, error)
}

// Filter selects relationships; an empty field matches everything. ResourceType or SubjectType must be set.
type Filter struct {
	ResourceType, ResourceID, Relation      string
	SubjectType, SubjectID, SubjectRelation string
	ResourcePrefix                          string       // ids of resources that begin so; for a ResourceType without ResourceID
	After                                   Relationship // only what follows this one in the order of Read; zero: from the start
}

// BySubject reports whether Read yields what f selects in the order of one subject's relationships.
func (f Filter) BySubject() bool { return f.SubjectID != "" && f.ResourceID == "" }

// Reader reads relationships.
type Reader interface {
	// Head returns the newest published revision. Every write that has returned is visible at it, and every expiry that has
	// passed has taken effect.
	Head(ctx context.Context) (Revision, error)
	// Read calls yield for each relationship that f selects as of at, until yield returns false: in order of resource,
	// relation and subject; of one subject's, in order of the subject's relation, the resource's type, relation and resource.
	Read(ctx context.Context, at Revision, f Filter, yield func(Relationship) bool) error
}
