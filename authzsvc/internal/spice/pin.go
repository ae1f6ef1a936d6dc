package spice

import (
	"context"
	"strconv"

	v1 "github.com/authzed/authzed-go/proto/authzed/api/v1"
	"github.com/authzed/spicedb/pkg/datalayer"
	"github.com/authzed/spicedb/pkg/datastore"
	"github.com/authzed/spicedb/pkg/zedtoken"

	"nexus/authzsvc/relations"
	"nexus/internal/errs"
)

// snapshot is a revision with the schema in force at it, both as SpiceDB writes them.
type snapshot struct {
	at       relations.Revision
	revision datastore.Revision
	hash     string
}

// snapshot returns the point in time at, or an error when the store no longer or not yet has it.
func (e *Engine) snapshot(ctx context.Context, at relations.Revision) (snapshot, error) {
	s := snapshot{at: at}
	var err error
	if s.revision, err = e.store.RevisionFromString(strconv.FormatInt(int64(at), 10)); err != nil {
		return snapshot{}, fault(err)
	}
	if err := e.store.CheckRevision(ctx, s.revision); err != nil {
		return snapshot{}, fault(err)
	}
	if s.hash, err = e.store.SchemaHashAt(ctx, at); err != nil {
		return snapshot{}, fault(err)
	}
	if s.hash == "" {
		return snapshot{}, errs.New(errs.Precondition, "there is no schema at that point in time")
	}
	return s, nil
}

// consistency returns s for a request to a server. The token carries the schema's hash, which the server believes: with
// another revision's hash it would read old relationships under a new schema.
func (e *Engine) consistency(ctx context.Context, s snapshot) (*v1.Consistency, error) {
	token, err := zedtoken.NewFromRevision(ctx, s.revision, datalayer.SchemaHash(s.hash), e.store)
	if err != nil {
		return nil, fault(err)
	}
	return &v1.Consistency{Requirement: &v1.Consistency_AtExactSnapshot{AtExactSnapshot: token}}, nil
}

// pinKey is the context key of the snapshot at which the embedded checker answers.
type pinKey struct{}

// pin makes the embedded checker answer as of s.
func pin(ctx context.Context, s snapshot) context.Context { return context.WithValue(ctx, pinKey{}, s) }

// pinned is a store whose head is what the context says. The embedded checker always asks at the head, so it is given this
// one. Without a pin it has no head: nothing is ever answered as of a revision that nobody chose.
type pinned struct{ datastore.Datastore }

// HeadRevision returns the revision that the context is pinned to.
func (pinned) HeadRevision(ctx context.Context) (datastore.RevisionWithSchemaHash, error) {
	s, ok := ctx.Value(pinKey{}).(snapshot)
	if !ok {
		return datastore.RevisionWithSchemaHash{}, errs.Bug("an embedded check without a revision")
	}
	return datastore.RevisionWithSchemaHash{Revision: s.revision, SchemaHash: s.hash}, nil
}

// OptimizedRevision returns the revision that the context is pinned to.
func (p pinned) OptimizedRevision(ctx context.Context) (datastore.RevisionWithSchemaHash, error) {
	return p.HeadRevision(ctx)
}
