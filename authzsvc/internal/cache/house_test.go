package cache_test

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"nexus/authzsvc/authz"
	"nexus/authzsvc/internal/cache"
	"nexus/authzsvc/internal/spice"
	"nexus/authzsvc/internal/spice/spicetest"
	"nexus/authzsvc/internal/sqlds"
	"nexus/authzsvc/relations"
	"nexus/internal/sqldb"
	"nexus/schema"
)

// house is the real store and the real engine with a cache before them.
type house struct {
	testing.TB
	db     *sqldb.Lite
	store  *sqlds.Datastore
	reader *reader
	engine *engine
	cache  *cache.Cache

	read string // revision at which members were read

	mu      sync.Mutex // guards what follows
	revs    []relations.Revision
	written map[string]relations.Revision // by id of what was touched last
}

// touched stands between the store and the cache, and remembers every revision.
func (h *house) touched(rev relations.Revision, resources []authz.Ref) {
	h.cache.Touched(rev, resources)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.revs = append(h.revs, rev)
	for _, r := range resources {
		h.written[r.ID] = rev
	}
}

func (h *house) revisions() []relations.Revision {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.revs)
}

func (h *house) revisionOf(id string) relations.Revision {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.written[id]
}

// engine counts the checks that reach the real one.
type engine struct {
	*spice.Engine
	reader relations.Reader
	checks atomic.Int64

	// What a test has happen at the worst moment, once. Set before the cache is used, by one goroutine.
	afterHead, beforeCheck func()
}

func (e *engine) Head(ctx context.Context) (relations.Revision, error) {
	head, err := e.reader.Head(ctx)
	once(&e.afterHead)
	return head, err
}

func (e *engine) Check(ctx context.Context, at relations.Revision, subjects []authz.Ref, checks []authz.Check) ([]authz.Answer, error) {
	e.checks.Add(int64(len(checks)))
	once(&e.beforeCheck)
	return e.Engine.Check(ctx, at, subjects, checks)
}

func once(f *func()) {
	if now := *f; now != nil {
		*f = nil
		now()
	}
}

// reader is the store's, with an interruption.
type reader struct {
	relations.Reader
	quick

	afterGranted func()
	ids          atomic.Int64 // that ReadGranted returned
}

type quick interface {
	ReadMany(ctx context.Context, at relations.Revision, resourceType string, ids, names, subjects []string, yield func(relations.Relationship) bool) error
	ReadGranted(ctx context.Context, at relations.Revision, resourceType, name string, subject authz.Ref, subjectRelation, first, last string, most int) ([]string, error)
	ReadLinked(ctx context.Context, at relations.Revision, resourceType string, yield func(id string) bool) error
}

func (r *reader) ReadGranted(ctx context.Context, at relations.Revision, resourceType, name string, subject authz.Ref, subjectRelation, first, last string, most int) ([]string, error) {
	ids, err := r.quick.ReadGranted(ctx, at, resourceType, name, subject, subjectRelation, first, last, most)
	r.ids.Add(int64(len(ids)))
	once(&r.afterGranted)
	return ids, err
}

// backed is the store as the engine takes it.
type backed struct {
	*sqlds.Datastore
	reader relations.Reader
}

func (b backed) Head(ctx context.Context) (relations.Revision, error) { return b.reader.Head(ctx) }

func open(tb testing.TB, o cache.Options) *house {
	tb.Helper()
	ctx := context.Background()
	db, err := sqldb.OpenLite(ctx, filepath.Join(tb.TempDir(), "nexus.db"), sqldb.LiteOptions{})
	must(tb, err)
	tb.Cleanup(func() { must(tb, db.Close()) })
	h := &house{TB: tb, db: db, written: map[string]relations.Revision{}}
	ready := false // until then nothing is written but the schema
	store, err := sqlds.Open(ctx, db, sqlds.Options{Touched: func(rev relations.Revision, resources []authz.Ref) {
		if ready {
			h.touched(rev, resources)
		}
	}})
	must(tb, err)
	tb.Cleanup(func() { must(tb, store.Close()) })
	h.store, h.reader = store, &reader{Reader: store.Reader(), quick: store.Reader().(quick)}
	e, err := spice.Open(ctx, backed{store, h.reader}, spice.Options{})
	must(tb, err)
	tb.Cleanup(func() { must(tb, e.Close()) })
	spicetest.WriteSchema(tb, backed{store, h.reader}, schema.Text)
	h.engine = &engine{Engine: e, reader: h.reader}
	o.Shape, err = spice.ShapeOf(schema.Text, schema.Digest())
	must(tb, err)
	h.cache, err = cache.New(h.engine, h.reader, o)
	must(tb, err)
	ready = true
	return h
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

var errRollback = errors.New("rolled back on purpose")

// write applies relationships written as text: "-" before one deletes it, "!5ms" behind one lets it expire.
func (h *house) write(texts ...string) {
	h.Helper()
	must(h, h.tryWrite(false, texts...))
}

func (h *house) tryWrite(rollback bool, texts ...string) error {
	updates := make([]relations.Update, len(texts))
	for i, text := range texts {
		updates[i] = update(h, text)
	}
	ctx := context.Background()
	return h.db.Tx(ctx, func(ctx context.Context, tx sqldb.Tx) error {
		if err := h.store.Writer().Write(ctx, tx, updates...); err != nil {
			return err
		}
		if rollback {
			return errRollback
		}
		return nil
	})
}

func update(tb testing.TB, text string) relations.Update {
	tb.Helper()
	u := relations.Update{Kind: relations.Touch}
	if rest, ok := strings.CutPrefix(text, "-"); ok {
		u.Kind, text = relations.Delete, rest
	}
	if rest, life, ok := strings.Cut(text, "!"); ok {
		d, err := time.ParseDuration(life)
		must(tb, err)
		u.Expires, text = time.Now().Add(d), rest
	}
	resource, subject, ok := strings.Cut(text, "@")
	if !ok {
		tb.Fatalf("no relationship: %q", text)
	}
	object, relation, _ := strings.Cut(resource, "#")
	subject, u.SubjectRelation, _ = strings.Cut(subject, "#")
	u.Resource, u.Relation, u.Subject = ref(object), relation, ref(subject)
	return u
}

func ref(text string) authz.Ref {
	kind, id, _ := strings.Cut(text, ":")
	return authz.Ref{Type: kind, ID: id}
}

func check(text string) authz.Check {
	object, permission, _ := strings.Cut(text, "#")
	o := ref(object)
	return authz.Check{Type: o.Type, ID: o.ID, Permission: permission}
}

// ask asks one question as one subject.
func (h *house) ask(subject, question string) (authz.Answer, authz.Stamps) {
	h.Helper()
	f, err := h.cache.Ask(context.Background(), []authz.Ref{ref(subject)}, []authz.Check{check(question)})
	must(h, err)
	return f.Answers[0], f.Stamps
}

// want asks and compares both the answer and where it came from.
func (h *house) want(subject, question string, allowed, cached bool) {
	h.Helper()
	a, _ := h.ask(subject, question)
	if a.Allowed != allowed || a.Cached != cached {
		h.Errorf("%s for %s: allowed %v from memory %v, want %v and %v", question, subject, a.Allowed, a.Cached, allowed, cached)
	}
}

// cold puts an empty cache before the same store.
func (h *house) cold(o cache.Options) {
	h.Helper()
	var err error
	o.Shape, err = spice.ShapeOf(schema.Text, schema.Digest())
	must(h, err)
	h.cache, err = cache.New(h.engine, h.reader, o)
	must(h, err)
}
