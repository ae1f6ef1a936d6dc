package explain_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"nexus/authzsvc/authz"
	"nexus/authzsvc/explain"
)

var readHTTP = authz.Check{Type: http.Type, ID: http.ID, Permission: "read"}

// box is a schema of one relation and one permission.
var box = &explain.Schema{Definitions: map[string]*explain.Definition{"file": {
	Relations:   map[string][]explain.SubjectType{"reader": {{Type: "user"}}},
	Permissions: map[string]explain.Term{"read": {Op: explain.Same, Name: "reader"}},
}}}

func denial(root *explain.Node) explain.Trace {
	return explain.Trace{Subject: user("mallory"), Check: readHTTP, Root: root}
}

func text(t *testing.T, e explain.Explanation) string {
	t.Helper()
	var b strings.Builder
	if err := explain.Text(&b, e); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestAnswerFromTheCacheSaysSo(t *testing.T) {
	trace := explain.Trace{Subject: user("alice"), Check: readHTTP, Allowed: true, Root: &explain.Node{
		Object: http, Permission: "read", Result: explain.Yes, Cached: true,
	}}
	e := all.Why(t.Context(), trace)
	if !e.Partial || !e.Cached || len(e.Path) != 1 || e.Path[0].Relation != "read" {
		t.Errorf("Why(cached) = %+v, want a partial path of one step", e)
	}
	if !strings.Contains(text(t, e), "cache") {
		t.Errorf("the text hides that steps are missing:\n%s", text(t, e))
	}
}

func TestBatchOnTheWayMakesThePathPartial(t *testing.T) {
	trace := explain.Trace{Subject: user("alice"), Check: readHTTP, Allowed: true, Root: &explain.Node{
		Object: http, Permission: "direct_viewer", Stored: true, Result: explain.Yes, Sub: []*explain.Node{{
			Object: authz.Ref{Type: "group", ID: "acme/g1"}, Permission: "member", Stored: true, Result: explain.Yes,
			Via: "direct_viewer", Set: "member", Batch: 3,
		}},
	}}
	if e := all.Why(t.Context(), trace); !e.Partial {
		t.Errorf("Why(batch) = %+v, want partial", e)
	}
}

func TestGivingUpPromisesNoRemedy(t *testing.T) {
	trace := denial(nil)
	trace.Incomplete = true
	e := all.WhyNot(t.Context(), trace, box, nil)
	if e.Alternative != nil || e.Successful != nil || len(e.Path) != 0 {
		t.Errorf("WhyNot(incomplete) = %+v, want no way and no alternative", e)
	}
	if !strings.Contains(text(t, e), "too deep") || !strings.Contains(e.Reason, "too deep") {
		t.Errorf("neither says why: %q\n%s", e.Reason, text(t, e))
	}
}

func TestConditionNotMetIsNamed(t *testing.T) {
	e := all.WhyNot(t.Context(), denial(&explain.Node{
		Object: http, Permission: "read", Result: explain.Conditional, Missing: []string{"network"},
		Sub: []*explain.Node{{Object: http, Permission: "reader", Stored: true, Result: explain.Conditional, Missing: []string{"network", "hour"}}},
	}), box, nil)
	if want := []string{"network", "hour"}; e.Allowed || !slices.Equal(e.Context, want) {
		t.Errorf("WhyNot(conditional): allowed %t, context %v, want %v", e.Allowed, e.Context, want)
	}
	if !strings.Contains(text(t, e), "network, hour") {
		t.Errorf("the text does not name the condition:\n%s", text(t, e))
	}
}

func TestSharersAreBoundedAndHiddenOnesCountOnlyAsMore(t *testing.T) {
	var sharers []explain.Subject
	for i := range 30 {
		sharers = append(sharers, explain.Subject{Ref: user(fmt.Sprintf("u%02d", i))})
	}
	trace := denial(&explain.Node{Object: http, Permission: "read"})
	alt := all.WhyNot(t.Context(), trace, box, sharers).Alternative
	if len(alt.Sharers) != 20 || !alt.More {
		t.Errorf("%d sharers, more %t, want 20 and more", len(alt.Sharers), alt.More)
	}
	one := explain.Asker{Visible: func(r authz.Ref) bool { return r == user("u29") }}
	alt = one.WhyNot(t.Context(), trace, box, sharers).Alternative
	if len(alt.Sharers) != 1 || alt.Sharers[0].Entity != (explain.Entity{Type: "user", Name: "u29"}) || !alt.More {
		t.Errorf("sharers %v, more %t, want the one visible and more", alt.Sharers, alt.More)
	}
}

// Whatever an asker may not see must not be in any part of what he gets, by id or by name.
func TestHiddenNamesAppearNowhere(t *testing.T) {
	secret := authz.Ref{Type: "group", ID: "acme/takeover"}
	trace := explain.Trace{Subject: user("alice"), Check: readHTTP, Allowed: true, Root: &explain.Node{
		Object: http, Permission: "read", Result: explain.Yes, Sub: []*explain.Node{{
			Object: http, Permission: "direct_viewer", Stored: true, Result: explain.Yes, Sub: []*explain.Node{{
				Object: secret, Permission: "plotters", Stored: true, Result: explain.Yes, Via: "direct_viewer", Set: "plotters",
				Sub: []*explain.Node{{Object: secret, Permission: "inner", Stored: true, Result: explain.No}},
			}},
		}},
	}}
	var asked []authz.Ref
	asker := explain.Asker{
		Visible: func(r authz.Ref) bool { return r != secret },
		Names: func(_ context.Context, refs []authz.Ref) map[authz.Ref]string {
			asked = refs
			return map[authz.Ref]string{secret: "takeover"}
		},
	}
	e := asker.WhyNot(t.Context(), trace, box, []explain.Subject{{Ref: secret, Relation: "plotters"}})
	wire, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	for _, word := range []string{"takeover", "plotters", "inner"} {
		if strings.Contains(string(wire)+text(t, e), word) {
			t.Errorf("%q is told:\n%s\n%s", word, wire, text(t, e))
		}
	}
	if slices.Contains(asked, secret) {
		t.Error("the name of a hidden object was looked up")
	}
}

func TestMentionedNamesEachOnce(t *testing.T) {
	dir := authz.Ref{Type: "file", ID: "acme/0net"}
	trace := denial(&explain.Node{Object: http, Sub: []*explain.Node{{Object: http}, {Object: dir}, {Object: dir}}})
	got := explain.Mentioned(trace, []explain.Subject{{Ref: dir}, {Ref: user("root")}})
	if want := []authz.Ref{user("mallory"), http, dir, user("root")}; !slices.Equal(got, want) {
		t.Errorf("Mentioned = %v, want %v", got, want)
	}
}

func TestHugeTraceIsCutAndSaysSo(t *testing.T) {
	root := &explain.Node{Object: http, Permission: "direct_viewer", Stored: true}
	for i := range 5000 {
		root.Sub = append(root.Sub, &explain.Node{Object: authz.Ref{Type: "group", ID: fmt.Sprint("acme/g", i)}, Permission: "member", Via: "direct_viewer", Set: "member"})
	}
	tree := all.Why(t.Context(), denial(root)).Paths[0]
	if len(tree.Sub) >= 1000 || !tree.Truncated {
		t.Errorf("%d branches, truncated %t", len(tree.Sub), tree.Truncated)
	}
}

func TestEntityIsAPairOnTheWire(t *testing.T) {
	in := explain.Entity{Type: "file", Name: `/a "b"`}
	wire, err := json.Marshal(in)
	if err != nil || string(wire) != `["file","/a \"b\""]` {
		t.Fatalf("Marshal = %s, %v", wire, err)
	}
	var out explain.Entity
	if err := json.Unmarshal(wire, &out); err != nil || out != in {
		t.Errorf("Unmarshal = %v, %v, want %v", out, err, in)
	}
}

type full struct{}

var errFull = errors.New("full")

func (full) Write([]byte) (int, error) { return 0, errFull }

func TestTextReportsTheWritersError(t *testing.T) {
	if err := explain.Text(full{}, explain.Explanation{}); !errors.Is(err, errFull) {
		t.Errorf("Text = %v, want the writer's error", err)
	}
}
