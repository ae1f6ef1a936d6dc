package rego

import (
	"context"
	"errors"
	"maps"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"nexus/internal/errs"
)

func TestRemovingTheRuleChangesTheAnswer(t *testing.T) {
	in := reads(agent(), file("/home/ann/.ssh/id_rsa"))
	v := evaluate(t, load(t, shipped()), in)
	want := Verdict{Refused: true, Messages: []string{"an agent does not handle private keys"}, Rules: []string{"private_keys"}}
	if !reflect.DeepEqual(v, want) {
		t.Errorf("with the rule = %+v, want %+v", v, want)
	}
	without := shipped()
	maps.DeleteFunc(without, func(path, _ string) bool { return strings.HasPrefix(path, "default/private_keys") })
	if v := evaluate(t, load(t, without), in); !reflect.DeepEqual(v, Verdict{}) {
		t.Errorf("without the rule = %+v, want nothing said", v)
	}
}

func TestObligationIsAttachedToAnAllow(t *testing.T) {
	b := load(t, shipped())
	v := evaluate(t, b, reads(person(Subject{Type: "agent", ID: "bot"}), file("/app/.env")))
	want := Verdict{Rules: []string{"mask_env"}, Obligations: []Obligation{{Name: "mask_values"}}}
	if !reflect.DeepEqual(v, want) {
		t.Errorf("agent for a person = %+v, want %+v", v, want)
	}
	if v := evaluate(t, b, reads(person(), file("/app/.env"))); !reflect.DeepEqual(v, Verdict{}) {
		t.Errorf("person = %+v, want nothing said", v)
	}
}

func TestRefusalCarriesNoObligation(t *testing.T) {
	v := evaluate(t, load(t, shipped()), reads(agent(), file("/home/ann/.ssh/.env")))
	if !v.Refused || v.Obligations != nil || !reflect.DeepEqual(v.Rules, []string{"mask_env", "private_keys"}) {
		t.Errorf("= %+v, want a refusal without obligations, and both rules named", v)
	}
}

func TestRestOfThePathIsPartOfThePath(t *testing.T) {
	b := load(t, shipped())
	for _, o := range []Object{
		{Type: "file", Path: "/mnt", Rest: "keys/id_rsa"},
		{Type: "file", Path: "/", Rest: "id_rsa"},
		{Type: "file", Path: "/mnt/.ssh", Rest: "x"},
		{Type: "file", Name: "/not/resolved/id_rsa"},
	} {
		if v := evaluate(t, b, reads(agent(), o)); !v.Refused {
			t.Errorf("%+v is not refused", o)
		}
	}
}

func TestOperationThatNoRuleNamesIsNotEvaluated(t *testing.T) {
	b, evaluations := counted(t, shipped())
	for _, operation := range operations {
		named := slices.Contains([]string{"files.read", "files.write", "files.exists", "files.get_metadata", "files.copy", "files.rename", "versions.get", "versions.diff"}, operation)
		if got := b.Applies(operation, "agent"); got != (Applies{Any: named, Object: named}) {
			t.Errorf("Applies(%s) = %+v, want %v", operation, got, named)
		}
		if named {
			continue
		}
		in := reads(agent(), file("/id_rsa"))
		in.Operation = operation
		if v := evaluate(t, b, in); !reflect.DeepEqual(v, Verdict{}) {
			t.Errorf("%s = %+v, want nothing said", operation, v)
		}
		if _, err := b.EvaluateObjects(context.Background(), in, in.Objects); err != nil {
			t.Error(err)
		}
	}
	if n := evaluations.Load(); n != 0 {
		t.Errorf("%d evaluations, want none", n)
	}
	evaluate(t, b, reads(agent(), file("/a")))
	if n := evaluations.Load(); n != 1 {
		t.Errorf("%d evaluations for two rules of one operation, want 1", n)
	}
}

func TestUnknownOperationIsRefused(t *testing.T) {
	b := load(t, shipped())
	if !b.Applies("files.raed").Any {
		t.Error("policy does not apply to an operation it does not know")
	}
	in := reads(person(), file("/a"))
	in.Operation = "files.raed"
	if v, err := b.Evaluate(context.Background(), in); err == nil || !v.Refused {
		t.Errorf("Evaluate = %+v, %v, want a refusal and an error", v, err)
	}
	if v, err := b.EvaluateObjects(context.Background(), in, in.Objects); err == nil || !v[0].Refused {
		t.Errorf("EvaluateObjects = %+v, %v, want a refusal and an error", v, err)
	}
}

// endless is a rule that would run for years; only the deadline or the caller ends it.
var endless = rule("endless", "#   operations: [files.read]\n", `refuse contains "no" if {
	some a in numbers.range(1, 1000000)
	some b in numbers.range(1, 1000000)
	a + b == 0
}`)

func TestDeadlineRefuses(t *testing.T) {
	c := config()
	c.Deadline = time.Millisecond
	b, err := Load(context.Background(), with(nil, "r.rego", endless), c)
	if err != nil {
		t.Fatal(err)
	}
	// Without a deadline of the bundle's own, the caller's ends the test with another kind.
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	in := reads(person(), file("/a"))
	v, err := b.Evaluate(ctx, in)
	if !errors.Is(err, errs.Deadline) || !reflect.DeepEqual(v, failed()) {
		t.Errorf("Evaluate = %+v, %v, want a refusal and Deadline", v, err)
	}
	list, err := b.EvaluateObjects(ctx, in, []Object{file("/a"), file("/b")})
	if !errors.Is(err, errs.Deadline) || !reflect.DeepEqual(list, []Verdict{failed(), failed()}) {
		t.Errorf("EvaluateObjects = %+v, %v, want refusals and Deadline", list, err)
	}
}

func TestCallerWhoLeavesIsRefused(t *testing.T) {
	b := load(t, with(nil, "r.rego", endless))
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	v, err := b.Evaluate(ctx, reads(person(), file("/a")))
	if !errors.Is(err, errs.Canceled) || !v.Refused {
		t.Errorf("Evaluate = %+v, %v, want a refusal and Canceled", v, err)
	}
}

func TestRuleThatFailsRefuses(t *testing.T) {
	bodies := map[string]string{
		"a builtin fails":              `refuse contains "no" if to_number(input.principal.key) == 1`,
		"a builtin fails under not":    `refuse contains "no" if not to_number(input.principal.key) == 1`,
		"two values of one rule":       "refuse contains \"no\" if x == 3\n\nx := 1 if input.principal.key != \"\"\n\nx := 2 if input.principal.key != \"a\"",
		"a message that is no text":    `refuse contains {"text": input.principal.key}`,
		"an obligation without name":   `oblige contains {"nmae": "mask_values", "key": input.principal.key}`,
		"an obligation of other name":  `oblige contains {"name": input.principal.key}`,
		"an obligation that is a text": `oblige contains input.principal.key`,
	}
	for name, body := range bodies {
		t.Run(name, func(t *testing.T) {
			custom := "#   operations: [files.read]\n#   looks_at: [principal]\n"
			if strings.HasPrefix(body, "oblige") {
				custom += "#   obliges: [mask_values]\n"
			}
			b := load(t, with(nil, "r.rego", rule("r", custom, body)))
			v, err := b.Evaluate(context.Background(), reads(agent(), file("/a")))
			if !errors.Is(err, errs.Internal) || !reflect.DeepEqual(v, failed()) {
				t.Errorf("Evaluate = %+v, %v, want a refusal and an Internal error", v, err)
			}
			list, err := b.EvaluateObjects(context.Background(), reads(agent()), []Object{file("/a")})
			if err == nil || !reflect.DeepEqual(list, []Verdict{failed()}) {
				t.Errorf("EvaluateObjects = %+v, %v, want a refusal and an error", list, err)
			}
		})
	}
}

func TestObligationsKeepArgumentsAndDropRepeats(t *testing.T) {
	custom := "#   operations: [files.read]\n#   obliges: [mask_values]\n"
	b := load(t, map[string]string{
		"a.rego": rule("a", custom, "oblige contains {\"name\": \"mask_values\", \"keep\": 2}\n\noblige contains {\"name\": \"mask_values\"}"),
		"b.rego": rule("b", custom, `oblige contains {"name": "mask_values"}`),
	})
	v := evaluate(t, b, reads(person(), file("/a")))
	if len(v.Obligations) != 2 || !reflect.DeepEqual(v.Rules, []string{"a", "b"}) {
		t.Fatalf("= %+v, want two obligations of rules a and b", v)
	}
	for _, o := range v.Obligations {
		if o.Name != "mask_values" || len(o.Args) > 1 {
			t.Errorf("obligation = %+v", o)
		}
	}
}

func TestRuleSeesOnlyTheTimeOfTheInput(t *testing.T) {
	b := load(t, with(nil, "r.rego", rule("night", "#   operations: [files.read]\n#   looks_at: [context]\n",
		"refuse contains \"not at night\" if {\n\t[hour, _, _] := time.clock(input.context.time_ns)\n\thour < 6\n}")))
	in := reads(person(), file("/a"))
	if v := evaluate(t, b, in); !v.Refused {
		t.Errorf("at %v = %+v, want a refusal", in.Context.Time, v)
	}
	in.Context.Time = in.Context.Time.Add(6 * time.Hour)
	if v := evaluate(t, b, in); v.Refused {
		t.Errorf("at %v = %+v, want none", in.Context.Time, v)
	}
	in.Context.Time = time.Time{}
	if v, err := b.Evaluate(context.Background(), in); err == nil || !v.Refused {
		t.Errorf("without a time = %+v, %v, want a refusal and an error", v, err)
	}
}

func TestMappedAddressDoesNotEvadeANetwork(t *testing.T) {
	b := load(t, with(nil, "r.rego", rule("net", "#   operations: [files.read]\n#   looks_at: [context]\n",
		`refuse contains "not from there" if net.cidr_contains("10.0.0.0/8", input.context.address)`)))
	for _, address := range []string{"10.1.2.3", "::ffff:10.1.2.3", "::ffff:10.1.2.3%eth0"} {
		in := reads(person(), file("/a"))
		in.Context.Address = netip.MustParseAddr(address)
		if v := evaluate(t, b, in); !v.Refused {
			t.Errorf("%s is not refused", address)
		}
	}
	in := reads(person(), file("/a"))
	in.Context.Address = netip.Addr{}
	if v, err := b.Evaluate(context.Background(), in); err == nil || !v.Refused {
		t.Errorf("unknown address = %+v, %v, want a refusal and an error", v, err)
	}
}
