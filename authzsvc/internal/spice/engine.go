// Package spice runs SpiceDB inside the process and asks it questions about relationships; beside the datastore it is the
// only importer of SpiceDB. It answers only as of an exact revision that the caller names, never as of whatever the server
// believes to be its head, and gives neither policy nor record: a decision is made by the Gate. It opens no listener, sends
// no telemetry and writes no log. To ask SpiceDB something new, add a method to Engine that takes the revision and maps
// errors through fault.
package spice

import (
	"context"
	"errors"
	"sync"

	spicedb "github.com/authzed/spicedb/pkg/cmd/server"
	"github.com/authzed/spicedb/pkg/datalayer"
	"github.com/authzed/spicedb/pkg/datastore"
	"github.com/authzed/spicedb/pkg/embedded"

	"nexus/authzsvc/authz"
	"nexus/authzsvc/relations"
	"nexus/internal/errs"
)

// MaxDepth is how many steps the engine follows from an object before it gives up. The limits on what may be written (tree
// depth 100, group nesting 16) stay below it, so that giving up is an alarm and not an event.
const MaxDepth = 200

// Store is the datastore that an Engine asks. Its revisions, written as text, are relations.Revision in decimal.
type Store interface {
	datastore.Datastore
	// SchemaHashAt returns the hash of the schema in force at r, "" when there was none.
	SchemaHashAt(ctx context.Context, r relations.Revision) (string, error)
}

// Options are the settings of an Engine. The zero value is useful.
type Options struct {
	DispatchCacheBytes int64 // for lookups, bulk checks and expansions; 0 means 32 MiB, negative none
	SchemaCacheBytes   int64 // compiled schemas; 0 means 8 MiB
	// OnIncomplete is called for each question that the engine gave up on. It must not block. Nil ignores them.
	OnIncomplete func(ctx context.Context, q Incomplete)
}

// Incomplete is a question that the engine gave up on, because the way to the answer was deeper than MaxDepth.
type Incomplete struct {
	At      relations.Revision
	Subject authz.Ref
	Check   authz.Check
}

const (
	defaultDispatchCache = 32 << 20
	defaultSchemaCache   = 8 << 20
)

func (o Options) dispatchCache() int64 {
	switch {
	case o.DispatchCacheBytes < 0:
		return 0
	case o.DispatchCacheBytes == 0:
		return defaultDispatchCache
	}
	return o.DispatchCacheBytes
}

func (o Options) schemaCache() int64 {
	if o.SchemaCacheBytes <= 0 {
		return defaultSchemaCache
	}
	return o.SchemaCacheBytes
}

// Engine is a running SpiceDB over one Store. It is safe for concurrent use.
type Engine struct {
	store   Store
	options Options
	hot     *embedded.Permissions // checks without gRPC
	server  *server               // everything else
	models  models                // schemas as data, by hash
	launch  func(spicedb.ConfigOption) (*server, error)

	mu     sync.Mutex
	tracer *server // guarded by mu; started by the first full explanation
	closed bool    // guarded by mu
}

// Open starts an engine over store. The caller closes the engine first, then the store.
func Open(ctx context.Context, store Store, o Options) (*Engine, error) {
	hot, err := embedded.NewPermissions(embedded.Config{
		Datastore:               pinned{store},
		SchemaMode:              datalayer.SchemaModeReadNewWriteNew,
		SchemaCacheMaxCostBytes: o.schemaCache(),
		MaxDepth:                MaxDepth,
	})
	if err != nil {
		return nil, unstarted(err)
	}
	e := &Engine{store: store, options: o, hot: hot}
	running := context.WithoutCancel(ctx) // servers outlive the call that starts them
	e.launch = func(tune spicedb.ConfigOption) (*server, error) {
		return start(running, config(store, o.schemaCache(), tune))
	}
	if e.server, err = e.launch(checking(o.dispatchCache())); err != nil {
		return nil, errors.Join(unstarted(err), hot.Close())
	}
	return e, nil
}

func unstarted(err error) error {
	return errs.New(errs.Unavailable, "the engine does not start").Because(err)
}

// Close stops the engine and waits until everything it started has ended. It leaves the store open. It is idempotent.
func (e *Engine) Close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return nil
	}
	e.closed = true
	err := e.server.close()
	if e.tracer != nil {
		err = errors.Join(err, e.tracer.close())
	}
	return errors.Join(err, e.hot.Close())
}

// tracing returns the server that answers full explanations, and starts it when it is the first time.
func (e *Engine) tracing() (*server, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return nil, errs.New(errs.Unavailable, "the engine is closed")
	}
	if e.tracer != nil {
		return e.tracer, nil
	}
	srv, err := e.launch(stepwise)
	if err != nil {
		return nil, unstarted(err)
	}
	e.tracer = srv
	return srv, nil
}

func (e *Engine) giveUp(ctx context.Context, q Incomplete) {
	if e.options.OnIncomplete != nil {
		e.options.OnIncomplete(ctx, q)
	}
}
