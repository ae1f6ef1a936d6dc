package cache_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"nexus/authzsvc/authz"
	"nexus/authzsvc/internal/cache"
)

func TestSiftIsTheEnginesAnswerForEveryRow(t *testing.T) {
	w := newWorld(t, cache.Options{})
	r := rand.New(rand.NewPCG(3, 14))
	rounds := 40
	if testing.Short() {
		rounds = 15
	}
	seen := map[bool]int{}
	for range rounds {
		for range 6 {
			must(t, ignoreRefused(w.tryWrite(false, w.change(r)...)))
		}
		for u := range worldUsers {
			who := []authz.Ref{ref(fmt.Sprintf("user:acme/u%d", u))}
			permission := permissions[r.IntN(len(permissions))]
			read := w.head()
			members, checks := w.members(permission)
			head, err := w.reader.Head(t.Context())
			must(t, err)
			got, err := w.cache.Sift(t.Context(), who, permission, read, members)
			must(t, err)
			now, err := w.reader.Head(t.Context())
			must(t, err)
			want := w.expected(now, who, checks)
			for i := range got {
				seen[got[i]]++
				if got[i] != want[i] && head == now {
					t.Errorf("Sift of %s for u%d: %v is %v, the engine says %v", permission, u, checks[i].Object(), got[i], want[i])
				}
			}
		}
	}
	if seen[true] == 0 || seen[false] == 0 {
		t.Errorf("rows passed and refused: %v, want both", seen)
	}
}

func TestSiftOfManyKindsAndTenants(t *testing.T) {
	h := open(t, cache.Options{})
	small(h)
	h.write("agent:acme/bot#owner@"+ann, "agent:acme/bot#tenant@tenant:acme", "file:other/x#direct_viewer@user:other/eve", "tenant:acme#agent@agent:acme/bot")
	var members []authz.Member
	want := []bool{}
	for i := range 60 {
		one := []authz.Member{
			{Object: ref("agent:acme/bot")}, {Object: ref("file:other/x")}, {Object: ref("agent:acme/other")},
		}[i%3]
		members, want = append(members, one), append(want, i%3 == 0)
	}
	_, err := h.cache.Sift(t.Context(), []authz.Ref{ref(ann)}, "view", h.head(), members)
	if err == nil {
		t.Error("a permission that files do not have was decided")
	}
	var agents []authz.Member
	for i := range 60 {
		agents = append(agents, authz.Member{Object: ref([]string{"agent:acme/bot", "agent:acme/other"}[i%2])})
	}
	for who, pass := range map[string]int{ann: 30, "user:acme/root": 30, bob: 30, "user:acme/nobody": 0} {
		if n, _ := h.sift(who, "view", agents); n != pass {
			t.Errorf("%d of 60 agents pass for %s, want %d", n, who, pass)
		}
	}
}

func TestSiftAsksTheEngineAboutFoldersOnly(t *testing.T) {
	h := open(t, cache.Options{})
	members := flat(h, 300)
	h.write("file:acme/x7#direct_viewer@" + bob)
	if n, _ := h.sift(bob, "read", members); n != 1 {
		t.Fatalf("%d of 300 pass, want 1", n)
	}
	if n := h.engine.checks.Load(); n > 3 {
		t.Errorf("%d checks for one folder of 300 files, want one for the folder and two for the tenant", n)
	}
	if n, _ := h.sift("user:acme/root", "delete", members); n != 300 {
		t.Errorf("%d of 300 pass for an admin, want all", n)
	}
}

// A linked file may be deleted by the owners of the folder it is linked to, not by its editors.
func TestSiftTellsParentFromLink(t *testing.T) {
	h := open(t, cache.Options{})
	members := flat(h, 40)
	h.write("file:acme/q#direct_editor@"+bob, "file:acme/x7#link@file:acme/q", "file:acme/y#parent@file:acme/q")
	members = append(members, authz.Member{Object: ref("file:acme/y"), In: ref("file:acme/q")})
	n, got := h.sift(bob, "delete", members)
	if n != 1 || !got[40] {
		t.Errorf("%d pass, want only the file that stands in bob's folder", n)
	}
}

func TestSiftReadsTheRowsOfOneWhoWasGrantedMore(t *testing.T) {
	h := open(t, cache.Options{})
	members := flat(h, 40)
	texts := []string{
		"tenant:acme#member@" + bob, "group:acme/g#member@" + bob, "file:acme/x7#direct_viewer@tenant:acme#access",
		"file:acme/x8#direct_editor@group:acme/g#member", "file:acme/x9#direct_owner@" + bob, "file:acme/x10#direct_viewer@group:acme/h#member",
	}
	for i := range 400 {
		texts = append(texts, fmt.Sprintf("file:acme/x3z%d#direct_viewer@%s", i, bob))
	}
	h.write(texts...)
	for permission, want := range map[string]int{"read": 3, "write": 2, "share": 1} {
		if n, got := h.sift(bob, permission, members); n != want || !got[9] {
			t.Errorf("%s: %d of 40 pass, want %d", permission, n, want)
		}
	}
}
