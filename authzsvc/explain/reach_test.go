package explain_test

import (
	"testing"

	"nexus/authzsvc/authz"
	"nexus/authzsvc/explain"
)

// reached is the way of eng's members to a file, by a grant to all on the folder above it.
func reached() explain.Trace {
	file, folder := authz.Ref{Type: "file", ID: "acme/f"}, authz.Ref{Type: "file", ID: "acme/d"}
	all, eng := authz.Ref{Type: "group", ID: "acme/all"}, authz.Ref{Type: "group", ID: "acme/eng"}
	member := &explain.Node{Object: eng, Permission: "member", Stored: true, Result: explain.Yes, Via: "member", Set: "member"}
	through := &explain.Node{Object: all, Permission: "member", Stored: true, Result: explain.Yes, Via: "direct_viewer", Set: "member", Sub: []*explain.Node{member}}
	grant := &explain.Node{Object: folder, Permission: "direct_viewer", Stored: true, Result: explain.Yes, Sub: []*explain.Node{through}}
	viewer := &explain.Node{Object: folder, Permission: "viewer", Result: explain.Yes, Via: "parent", Sub: []*explain.Node{grant}}
	return explain.Trace{
		Subject: user("bob"), Check: authz.Check{Type: "file", ID: file.ID, Permission: "viewer"}, Allowed: true,
		Root: &explain.Node{Object: file, Permission: "viewer", Result: explain.Yes, Sub: []*explain.Node{viewer}},
	}
}

func TestReachNamesTheGrantAndTheGroupsOnTheWay(t *testing.T) {
	everything := explain.Asker{Visible: func(authz.Ref) bool { return true }}
	r := everything.Reach(t.Context(), reached())
	if r.Direct || r.Grant != "direct_viewer" || r.On.String() != "file:d" || len(r.Through) != 2 || r.Through[0].Name != "eng" || r.Through[1].Name != "all" {
		t.Errorf("reach is %+v", r)
	}
}

func TestReachHidesWhatTheAskerMayNotRead(t *testing.T) {
	r := explain.Asker{}.Reach(t.Context(), reached())
	if r.Grant != explain.Hidden.Type || r.On != explain.Hidden || r.Through[0] != explain.Hidden || r.Through[1] != explain.Hidden {
		t.Errorf("reach is %+v", r)
	}
	if len(r.Path) == 0 || r.Path[len(r.Path)-1].Object.Name != "f" {
		t.Errorf("the path %+v does not end where the asker asked", r.Path)
	}
}

func TestReachOfASetBeginsWithTheSet(t *testing.T) {
	trace := reached()
	trace.Subject, trace.Set = authz.Ref{Type: "group", ID: "acme/all"}, "member"
	trace.Root.Sub[0].Sub[0].Sub = nil
	everything := explain.Asker{Visible: func(authz.Ref) bool { return true }}
	r := everything.Reach(t.Context(), trace)
	if len(r.Through) != 0 || r.Path[0].Subject.Name != "all" || r.Path[0].SubjectRelation != "member" {
		t.Errorf("reach is %+v", r)
	}
}
