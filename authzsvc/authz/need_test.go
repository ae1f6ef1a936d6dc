package authz_test

import (
	"slices"
	"strings"
	"testing"

	"nexus/authzsvc/authz"
	"nexus/authzsvc/gatetest"
	"nexus/internal/errs"
	"nexus/schema"
)

func TestEmptyNeedRefused(t *testing.T) {
	nested := authz.Both(file("/a").Read(), authz.Each[schema.ReadFile](nil))
	for name, asks := range map[string]func(*authz.Gate) error{
		"zero need":    func(g *authz.Gate) error { _, _, err := ask(g, authz.Need[schema.ReadFile]{}); return err },
		"each of none": func(g *authz.Gate) error { _, _, err := ask(g, authz.Each[schema.ReadFile](nil)); return err },
		"map of zero": func(g *authz.Gate) error {
			_, _, err := ask(g, authz.Map(authz.Need[int]{}, func(i int) int { return i }))
			return err
		},
		"within public": func(g *authz.Gate) error {
			_, _, err := ask(g, schema.ReadFilesWithin(g, authz.Public(), "file.list"))
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			gate, rec := gatetest.AllowAll(t)
			if refused := bugged(func() error { return asks(gate) }); !strings.Contains(refused, "needs nothing") {
				t.Errorf("answer is %q, want a bug that says it needs nothing", refused)
			}
			if n := len(rec.Decided()); n != 0 {
				t.Errorf("%d decisions were recorded, want none", n)
			}
		})
	}
	t.Run("beside a check", func(t *testing.T) {
		gate, _ := gatetest.AllowAll(t)
		_, _, err := ask(gate, nested)
		wantKind(t, err, errs.Denied)
	})
	t.Run("public beside a check", func(t *testing.T) {
		gate, _ := gatetest.AllowAll(t)
		_, _, err := ask(gate, authz.Both(authz.Public(), file("/a").Read()))
		wantKind(t, err, errs.Denied)
	})
}

// bugged returns what f panics with, as a broken invariant does under test, or the text of the error it returns.
func bugged(f func() error) (text string) {
	defer func() {
		if p := recover(); p != nil {
			text, _ = p.(string)
		}
	}()
	if err := f(); err != nil {
		return err.Error()
	}
	return "allowed"
}

func TestOnGrantsTheObjectItAskedAbout(t *testing.T) {
	gate, rec := gatetest.AllowAll(t)
	asked := file("/a/b")
	asked.Rest = "c/d"
	g := mustAsk(t, gate, asked.Write())
	got, err := g.Use()
	if err != nil || got != asked {
		t.Errorf("Use() = %v, %v; want %v", got, err, asked)
	}
	d := last(t, rec)
	if len(d.Checks) != 1 || d.Checks[0].Check != check("/a/b", "write") || !d.Checks[0].Allowed {
		t.Errorf("recorded checks are %v, want write on the file", d.Checks)
	}
	if len(d.Objects) != 1 || d.Objects[0].Name != "/a/b" || d.Objects[0].Rest != "c/d" {
		t.Errorf("recorded objects are %v, want the path and its rest", d.Objects)
	}
}

func TestBothNeedsBoth(t *testing.T) {
	need := authz.Both(file("/a").Own(), dir("/d").Write())
	for _, c := range []struct {
		name string
		held []authz.Check
		ok   bool
	}{
		{"neither", nil, false},
		{"first alone", []authz.Check{check("/a", "owner")}, false},
		{"second alone", []authz.Check{check("/d", "write")}, false},
		{"both", []authz.Check{check("/a", "owner"), check("/d", "write")}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			gate, rec := gatetest.Config{Relations: only(c.held...)}.Gate(t)
			pair, _, err := ask(gate, need)
			if last(t, rec).Allowed != c.ok {
				t.Errorf("recorded allowed = %t, want %t", !c.ok, c.ok)
			}
			if !c.ok {
				wantKind(t, err, errs.Denied)
				if _, err := pair.First.Use(); err == nil {
					t.Error("a refused pair has a grant that works")
				}
				return
			}
			what, err1 := pair.First.Use()
			into, err2 := pair.Second.Use()
			if err1 != nil || err2 != nil || what.Path != "/a" || into.Path != "/d" {
				t.Errorf("grants are for %q (%v) and %q (%v)", what.Path, err1, into.Path, err2)
			}
		})
	}
}

func TestEitherGivesLeftWhereItHoldsElseRight(t *testing.T) {
	need := authz.Either(file("/a").Own(), dir("/d").Write())
	left, right := check("/a", "owner"), check("/d", "write")
	for _, c := range []struct {
		name string
		held []authz.Check
		want string
	}{
		{"both", []authz.Check{left, right}, "left"},
		{"left alone", []authz.Check{left}, "left"},
		{"right alone", []authz.Check{right}, "right"},
		{"neither", nil, "refused"},
	} {
		t.Run(c.name, func(t *testing.T) {
			gate, _ := gatetest.Config{Relations: only(c.held...)}.Gate(t)
			choice, _, err := ask(gate, need)
			got := "refused"
			if err == nil {
				got, err = authz.Match(choice,
					func(g schema.OwnFile) (string, error) { _, err := g.Use(); return "left", err },
					func(g schema.WriteDir) (string, error) { _, err := g.Use(); return "right", err })
			}
			if got != c.want {
				t.Errorf("Either gives %s (%v), want %s", got, err, c.want)
			}
			if _, ok := choice.Left(); ok != (c.want == "left") {
				t.Errorf("Left() is there: %t", ok)
			}
			if _, ok := choice.Right(); ok != (c.want == "right") {
				t.Errorf("Right() is there: %t", ok)
			}
		})
	}
}

func TestZeroChoiceMatchesNothing(t *testing.T) {
	side := func(string) (bool, error) { return true, nil }
	if called, err := authz.Match(authz.Choice[string, string]{}, side, side); called || err == nil {
		t.Errorf("Match(zero) = %t, %v; want an error", called, err)
	}
}

func TestEitherOfBothKeepsSidesApart(t *testing.T) {
	// Each side alone is held by halves: neither side holds, whatever the number of checks that do.
	need := authz.Either(
		authz.Both(file("/a").Read(), file("/b").Read()),
		authz.Both(file("/c").Read(), file("/d").Read()),
	)
	gate, _ := gatetest.Config{Relations: only(check("/a", "read"), check("/c", "read"))}.Gate(t)
	_, _, err := ask(gate, need)
	wantKind(t, err, errs.Denied)
}

func TestEachNeedsAllInOrder(t *testing.T) {
	need := authz.Each([]authz.Need[schema.ReadFile]{file("/a").Read(), file("/b").Read(), file("/a").Read()})
	gate, rec := gatetest.AllowAll(t)
	grants := mustAsk(t, gate, need)
	var paths []string
	for _, g := range grants {
		paths = append(paths, used(t, g))
	}
	if want := []string{"/a", "/b", "/a"}; !slices.Equal(paths, want) {
		t.Errorf("Each grants %v, want %v", paths, want)
	}
	if n := len(last(t, rec).Objects); n != 2 {
		t.Errorf("the record names %d objects, want each of 2 once", n)
	}
	gate, _ = gatetest.DenyOne(t, check("/b", "read"))
	_, _, err := ask(gate, need)
	wantKind(t, err, errs.Denied)
}

func TestMapKeepsChecksAndRunsAfterTheDecision(t *testing.T) {
	ran := false
	need := authz.Map(authz.Both(file("/a").Own(), dir("/d").Write()), func(p authz.Pair[schema.OwnFile, schema.WriteDir]) string {
		ran = true
		f, err := p.First.Use()
		if err != nil {
			return err.Error()
		}
		return f.Path
	})
	if want := []authz.Check{check("/a", "owner"), check("/d", "write")}; !slices.Equal(need.Checks(), want) {
		t.Errorf("Checks() = %v, want %v", need.Checks(), want)
	}
	gate, _ := gatetest.DenyAll(t)
	if _, _, err := ask(gate, need); err == nil || ran {
		t.Fatalf("a refused need: error %v, mapped %t; want a refusal and no mapping", err, ran)
	}
	gate, _ = gatetest.AllowAll(t)
	if got := mustAsk(t, gate, need); got != "/a" {
		t.Errorf("Map gives %q, want /a", got)
	}
}

func TestNeedTellsChecksAndObjectsInOrder(t *testing.T) {
	need := authz.Either(file("/a").Delete(), authz.Both(file("/b").Read(), dir("/c").Write()))
	var words []string
	for _, o := range need.Objects() {
		words = append(words, o.Name)
	}
	if want := []string{"/a", "/b", "/c"}; !slices.Equal(words, want) {
		t.Errorf("Objects() = %v, want %v", words, want)
	}
	want := []authz.Check{check("/a", "delete"), check("/b", "read"), check("/c", "write")}
	if !slices.Equal(need.Checks(), want) {
		t.Errorf("Checks() = %v, want %v", need.Checks(), want)
	}
}

func TestPublicAsksNobodyAndGivesNoDecision(t *testing.T) {
	gate, rec := gatetest.DenyAll(t)
	need := authz.Map(authz.Public(), func(authz.None) string { return "hello" })
	if !need.IsPublic() || file("/a").Read().IsPublic() {
		t.Error("IsPublic is wrong")
	}
	got, d, err := authz.Ask(t.Context(), gate, authz.Principal{}, authz.Act{Op: "health"}, need)
	if got != "hello" || d != nil || err != nil {
		t.Errorf("Ask(public) = %q, %v, %v", got, d, err)
	}
	gate.Conclude(t.Context(), d, nil)
	if len(rec.Decided())+len(rec.Outcomes()) != 0 {
		t.Error("a public operation was recorded")
	}
}
