package authz_test

import (
	"slices"
	"testing"

	"nexus/authzsvc/authz"
	"nexus/authzsvc/gatetest"
	"nexus/internal/errs"
	"nexus/schema"
)

// rooted is ann behind actors, each limited to its own roots, with every permission.
func rooted(roots ...[]authz.Ref) authz.Principal {
	who := gatetest.User("acme", "ann")
	all := map[string][]string{"file": {"read", "write", "share"}, "tenant": {"access"}, "group": {"manage", "view"}}
	for _, r := range roots {
		who = gatetest.Behind(who, bot, authz.Mandate{Permissions: all, Roots: r})
	}
	return who
}

func fileRoot(path string) authz.Ref { return authz.Ref{Type: "file", ID: "f" + path} }

func TestMandateEndsAtItsRoots(t *testing.T) {
	group, err := schema.GroupOf("acme", "eng")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name  string
		roots [][]authz.Ref
		reads []string
		group bool
	}{
		{"no roots, no limit", [][]authz.Ref{nil}, []string{"/", "/w", "/w/f", "/x"}, true},
		{"an empty list is nothing", [][]authz.Ref{{}}, nil, false},
		{"a folder and what is below it", [][]authz.Ref{{fileRoot("/w")}}, []string{"/w", "/w/f"}, false},
		{"one file", [][]authz.Ref{{fileRoot("/w/f")}}, []string{"/w/f"}, false},
		{"two roots", [][]authz.Ref{{fileRoot("/w/f"), fileRoot("/x")}}, []string{"/w/f", "/x"}, false},
		{"each actor's roots", [][]authz.Ref{{fileRoot("/w")}, {fileRoot("/w/f")}}, []string{"/w/f"}, false},
		{"roots that do not meet", [][]authz.Ref{{fileRoot("/w")}, {fileRoot("/x")}}, nil, false},
		{"one actor's roots alone", [][]authz.Ref{nil, {fileRoot("/x")}}, []string{"/x"}, false},
		{"another definition", [][]authz.Ref{{group.Named().Ref}}, nil, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			gate, rec := gatetest.AllowAll(t)
			who := rooted(c.roots...)
			var reads []string
			for _, path := range []string{"/", "/w", "/w/f", "/x"} {
				_, _, err := authz.Ask(t.Context(), gate, who, authz.Act{Op: "file.read"}, file(path).Read())
				if err == nil {
					reads = append(reads, path)
					continue
				}
				wantKind(t, err, errs.Denied)
				if reason := last(t, rec).Reason; reason != string(errs.OutsideMandate) {
					t.Errorf("%s was refused for %q, want %s", path, reason, errs.OutsideMandate)
				}
			}
			if !slices.Equal(reads, c.reads) {
				t.Errorf("reads %v, want %v", reads, c.reads)
			}
			if _, _, err := authz.Ask(t.Context(), gate, who, authz.Act{Op: "group.list"}, group.View()); (err == nil) != c.group {
				t.Errorf("the group: %v, want allowed %v", err, c.group)
			}
			if got := admit(t, open(t, gate, who), "/", "/w", "/w/f", "/x"); !slices.Equal(got, c.reads) {
				t.Errorf("a list shows %v, want %v", got, c.reads)
			}
		})
	}
}

func TestRootsCannotAddToTheBase(t *testing.T) {
	gate, rec := gatetest.DenyAll(t)
	_, _, err := authz.Ask(t.Context(), gate, rooted([]authz.Ref{fileRoot("/w")}), authz.Act{Op: "file.read"}, file("/w/f").Read())
	wantKind(t, err, errs.Denied)
	if reason := last(t, rec).Reason; reason != string(errs.NoRelation) {
		t.Errorf("refused for %q, want %s", reason, errs.NoRelation)
	}
}

func TestEveryObjectOfANeedLiesWithinTheRoots(t *testing.T) {
	gate, _ := gatetest.AllowAll(t)
	who := rooted([]authz.Ref{fileRoot("/w")})
	for to, want := range map[string]bool{"/w/d": true, "/x": false} {
		_, _, err := authz.Ask(t.Context(), gate, who, authz.Act{Op: "relations.create"}, authz.Both(file("/w/f").Share(), dir(to).Write()))
		if (err == nil) != want {
			t.Errorf("from below the root to %s: %v, want allowed %v", to, err, want)
		}
	}
}

// What asks about the tenant itself tells what the base may do elsewhere; opening a list of it tells nothing.
func TestRootsLeaveOutQuestionsAboutTheTenant(t *testing.T) {
	gate, _ := gatetest.AllowAll(t)
	who := rooted([]authz.Ref{fileRoot("/w")})
	_, _, err := authz.Ask(t.Context(), gate, who, authz.Act{Op: "relations.check"}, schema.Home(who).Access())
	wantKind(t, err, errs.Denied)
	_, _, err = authz.Ask(t.Context(), gate, rooted([]authz.Ref{fileRoot("/w"), {Type: "tenant", ID: "acme"}}), authz.Act{Op: "relations.check"}, schema.Home(who).Access())
	if err != nil {
		t.Errorf("with the tenant as a root: %v", err)
	}
	_, _, err = authz.Ask(t.Context(), gate, who, authz.Act{Op: "file.list"}, schema.ReadFilesWithin(gate, file("/x").Read(), "file.read"))
	wantKind(t, err, errs.Denied) // what opens it is a file outside
}

func TestRootsThatCannotBeAskedAboutAllowNothing(t *testing.T) {
	gate, _ := gatetest.AllowAll(t)
	s := open(t, gate, rooted([]authz.Ref{fileRoot("/w")}))
	broken, _ := gatetest.Config{Unanswered: errBroken}.Gate(t)
	_, _, err := authz.Ask(t.Context(), broken, rooted([]authz.Ref{fileRoot("/w")}), authz.Act{}, file("/w").Read())
	wantKind(t, err, errs.Unavailable)
	if got, err := s.Admit(t.Context(), files("/x"), parent); err != nil || len(got) != 0 {
		t.Errorf("outside: %v, %v", got, err)
	}
}
