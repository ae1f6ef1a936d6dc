package rego

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// concerned are principals with an agent among them, and others are those without.
func concerned() map[string]Principal {
	return map[string]Principal{
		"an agent":                          agent(),
		"an agent for a person":             person(Subject{Type: "agent", ID: "bot"}),
		"an agent behind another actor":     person(Subject{Type: "sandbox", ID: "sb1"}, Subject{Type: "agent", ID: "bot"}),
		"an agent in a sandbox of somebody": {Base: Subject{Type: "agent"}, Actors: []Subject{{Type: "sandbox", ID: "sb1"}}},
	}
}

func others() map[string]Principal {
	return map[string]Principal{
		"a person":                            person(),
		"a sandbox of a person":               person(Subject{Type: "sandbox", ID: "sb1"}),
		"a service":                           {Base: Subject{Type: "service", ID: "sweep"}},
		"an admin key":                        {Base: Subject{Type: "key", ID: "k1"}, Admin: true},
		"a person who is called agent":        {Base: Subject{Type: "user", ID: "agent", Tenant: "agent"}, Key: "agent"},
		"a type that only begins with agent":  {Base: Subject{Type: "agents"}},
		"nobody, as whom no request is asked": {},
	}
}

func types(p Principal) []string {
	all := []string{p.Base.Type}
	for _, a := range p.Actors {
		all = append(all, a.Type)
	}
	return all
}

func TestRuleThatConcernsAgentsCostsOthersNothing(t *testing.T) {
	b, evaluations := counted(t, shipped())
	objects := []Object{file("/home/ann/.ssh/id_rsa"), file("/app/.env")}
	for name, who := range others() {
		if got := b.Applies("files.read", types(who)...); got != (Applies{}) {
			t.Errorf("%s: Applies = %+v, want nothing", name, got)
		}
		for _, o := range objects {
			if v := evaluate(t, b, reads(who, o)); !reflect.DeepEqual(v, Verdict{}) {
				t.Errorf("%s: %s = %+v, want nothing said", name, o.Path, v)
			}
		}
		list, err := b.EvaluateObjects(context.Background(), reads(who), objects)
		if err != nil || !reflect.DeepEqual(list, make([]Verdict, len(objects))) {
			t.Errorf("%s: a list = %+v, %v, want nothing said", name, list, err)
		}
	}
	if n := evaluations.Load(); n != 0 {
		t.Errorf("%d evaluations, want none", n)
	}
}

func TestAgentAmongTheActorsIsConcerned(t *testing.T) {
	b, evaluations := counted(t, shipped())
	asked := int64(0)
	for name, who := range concerned() {
		if got := b.Applies("files.read", types(who)...); got != (Applies{Any: true, Object: true}) {
			t.Errorf("%s: Applies = %+v, want rules that look at the object", name, got)
		}
		if v := evaluate(t, b, reads(who, file("/home/ann/.ssh/id_rsa"))); !v.Refused {
			t.Errorf("%s: a private key = %+v, want it refused", name, v)
		}
		if v := evaluate(t, b, reads(who, file("/app/.env"))); v.Refused || len(v.Obligations) != 1 {
			t.Errorf("%s: a dotenv file = %+v, want it masked", name, v)
		}
		asked += 2
	}
	if n := evaluations.Load(); n != asked {
		t.Errorf("%d evaluations, want %d", n, asked)
	}
}

func TestRuleWithoutPrincipalsConcernsEverybody(t *testing.T) {
	modules := shipped()
	for path, text := range modules {
		modules[path] = strings.Replace(text, "#   principals: [agent]\n", "", 1)
	}
	if maps.Equal(modules, shipped()) {
		t.Fatal("no shipped rule names principals")
	}
	b := load(t, modules)
	for _, all := range []map[string]Principal{concerned(), others()} {
		for name, who := range all {
			if got := b.Applies("files.read", types(who)...); got != (Applies{Any: true, Object: true}) {
				t.Errorf("%s: Applies = %+v, want everything", name, got)
			}
			if v := evaluate(t, b, reads(who, file("/id_rsa"))); !v.Refused {
				t.Errorf("%s is not refused", name)
			}
		}
	}
}

func TestRulesSayWhomTheyConcern(t *testing.T) {
	for _, r := range load(t, shipped()).Rules() {
		if !slices.Equal(r.Principals, []string{"agent"}) {
			t.Errorf("%s concerns %v, want agents", r.ID, r.Principals)
		}
	}
	named := load(t, with(nil, "r.rego", rule("r", "#   operations: [files.read]\n#   principals: [user, agent, user]\n", `refuse contains "no"`)))
	if got := named.Rules()[0].Principals; !slices.Equal(got, []string{"agent", "user"}) {
		t.Errorf("Principals = %v, want them sorted, each once", got)
	}
	if got := load(t, naming(1)).Rules()[0].Principals; got != nil {
		t.Errorf("Principals = %v, want none: everybody", got)
	}
}

// What rules look at counts only for those whom they concern: a list of one principal is asked once, of another file by file.
func TestPlanIsThatOfTheRulesThatConcernThePrincipal(t *testing.T) {
	b := load(t, map[string]string{
		"a.rego": rule("a", "#   operations: [files.read]\n#   principals: [agent]\n#   looks_at: [object]\n", `refuse contains "a" if input.objects[0].path == "/a"`),
		"u.rego": rule("u", "#   operations: [files.read]\n#   principals: [user]\n#   looks_at: [context]\n", `refuse contains "u" if input.context.tier == "free"`),
	})
	for who, want := range map[string]Applies{"agent": {Any: true, Object: true}, "user": {Any: true}, "service": {}} {
		if got := b.Applies("files.read", who); got != want {
			t.Errorf("Applies to %s = %+v, want %+v", who, got, want)
		}
	}
	in := reads(agent(), file("/b"))
	in.Context = Context{}
	if v := evaluate(t, b, in); v.Refused {
		t.Errorf("an agent = %+v, want no context asked for", v)
	}
	in.Principal = person()
	if v, err := b.Evaluate(context.Background(), in); err == nil || !v.Refused {
		t.Errorf("a person without a context = %+v, %v, want a refusal and an error", v, err)
	}
}

// Naming types in the metadata says what asking for them in the body says, for every principal.
func TestPrincipalsSayWhatABodyWouldSay(t *testing.T) {
	declared, written := map[string]string{}, map[string]string{}
	for id, types := range map[string]string{"a": `"agent"`, "b": `"user", "sandbox"`, "c": `"sandbox", "key", "agent"`} {
		body := fmt.Sprintf("refuse contains %q if {\n\tsome object in input.objects\n\tcontains(object.path, %q)\n", id, id)
		declared[id] = rule(id, readsObject+"#   principals: ["+types+"]\n", body+"}")
		written[id] = rule(id, "#   operations: [files.read]\n#   looks_at: [object, principal]\n", body+
			"\tsome party in array.concat([input.principal.base], input.principal.actors)\n\tparty.type in {"+types+"}\n}")
	}
	indexed, asked := load(t, declared), load(t, written)
	rapid.Check(t, func(t *rapid.T) {
		who := drawPrincipal(t)
		in := reads(who, file(rapid.StringMatching(`[a-d]{0,3}`).Draw(t, "path")))
		got, want := evaluate(t, indexed, in), evaluate(t, asked, in)
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("declared = %+v, written = %+v", got, want)
		}
		if applies := indexed.Applies("files.read", types(who)...); !applies.Any && want.Refused {
			t.Fatalf("Applies = %+v of a principal that is refused: %+v", applies, want)
		}
	})
}

func TestApplyingAllocatesNothing(t *testing.T) {
	b := load(t, shipped())
	if n := testing.AllocsPerRun(100, func() {
		b.Applies("files.read", "user", "sandbox")
		b.Applies("files.read", "agent")
		b.Applies("server.status", "user")
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
