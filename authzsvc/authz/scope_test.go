package authz_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"sync"
	"testing"
	"time"

	"nexus/authzsvc/authz"
	"nexus/authzsvc/gatetest"
	"nexus/authzsvc/internal/mint"
	"nexus/internal/errs"
	"nexus/schema"
)

func parent(schema.File) authz.Ref { return authz.Ref{Type: "file", ID: "f/"} }

func files(paths ...string) []schema.File {
	var all []schema.File
	for _, p := range paths {
		all = append(all, file(p))
	}
	return all
}

// open returns a scope over files that can be read, of which policy is asked as about file.read.
func open(t *testing.T, gate *authz.Gate, who authz.Principal) schema.ReadFiles {
	t.Helper()
	need := schema.ReadFilesWithin(gate, schema.Home(who).Access(), "file.read")
	s, _, err := authz.Ask(t.Context(), gate, who, authz.Act{Op: "file.list"}, need)
	if err != nil {
		t.Fatalf("Ask: %v", err)
	}
	return s
}

func admit(t *testing.T, s schema.ReadFiles, paths ...string) []string {
	t.Helper()
	admitted, err := s.Admit(t.Context(), files(paths...), parent)
	if err != nil {
		t.Fatalf("Admit: %v", err)
	}
	var got []string
	for _, f := range admitted {
		got = append(got, f.Path)
	}
	return got
}

func digest(paths ...string) string {
	h := sha256.New()
	for _, p := range paths {
		h.Write([]byte("f" + p + "\x00"))
	}
	return hex.EncodeToString(h.Sum(nil))
}

func TestScopeAdmitsByRelationsThenMandateThenPolicy(t *testing.T) {
	ann := gatetest.User("acme", "ann")
	access := authz.Check{Type: "tenant", ID: "acme", Permission: "access"}
	some := only(access, check("/a", "read"), check("/c", "read"))
	notA := func(op string, o authz.Named) bool { return op == "file.read" && o.Name == "/a" }
	nothing := authz.Mandate{Permissions: map[string][]string{"tenant": {"access"}}}
	for _, c := range []struct {
		name string
		gate gatetest.Config
		who  authz.Principal
		want []string
	}{
		{"all", gatetest.Config{}, ann, []string{"/a", "/b", "/c"}},
		{"by relations", gatetest.Config{Relations: some}, ann, []string{"/a", "/c"}},
		{"by policy on objects", gatetest.Config{RefuseObject: notA}, ann, []string{"/b", "/c"}},
		{"by policy on the operation", gatetest.Config{Refuse: func(op string) bool { return op == "file.read" }}, ann, nil},
		{"by mandate", gatetest.Config{}, gatetest.Behind(ann, bot, nothing), nil},
		{"by all", gatetest.Config{Relations: some, RefuseObject: notA}, ann, []string{"/c"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			gate, _ := c.gate.Gate(t)
			if got := admit(t, open(t, gate, c.who), "/a", "/b", "/c"); !slices.Equal(got, c.want) {
				t.Errorf("admitted %v, want %v", got, c.want)
			}
		})
	}
}

func TestScopeRecordsCountAndDigestBeforeAnythingLeaves(t *testing.T) {
	gate, rec := gatetest.DenyOne(t, check("/b", "read"))
	s := open(t, gate, gatetest.User("acme", "ann"))
	admit(t, s, "/a", "/b")
	if err := s.Close(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	first := last(t, rec)
	admit(t, s, "/c")
	if err := s.Close(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	final := last(t, rec)
	if n := len(rec.Decided()); n != 3 {
		t.Fatalf("%d records, want one that opens and one a page", n)
	}
	opened := s.Decision().ID()
	want := authz.Listed{Of: opened, Count: 1, Digest: digest("/a")}
	if first.Listed == nil || !same(*first.Listed, want) {
		t.Errorf("first page recorded %+v, want %+v", first.Listed, want)
	}
	want = authz.Listed{Of: opened, Count: 2, Digest: digest("/a", "/c"), Last: true}
	if final.Listed == nil || !same(*final.Listed, want) {
		t.Errorf("last page recorded %+v, want %+v", final.Listed, want)
	}
	if final.Op != "file.list" || !final.Allowed || final.ID == opened || final.Tenant != "acme" {
		t.Errorf("the record of a list is %+v", final)
	}
}

func same(a, b authz.Listed) bool {
	return a.Of == b.Of && a.Count == b.Count && a.Digest == b.Digest && a.Last == b.Last && slices.Equal(a.IDs, b.IDs)
}

func TestScopeNamesEveryMemberWhereContentsLeave(t *testing.T) {
	gate, rec := gatetest.DenyOne(t, check("/b", "read"))
	s := open(t, gate, gatetest.User("acme", "ann"))
	s.KeepIDs()
	admit(t, s, "/a", "/b", "/c")
	if err := s.Close(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	if got := last(t, rec).Listed.IDs; !slices.Equal(got, []string{"f/a", "f/c"}) {
		t.Errorf("recorded ids are %v, want those admitted", got)
	}
}

func TestScopeCountsWhatIsReturnedAndNotWhatWasLookedAt(t *testing.T) {
	gate, rec := gatetest.DenyOne(t, check("/b", "read"))
	s := open(t, gate, gatetest.User("acme", "ann"))
	pass, err := s.Sift(t.Context(), files("/a", "/b", "/c"), parent)
	if err != nil || !slices.Equal(pass, []bool{true, false, true}) {
		t.Fatalf("Sift = %v, %v", pass, err)
	}
	s.Count(files("/c")...)
	if err := s.Close(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	if l := last(t, rec).Listed; l == nil || l.Count != 1 || l.Digest != digest("/c") {
		t.Errorf("recorded %+v, want the one that was returned", l)
	}
}

func TestScopeTellsWhereToLookWhenThatIsKnown(t *testing.T) {
	who := gatetest.User("acme", "ann")
	known := gatetest.Config{Roots: func(subjects []authz.Ref, permission string) []string {
		return []string{subjects[0].ID, permission}
	}}
	for most, want := range map[int]bool{2: true, 1: false} {
		gate, _ := known.Gate(t)
		ids, ok, err := open(t, gate, who).Granted(t.Context(), most)
		if err != nil || ok != want || ok && !slices.Equal(ids, []string{who.Base.ID, "read"}) {
			t.Errorf("Granted(%d) = %v, %v, %v", most, ids, ok, err)
		}
	}
	gate, _ := gatetest.AllowAll(t)
	if _, ok, err := open(t, gate, who).Granted(t.Context(), 10); ok || err != nil {
		t.Errorf("Granted = %v, %v, want not known", ok, err)
	}
	var zero schema.ReadFiles
	if _, ok, err := zero.Granted(t.Context(), 10); ok || err == nil {
		t.Error("the zero scope tells where to look")
	}
	if pass, err := zero.Sift(t.Context(), files("/a"), parent); err == nil || pass != nil {
		t.Errorf("Sift of the zero scope = %v, %v", pass, err)
	}
	zero.Count(files("/a")...)
}

func TestScopeThatCannotBeRecordedGivesNothing(t *testing.T) {
	gate, rec := gatetest.AllowAll(t)
	s := open(t, gate, gatetest.User("acme", "ann"))
	admit(t, s, "/a")
	rec.Refuse(errBroken)
	err := s.Close(t.Context(), true)
	wantKind(t, err, errs.Unavailable)
	wantReason(t, err, errs.NotRecorded)
}

// judge is a policy with rules for file.read alone, which answer as it says whatever they are asked.
type judge struct {
	verdicts []authz.Verdict
	err      error
	looks    bool
}

func (j judge) Rules() authz.Rules { return j }
func (judge) Digest() string       { return "" }
func (j judge) Applies(_ authz.Principal, op string) (bool, bool) {
	return op == "file.read", j.looks
}
func (j judge) Evaluate(context.Context, authz.Principal, string, []authz.Named) ([]authz.Verdict, error) {
	return j.verdicts, j.err
}

func TestScopeThatPolicyDoesNotJudgeAdmitsNothing(t *testing.T) {
	for name, j := range map[string]judge{
		"failure on objects":       {looks: true, err: errBroken},
		"failure on the operation": {err: errBroken},
		"no verdict":               {},
		"a verdict for one of two": {looks: true, verdicts: []authz.Verdict{{}}},
		"two verdicts for none":    {verdicts: []authz.Verdict{{}, {}}},
	} {
		t.Run(name, func(t *testing.T) {
			gate, err := authz.NewGate(mint.New(), holding{}, flat{}, j, new(gatetest.Recorder), "", gatetest.NewClock())
			if err != nil {
				t.Fatal(err)
			}
			s := open(t, gate, gatetest.User("acme", "ann"))
			got, err := s.Admit(t.Context(), files("/a", "/b"), parent)
			wantKind(t, err, errs.Unavailable)
			if got != nil {
				t.Errorf("admitted %v beside an error", got)
			}
		})
	}
}

// holding is relations on which everything holds.
type holding struct{}

func (holding) Ask(_ context.Context, _ []authz.Ref, checks []authz.Check) (authz.Finding, error) {
	f := authz.Finding{Stamps: new(gatetest.Stamps)}
	for _, c := range checks {
		f.Answers = append(f.Answers, authz.Answer{Check: c, Allowed: true})
	}
	return f, nil
}

func (holding) Sift(_ context.Context, _ []authz.Ref, _, _ string, members []authz.Member) ([]bool, error) {
	return slices.Repeat([]bool{true}, len(members)), nil
}

func (holding) Granted(context.Context, []authz.Ref, string, string, string, int) ([]string, bool, error) {
	return nil, false, nil
}

func TestZeroScopeAdmitsNothing(t *testing.T) {
	var s schema.ReadFiles
	s.KeepIDs()
	if got, err := s.Admit(t.Context(), files("/a"), parent); err == nil || got != nil {
		t.Errorf("Admit = %v, %v", got, err)
	}
	if err := s.Close(t.Context(), true); err == nil {
		t.Error("Close of the zero scope gives no error")
	}
	if tenant, err := s.Tenant(); err == nil || tenant != "" {
		t.Errorf("Tenant = %q, %v", tenant, err)
	}
	if s.Decision() != nil {
		t.Error("the zero scope has a decision")
	}
}

func TestOldScopeIsStale(t *testing.T) {
	clk := gatetest.NewClock()
	gate, _ := gatetest.Config{Clock: clk}.Gate(t)
	s := open(t, gate, gatetest.User("acme", "ann"))
	clk.Advance(authz.Lifetime + time.Nanosecond)
	_, err := s.Admit(t.Context(), files("/a"), parent)
	wantReason(t, err, errs.StaleDecision)
	tenant, err := s.Tenant()
	wantReason(t, err, errs.StaleDecision)
	if tenant != "" {
		t.Errorf("a stale scope tells its tenant %q", tenant)
	}
}

func TestMandateThatExpiresEndsAnOpenScope(t *testing.T) {
	clk := gatetest.NewClock()
	gate, _ := gatetest.Config{Clock: clk}.Gate(t)
	who := gatetest.Behind(gatetest.User("acme", "ann"), bot, authz.Mandate{Expires: clk.Now().Add(time.Second)})
	s := open(t, gate, who)
	if got := admit(t, s, "/a"); len(got) != 1 {
		t.Fatalf("admitted %v within the mandate", got)
	}
	clk.Advance(time.Second)
	if got := admit(t, s, "/a"); len(got) != 0 {
		t.Errorf("admitted %v after the mandate", got)
	}
}

func TestObligedMemberIsLeftOutUnlessMet(t *testing.T) {
	gate, _ := gatetest.Config{Oblige: func(op string, o authz.Named) []authz.Obligation {
		if op == "file.read" && o.Name == "/b" {
			return []authz.Obligation{authz.MaskValues}
		}
		return nil
	}}.Gate(t)
	s := open(t, gate, gatetest.User("acme", "ann"))
	if got := admit(t, s, "/a", "/b"); !slices.Equal(got, []string{"/a"}) {
		t.Errorf("admitted %v, want the member without obligation", got)
	}
	met, err := s.Admit(t.Context(), files("/a", "/b"), parent, authz.MaskValues)
	if err != nil || len(met) != 2 {
		t.Errorf("Admit meeting the obligation = %v, %v; want both", met, err)
	}
}

func TestObligationOfTheCollectionBindsTheScope(t *testing.T) {
	gate, _ := gatetest.Config{Oblige: mask}.Gate(t)
	s := open(t, gate, gatetest.User("acme", "ann"))
	if got, err := s.Admit(t.Context(), files("/a"), parent); err == nil || got != nil {
		t.Errorf("Admit without meeting = %v, %v", got, err)
	}
	if tenant, err := s.Tenant(authz.MaskValues); err != nil || tenant != "acme" {
		t.Errorf("Tenant = %q, %v", tenant, err)
	}
}

func TestScopeIsSafeForConcurrentUse(t *testing.T) {
	gate, rec := gatetest.AllowAll(t)
	s := open(t, gate, gatetest.User("acme", "ann"))
	s.KeepIDs()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				if _, err := s.Admit(t.Context(), files("/a", "/b"), parent); err != nil {
					t.Errorf("Admit: %v", err)
				}
			}
		})
	}
	wg.Wait()
	if err := s.Close(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	if l := last(t, rec).Listed; l.Count != 800 || len(l.IDs) != 800 {
		t.Errorf("recorded %d members and %d ids, want 800", l.Count, len(l.IDs))
	}
}

func TestGateIsSafeForConcurrentUse(t *testing.T) {
	gate, rec := gatetest.AllowAll(t)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				g, d, err := ask(gate, file("/a").Write())
				if err != nil {
					t.Errorf("Ask: %v", err)
					return
				}
				if _, err := g.Use(); err != nil {
					t.Errorf("Use: %v", err)
				}
				d.Effect(1, 2)
				gate.Conclude(t.Context(), d, nil)
			}
		})
	}
	wg.Wait()
	if len(rec.Decided()) != 400 || len(rec.Outcomes()) != 400 {
		t.Errorf("%d decisions and %d outcomes, want 400 each", len(rec.Decided()), len(rec.Outcomes()))
	}
}
