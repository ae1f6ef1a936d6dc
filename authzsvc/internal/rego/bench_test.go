package rego

import (
	"context"
	"fmt"
	"testing"

	opa "github.com/open-policy-agent/opa/v1/rego"
)

// Budgets, on 2 cores: an operation that no rule names is one map look-up (tens of nanoseconds, no allocation); one with matching rules is
// below 50 µs at the median.

func BenchmarkNotApplying(b *testing.B) {
	bundle := load(b, shipped())
	b.ReportAllocs()
	for b.Loop() {
		if bundle.Applies("files.mkdir", "agent").Any {
			b.Fatal("a rule names files.mkdir")
		}
	}
}

// BenchmarkNotConcerned is a person's request where rules concern agents alone.
func BenchmarkNotConcerned(b *testing.B) {
	bundle := load(b, shipped())
	b.ReportAllocs()
	for b.Loop() {
		if bundle.Applies("files.read", "user", "sandbox").Any {
			b.Fatal("a rule concerns persons")
		}
	}
}

// threeRules are the shipped ones and one about the context.
func threeRules() map[string]string {
	return with(shipped(), "night.rego", rule("night", "#   operations: [\"files.*\"]\n#   looks_at: [context]\n",
		"refuse contains \"the free tier holds 1,000 files\" if {\n\tinput.context.tier == \"free\"\n\tinput.context.counts.files > 1000\n}"))
}

func BenchmarkEvaluate(b *testing.B) {
	for name, modules := range map[string]map[string]string{"shipped": shipped(), "three": threeRules()} {
		for who, principal := range map[string]Principal{"person": person(), "agent": agent()} {
			b.Run(name+"/"+who, func(b *testing.B) {
				bundle, in := load(b, modules), reads(principal, file("/src/nexus/main.go"))
				b.ReportAllocs()
				for b.Loop() {
					evaluate(b, bundle, in)
				}
			})
		}
	}
}

func BenchmarkListOf1000(b *testing.B) {
	objects := make([]Object, 1000)
	for i := range objects {
		objects[i] = file(fmt.Sprintf("/src/nexus/storage/internal/%d/file.go", i))
	}
	for who, principal := range map[string]Principal{"person": person(), "agent": agent()} {
		b.Run(who, func(b *testing.B) {
			bundle, in := load(b, shipped()), reads(principal)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := bundle.EvaluateObjects(context.Background(), in, objects); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(who+"/one by one", func(b *testing.B) {
			bundle, in := load(b, shipped()), reads(principal)
			b.ReportAllocs()
			for b.Loop() {
				for i := range objects {
					in.Objects = objects[i : i+1]
					evaluate(b, bundle, in)
				}
			}
		})
	}
}

// The evaluator's own front door, with the same rules: what going to topdown directly saves.
func BenchmarkThroughPreparedQuery(b *testing.B) {
	bundle := load(b, shipped())
	query, err := opa.New(opa.Query("r = [data.nexus.rules.private_keys.refuse, data.nexus.rules.mask_env.oblige]"),
		opa.Compiler(bundle.compiler), opa.StrictBuiltinErrors(true)).PrepareForEval(context.Background())
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	in := reads(agent(), file("/src/nexus/main.go"))
	b.ReportAllocs()
	for b.Loop() {
		input := document(in, in.Objects, parts{object: true})
		if _, err := query.Eval(ctx, opa.EvalParsedInput(input.Value)); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkLoadShipped(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		load(b, shipped())
	}
}
