// Package sqlds keeps relationships and schemas in the domain's own SQLite database, as a SpiceDB datastore and as the
// relations.Writer and Reader of the embedded mode: a row of the domain and its relationships commit in one transaction.
// It answers no check and holds no policy, and nothing else writes its tables (their names begin with rel).
// To add a rule for relationships, add it to validate.go (what one may be) or graph.go (what shape they may form).
package sqlds

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/authzed/spicedb/pkg/datastore"

	"nexus/authzsvc/authz"
	"nexus/authzsvc/relations"
	"nexus/internal/clock"
	"nexus/internal/errs"
	"nexus/internal/sqldb"
)

// Options are the settings of a Datastore. The zero value is right for a server without a decision cache.
type Options struct {
	// Clock tells the time of revisions and expiries; nil means the machine's.
	Clock clock.Clock
	// Window is how long history (relationships and schemas) is kept; 0 means 30 days.
	Window time.Duration
	// GCEvery is the time between two collections of what is older than Window; 0 means an hour.
	GCEvery time.Duration
	// Objects bounds the object cache, in objects; 0 means 32,768.
	Objects int
	// WatchBuffer is the length of a watcher's channel when the watcher names none; 0 means 128.
	WatchBuffer uint16
	// Unchecked lets ReadWriteTx write what the Writer would refuse. It is for SpiceDB's own suites, whose schemas are not
	// ours; stamps are raised all the same.
	Unchecked bool
	// Touched is told which resources have changed relationships as of rev: before the COMMIT that makes them so, or before
	// the head moves past an expiry. It may be told of changes that are then rolled back. It must be quick, must not
	// call the Datastore or the database, and may be called from several goroutines at once.
	Touched func(rev relations.Revision, resources []authz.Ref)
	// Defined is told which tenant's definitions change as of rev, before the COMMIT that makes them so. The rules of Touched apply.
	Defined func(rev relations.Revision, tenant string)
	// SchemaChanged is told the hash of a new schema, in which more than one tenant's definitions may be new, before the head
	// at which it holds is published. The rules of Touched apply.
	SchemaChanged func(hash string)
	// Log takes what goes wrong in the background; nil means nowhere.
	Log *slog.Logger
}

// Datastore is an open store of relationships. It is safe for concurrent use.
type Datastore struct {
	db      *sqldb.Lite
	o       Options
	uid     string
	texts   *texts   // prepared statements of the reading pool
	objects *objects // rows of single objects
	floor   atomic.Int64
	head    head
	batch   batch // belongs to whoever has the writer's turn
	graph   graph // likewise
	models  models
	schemas schemas

	gcBusy  sync.Mutex
	gcDone  atomic.Bool
	closing chan struct{}

	shut    atomic.Bool // set once, with mu held
	mu      sync.Mutex
	running sync.WaitGroup
	once    sync.Once
	ended   error
}

var (
	_ datastore.Datastore                   = (*Datastore)(nil)
	_ datastore.GarbageCollectableDatastore = (*Datastore)(nil)
)

// Open opens the store in db and creates its tables when there are none. db stays the caller's, who closes the Datastore
// first; no transaction may run on db during Open.
func Open(ctx context.Context, db *sqldb.Lite, o Options) (*Datastore, error) {
	d := &Datastore{db: db, o: withDefaults(o), batch: batch{soonest: never}, closing: make(chan struct{})}
	d.texts = newTexts(db.Readers())
	d.objects = newObjects(d.o.Objects)
	db.SetBatchHooks(func() {}, d.endBatch)
	if err := d.load(ctx); err != nil {
		return nil, errors.Join(err, d.texts.close())
	}
	d.running.Add(1)
	go d.collectForever()
	return d, nil
}

func withDefaults(o Options) Options {
	if o.Clock == nil {
		o.Clock = clock.System{}
	}
	if o.Window <= 0 {
		o.Window = 30 * 24 * time.Hour
	}
	if o.GCEvery <= 0 {
		o.GCEvery = time.Hour
	}
	if o.Objects <= 0 {
		o.Objects = 32768
	}
	if o.WatchBuffer == 0 {
		o.WatchBuffer = 128
	}
	if o.Touched == nil {
		o.Touched = func(relations.Revision, []authz.Ref) {}
	}
	if o.Defined == nil {
		o.Defined = func(relations.Revision, string) {}
	}
	if o.SchemaChanged == nil {
		o.SchemaChanged = func(string) {}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

// load brings the tables up to date and reads the state that is kept in memory.
func (d *Datastore) load(ctx context.Context) error {
	if err := migrate(ctx, d.db); err != nil {
		return err
	}
	m, err := readMeta(ctx, d.db)
	if err != nil {
		return err
	}
	d.uid = m.uid
	d.floor.Store(m.floor)
	start := m.head
	if start == 0 {
		start = d.o.Clock.Now().UnixNano()
	}
	s := &state{head: start}
	if s.hash, err = d.hashAt(ctx, start); err != nil {
		return err
	}
	if s.next, err = d.nextExpiry(ctx, start); err != nil {
		return err
	}
	d.head.start(s)
	return nil
}

// Close stops the background work and the watchers, and keeps the head for the next Open. It is idempotent and leaves the
// database open.
func (d *Datastore) Close() error {
	d.once.Do(func() {
		d.mu.Lock()
		d.shut.Store(true)
		close(d.closing)
		d.mu.Unlock()
		d.running.Wait()
		d.ended = errors.Join(d.keepHead(context.Background()), d.texts.close())
	})
	return d.ended
}

// enter counts a piece of running work, for which Close waits; leave must be called at its end.
func (d *Datastore) enter() (leave func(), err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.open(); err != nil {
		return nil, err
	}
	d.running.Add(1)
	return d.running.Done, nil
}

// open refuses work on a closed store.
func (d *Datastore) open() error {
	if d.shut.Load() {
		return errs.New(errs.Unavailable, "the relationship store is closed")
	}
	return nil
}

// MetricsID names the kind of store.
func (d *Datastore) MetricsID() (string, error) { return "nexus-sqlite", nil }

// UniqueID returns the identity of the stored data; it survives restarts.
func (d *Datastore) UniqueID(context.Context) (string, error) { return d.uid, nil }

// ReadyState reports ready: Open returns only when it is.
func (d *Datastore) ReadyState(context.Context) (datastore.ReadyState, error) {
	return datastore.ReadyState{IsReady: true}, nil
}

// Features returns what OfflineFeatures returns.
func (d *Datastore) Features(context.Context) (*datastore.Features, error) {
	return d.OfflineFeatures()
}

// OfflineFeatures says which optional parts of a datastore are there.
func (d *Datastore) OfflineFeatures() (*datastore.Features, error) {
	yes := datastore.Feature{Status: datastore.FeatureSupported}
	no := datastore.Feature{Status: datastore.FeatureUnsupported}
	return &datastore.Features{Watch: yes, IntegrityData: yes, ContinuousCheckpointing: no, WatchEmitsImmediately: no}, nil
}
