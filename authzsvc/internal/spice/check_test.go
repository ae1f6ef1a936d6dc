package spice_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"nexus/authzsvc/authz"
	"nexus/authzsvc/internal/spice"
	"nexus/authzsvc/internal/spice/spicetest"
	"nexus/authzsvc/internal/sqlds"
	"nexus/authzsvc/relations"
	"nexus/internal/errs"
	"nexus/schema"
)

func TestCheckHoldsByAnyWay(t *testing.T) {
	f := open(t)
	f.Touch(
		"file:acme/dir#parent@file:acme/root",
		"file:acme/doc#parent@file:acme/dir",
		"file:acme/root#direct_owner@tenant:acme#administer",
		"tenant:acme#admin@user:acme/admin",
		"tenant:acme#platform@platform:nexus",
		"platform:nexus#admin@key:K1",
		"file:acme/dir#direct_editor@group:acme/eng#member",
		"group:acme/eng#member@group:acme/net#member",
		"group:acme/net#member@user:acme/alice",
		"file:acme/doc#direct_viewer@agent:acme/bot",
	)
	for _, c := range []struct {
		who        authz.Ref
		permission string
		on         string
		want       bool
	}{
		{alice, "read", "doc", true},
		{alice, "write", "doc", true},
		{alice, "share", "doc", false},
		{alice, "read", "root", false},
		{bob, "read", "doc", false},
		{user("admin"), "delete", "doc", true},
		{authz.Ref{Type: "key", ID: "K1"}, "share", "doc", true},
		{authz.Ref{Type: "agent", ID: "acme/bot"}, "read", "doc", true},
		{authz.Ref{Type: "agent", ID: "acme/bot"}, "write", "doc", false},
	} {
		if got := f.Holds(c.who, may(c.permission, file(c.on))).Allowed; got != c.want {
			t.Errorf("%s %s on %s = %t, want %t", c.who, c.permission, c.on, got, c.want)
		}
	}
}

func TestCheckHoldsForAnySubject(t *testing.T) {
	f := open(t)
	at := f.Touch("platform:nexus#admin@key:K1", "file:acme/a#direct_viewer@user:acme/alice")
	checks := []authz.Check{may("administer", schema.Platform), may("read", file("a")), may("write", file("a"))}
	answers, err := f.Check(t.Context(), at, []authz.Ref{alice, {Type: "key", ID: "K1"}}, checks)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []bool{true, true, false} {
		if answers[i].Check != checks[i] || answers[i].Allowed != want {
			t.Errorf("answer %d = %+v, want %t for %v", i, answers[i], want, checks[i])
		}
	}
}

func TestNobodyHoldsNothing(t *testing.T) {
	f := open(t)
	answers, err := f.Check(t.Context(), f.Now(), nil, []authz.Check{may("read", file("a"))})
	if err != nil || len(answers) != 1 || answers[0].Allowed {
		t.Errorf("Check for no subject = %v, %v, want a denial", answers, err)
	}
}

func TestCheckAnswersAsOfItsRevision(t *testing.T) {
	f := open(t)
	none := f.Now()
	granted := f.Touch("file:acme/a#direct_viewer@user:acme/alice")
	revoked := f.Delete("file:acme/a#direct_viewer@user:acme/alice")
	question := may("read", file("a"))
	for range 3 { // in any order, whatever was asked before
		for at, want := range map[string]bool{"none": false, "granted": true, "revoked": false} {
			rev := map[string]relations.Revision{"none": none, "granted": granted, "revoked": revoked}[at]
			if got := f.HoldsAt(rev, alice, question).Allowed; got != want {
				t.Errorf("alone, as of %s: %t, want %t", at, got, want)
			}
			if got := asked(t, f, rev, alice, question, 20); got != want {
				t.Errorf("in a batch, as of %s: %t, want %t", at, got, want)
			}
		}
	}
}

// asked puts one question into a batch of n and returns its answer.
func asked(t *testing.T, f *spicetest.Fixture, at relations.Revision, who authz.Ref, q authz.Check, n int) bool {
	t.Helper()
	checks := []authz.Check{q}
	for i := range n - 1 {
		checks = append(checks, may("read", file(fmt.Sprint("other", i))))
	}
	answers, err := f.Check(t.Context(), at, []authz.Ref{who}, checks)
	if err != nil {
		t.Fatal(err)
	}
	return answers[0].Allowed
}

func TestCheckUsesTheSchemaOfItsRevision(t *testing.T) {
	const before = `
definition user {}
definition doc {
	relation reader: user
	relation writer: user
	permission read = reader
}`
	f := spicetest.Open(t, spicetest.NewDurable(t, sqlds.Options{}), before, spice.Options{})
	narrow := f.Touch("doc:acme/d#writer@user:acme/alice")
	spicetest.WriteSchema(t, f.Store, strings.Replace(before, "= reader", "= reader + writer", 1))
	wide := f.Now()
	question := authz.Check{Type: "doc", ID: "acme/d", Permission: "read"}
	for range 2 {
		if f.HoldsAt(narrow, alice, question).Allowed {
			t.Error("the old revision answered under the new schema")
		}
		if !f.HoldsAt(wide, alice, question).Allowed {
			t.Error("the new revision answered under the old schema")
		}
	}
}

func TestUnknownWordsRefused(t *testing.T) {
	f := open(t)
	for name, q := range map[string]struct {
		who   authz.Ref
		check authz.Check
	}{
		"permission":      {alice, may("fly", file("a"))},
		"definition":      {alice, may("read", authz.Ref{Type: "ghost", ID: "a"})},
		"subject":         {authz.Ref{Type: "ghost", ID: "a"}, may("read", file("a"))},
		"wildcard":        {authz.Ref{Type: "user", ID: "*"}, may("read", file("a"))},
		"empty object id": {alice, may("read", authz.Ref{Type: "file"})},
	} {
		if _, err := f.Check(t.Context(), f.Now(), []authz.Ref{q.who}, []authz.Check{q.check}); !errors.Is(err, errs.Invalid) {
			t.Errorf("unknown %s: %v, want invalid", name, err)
		}
	}
}

func TestBatchAnswersInOrderAndRepeats(t *testing.T) {
	f := open(t)
	at := f.Touch("file:acme/f1#direct_viewer@user:acme/alice", "file:acme/f7#direct_owner@user:acme/alice")
	var checks []authz.Check
	for i := range 2300 {
		checks = append(checks, may([]string{"read", "share"}[i%2], file(fmt.Sprint("f", i%10))))
	}
	answers, err := f.Check(t.Context(), at, []authz.Ref{alice}, checks)
	if err != nil {
		t.Fatal(err)
	}
	for i, a := range answers {
		c := checks[i]
		want := c.ID == "acme/f7" || c.ID == "acme/f1" && c.Permission == "read"
		if a.Check != c || a.Allowed != want {
			t.Fatalf("answer %d to %v = %+v, want %t", i, c, a, want)
		}
	}
}

func TestTooDeepIsADenialAndAnAlarm(t *testing.T) {
	var alarms atomic.Int64
	f := openUnchecked(t, spice.Options{
		OnIncomplete: func(_ context.Context, q spice.Incomplete) {
			if q.Subject != alice || q.Check.ID != "acme/deep0" {
				t.Errorf("alarm for %v", q)
			}
			alarms.Add(1)
		},
	})
	chain := []string{"file:acme/shallow#direct_viewer@user:acme/alice"}
	for i := range spice.MaxDepth + 20 {
		chain = append(chain, fmt.Sprintf("file:acme/deep%d#parent@file:acme/deep%d", i, i+1))
	}
	at := f.Touch(chain...)

	if a := f.HoldsAt(at, alice, may("read", file("deep0"))); a.Allowed || !a.Incomplete {
		t.Errorf("too deep = %+v, want an incomplete denial", a)
	}
	if alarms.Load() != 1 {
		t.Errorf("%d alarms, want 1", alarms.Load())
	}
	var checks []authz.Check
	for _, name := range []string{"deep0", "shallow", "a", "b", "c", "d", "e"} {
		checks = append(checks, may("read", file(name)))
	}
	answers, err := f.Check(t.Context(), at, []authz.Ref{alice}, checks)
	if err != nil {
		t.Fatal(err)
	}
	if !answers[0].Incomplete || answers[0].Allowed {
		t.Errorf("too deep in a batch = %+v, want an incomplete denial", answers[0])
	}
	if !answers[1].Allowed || answers[1].Incomplete {
		t.Errorf("beside a too deep one = %+v, want an allowance", answers[1])
	}
	for _, a := range answers[2:] {
		if a.Allowed || a.Incomplete {
			t.Errorf("beside a too deep one = %+v, want a plain denial", a)
		}
	}
	trace, err := f.Explain(t.Context(), at, alice, may("read", file("deep0")), true)
	if err != nil || !trace.Incomplete || trace.Allowed {
		t.Errorf("Explain = %+v, %v, want an incomplete denial", trace, err)
	}
	if _, err := f.Expand(t.Context(), at, file("shallow"), "read"); err != nil {
		t.Errorf("Expand beside = %v", err)
	}
}

func TestWithinTheLimitsIsNotTooDeep(t *testing.T) {
	f := open(t)
	chain := []string{"file:acme/d100#direct_viewer@group:acme/g0#member", "group:acme/g15#member@user:acme/alice"}
	for i := range 100 {
		chain = append(chain, fmt.Sprintf("file:acme/d%d#parent@file:acme/d%d", i, i+1))
	}
	for i := range 15 {
		chain = append(chain, fmt.Sprintf("group:acme/g%d#member@group:acme/g%d#member", i, i+1))
	}
	f.Touch(chain...)
	if a := f.Holds(alice, may("read", file("d0"))); !a.Allowed {
		t.Errorf("100 folders and 16 groups = %+v, want an allowance", a)
	}
	if a := f.Holds(bob, may("read", file("d0"))); a.Allowed || a.Incomplete {
		t.Errorf("a stranger at 100 folders and 16 groups = %+v, want a plain denial", a)
	}
}
