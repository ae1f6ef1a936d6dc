package spice_test

import (
	"fmt"
	"slices"
	"testing"

	"nexus/authzsvc/authz"
	"nexus/authzsvc/explain"
	"nexus/authzsvc/internal/spice"
	"nexus/authzsvc/internal/spice/spicetest"
	"nexus/authzsvc/internal/sqlds"
)

// each visits a trace.
func each(n *explain.Node, visit func(*explain.Node)) {
	if n == nil {
		return
	}
	visit(n)
	for _, sub := range n.Sub {
		each(sub, visit)
	}
}

func TestFullTraceHasEveryStepHoweverWarmTheCaches(t *testing.T) {
	f := open(t)
	at := f.Touch(
		"file:acme/doc#parent@file:acme/dir",
		"file:acme/dir#direct_viewer@group:acme/g1#member",
		"file:acme/dir#direct_viewer@group:acme/g2#member",
		"file:acme/dir#direct_viewer@group:acme/g3#member",
		"group:acme/g2#member@user:acme/alice",
	)
	question := may("read", file("doc"))
	var cached, batched bool
	for range 3 {
		quick, err := f.Explain(t.Context(), at, alice, question, false)
		if err != nil || !quick.Allowed {
			t.Fatalf("Explain = %+v, %v, want an allowance", quick, err)
		}
		each(quick.Root, func(n *explain.Node) { cached, batched = cached || n.Cached, batched || n.Batch > 1 })
	}
	if !cached || !batched {
		t.Errorf("three quick traces: cached %t, batched %t; the full ones prove nothing unless both are true", cached, batched)
	}
	for range 3 {
		full, err := f.Explain(t.Context(), at, alice, question, true)
		if err != nil || !full.Allowed {
			t.Fatalf("Explain = %+v, %v, want an allowance", full, err)
		}
		if full.Root.Object != file("doc") || full.Root.Permission != "read" {
			t.Errorf("the trace is of %s %s", full.Root.Object, full.Root.Permission)
		}
		var found bool
		each(full.Root, func(n *explain.Node) {
			if n.Cached || n.Batch != 0 {
				t.Errorf("full trace has %+v", n)
			}
			if n.Object == (authz.Ref{Type: "group", ID: "acme/g2"}) {
				found = n.Result == explain.Yes && n.Via == "direct_viewer" && n.Set == "member"
			}
		})
		if !found {
			t.Error("the full trace does not lead through the group")
		}
	}
}

func TestTraceIsAsOfItsRevision(t *testing.T) {
	f := open(t)
	granted := f.Touch("file:acme/a#direct_viewer@user:acme/alice")
	revoked := f.Delete("file:acme/a#direct_viewer@user:acme/alice")
	for range 2 {
		for _, full := range []bool{true, false} {
			before, err := f.Explain(t.Context(), granted, alice, may("read", file("a")), full)
			if err != nil || !before.Allowed {
				t.Errorf("as of the grant: %+v, %v", before, err)
			}
			after, err := f.Explain(t.Context(), revoked, alice, may("read", file("a")), full)
			if err != nil || after.Allowed {
				t.Errorf("as of the revocation: %+v, %v", after, err)
			}
		}
	}
}

// A tenant's own definitions may use what ours do not: aliases, intersections, exclusions, arrows over all, choices.
const house = `
definition user {}
definition team {
	relation member: user
	relation lead: user
	permission all = member
	permission everyone = all
}
definition box {
	relation above: box
	relation beside: box
	relation owner: user | team#member | team#everyone
	relation banned: user
	relation cleared: user
	permission holder = owner + above->holder + beside->holder
	permission see = holder
	permission peek = see
	permission open = see & cleared
	permission touch = holder - banned
	permission near = above->peek
	permission agreed = above.all(holder)
}`

func TestTracesOfAnySchema(t *testing.T) {
	f := spicetest.Open(t, spicetest.NewDurable(t, sqlds.Options{}), house, spice.Options{})
	at := f.Touch(
		"box:acme/inner#beside@box:acme/outer",
		"box:acme/outer#owner@team:acme/t1#everyone",
		"team:acme/t1#member@user:acme/alice",
		"box:acme/inner#cleared@user:acme/alice",
		"box:acme/leaf#above@box:acme/inner",
		"box:acme/leaf#above@box:acme/outer",
		"box:acme/inner#banned@user:acme/bob",
		"box:acme/inner#owner@user:acme/bob",
	)
	box := func(id, permission string) authz.Check {
		return authz.Check{Type: "box", ID: "acme/" + id, Permission: permission}
	}
	for _, c := range []struct {
		who   authz.Ref
		check authz.Check
		want  bool
		edges []string // of those parts that hold
		joint bool
	}{
		{alice, box("inner", "see"), true, []string{"beside", "owner team#everyone"}, false},
		{alice, box("inner", "peek"), true, []string{"beside", "owner team#everyone"}, false},
		{alice, box("inner", "open"), true, []string{"beside", "owner team#everyone"}, true},
		{alice, box("inner", "touch"), true, []string{"beside", "owner team#everyone"}, true},
		{alice, box("leaf", "near"), true, []string{"above", "beside", "owner team#everyone"}, false},
		{alice, box("leaf", "agreed"), true, []string{"above", "above", "beside", "owner team#everyone", "owner team#everyone"}, true},
		{bob, box("inner", "touch"), false, nil, true},
		{bob, box("inner", "see"), true, nil, false},
	} {
		for range 3 {
			trace, err := f.Explain(t.Context(), at, c.who, c.check, true)
			if err != nil {
				t.Fatal(err)
			}
			if trace.Allowed != c.want || trace.Root.Permission != c.check.Permission {
				t.Fatalf("%s %s = %t at node %s, want %t", c.who, c.check.Permission, trace.Allowed, trace.Root.Permission, c.want)
			}
			var edges []string
			joint := false
			each(trace.Root, func(n *explain.Node) {
				joint = joint || n.Joint
				if n.Result != explain.Yes || n.Via == "" {
					return
				}
				if n.Set != "" {
					edges = append(edges, fmt.Sprintf("%s %s#%s", n.Via, n.Object.Type, n.Set))
				} else {
					edges = append(edges, n.Via)
				}
			})
			slices.Sort(edges)
			if !slices.Equal(edges, c.edges) || joint != c.joint {
				t.Errorf("%s %s on %s: edges %q, joint %t; want %q, %t", c.who, c.check.Permission, c.check.ID, edges, joint, c.edges, c.joint)
			}
		}
	}
}
