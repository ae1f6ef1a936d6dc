package cache

import (
	"context"
	"strconv"
	"sync/atomic"

	"nexus/authzsvc/authz"
	"nexus/authzsvc/relations"
	"nexus/internal/errs"
)

// Engine answers questions at a revision. It is safe for concurrent use.
type Engine interface {
	// Head returns the newest published revision. Stamps of all that is visible at it were raised before.
	Head(ctx context.Context) (relations.Revision, error)
	// Check answers each check for any of subjects at exactly revision at, in order.
	Check(ctx context.Context, at relations.Revision, subjects []authz.Ref, checks []authz.Check) ([]authz.Answer, error)
}

// Options are the settings of a Cache.
type Options struct {
	// Shape is the product's schema as far as it matters here. The zero Shape turns the cache off.
	Shape Shape
	// MaxEntries bounds what is kept, in answers; 0 means 200,000. An answer about a file takes about half a kilobyte.
	MaxEntries int
	// Journal is how many changes of single objects are remembered in order; 0 means 16,384. A longer burst of writes costs
	// misses until it is over.
	Journal int
}

const (
	defaultEntries = 200_000
	defaultJournal = 16_384
)

// Cache answers what authz.Relations asks. It is safe for concurrent use, starts nothing and needs no closing.
type Cache struct {
	engine  Engine
	reader  relations.Reader
	quick   quickReader // reader, when it offers that
	journal *journal
	nodes   *nodes
	entries *entries
	links   links
	flights flights

	model   atomic.Pointer[model]
	schemas atomic.Uint64 // how often any part of the schema was written
	text    atomic.Pointer[revisionText]

	platform    *node // what belongs to no tenant, the tree aside
	platformAny *node // what belongs to no tenant
	everybody   *node // everything but trees
	anything    *node // everything

	asked, unsound, unstored atomic.Uint64
}

var _ authz.Relations = (*Cache)(nil)

// New returns an empty cache before e, with r to read relationships from. Wire Touched before the first write.
func New(e Engine, r relations.Reader, o Options) (*Cache, error) {
	if e == nil || r == nil {
		return nil, errs.New(errs.Internal, "a cache needs an engine and a reader")
	}
	if err := o.Shape.check(); err != nil {
		return nil, err
	}
	if o.MaxEntries <= 0 {
		o.MaxEntries = defaultEntries
	}
	if o.Journal <= 0 {
		o.Journal = defaultJournal
	}
	c := &Cache{
		engine: e, reader: r, journal: newJournal(o.Journal), entries: newEntries(o.MaxEntries),
		platform: &node{}, platformAny: &node{}, everybody: &node{}, anything: &node{},
	}
	c.quick, _ = r.(quickReader)
	c.nodes = newNodes(c.journal)
	c.model.Store(newModel(o.Shape))
	return c, nil
}

// Ask answers each check for any of subjects, all at the newest revision: from memory where that is exact, else by one
// question to the engine.
func (c *Cache) Ask(ctx context.Context, subjects []authz.Ref, checks []authz.Check) (authz.Finding, error) {
	m := c.model.Load() // before the head: a schema that came later is not taken for the one the head has
	head, err := c.head(ctx)
	if err != nil {
		return authz.Finding{}, err
	}
	a := c.asking(m, head, whoever(subjects))
	answers, err := a.answer(ctx, checks)
	if err != nil {
		return authz.Finding{}, err
	}
	return authz.Finding{Answers: answers, Revision: c.revision(head), Stamps: &a.stamps}, nil
}

func (c *Cache) head(ctx context.Context) (int64, error) {
	head, err := c.engine.Head(ctx)
	if err != nil {
		return 0, errs.New(errs.Unavailable, "the newest revision is not known").Because(err)
	}
	return int64(head), nil
}

// asking is one question at one revision, and what its answers depend on.
type asking struct {
	stamps
	who subjects
}

func (c *Cache) asking(m *model, head int64, who subjects) *asking {
	a := &asking{who: who, stamps: stamps{cache: c, model: m, rev: head, schemas: c.schemas.Load()}}
	a.deps = a.few[:0]
	return a
}

// answer answers checks in order.
func (a *asking) answer(ctx context.Context, checks []authz.Check) ([]authz.Answer, error) {
	answers := make([]authz.Answer, len(checks))
	missed := 0
	for i, check := range checks {
		answers[i].Check = check
		e := a.known(check)
		if e == nil {
			missed++
			continue
		}
		answers[i].Allowed, answers[i].Cached = e.value, true
		a.add(e.deps)
	}
	a.cache.asked.Add(1)
	if missed == 0 {
		return answers, nil
	}
	if len(checks) == 1 {
		return answers, a.missOne(ctx, answers)
	}
	return answers, a.miss(ctx, answers, missed)
}

// missOne is miss for a single question, which others may be asking at this moment.
func (a *asking) missOne(ctx context.Context, answers []authz.Answer) error {
	k := newKey(a.who, answers[0].Object(), answers[0].Permission)
	if a.cache.flights.first(ctx, k) {
		defer a.cache.flights.landed(k)
		return a.miss(ctx, answers, 1)
	}
	e := a.known(answers[0].Check)
	if e == nil {
		return a.miss(ctx, answers, 1)
	}
	answers[0].Allowed, answers[0].Cached = e.value, true
	a.add(e.deps)
	return nil
}

func (a *asking) known(check authz.Check) *entry {
	k := newKey(a.who, check.Object(), check.Permission)
	return a.cache.entries.find(&k, a.model, a.rev)
}

// miss asks the engine for the answers that are not known, and keeps those that are exact.
func (a *asking) miss(ctx context.Context, answers []authz.Answer, missed int) error {
	places, checks := make([]int, 0, missed), make([]authz.Check, 0, missed)
	for i := range answers {
		if !answers[i].Cached {
			places, checks = append(places, i), append(checks, answers[i].Check)
		}
	}
	deps, err := a.dependencies(ctx, checks)
	if err != nil {
		return err
	}
	got, err := a.cache.engine.Check(ctx, relations.Revision(a.rev), a.who.all, checks)
	if err != nil {
		return err
	}
	if len(got) != len(checks) {
		return errs.New(errs.Unavailable, "the relations cannot be asked").Because(errs.Bug("%d questions, %d answers", len(checks), len(got)))
	}
	for j, i := range places {
		answers[i] = got[j]
		a.add(deps[j].nodes)
		if deps[j].sound && !got[j].Incomplete {
			a.keep(checks[j], got[j].Allowed, deps[j].nodes)
		}
	}
	return nil
}

// keep stores an answer unless something it depends on has changed in the meantime.
func (a *asking) keep(check authz.Check, allowed bool, deps []*node) {
	if !unchanged(deps, a.rev) {
		a.cache.unstored.Add(1)
		return
	}
	a.cache.entries.put(&entry{
		key: newKey(a.who, check.Object(), check.Permission), model: a.model, rev: a.rev, deps: deps, value: allowed,
	})
}

// dependency is what the answer to one check depends on, and whether that was proven to be all.
type dependency struct {
	nodes []*node
	sound bool
}

func (a *asking) dependencies(ctx context.Context, checks []authz.Check) ([]dependency, error) {
	found := make([]dependency, len(checks))
	objects, places := make([]authz.Ref, 0, len(checks)), make([]int, 0, len(checks))
	for i, check := range checks {
		if a.model.sound(Set{check.Type, check.Permission}) {
			objects, places = append(objects, check.Object()), append(places, i)
		}
	}
	lines, err := a.cache.lineages(ctx, a.model, a.rev, objects)
	if err != nil {
		return nil, err
	}
	for j, i := range places {
		found[i] = dependency{nodes: lines[j], sound: lines[j] != nil}
	}
	for i, check := range checks {
		if !found[i].sound {
			found[i].nodes = a.cache.anyDeps(tenantOf(check))
			a.loose = true
			a.cache.unsound.Add(1)
		}
	}
	return found, nil
}

// revisionText keeps the newest revision as text, which every answer carries.
type revisionText struct {
	rev  int64
	text string
}

func (c *Cache) revision(rev int64) string {
	if t := c.text.Load(); t != nil && t.rev == rev {
		return t.text
	}
	t := &revisionText{rev, strconv.FormatInt(rev, 10)}
	c.text.Store(t)
	return t.text
}

// Stats are counts since the start, for metrics.
type Stats struct {
	Asked    uint64 // questions
	Hits     uint64 // checks answered from memory
	Misses   uint64 // checks that were not
	Unsound  uint64 // of the misses: about a definition of which nothing was proven
	Unstored uint64 // of the misses: overtaken by a change
	Evicted  uint64
	Entries  int // now
	Nodes    int // now
}

// Stats returns the counts. They are not of one instant.
func (c *Cache) Stats() Stats {
	s := Stats{
		Asked: c.asked.Load(), Unsound: c.unsound.Load(), Unstored: c.unstored.Load(),
		Entries: c.entries.len(), Nodes: int(c.nodes.live.Load()),
	}
	for i := range c.entries.shards {
		shard := &c.entries.shards[i]
		s.Hits += shard.hits.Load()
		s.Misses += shard.misses.Load()
		s.Evicted += shard.evicted.Load()
	}
	return s
}
