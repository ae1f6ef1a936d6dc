package rego

import (
	"context"
	"fmt"
	"reflect"
	"testing"

	"pgregory.net/rapid"
)

// Rules that look at objects in every way there is, and one that does not.
var manyWays = map[string]struct {
	text   string
	listed bool
}{
	"loop": {rule("loop", readsObject,
		"refuse contains sprintf(\"loop %s\", [object.path]) if {\n\tsome object in input.objects\n\tendswith(object.path, \"a\")\n}"), true},
	"mixed": {rule("mixed", "#   operations: [files.read]\n#   looks_at: [object, principal]\n",
		"refuse contains \"mixed\" if {\n\tsome object in input.objects\n\thelper(object)\n}\n\n"+
			"refuse contains \"admins only\" if not input.principal.admin\n\nhelper(o) if startswith(o.path, \"b\")"), true},
	"obliging": {rule("obliging", readsObject+"#   obliges: [mask_values]\n",
		"oblige contains {\"name\": \"mask_values\", \"path\": object.path} if {\n\tsome object in input.objects\n\tcontains(object.path, \"c\")\n}"), true},
	"count": {rule("count", readsObject, "refuse contains \"one object\" if {\n\tcount(input.objects) == 1\n\tinput.objects[0].path == \"d\"\n}"), false},
	"both": {rule("both", readsObject,
		"refuse contains \"same\" if {\n\tsome x in input.objects\n\tsome y in input.objects\n\tx.path == y.path\n\tx.path == \"e\"\n}"), false},
	"indexed": {rule("indexed", readsObject, "refuse contains \"first\" if {\n\tsome i, object in input.objects\n\ti == 0\n\tobject.path == \"f\"\n}"), false},
	"aside": {rule("aside", readsObject,
		"refuse contains \"aside\" if {\n\tsome object in input.objects\n\tobject.path == \"g\"\n\tlone\n}\n\nlone if count(input.objects) == 1"), false},
	"itself": {rule("itself", readsObject+"#   obliges: [mask_values]\n",
		"refuse contains \"h\" if {\n\tsome object in input.objects\n\tobject.path == \"h\"\n}\n\n"+
			"oblige contains {\"name\": \"mask_values\"} if count(refuse) == 0"), false},
	"negated": {rule("negated", readsObject,
		"refuse contains \"none is i\" if not some_i\n\nsome_i if {\n\tsome object in input.objects\n\tcontains(object.path, \"i\")\n}"), false},
	"aliased": {"# METADATA\n# title: x\n# custom:\n#   operations: [files.read]\n#   looks_at: [object]\npackage nexus.rules.aliased\n\n" +
		"import input.objects as things\n\nrefuse contains \"aliased\" if {\n\tsome object in things\n\tobject.path == \"j\"\n}\n", false},
	"agents": {rule("agents", readsObject+"#   principals: [agent]\n",
		"refuse contains \"agents\" if {\n\tsome object in input.objects\n\tstartswith(object.path, \"a\")\n}"), true},
	"programs": {rule("programs", "#   operations: [files.read]\n#   principals: [service, sandbox]\n#   looks_at: [principal, object]\n",
		"refuse contains \"programs\" if {\n\tinput.principal.admin\n\tcount(input.objects) == 1\n\tendswith(input.objects[0].path, \"b\")\n}"), false},
	"blind": {rule("blind", "#   operations: [files.read]\n#   looks_at: [principal]\n",
		"refuse contains \"nobody\" if input.principal.base.id == \"nobody\""), false},
}

func manyModules() map[string]string {
	modules := map[string]string{}
	for id, way := range manyWays {
		modules[id+".rego"] = way.text
	}
	return modules
}

func TestOnlyRulesThatLoopOnceHaveAListForm(t *testing.T) {
	for _, r := range load(t, manyModules()).Rules() {
		if r.listed != manyWays[r.ID].listed {
			t.Errorf("%s has a list form = %v, want %v", r.ID, r.listed, !r.listed)
		}
	}
}

// EvaluateObjects is Evaluate with each object alone, whatever the rules and however long the list.
func TestListIsEveryObjectAlone(t *testing.T) {
	all := load(t, manyModules())
	each := map[string]*Bundle{}
	for id, way := range manyWays {
		each[id] = load(t, with(nil, id+".rego", way.text))
	}
	ids := rapid.SampledFrom(append([]string{"*"}, keysOf(manyWays)...))
	rapid.Check(t, func(t *rapid.T) {
		b := all
		if id := ids.Draw(t, "rule"); id != "*" {
			b = each[id]
		}
		who := drawPrincipal(t)
		who.Admin = rapid.Bool().Draw(t, "admin")
		who.Base.ID = rapid.SampledFrom([]string{"bot", "nobody"}).Draw(t, "id")
		paths := rapid.SliceOfN(rapid.StringMatching(`[a-j]{0,2}`), 0, 12).Draw(t, "paths")
		checkList(t, b, who, paths)
	})
}

// drawPrincipal draws a base of any type and up to three actors.
func drawPrincipal(t *rapid.T) Principal {
	types := rapid.SampledFrom(principalTypes)
	who := Principal{Base: Subject{Type: types.Draw(t, "base"), Tenant: "acme"}}
	for _, actor := range rapid.SliceOfN(types, 0, 3).Draw(t, "actors") {
		who.Actors = append(who.Actors, Subject{Type: actor, ID: actor, Tenant: "acme"})
	}
	return who
}

func checkList(t rapid.TB, b *Bundle, who Principal, paths []string) {
	objects := make([]Object, len(paths))
	for i, path := range paths {
		objects[i] = file(path)
	}
	got, err := b.EvaluateObjects(context.Background(), reads(who, file("/of/the/operation")), objects)
	if err != nil || len(got) != len(objects) {
		t.Fatalf("EvaluateObjects = %d verdicts, %v, want %d", len(got), err, len(objects))
	}
	for i := range objects {
		want, err := b.Evaluate(context.Background(), reads(who, objects[i]))
		if err != nil || !reflect.DeepEqual(got[i], want) {
			t.Fatalf("object %d (%q): in the list %+v, alone %+v, %v", i, paths[i], got[i], want, err)
		}
	}
}

func TestListLongerThanAChunkIsWhole(t *testing.T) {
	b := load(t, shipped())
	for _, n := range []int{0, 1, chunk - 1, chunk, chunk + 1, 2*chunk + 1} {
		paths := make([]string, n)
		for i := range paths {
			paths[i] = fmt.Sprintf("/src/%d.go", i)
			if i%100 == 99 || i == n-1 {
				paths[i] = fmt.Sprintf("/src/%d.key", i)
			}
		}
		checkList(t, b, agent(), paths)
	}
}

func TestListAsksWhatDoesNotLookAtTheObjectOnce(t *testing.T) {
	objects := make([]Object, 100)
	for name, want := range map[string]int64{"blind": 1, "loop": 1, "count": 100} {
		b, evaluations := counted(t, with(nil, "r.rego", manyWays[name].text))
		if _, err := b.EvaluateObjects(context.Background(), reads(agent()), objects); err != nil {
			t.Fatal(err)
		}
		if n := evaluations.Load(); n != want {
			t.Errorf("%s: %d evaluations for 100 objects, want %d", name, n, want)
		}
	}
	if got := load(t, with(nil, "r.rego", manyWays["blind"].text)).Applies("files.read"); got != (Applies{Any: true}) {
		t.Errorf("Applies = %+v, want Any alone for a rule that does not look at the object", got)
	}
}

func keysOf[V any](m map[string]V) []string {
	var keys []string
	for key := range m {
		keys = append(keys, key)
	}
	return unique(keys)
}
