package authzsvc

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"nexus/authzsvc/authz"
	"nexus/authzsvc/relations"
	"nexus/internal/errs"
	"nexus/internal/sqldb"
	"nexus/schema"
)

// opened is a service over a new database.
func opened(t testing.TB) *Service {
	t.Helper()
	db, err := sqldb.OpenLite(t.Context(), filepath.Join(t.TempDir(), "nexus.db"), sqldb.LiteOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	s, err := Open(t.Context(), Config{Database: db, RecordDir: t.TempDir(), Operations: ruled})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func (s *Service) define(tenant string, number int64, text string) error {
	ctx := context.Background()
	d, err := s.Definer().Compile(ctx, text)
	if err != nil {
		return err
	}
	return s.config.Database.Tx(ctx, func(ctx context.Context, tx sqldb.Tx) error { return s.Definer().Define(ctx, tx, tenant, number, d) })
}

func (s *Service) mustDefine(t testing.TB, tenant string, number int64, text string) {
	t.Helper()
	if err := s.define(tenant, number, text); err != nil {
		t.Fatal(err)
	}
}

func (s *Service) mustRelate(t testing.TB, all ...relations.Relationship) {
	t.Helper()
	updates := make([]relations.Update, len(all))
	for i, r := range all {
		updates[i] = relations.Update{Kind: relations.Touch, Relationship: r}
	}
	err := s.config.Database.Tx(context.Background(), func(ctx context.Context, tx sqldb.Tx) error { return s.Writer().Write(ctx, tx, updates...) })
	if err != nil {
		t.Fatal(err)
	}
}

func (s *Service) ask(t testing.TB, subject authz.Ref, checks ...authz.Check) authz.Finding {
	t.Helper()
	f, err := s.relations().Ask(context.Background(), []authz.Ref{subject}, checks)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// note makes the type note, which those read who stand in relation.
func note(relation string) string {
	return "definition note {\n\trelation reader: user\n\trelation writer: user\n\tpermission read = " + relation + "\n}\n"
}

func ref(typ, id string) authz.Ref { return authz.Ref{Type: typ, ID: id} }

func related(resource authz.Ref, relation string, subject authz.Ref) relations.Relationship {
	return relations.Relationship{Resource: resource, Relation: relation, Subject: subject}
}

var (
	ann     = ref("user", "acme/ann")
	onNote  = authz.Check{Type: schema.OwnType(1, "note"), ID: "acme/n", Permission: "read"}
	onFile  = authz.Check{Type: "file", ID: "acme/f", Permission: "read"}
	onOther = authz.Check{Type: schema.OwnType(2, "note"), ID: "globex/n", Permission: "read"}
)

func TestSchemaOfOneTenantEmptiesNobodysCache(t *testing.T) {
	s := opened(t)
	bob := ref("user", "globex/bob")
	s.mustDefine(t, "acme", 1, note("reader"))
	s.mustDefine(t, "globex", 2, note("reader"))
	s.mustRelate(t, related(onNote.Object(), "reader", ann), related(ref("file", "acme/f"), "direct_viewer", ann), related(onOther.Object(), "reader", bob))
	s.ask(t, ann, onFile)
	product, own, other := s.ask(t, ann, onFile), s.ask(t, ann, onNote), s.ask(t, bob, onOther)
	s.mustDefine(t, "acme", 1, note("writer"))
	if !product.Stamps.Hold() || !other.Stamps.Hold() {
		t.Error("a tenant's schema ends decisions about the product or another tenant")
	}
	if own.Stamps.Hold() {
		t.Error("a decision outlives the definition it was made by")
	}
	if f := s.ask(t, ann, onFile); !f.Answers[0].Cached || !f.Answers[0].Allowed {
		t.Errorf("a tenant's schema empties the cache: %+v", f.Answers[0])
	}
	if f := s.ask(t, ann, onNote); f.Answers[0].Allowed {
		t.Error("the old definition answers")
	}
}

// TestDefinitionsTakeEffectExactly: whoever asks after a definition was acknowledged is answered by it, while others ask about the
// product and are never held up.
func TestDefinitionsTakeEffectExactly(t *testing.T) {
	s := opened(t)
	s.mustDefine(t, "acme", 1, note("reader"))
	s.mustRelate(t, related(onNote.Object(), "reader", ann), related(ref("file", "acme/f"), "direct_viewer", ann))
	s.ask(t, ann, onFile)
	var acknowledged, begun atomic.Int64 // even: reader reads, odd: writer reads
	stop := make(chan struct{})
	var asking sync.WaitGroup
	var missed atomic.Int64
	for range 4 {
		asking.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				before := acknowledged.Load()
				f, err := s.relations().Ask(context.Background(), []authz.Ref{ann}, []authz.Check{onNote})
				if err != nil {
					t.Error(err)
					return
				}
				if after := begun.Load(); before == after && f.Answers[0].Allowed != (before%2 == 0) {
					t.Errorf("after %d definitions: allowed %v", before, f.Answers[0].Allowed)
					return
				}
			}
		})
	}
	asking.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			f, err := s.relations().Ask(context.Background(), []authz.Ref{ann}, []authz.Check{onFile})
			if err != nil || !f.Answers[0].Allowed {
				t.Errorf("the product's check: %+v, %v", f, err)
				return
			}
			if !f.Answers[0].Cached || !f.Stamps.Hold() {
				missed.Add(1)
			}
		}
	})
	for i := range int64(60) {
		begun.Add(1)
		s.mustDefine(t, "acme", 1, note([]string{"writer", "reader"}[i%2]))
		acknowledged.Add(1)
		if f := s.ask(t, ann, onNote); f.Answers[0].Allowed != (i%2 == 1) {
			t.Errorf("after definition %d: allowed %v", i, f.Answers[0].Allowed)
		}
	}
	close(stop)
	asking.Wait()
	if missed.Load() > 0 {
		t.Errorf("%d decisions about the product were missed or ended by a tenant's schema", missed.Load())
	}
}

func TestProductInForceIsNotWrittenAgain(t *testing.T) {
	s := opened(t)
	s.mustDefine(t, "acme", 1, note("reader"))
	head := func() relations.Revision {
		h, err := s.Reader().Head(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	before := head()
	if err := s.putProduct(t.Context(), schema.Text); err != nil || head() != before {
		t.Errorf("the same schema moves the head: %v", err)
	}
	s.mustRelate(t, related(onNote.Object(), "reader", ann))
	if err := s.putProduct(t.Context(), schema.Text+"\ndefinition memo {}\n"); err != nil {
		t.Fatal(err)
	}
	if f := s.ask(t, ann, onNote); !f.Answers[0].Allowed {
		t.Error("a new product schema takes tenants' definitions away")
	}
}

// TestTenantsOwnTypesHaveLittleTime: a permission that doubles with each step ends in a refusal to go on, and nobody else waits.
func TestTenantsOwnTypesHaveLittleTime(t *testing.T) {
	s := opened(t)
	s.mustDefine(t, "acme", 1, "definition node {\n\trelation left: node\n\trelation right: node\n\trelation reader: user\n\tpermission read = (reader & left->read) + (reader & right->read) + (left->read & right->read)\n}\n")
	node := func(n int) authz.Ref { return ref(schema.OwnType(1, "node"), fmt.Sprint("acme/n", n)) }
	for n := range 40 {
		s.mustRelate(t, related(node(n), "left", node(n+1)), related(node(n), "right", node(n+1)))
	}
	check := authz.Check{Type: node(0).Type, ID: node(0).ID, Permission: "read"}
	var asking sync.WaitGroup
	for range 6 {
		asking.Go(func() {
			f, err := s.relations().Ask(context.Background(), []authz.Ref{ann}, []authz.Check{check})
			if err == nil && f.Answers[0].Allowed {
				t.Errorf("Ask = %+v", f)
			}
			if err != nil && !errors.Is(err, errs.Deadline) && !errors.Is(err, errs.Exhausted) {
				t.Errorf("Ask = %v, want it to run out of time", err)
			}
		})
	}
	s.mustRelate(t, related(ref("file", "acme/f"), "direct_viewer", ann))
	if f := s.ask(t, ann, onFile); !f.Answers[0].Allowed {
		t.Errorf("the product: %+v", f)
	}
	asking.Wait()
}

func TestSchemaWithoutWhatAnOperationNeedsNamesIt(t *testing.T) {
	needs := map[string][]authz.Check{"files.read": {{Type: "file", Permission: "read"}}, "groups.list": {{Type: "group", Permission: "manage"}}}
	operations := []string{"groups.list", "files.read"}
	if err := Lacks(t.Context(), schema.Text, operations, needs); err != nil {
		t.Error(err)
	}
	without := strings.Replace(schema.Text, "\tpermission read = viewer\n", "", 1)
	err := Lacks(t.Context(), without, operations, needs)
	if !errors.Is(err, errs.Precondition) || !strings.Contains(err.Error(), "files.read needs permission read of file") {
		t.Errorf("Lacks = %v, want the operation named", err)
	}
}

// BenchmarkTenants writes one tenant's schema and asks about the product, beside 100 tenants with 10 types each.
func BenchmarkTenants(b *testing.B) {
	for _, tenants := range []int{1, 100} {
		b.Run(fmt.Sprint(tenants, " tenants"), func(b *testing.B) {
			s := opened(b)
			for n := range tenants {
				var text strings.Builder
				for k := range 10 {
					text.WriteString(strings.Replace(note("reader"), "note", fmt.Sprint("note_", k), 1))
				}
				s.mustDefine(b, fmt.Sprint("tenant", n), int64(n+10), text.String())
			}
			for i := 0; b.Loop(); i++ {
				s.mustDefine(b, "acme", 1, note([]string{"writer", "reader"}[i%2]))
				s.ask(b, ann, authz.Check{Type: "file", ID: fmt.Sprint("acme/", i), Permission: "read"})
			}
		})
	}
}
