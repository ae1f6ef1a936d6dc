package authz_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"nexus/authzsvc/authz"
	"nexus/authzsvc/gatetest"
	"nexus/authzsvc/internal/mint"
	"nexus/internal/errs"
	"nexus/schema"
)

func TestNobodyIsUnauthenticatedAndNothingIsAsked(t *testing.T) {
	asked := false
	gate, rec := gatetest.Config{Relations: func([]authz.Ref, authz.Check) bool { asked = true; return true }}.Gate(t)
	_, _, err := authz.Ask(t.Context(), gate, authz.Principal{}, authz.Act{Op: "file.read"}, file("/a").Read())
	wantKind(t, err, errs.Unauthenticated)
	if asked || len(rec.Decided()) != 0 {
		t.Error("nobody's request went further than authentication")
	}
}

func TestRefusalByRelationsIsRecorded(t *testing.T) {
	gate, rec := gatetest.DenyAll(t)
	g, d, err := ask(gate, file("/a").Read())
	wantKind(t, err, errs.Denied)
	if d != nil {
		t.Error("a refusal gives a decision")
	}
	if _, err := g.Use(); err == nil {
		t.Error("a refusal gives a grant that works")
	}
	got := last(t, rec)
	if got.Allowed || got.Reason != string(errs.NoRelation) || !got.Durable {
		t.Errorf("recorded %+v, want a durable refusal for %s", got, errs.NoRelation)
	}
}

func TestRefusalByPolicyIsDeniedAndRecorded(t *testing.T) {
	for name, c := range map[string]gatetest.Config{
		"by operation": {Refuse: func(op string) bool { return op == "file.test" }},
		"by its first": {RefuseObject: func(_ string, o authz.Named) bool { return o.Name == "/a" }},
		"by its last":  {RefuseObject: func(_ string, o authz.Named) bool { return o.Name == "/b" }},
	} {
		t.Run(name, func(t *testing.T) {
			gate, rec := c.Gate(t)
			pair, _, err := ask(gate, authz.Both(file("/a").Read(), file("/b").Read()))
			wantKind(t, err, errs.Denied)
			if _, err := pair.First.Use(); err == nil {
				t.Error("a refusal gives a grant that works")
			}
			got := last(t, rec)
			if got.Allowed || got.Reason != string(errs.PolicyRefused) || !got.Durable {
				t.Errorf("recorded %+v, want a durable refusal for %s", got, errs.PolicyRefused)
			}
			if !slices.Contains(got.Rules, gatetest.Rule) {
				t.Errorf("recorded rules are %v", got.Rules)
			}
		})
	}
}

func TestPolicyThatCannotBeAskedGivesNothingAndIsRecorded(t *testing.T) {
	gate, rec := gatetest.Config{Unjudged: errBroken}.Gate(t)
	g, _, err := ask(gate, file("/a").Read())
	wantKind(t, err, errs.Unavailable) // nobody refused: the caller may try again
	if _, err := g.Use(); err == nil {
		t.Error("an undecided request gives a grant that works")
	}
	if got := last(t, rec); got.Allowed || got.Reason != string(errs.Undecided) || !got.Durable {
		t.Errorf("recorded %+v, want a durable refusal for %s", got, errs.Undecided)
	}
}

func TestPolicyCannotPermitWhatRelationsRefuse(t *testing.T) {
	judged := false
	gate, _ := gatetest.Config{
		Relations: only(),
		Refuse:    func(string) bool { judged = true; return false },
	}.Gate(t)
	_, _, err := ask(gate, file("/a").Read())
	wantKind(t, err, errs.Denied)
	if judged {
		t.Error("policy was asked about what relations refuse")
	}
}

func TestPolicyThatLooksAtNoObjectIsAskedOnce(t *testing.T) {
	times := 0
	gate, _ := gatetest.Config{Refuse: func(string) bool { times++; return false }}.Gate(t)
	mustAsk(t, gate, authz.Both(file("/a").Read(), file("/b").Read()))
	if times != 1 {
		t.Errorf("policy was asked %d times, want 1", times)
	}
}

func TestNoAccessWithoutARecord(t *testing.T) {
	for name, c := range map[string]gatetest.Config{
		"of an allow":   {Unrecorded: errBroken},
		"of a refusal":  {Unrecorded: errBroken, Relations: only()},
		"of a policy's": {Unrecorded: errBroken, Refuse: func(string) bool { return true }},
	} {
		t.Run(name, func(t *testing.T) {
			gate, rec := c.Gate(t)
			g, d, err := ask(gate, file("/a").Read())
			wantKind(t, err, errs.Unavailable)
			wantReason(t, err, errs.NotRecorded)
			if _, err := g.Use(); err == nil || d != nil {
				t.Error("what was not recorded was granted")
			}
			if len(rec.Decided()) != 0 {
				t.Error("the recorder kept what it refused")
			}
		})
	}
}

func TestRecordIsWrittenBeforeTheGrantIsMade(t *testing.T) {
	gate, rec := gatetest.AllowAll(t)
	recorded := -1
	mustAsk(t, gate, authz.Map(file("/a").Read(), func(g schema.ReadFile) schema.ReadFile {
		recorded = len(rec.Decided())
		return g
	}))
	if recorded != 1 {
		t.Errorf("%d decisions were recorded when the grant was made, want 1", recorded)
	}
}

func TestRecordSaysWhoWhatAndOnWhichGrounds(t *testing.T) {
	clk := gatetest.NewClock()
	gate, rec := gatetest.Config{Clock: clk, Oblige: mask}.Gate(t)
	who := gatetest.Behind(gatetest.User("acme", "ann"), authz.Ref{Type: "agent", ID: "acme/bot"}, authz.Mandate{})
	act := authz.Act{Op: "file.read", Params: map[string]string{"mode": "raw"}, Durable: true}
	_, d, err := authz.Ask(t.Context(), gate, who, act, file("/a").Read())
	if err != nil {
		t.Fatal(err)
	}
	got := last(t, rec)
	if got.ID == "" || got.ID != d.ID() || d.Revision() != gatetest.Revision || d.Principal().Base != who.Base {
		t.Errorf("decision %s at %s does not match record %s", d.ID(), d.Revision(), got.ID)
	}
	switch {
	case !got.Allowed, !got.Durable, got.Incomplete, !got.At.Equal(clk.Now()):
		t.Errorf("record says %+v", got)
	case got.Base != who.Base, got.Tenant != "acme", got.Key != "k1", got.Request != "r1":
		t.Errorf("record names another principal: %+v", got)
	case !slices.Equal(got.Actors, []authz.Ref{{Type: "agent", ID: "acme/bot"}}):
		t.Errorf("actors are %v", got.Actors)
	case got.Op != act.Op, got.Params["mode"] != "raw", got.Revision != gatetest.Revision:
		t.Errorf("record names another act: %+v", got)
	case got.Schema == "", got.Policy == "", !slices.Equal(got.Obligations, []string{string(authz.MaskValues)}):
		t.Errorf("record names other grounds: %+v", got)
	}
}

func TestIncompleteAnswerIsADenialAndRecorded(t *testing.T) {
	gate, rec := gatetest.Config{Incomplete: func(authz.Check) bool { return true }}.Gate(t)
	_, _, err := ask(gate, file("/a").Read())
	wantKind(t, err, errs.Denied)
	if !last(t, rec).Incomplete {
		t.Error("the record does not say that the engine gave up")
	}
}

func TestRefusalDependsOnTheRequestAlone(t *testing.T) {
	need := func() authz.Need[authz.Pair[schema.OwnFile, schema.WriteDir]] {
		return authz.Both(file("/a").Own(), dir("/d").Write())
	}
	var texts []string
	for _, c := range []gatetest.Config{
		{Relations: only()},
		{Relations: only(check("/a", "owner"))},
		{Incomplete: func(authz.Check) bool { return true }},
		{Refuse: func(string) bool { return true }},
	} {
		gate, _ := c.Gate(t)
		_, _, err := ask(gate, need())
		wantKind(t, err, errs.Denied)
		e := errs.From(err)
		texts = append(texts, errs.Public(err)+string(e.Reason))
		if len(e.Fields) != 0 {
			t.Errorf("a refusal carries fields %v", e.Fields)
		}
	}
	if texts = slices.Compact(texts); len(texts) != 1 {
		t.Errorf("refusals differ by their cause: %q", texts)
	}
	if want := "permission denied: file.test /a, /d"; texts[0] != want {
		t.Errorf("refusal is %q, want %q", texts[0], want)
	}
	if got := authz.Refusal("file.test", need().Objects()); errs.Public(got) != texts[0] {
		t.Errorf("Refusal = %q, want what a gate answers: %q", errs.Public(got), texts[0])
	}
}

func TestRefusalNamesNoIDs(t *testing.T) {
	e := authz.Refusal("op", []authz.Named{{Ref: authz.Ref{Type: "file", ID: "0123"}}})
	if e.Text != "permission denied: op" {
		t.Errorf("refusal is %q, want no id in it", e.Text)
	}
}

func TestUnansweredChecksGiveNothing(t *testing.T) {
	gate, rec := gatetest.Config{Unanswered: errBroken}.Gate(t)
	_, _, err := ask(gate, file("/a").Read())
	wantKind(t, err, errs.Unavailable)
	if len(rec.Decided()) != 0 {
		t.Error("what was not decided was recorded as decided")
	}
}

// short is relations and policy that answer less than they are asked.
type short struct{ verdicts []authz.Verdict }

func (short) Ask(context.Context, []authz.Ref, []authz.Check) (authz.Finding, error) {
	return authz.Finding{Answers: []authz.Answer{{Allowed: true}}}, nil
}

func (short) Sift(context.Context, []authz.Ref, string, string, []authz.Member) ([]bool, error) {
	return []bool{true}, nil
}

func (short) Granted(context.Context, []authz.Ref, string, string, string, int) ([]string, bool, error) {
	return nil, false, nil
}
func (s short) Rules() authz.Rules                         { return s }
func (short) Applies(authz.Principal, string) (bool, bool) { return true, true }
func (short) Digest() string                               { return "" }
func (s short) Evaluate(context.Context, authz.Principal, string, []authz.Named) ([]authz.Verdict, error) {
	return s.verdicts, nil
}

func TestMissingAnswersAreRefused(t *testing.T) {
	open := func(v ...authz.Verdict) *authz.Gate {
		gate, err := authz.NewGate(mint.New(), short{}, flat{}, short{v}, new(gatetest.Recorder), "", gatetest.NewClock())
		if err != nil {
			t.Fatal(err)
		}
		return gate
	}
	t.Run("relations", func(t *testing.T) {
		_, _, err := ask(open(authz.Verdict{}, authz.Verdict{}), authz.Both(file("/a").Read(), file("/b").Read()))
		wantKind(t, err, errs.Unavailable)
	})
	t.Run("policy", func(t *testing.T) {
		_, _, err := ask(open(), file("/a").Read())
		wantKind(t, err, errs.Unavailable)
	})
	t.Run("relations of a list", func(t *testing.T) {
		gate := open(authz.Verdict{})
		s := mustAsk(t, gate, schema.ReadFilesWithin(gate, file("/").Read(), "file.read"))
		_, err := s.Admit(t.Context(), []schema.File{file("/a"), file("/b")}, parent)
		wantKind(t, err, errs.Unavailable)
	})
}

func TestGateWantsItsKeyAndAllItsParts(t *testing.T) {
	clk, rec := gatetest.NewClock(), new(gatetest.Recorder)
	for name, build := range map[string]func() (*authz.Gate, error){
		"no key":       func() (*authz.Gate, error) { return authz.NewGate(mint.Key{}, short{}, flat{}, short{}, rec, "", clk) },
		"no relations": func() (*authz.Gate, error) { return authz.NewGate(mint.New(), nil, flat{}, short{}, rec, "", clk) },
		"no tree":      func() (*authz.Gate, error) { return authz.NewGate(mint.New(), short{}, nil, short{}, rec, "", clk) },
		"no policy":    func() (*authz.Gate, error) { return authz.NewGate(mint.New(), short{}, flat{}, nil, rec, "", clk) },
		"no recorder":  func() (*authz.Gate, error) { return authz.NewGate(mint.New(), short{}, flat{}, short{}, nil, "", clk) },
		"no clock":     func() (*authz.Gate, error) { return authz.NewGate(mint.New(), short{}, flat{}, short{}, rec, "", nil) },
	} {
		t.Run(name, func(t *testing.T) {
			if gate, err := build(); err == nil || gate != nil {
				t.Errorf("NewGate = %v, %v; want an error", gate, err)
			}
		})
	}
}

func TestOutcomeCarriesTheEffect(t *testing.T) {
	gate, rec := gatetest.AllowAll(t)
	_, d, err := ask(gate, file("/a").Write())
	if err != nil {
		t.Fatal(err)
	}
	d.Effect(7, 9)
	gate.Conclude(t.Context(), d, nil)
	got := rec.Outcomes()
	if len(got) != 1 || got[0].ID != d.ID() || got[0].State != authz.Done || got[0].First != 7 || got[0].Last != 9 {
		t.Errorf("outcomes are %+v, want done with sequences 7 to 9", got)
	}
}

func TestOutcomeOfAFailureSaysWhyWithoutItsText(t *testing.T) {
	for want, cause := range map[string]error{
		string(errs.StaleDecision): errs.New(errs.Conflict, "secret words").Marked(errs.StaleDecision),
		"not_found":                errs.New(errs.NotFound, "secret words"),
		"internal":                 errBroken,
	} {
		gate, rec := gatetest.AllowAll(t)
		_, d, err := ask(gate, file("/a").Write())
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel() // the outcome is written although the caller went away
		gate.Conclude(ctx, d, cause)
		got := rec.Outcomes()
		if len(got) != 1 || got[0].State != authz.Failed || got[0].Why != want {
			t.Errorf("outcomes are %+v, want failed for %s", got, want)
		}
	}
}

func TestOldGrantIsStale(t *testing.T) {
	clk := gatetest.NewClock()
	gate, _ := gatetest.Config{Clock: clk}.Gate(t)
	g := mustAsk(t, gate, file("/a").Read())
	clk.Advance(authz.Lifetime)
	if _, err := g.Use(); err != nil {
		t.Fatalf("Use at the end of its life: %v", err)
	}
	clk.Advance(time.Nanosecond)
	f, err := g.Use()
	wantReason(t, err, errs.StaleDecision)
	if f != (schema.File{}) {
		t.Errorf("Use gives %v beside an error", f)
	}
}

func TestZeroGrantIsRefused(t *testing.T) {
	var g schema.ReadFile
	if f, err := g.Use(); err == nil || f != (schema.File{}) {
		t.Errorf("Use of the zero grant = %v, %v", f, err)
	}
	if g.Decision() != nil || g.Obliged(authz.MaskValues) {
		t.Error("the zero grant has a decision")
	}
	wantKind(t, g.Decision().Hold(), errs.Internal)
}

func TestErrorsOfUndecidedGrantsAreNotShared(t *testing.T) {
	var g schema.ReadFile
	_, first := g.Use()
	errs.From(first).Op = "file.read"
	_, second := g.Use()
	if op := errs.From(second).Op; op != "" {
		t.Errorf("an error carries the operation %q of another request", op)
	}
}

func mask(string, authz.Named) []authz.Obligation { return []authz.Obligation{authz.MaskValues} }

func TestUnmetObligationRefusesUse(t *testing.T) {
	gate, _ := gatetest.Config{Oblige: mask}.Gate(t)
	g := mustAsk(t, gate, file("/a").Read())
	if !g.Obliged(authz.MaskValues) {
		t.Error("the grant does not tell its obligation")
	}
	if f, err := g.Use(); err == nil || f != (schema.File{}) {
		t.Errorf("Use without meeting the obligation = %v, %v", f, err)
	}
	if f, err := g.Use(authz.MaskValues); err != nil || f.Path != "/a" {
		t.Errorf("Use meeting the obligation = %v, %v", f, err)
	}
}

func TestObligationOfOneObjectBindsTheWholeRequest(t *testing.T) {
	gate, _ := gatetest.Config{Oblige: func(_ string, o authz.Named) []authz.Obligation {
		if o.Name == "/b" {
			return []authz.Obligation{authz.MaskValues}
		}
		return nil
	}}.Gate(t)
	pair := mustAsk(t, gate, authz.Both(file("/a").Read(), file("/b").Read()))
	if _, err := pair.First.Use(); err == nil {
		t.Error("a grant of an obliged request was used without meeting the obligation")
	}
}

func TestHoldFailsOnceTheGroundsChanged(t *testing.T) {
	stamps := new(gatetest.Stamps)
	gate, _ := gatetest.Config{Stamps: stamps}.Gate(t)
	g := mustAsk(t, gate, file("/a").Write())
	if err := g.Decision().Hold(); err != nil {
		t.Fatalf("Hold before a change: %v", err)
	}
	stamps.Change()
	err := g.Decision().Hold()
	wantKind(t, err, errs.Conflict)
	wantReason(t, err, errs.StaleDecision)
}

func TestDecisionWithoutStampsDoesNotHold(t *testing.T) {
	gate, err := authz.NewGate(mint.New(), short{}, flat{}, short{[]authz.Verdict{{}}}, new(gatetest.Recorder), "", gatetest.NewClock())
	if err != nil {
		t.Fatal(err)
	}
	_, d, err := ask(gate, file("/a").Write())
	if err != nil {
		t.Fatal(err)
	}
	wantReason(t, d.Hold(), errs.StaleDecision)
}
