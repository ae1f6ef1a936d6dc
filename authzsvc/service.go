// Package authzsvc is the decision service: it assembles the Gate from the engine, the policy and the record, and answers
// questions about relationships. It stores no file. To add a part to a decision, give the Gate an interface for it in authz
// and implement it here.
package authzsvc

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"nexus/authzsvc/audit"
	"nexus/authzsvc/authz"
	"nexus/authzsvc/internal/cache"
	"nexus/authzsvc/internal/mint"
	"nexus/authzsvc/internal/rego"
	"nexus/authzsvc/internal/spice"
	"nexus/authzsvc/internal/sqlds"
	"nexus/authzsvc/relations"
	"nexus/internal/clock"
	"nexus/internal/errs"
	"nexus/internal/sqldb"
	"nexus/policies"
	"nexus/schema"
)

// Config says how the service runs. Database, RecordDir and Operations are required.
type Config struct {
	Database      *sqldb.Lite   // relationships live beside the domain's rows
	RecordDir     string        // of the decision record
	Operations    []string      // every operation there is; a policy that names another is refused
	PolicyDir     string        // of the operator's own policies; empty: none
	PolicyMayLack bool          // whether PolicyDir may be missing: there are no own policies then
	Disabled      []string      // ids of shipped policies to leave out
	Caveats       bool          // whether tenants' definitions may hold caveats
	History       time.Duration // how long relationships can be asked as of an earlier time; 0: 30 days
	Record        audit.Options // of the record; its Clock is Clock
	Clock         clock.Clock   // nil: the machine's
	Log           *slog.Logger  // nil: nowhere
}

// Service is the running decision service. It is safe for concurrent use.
type Service struct {
	store   *sqlds.Datastore
	product *spice.Product
	engine  *spice.Engine
	cache   *cache.Cache
	own     turns // of questions about tenants' own types
	rules   *rego.Engine
	record  *audit.Log
	gate    *authz.Gate
	clock   clock.Clock
	config  Config

	installing sync.Mutex // held while the policies are read, installed or reloaded
}

// Open starts the service. Close ends it; the caller closes the database after that.
func Open(ctx context.Context, c Config) (_ *Service, err error) {
	if c.Clock == nil {
		c.Clock = clock.System{}
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	s := &Service{clock: c.Clock, config: c}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	if err := s.openRelations(ctx); err != nil {
		return nil, err
	}
	if err := s.openPolicy(ctx); err != nil {
		return nil, err
	}
	c.Record.Clock = c.Clock
	if s.record, err = audit.Open(c.RecordDir, c.Record); err != nil {
		return nil, err
	}
	s.gate, err = authz.NewGate(mint.New(), s.relations(), tree{s.store.Reader()}, policy{s.rules, c.Clock}, s.record, schema.Digest(), c.Clock)
	return s, err
}

// openRelations opens the store of relationships, the engine over it, and the cache in front of that. The store tells the
// cache what changes before anybody can read it, so the cache must be there before the store takes writes: until then
// nothing but the schema is written.
func (s *Service) openRelations(ctx context.Context) (err error) {
	s.store, err = sqlds.Open(ctx, s.config.Database, sqlds.Options{
		Clock: s.clock, Window: s.config.History, Log: s.config.Log, Touched: s.touched, Defined: s.defined, SchemaChanged: s.schemaChanged,
	})
	if err != nil {
		return err
	}
	s.engine, err = spice.Open(ctx, s.store, spice.Options{OnIncomplete: s.incomplete})
	if err != nil {
		return err
	}
	if err := s.putProduct(ctx, schema.Text); err != nil {
		return err
	}
	shape, err := spice.ShapeOf(schema.Text, schema.Digest())
	if err != nil {
		return err
	}
	s.cache, err = cache.New(source{s.store, s.engine, &s.own}, s.store.Reader(), cache.Options{Shape: shape})
	return err
}

func (s *Service) touched(rev relations.Revision, resources []authz.Ref) {
	if s.cache != nil {
		s.cache.Touched(rev, resources)
	}
}

// schemaChanged makes the cache stand aside: the product's schema is written before there is a cache, and nobody writes one later.
func (s *Service) schemaChanged(string) {
	if s.cache != nil {
		s.cache.SchemaChanged("")
	}
}

// incomplete tells of a question that the engine gave up on: an alarm, because the limits of what may be written are there to
// keep it from happening. Tenants' own types have no such limits, and are theirs to mend.
func (s *Service) incomplete(ctx context.Context, q spice.Incomplete) {
	level := slog.LevelError
	if schema.IsOwn(q.Check.Type) {
		level = slog.LevelDebug
	}
	s.config.Log.Log(ctx, level, "relationships nested too deep: counted as a denial", "subject", q.Subject, "object", q.Check.Object(), "permission", q.Check.Permission)
}

// source is what the cache asks on a miss: heads from the store, answers from the engine.
type source struct {
	*sqlds.Datastore
	engine *spice.Engine
	own    *turns
}

func (s source) Check(ctx context.Context, at relations.Revision, subjects []authz.Ref, checks []authz.Check) (answers []authz.Answer, err error) {
	i := slices.IndexFunc(checks, func(c authz.Check) bool { return schema.IsOwn(c.Type) })
	if i < 0 {
		return s.engine.Check(ctx, at, subjects, checks)
	}
	err = s.own.within(ctx, checks[i].Object(), func(ctx context.Context) error {
		answers, err = s.engine.Check(ctx, at, subjects, checks)
		return err
	})
	return answers, err
}

// Head returns the newest published revision.
func (s source) Head(ctx context.Context) (relations.Revision, error) { return s.Reader().Head(ctx) }

func (s *Service) openPolicy(ctx context.Context) error {
	modules, err := s.policies()
	if err != nil {
		return err
	}
	s.rules, err = rego.NewEngine(ctx, modules, rego.Config{Operations: s.config.Operations, Obligations: obligations()})
	return err
}

// obligations are those that storage knows to meet.
func obligations() []string {
	all := authz.Obligations()
	names := make([]string, len(all))
	for i, o := range all {
		names[i] = string(o)
	}
	return names
}

func (s *Service) policies() (map[string]string, error) {
	own, _, err := s.ownPolicies()
	if err != nil {
		return nil, err
	}
	return rego.Compose(policies.Default(), own, s.config.Disabled)
}

// ReloadPolicy reads the policies again. When they cannot be used the old ones stay in force and the error says why.
func (s *Service) ReloadPolicy(ctx context.Context) error {
	s.installing.Lock()
	defer s.installing.Unlock()
	modules, err := s.policies()
	if err != nil {
		return err
	}
	return s.rules.Reload(ctx, modules)
}

func (s *Service) relations() settledRelations { return settledRelations{s.cache, s.store} }

// Gate returns the gate that decides every operation.
func (s *Service) Gate() *authz.Gate { return s.gate }

// Rules returns the rules in force now.
func (s *Service) Rules() authz.Rules { return policy{s.rules, s.clock}.Rules() }

// Writer returns the only writer of relationships.
func (s *Service) Writer() relations.Writer { return s.store.Writer() }

// Reader returns the reader of relationships.
func (s *Service) Reader() relations.Reader { return s.store.Reader() }

// Record returns the decision record.
func (s *Service) Record() *audit.Log { return s.record }

// Stats returns the counts of the decision cache.
func (s *Service) Stats() cache.Stats { return s.cache.Stats() }

// Settle closes the decisions that an earlier process left open, by what effect says was committed. It runs before the
// server listens, and returns how many there were.
func (s *Service) Settle(ctx context.Context, effect func(ctx context.Context, decision string) (first, last int64, found bool, err error)) (int, error) {
	open, err := s.record.Unresolved(ctx)
	if err != nil {
		return 0, err
	}
	for _, d := range open {
		first, last, found, err := effect(ctx, d.ID)
		if err != nil {
			return 0, err
		}
		o := &authz.Outcome{ID: d.ID, At: s.clock.Now(), State: authz.Failed, Why: "not done when the server ended"}
		if found {
			o.State, o.Why, o.First, o.Last = authz.Done, "", first, last
		}
		if err := s.record.Conclude(ctx, o); err != nil {
			return 0, err
		}
	}
	return len(open), nil
}

// Ready returns nil while decisions can be made and recorded.
func (s *Service) Ready(ctx context.Context) error {
	if _, err := s.store.Reader().Head(ctx); err != nil {
		return errs.New(errs.Unavailable, "relationships cannot be read").Because(err)
	}
	return s.record.Healthy()
}

// Close ends the service: the record last, so that what still comes to an end is recorded. It is idempotent.
func (s *Service) Close() error {
	var all []error
	if s.engine != nil {
		all = append(all, s.engine.Close())
	}
	if s.store != nil {
		all = append(all, s.store.Close())
	}
	if s.record != nil {
		all = append(all, s.record.Close())
	}
	return errors.Join(all...)
}
