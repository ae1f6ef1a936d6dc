package rego

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"nexus/internal/errs"
)

const readsObject = "#   operations: [files.read]\n#   looks_at: [object]\n"

func TestRuleIsRefusedAtLoad(t *testing.T) {
	const refuseAll = `refuse contains "no"`
	cases := map[string]struct{ module, want string }{
		"without metadata": {
			"package nexus.rules.r\n\nrefuse contains \"no\"\n",
			"own/r.rego:1: rule r has no METADATA block above its package line",
		},
		"with metadata on the set instead of the package": {
			"package nexus.rules.r\n\n# METADATA\n# title: x\nrefuse contains \"no\"\n",
			"has no METADATA block",
		},
		"without title": {
			"# METADATA\n# custom:\n#   operations: [files.read]\npackage nexus.rules.r\n\n" + refuseAll + "\n",
			"the metadata has no title",
		},
		"without operations": {
			rule("r", "#   looks_at: []\n", refuseAll),
			"custom.operations names no operation",
		},
		"naming an unknown operation": {
			rule("r", "#   operations: [files.raed]\n", refuseAll),
			`own/r.rego:1: rule r: "files.raed" is no known operation`,
		},
		"naming an unknown noun": {
			rule("r", "#   operations: [flies.*]\n", refuseAll),
			`"flies.*" is no known operation`,
		},
		"with operations that are no list": {
			rule("r", "#   operations: files.read\n", refuseAll),
			"custom.operations is not a list of names",
		},
		"with an unknown key": {
			rule("r", "#   operations: [files.read]\n#   looksat: [object]\n", refuseAll),
			"unknown key custom.looksat",
		},
		"looking at an unknown part": {
			rule("r", "#   operations: [files.read]\n#   looks_at: [weather]\n", refuseAll),
			`looks_at: "weather" is not object`,
		},
		"concerning an unknown type": {
			rule("r", "#   operations: [files.read]\n#   principals: [agent, robot]\n", refuseAll),
			`own/r.rego:1: rule r: principals: there is no type "robot", only agent, key, sandbox, service, user`,
		},
		"concerning nobody": {
			rule("r", "#   operations: [files.read]\n#   principals: []\n", refuseAll),
			"own/r.rego:1: rule r: custom.principals names nobody",
		},
		"concerning a type that is no list": {
			rule("r", "#   operations: [files.read]\n#   principals: agent\n", refuseAll),
			"custom.principals is not a list of names",
		},
		"telling more types apart than there may be": {
			rule("r", "#   operations: [\"files.*\"]\n#   principals: [user, service, sandbox, key]\n", refuseAll),
			"the rules of files.copy name 5 types of principal (agent, key, sandbox, service, user): at most 4",
		},
		"obliging to what nobody meets": {
			rule("r", "#   operations: [files.read]\n#   obliges: [sing]\n", `oblige contains {"name": "sing"}`),
			`there is no obligation "sing"`,
		},
		"obliging without saying so": {
			rule("r", "#   operations: [files.read]\n", `oblige contains {"name": "mask_values"}`),
			"custom.obliges and the set oblige need each other",
		},
		"saying it obliges and not doing it": {
			rule("r", "#   operations: [files.read]\n#   obliges: [mask_values]\n", refuseAll),
			"custom.obliges and the set oblige need each other",
		},
		"with neither set": {
			rule("r", "#   operations: [files.read]\n", `refuses contains "no"`),
			"defines neither refuse nor oblige",
		},
		"with a refuse that is no set": {
			rule("r", "#   operations: [files.read]\n", "refuse if true"),
			"refuse is not a set",
		},
		"with a misspelt set beside a right one": {
			rule("r", "#   operations: [files.read]\n", refuseAll+"\n\nrefuze contains \"also\""),
			"own/r.rego:9: rule r: neither refuse nor oblige uses refuze",
		},
		"with a misspelt field of the input": {
			rule("r", "#   operations: [files.read]\n#   looks_at: [principal]\n", `refuse contains "no" if input.principal.bsae.type == "agent"`),
			"own/r.rego:8: rego_type_error: undefined ref: input.principal.bsae",
		},
		"with a misspelt field of an object": {
			rule("r", readsObject, "refuse contains \"no\" if {\n\tsome object in input.objects\n\tobject.pth == \"/a\"\n}"),
			"own/r.rego:10: rego_type_error: undefined ref: object.pth",
		},
		"replacing the input": {
			rule("r", "#   operations: [files.read]\n", "refuse contains \"no\" if other with input as {}\n\nother if input.operation == \"files.read\""),
			"with changes the input that is decided upon",
		},
		"reading another rule": {
			rule("r", "#   operations: [files.read]\n", `refuse contains "no" if count(data.nexus.rules.private_keys.refuse) == 0`),
			"is outside of the rule and of nexus.lib",
		},
		"reading all of data": {
			rule("r", "#   operations: [files.read]\n", `refuse contains "no" if count(data) == 0`),
			"is recursive",
		},
		"reading data that does not exist": {
			rule("r", "#   operations: [files.read]\n", `refuse contains "no" if data.nexus.lib.offices.opne`),
			"names nothing",
		},
		"outside the packages of rules": {
			"package acme.rules\n\nx := 1\n",
			"own/r.rego:1: package acme.rules is neither nexus.rules.<id> nor nexus.lib.<name>",
		},
		"with an id that is no name": {
			"package nexus.rules[\"A-b\"]\n\nx := 1\n",
			"is neither nexus.rules.<id>",
		},
		"with the id of another": {
			rule("private_keys", "#   operations: [files.read]\n", refuseAll),
			"package nexus.rules.private_keys stands in default/private_keys.rego already",
		},
		"adding to a library": {
			"package nexus.lib.offices\n\nopen if true\n",
			"package nexus.lib.offices stands in lib/offices.rego already",
		},
		"that does not parse": {
			"package nexus.rules.r\n\nrefuse contains\n",
			"own/r.rego:",
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := Load(context.Background(), with(withLibrary(), "own/r.rego", c.module), config())
			if !errors.Is(err, errs.Invalid) {
				t.Fatalf("Load = %v, want an Invalid error", err)
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("Load = %q\nwant it to say %q", err, c.want)
			}
		})
	}
}

// What a rule reads is found through helpers, functions, libraries and dynamic references.
func TestRuleThatLiesAboutWhatItReadsIsRefused(t *testing.T) {
	const none = "#   operations: [files.read]\n"
	lies := map[string]struct{ custom, body string }{
		"objects read directly":      {none, `refuse contains "no" if input.objects[0].path == "/a"`},
		"objects read by a helper":   {none, "refuse contains \"no\" if helper\n\nhelper if input.objects[0].path == \"/a\""},
		"objects read in else":       {none, "refuse contains \"no\" if helper\n\nhelper if input.operation == \"x\"\nelse if input.objects[0].path == \"/a\""},
		"objects read in a default":  {none, "refuse contains \"no\" if helper == \"b\"\n\ndefault helper := \"a\"\n\nhelper := \"b\" if count(input.objects) > 1"},
		"objects read in a head":     {none, "refuse contains sprintf(\"not %v\", [input.objects])"},
		"objects as an argument":     {none, "refuse contains \"no\" if f(input.objects)\n\nf(x) if count(x) > 0"},
		"the whole input":            {none, `refuse contains "no" if object.get(input, ["objects"], []) != []`},
		"the input by a variable":    {none, "refuse contains \"no\" if {\n\tname := concat(\"\", [\"obj\", \"ects\"])\n\tinput[name] != []\n}"},
		"an alias of the objects":    {none, `refuse contains "no" if { x := input; count(x.objects) > 0 }`},
		"objects in a comprehension": {none, `refuse contains "no" if count([o | some o in input.objects]) > 0`},
		"objects in every":           {none, `refuse contains "no" if { every o in input.objects { o.path != "/a" } }`},
		"principal by a library":     {none, `refuse contains "no" if data.nexus.lib.offices.open`},
		"context":                    {none, `refuse contains "no" if input.context.tier == "free"`},
		"object declared, not read":  {none + "#   looks_at: [object]\n", `refuse contains "no" if input.operation == "files.read"`},
		"context declared, not read": {none + "#   looks_at: [object, context]\n", `refuse contains "no" if input.objects[0].path == "/a"`},
	}
	for name, lie := range lies {
		t.Run(name, func(t *testing.T) {
			_, err := Load(context.Background(), with(withLibrary(), "own/r.rego", rule("r", lie.custom, lie.body)), config())
			if err == nil || !strings.Contains(err.Error(), "its metadata says that it looks at") {
				t.Errorf("Load = %v, want it refused for what it reads", err)
			}
		})
	}
}

func TestBuiltinThatReachesOutsideIsRefused(t *testing.T) {
	calls := map[string]string{
		"http.send":          `http.send({"method": "get", "url": "http://127.0.0.1"}).status_code == 200`,
		"net.lookup_ip_addr": `count(net.lookup_ip_addr("localhost")) > 0`,
		"opa.runtime":        `opa.runtime().env.HOME != ""`,
		"rego.parse_module":  `rego.parse_module("x", "package x") != {}`,
		"trace":              `trace("x")`,
		"time.now_ns":        `time.now_ns() > 0`,
		"rand.intn":          `rand.intn("x", 3) == 1`,
		"uuid.rfc4122":       `uuid.rfc4122("x") != ""`,
		"io.jwt.decode":      `io.jwt.decode("x") != []`,
		"json.match_schema":  `json.match_schema({}, {})[0]`,
		"net.cidr_expand":    `count(net.cidr_expand("::/0")) > 0`,
		"crypto.x509.parse_and_verify_certificates": `crypto.x509.parse_and_verify_certificates("x")[0]`,
	}
	for name, call := range calls {
		t.Run(name, func(t *testing.T) {
			text := rule("r", "#   operations: [files.read]\n", `refuse contains "no" if `+call)
			_, err := Load(context.Background(), with(nil, "r.rego", text), config())
			if err == nil || !strings.Contains(err.Error(), "undefined function "+name) {
				t.Errorf("Load = %v, want %s undefined", err, name)
			}
		})
	}
}

func TestPatternNamesEveryOperationOfANoun(t *testing.T) {
	b := load(t, with(nil, "r.rego", rule("r", `#   operations: ["relations.*", files.read]`+"\n", `refuse contains "no"`)))
	want := []string{"files.read", "relations.check", "relations.create", "relations.delete", "relations.expand", "relations.explain", "relations.list"}
	if got := b.Rules()[0].Operations; !slices.Equal(got, want) {
		t.Errorf("Operations = %v, want %v", got, want)
	}
	if all := load(t, with(nil, "r.rego", rule("r", "#   operations: [\"*\"]\n", `refuse contains "no"`))); !slices.Equal(all.Rules()[0].Operations, operations) {
		t.Errorf("* names %v, want all", all.Rules()[0].Operations)
	}
}

func TestRulesSayWhatTheyAre(t *testing.T) {
	rules := load(t, shipped()).Rules()
	if len(rules) != 2 || rules[0].ID != "mask_env" || rules[1].ID != "private_keys" {
		t.Fatalf("Rules = %v, want mask_env and private_keys", rules)
	}
	mask := rules[0]
	if mask.File != "default/mask_env.rego" || mask.Title == "" || mask.Description == "" ||
		!slices.Equal(mask.LooksAt, []string{"object"}) || !slices.Equal(mask.Obliges, []string{"mask_values"}) {
		t.Errorf("mask_env = %+v", mask)
	}
	for _, r := range rules {
		if !r.listed {
			t.Errorf("%s has no list form: a list would ask it file by file", r.ID)
		}
	}
}

func TestDigestNamesPathsAndTexts(t *testing.T) {
	base := map[string]string{"a.rego": rule("a", readsObject, `refuse contains "no" if input.objects[0].path == "/a"`)}
	digest := load(t, base).Digest()
	if len(digest) != 16 || digest != load(t, base).Digest() {
		t.Errorf("digest = %q, want the same 16 digits each time", digest)
	}
	moved := map[string]string{"b.rego": base["a.rego"]}
	changed := map[string]string{"a.rego": base["a.rego"] + "# \n"}
	tested := with(base, "a_test.rego", "package nexus.rules.a_test\n\ntest_x if true\n")
	for name, modules := range map[string]map[string]string{"another path": moved, "another text": changed} {
		if load(t, modules).Digest() == digest {
			t.Errorf("%s has the same digest", name)
		}
	}
	if load(t, tested).Digest() != digest {
		t.Error("tests change the digest")
	}
	if sources := load(t, tested).Sources(); len(sources) != 1 || load(t, sources).Digest() != digest {
		t.Error("the sources of a bundle do not make the same bundle")
	}
}
