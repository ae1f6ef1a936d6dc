package cache_test

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"nexus/authzsvc/authz"
	"nexus/authzsvc/internal/cache"
	"nexus/authzsvc/internal/spice"
	"nexus/authzsvc/relations"
	"nexus/schema"
)

func (h *house) granted(who, permission string, most int) (ids []string, known bool) {
	h.Helper()
	ids, known, err := h.cache.Granted(h.Context(), []authz.Ref{ref(who)}, "file", permission, "acme", most)
	must(h, err)
	slices.Sort(ids)
	return ids, known
}

func TestGrantedNamesWhatIsGrantedInAnyWay(t *testing.T) {
	h := open(t, cache.Options{})
	small(h)
	h.write("tenant:acme#member@"+ann, "file:acme/x1#direct_viewer@"+ann, "file:acme/x2#direct_owner@"+ann, "file:acme/x3#direct_editor@group:acme/in#member",
		"file:acme/x4#direct_viewer@tenant:acme#access", "file:acme/x5#direct_viewer@"+bob, "file:other/x6#direct_viewer@user:other/eve",
		"file:acme/x7#direct_viewer@group:acme/other#member")
	for permission, want := range map[string]string{
		"read":   "acme/a acme/x1 acme/x2 acme/x3 acme/x4",
		"write":  "acme/x2 acme/x3",
		"share":  "acme/x2",
		"delete": "acme/x2 acme/x3", // of what stands in x3, if anything did
	} {
		if ids, known := h.granted(ann, permission, 5); !known || strings.Join(ids, " ") != want {
			t.Errorf("%s: %v, %v, want %s", permission, ids, known, want)
		}
	}
	if ids, known := h.granted(ann, "read", 4); known || ids != nil {
		t.Errorf("of five, four at the most: %v, %v, want not known", ids, known)
	}
	if ids, known := h.granted("user:acme/nobody", "read", 0); !known || len(ids) != 0 {
		t.Errorf("to nobody: %v, %v, want known to be none", ids, known)
	}
}

func TestGrantedIsNotKnownWhereItCannotBe(t *testing.T) {
	h := open(t, cache.Options{})
	small(h)
	if _, known := h.granted(ann, "parent", 100); known {
		t.Error("what a stored relation leads to is no question about permissions")
	}
	h.write("file:acme/f#link@file:acme/r")
	if _, known := h.granted(ann, "read", 100); known {
		t.Error("known in a tenant with a link")
	}
	h.write("-file:acme/f#link@file:acme/r", "file:other/f#link@file:other/r")
	if _, known := h.granted(ann, "read", 100); !known {
		t.Error("not known for the links of another tenant")
	}
	h.cache.SchemaChanged("")
	if _, known := h.granted(ann, "read", 100); known {
		t.Error("known while the schema is written")
	}
}

// TestNothingIsReadableButBelowWhatIsGranted compares Granted with the engine's answers about every file of a random world.
func TestNothingIsReadableButBelowWhatIsGranted(t *testing.T) {
	w := newWorld(t, cache.Options{})
	r := rand.New(rand.NewPCG(15, 9))
	compared := 0
	for range 60 {
		for range 4 {
			must(t, ignoreRefused(w.tryWrite(false, w.unlinked(r)...)))
		}
		who, permission := w.subject(r), permissions[r.IntN(len(permissions))]
		before := w.head()
		ids, known, err := w.cache.Granted(t.Context(), []authz.Ref{who}, "file", permission, "acme", 2000)
		must(t, err)
		members, checks := w.members(permission)
		at, err := w.reader.Head(t.Context())
		must(t, err)
		want := w.expected(at, []authz.Ref{who}, checks)
		if before != w.head() {
			continue // something expired in between
		}
		if !known {
			t.Fatalf("what is granted to %v is not known", who)
		}
		up := map[string]string{}
		for _, m := range members {
			up[m.Object.ID] = m.In.ID
		}
		for i, c := range checks {
			covered := false
			for id := c.ID; id != "" && !covered; id = up[id] {
				covered = slices.Contains(ids, id)
			}
			if want[i] && !covered {
				t.Errorf("%s of %v: %s is allowed, and nothing at or above it is granted", permission, who, c.ID)
			}
			if want[i] {
				compared++
			}
		}
	}
	if compared < 100 {
		t.Errorf("%d answers were compared", compared)
	}
}

// unlinked is a change that makes no link.
func (w *world) unlinked(r *rand.Rand) []string {
	for {
		texts := w.change(r)
		if !slices.ContainsFunc(texts, func(text string) bool { return strings.Contains(text, "#link@") }) {
			return texts
		}
	}
}

func TestLinksAreFoundWithoutTheQuickReader(t *testing.T) {
	h := open(t, cache.Options{})
	members := flat(h, 40)
	h.write("file:acme/q#direct_viewer@"+bob, "file:acme/x7#link@file:acme/q")
	slow := struct{ relations.Reader }{h.store.Reader()}
	shape, err := spice.ShapeOf(schema.Text, schema.Digest())
	must(t, err)
	h.cache, err = cache.New(h.engine, slow, cache.Options{Shape: shape})
	must(t, err)
	if n, got := h.sift(bob, "read", members); n != 1 || !got[7] {
		t.Errorf("%d of 40 pass, the linked one: %v; want that one", n, got[7])
	}
}
