package cache_test

import (
	"context"
	"fmt"
	"testing"

	"nexus/authzsvc/authz"
	"nexus/authzsvc/internal/cache"
	"nexus/schema"
)

const ann, bob, op = "user:acme/ann", "user:acme/bob", "user:operator"

// small is a tenant with a tree of three folders and a file, and two groups.
func small(h *house) {
	h.write(
		"tenant:acme#platform@platform:nexus", "tenant:acme#admin@user:acme/root", "tenant:acme#member@"+bob,
		"file:acme/r#direct_owner@tenant:acme#administer",
		"file:acme/a#parent@file:acme/r", "file:acme/b#parent@file:acme/a", "file:acme/f#parent@file:acme/b",
		"group:acme/in#member@"+ann, "group:acme/out#member@group:acme/in#member",
		"file:acme/a#direct_viewer@group:acme/out#member",
	)
}

func TestSecondQuestionComesFromMemory(t *testing.T) {
	h := open(t, cache.Options{})
	small(h)
	h.want(ann, "file:acme/f#read", true, false)
	h.want(ann, "file:acme/f#read", true, true)
	h.want(ann, "file:acme/f#write", false, false)
	h.want(ann, "file:acme/f#write", false, true)
	h.want(bob, "tenant:acme#access", true, false)
	h.want(bob, "tenant:acme#access", true, true)
}

func TestEachWayToLoseARightEmptiesWhatItMust(t *testing.T) {
	cases := map[string]struct{ grant, revoke string }{
		"on the file":    {"file:acme/f#direct_viewer@" + bob, "-file:acme/f#direct_viewer@" + bob},
		"two folders up": {"file:acme/a#direct_viewer@" + bob, "-file:acme/a#direct_viewer@" + bob},
		"by a group":     {"group:acme/in#member@" + bob, "-group:acme/in#member@" + bob},
		"by the tenant":  {"tenant:acme#admin@" + bob, "-tenant:acme#admin@" + bob},
		"by platform":    {"platform:nexus#admin@" + op, "-platform:nexus#admin@" + op},
		"by a move":      {"file:acme/f#link@file:acme/s", "-file:acme/f#link@file:acme/s"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			h := open(t, cache.Options{})
			small(h)
			h.write("file:acme/s#direct_owner@" + bob)
			who := bob
			if name == "by platform" {
				who = op
			}
			h.want(who, "file:acme/f#read", false, false)
			h.write(c.grant)
			h.want(who, "file:acme/f#read", true, false)
			h.want(who, "file:acme/f#read", true, true)
			h.write(c.revoke)
			h.want(who, "file:acme/f#read", false, false)
		})
	}
}

func TestCreatingFilesEmptiesNothing(t *testing.T) {
	h := open(t, cache.Options{})
	small(h)
	h.want(ann, "file:acme/f#read", true, false)
	h.want(ann, "file:acme/b#write", false, false)
	for i := range 50 {
		h.write(fmt.Sprintf("file:acme/n%d#parent@file:acme/b", i), fmt.Sprintf("file:acme/n%d#direct_owner@%s", i, bob))
		h.want(ann, "file:acme/f#read", true, true)
		h.want(ann, "file:acme/b#write", false, true)
	}
	if n := h.engine.checks.Load(); n != 2 {
		t.Errorf("%d checks reached the engine, want 2", n)
	}
}

func TestGroupChangeEmptiesOneTenant(t *testing.T) {
	h := open(t, cache.Options{})
	small(h)
	h.write("file:other/x#direct_viewer@user:other/eve")
	h.want(ann, "file:acme/f#read", true, false)
	h.want("user:other/eve", "file:other/x#read", true, false)
	h.write("group:acme/third#member@" + bob)
	h.want(ann, "file:acme/f#read", true, false)
	h.want("user:other/eve", "file:other/x#read", true, true)
}

func TestPlatformChangeEmptiesAll(t *testing.T) {
	h := open(t, cache.Options{})
	small(h)
	h.write("file:other/x#direct_viewer@user:other/eve")
	h.want(ann, "file:acme/f#read", true, false)
	h.want("user:other/eve", "file:other/x#read", true, false)
	h.write("platform:nexus#admin@" + op)
	h.want(ann, "file:acme/f#read", true, false)
	h.want("user:other/eve", "file:other/x#read", true, false)
}

func TestAnswersNameTheirRevision(t *testing.T) {
	h := open(t, cache.Options{})
	small(h)
	h.want(ann, "file:acme/f#read", true, false)
	h.write("file:acme/new#parent@file:acme/b")
	f, err := h.cache.Ask(t.Context(), []authz.Ref{ref(ann)}, []authz.Check{check("file:acme/f#read"), check("file:acme/new#read")})
	must(t, err)
	head, err := h.reader.Head(t.Context())
	must(t, err)
	if f.Revision != fmt.Sprint(head) {
		t.Errorf("revision %s, want the head %d", f.Revision, head)
	}
	if !f.Answers[0].Cached || f.Answers[1].Cached || !f.Answers[0].Allowed || !f.Answers[1].Allowed {
		t.Errorf("answers %+v, want both allowed and the first alone from memory", f.Answers)
	}
}

func TestSeveralSubjectsAreOneQuestion(t *testing.T) {
	h := open(t, cache.Options{})
	small(h)
	h.write("platform:nexus#admin@key:K")
	both, one := []authz.Ref{ref(bob), ref("key:K")}, []authz.Ref{ref(bob)}
	for range 2 {
		for _, c := range []struct {
			who  []authz.Ref
			want bool
		}{{both, true}, {one, false}} {
			f, err := h.cache.Ask(t.Context(), c.who, []authz.Check{check("file:acme/f#read")})
			must(t, err)
			if f.Answers[0].Allowed != c.want {
				t.Errorf("%v: %v, want %v", c.who, f.Answers[0].Allowed, c.want)
			}
		}
	}
}

func TestStampsHoldUntilWhatTheyNameChanges(t *testing.T) {
	cases := map[string]struct {
		write string
		holds bool
	}{
		"the file":         {"file:acme/f#direct_viewer@" + bob, false},
		"a folder above":   {"file:acme/a#direct_viewer@" + bob, false},
		"a group":          {"group:acme/in#member@" + bob, false},
		"the platform":     {"platform:nexus#admin@" + op, false},
		"a sibling":        {"file:acme/g#parent@file:acme/b", true},
		"another tenant":   {"group:other/in#member@user:other/eve", true},
		"a folder beneath": {"file:acme/c#direct_viewer@" + bob, true},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			h := open(t, cache.Options{})
			small(h)
			for _, kind := range []string{"asked", "from memory"} {
				_, stamps := h.ask(ann, "file:acme/f#read")
				if !stamps.Hold() {
					t.Fatalf("%s: stamps do not hold at once", kind)
				}
				must(t, h.tryWrite(false, c.write))
				if stamps.Hold() != c.holds {
					t.Errorf("%s: hold is %v after %s, want %v", kind, !c.holds, c.write, c.holds)
				}
				h.write("-" + c.write)
			}
		})
	}
}

func TestSchemaWriteStopsMemoryUntilItIsOver(t *testing.T) {
	h := open(t, cache.Options{})
	small(h)
	_, stamps := h.ask(ann, "file:acme/f#read")
	h.cache.SchemaChanged("")
	if stamps.Hold() {
		t.Error("a decision holds while the schema is written")
	}
	h.want(ann, "file:acme/f#read", true, false)
	h.want(ann, "file:acme/f#read", true, false)
	h.cache.SchemaChanged(schema.Digest())
	h.want(ann, "file:acme/f#read", true, true)

	h.cache.SchemaChanged("")
	h.cache.SchemaChanged("another")
	h.want(ann, "file:acme/f#read", true, false)
	h.cache.SchemaChanged(schema.Digest())
	h.want(ann, "file:acme/f#read", true, false)
	h.want(ann, "file:acme/f#read", true, true)
	if stamps.Hold() {
		t.Error("a decision made under the first schema holds under the third")
	}
}

func TestEngineErrorIsNoAnswer(t *testing.T) {
	h := open(t, cache.Options{})
	small(h)
	if _, err := h.cache.Ask(t.Context(), []authz.Ref{ref(ann)}, []authz.Check{check("file:acme/f#nonsense")}); err == nil {
		t.Error("a permission that does not exist was answered")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := h.cache.Ask(ctx, []authz.Ref{ref(ann)}, []authz.Check{check("file:acme/f#read")}); err == nil {
		t.Error("a question that was abandoned was answered")
	}
}
