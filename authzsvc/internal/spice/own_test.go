package spice_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"nexus/authzsvc/internal/spice"
	"nexus/internal/errs"
	"nexus/schema"
)

func compileOwn(t testing.TB, text string, rules spice.OwnRules) (*spice.Own, error) {
	t.Helper()
	product, err := spice.CompileProduct(context.Background(), schema.Text)
	if err != nil {
		t.Fatal(err)
	}
	return product.CompileOwn(context.Background(), text, rules)
}

const wellMade = `use expiration

/** what people write together */
definition doc {
	relation parent: folder
	relation owner: user | agent
	relation reader: user | user with expiration | group#member | team#member
	relation banned: user
	permission read = (reader + owner + parent->read) - banned
	permission both = reader & owner
}

definition folder {
	relation owner: user
	permission read = owner
}

definition team {
	relation member: user | team#member
}
`

func TestTenantsDefinitionsAreNamedBehindItsPrefix(t *testing.T) {
	own, err := compileOwn(t, wellMade, spice.OwnRules{})
	if err != nil {
		t.Fatal(err)
	}
	if len(own.Types) != 3 || own.Types[0].Name != "doc" || !strings.Contains(own.Types[0].Text, "what people write together") {
		t.Fatalf("CompileOwn = %+v", own.Types)
	}
	objects, _ := own.Behind("t0001")
	text := ""
	for _, def := range objects {
		text += def.String()
		if !strings.HasPrefix(def.GetName(), "t0001/") {
			t.Errorf("definition %s stands alone", def.GetName())
		}
	}
	for _, name := range []string{`namespace:"t0001/folder"`, `namespace:"t0001/team"`, `namespace:"user"`, `namespace:"group"`} {
		if !strings.Contains(text, name) {
			t.Errorf("the definitions do not say %s", name)
		}
	}
	if own.Types[0].Text == objects[0].GetName() || strings.Contains(own.Types[0].Text, "t0001") {
		t.Error("the tenant's own words have the prefix")
	}
}

// TestTenantReachesNobodyElse lists what a tenant may try in order to reach beyond itself.
func TestTenantReachesNobodyElse(t *testing.T) {
	for name, c := range map[string]struct{ text, why string }{
		"a type of the product":        {`definition file { relation reader: user }`, "type of the product"},
		"the tenant itself":            {`definition tenant { relation admin: user }`, "type of the product"},
		"a word of the product":        {`definition workspace { relation reader: user }`, "type of the product"},
		"another tenant's type":        {`definition doc { relation reader: t0002/doc }`, "no slash"},
		"a type in another's name":     {`definition t0002/doc { relation reader: user }`, "no slash"},
		"everybody":                    {`definition doc { relation reader: user:* }`, "user:* would be everybody"},
		"everybody of its own":         {"definition team {}\ndefinition doc { relation reader: team:* }", "team:* would be everybody"},
		"administrators as subjects":   {`definition doc { relation reader: tenant#administer }`, "tenant#administer is neither"},
		"the platform":                 {`definition doc { relation reader: platform }`, "platform is neither"},
		"files as subjects":            {`definition doc { relation reader: file }`, "file is neither"},
		"services as subjects":         {`definition doc { relation reader: service }`, "service is neither"},
		"keys as subjects":             {`definition doc { relation reader: key }`, "key is neither"},
		"groups themselves":            {`definition doc { relation reader: group }`, "group is neither"},
		"managers of groups":           {`definition doc { relation reader: group#manager }`, "group#manager is neither"},
		"an import":                    {"use import\nimport \"other.zed\"\ndefinition doc { relation reader: user }", "import"},
		"a permission over itself":     {`definition doc { relation reader: user ; permission first = second ; permission second = first }`, "defined by itself"},
		"a permission beside itself":   {`definition doc { relation reader: user ; permission first = reader + second ; permission second = reader + first }`, "defined by itself"},
		"a relation that is not there": {`definition doc { relation reader: user ; permission read = writer }`, "writer"},
		"an arrow over what is not":    {`definition doc { relation reader: user ; permission read = parent->read }`, "parent"},
		"a set that is not there":      {"definition team { relation member: user }\ndefinition doc { relation reader: team#leader }", "leader"},
		"a caveat":                     {`caveat now(day string) { day == "monday" }`, "not allowed on this server"},
		"a name of the language":       {`definition doc { relation expiration: user }`, "expiration"},
		"a short name":                 {`definition dc { relation reader: user }`, "dc"},
		"a text that is none":          {`definition doc {`, "not valid"},
		"the same type twice":          {"definition doc { relation reader: user }\ndefinition doc { relation writer: user }", "reused"},
		"more types than allowed":      {many(spice.MaxTypes+1, 1), "at most 50 types"},
		"more relations than allowed":  {many(1, spice.MaxRelations+1), "at most 200 relations"},
		"more text than allowed":       {many(1, 1) + strings.Repeat("// x\n", spice.MaxText/5), "at most 65536 bytes"},
		"a permission that never ends": {bomb(40), "more than 1000 relations"},
		"an annotation of others":      {"use typechecking\ndefinition doc { relation reader: user ; permission read: file = reader }", "file"},
	} {
		_, err := compileOwn(t, lines(c.text), spice.OwnRules{})
		if !errors.Is(err, errs.Invalid) || errs.RPC(err) != -32005 || !strings.Contains(err.Error(), c.why) {
			t.Errorf("%s: CompileOwn = %v, want it refused for %q", name, err, c.why)
		}
	}
}

// lines spreads a definition over lines, as the language wants it.
func lines(text string) string {
	return strings.NewReplacer("{ ", "{\n", " }", "\n}", " ; ", "\n").Replace(text)
}

func TestCaveatIsTakenWhereTheOperatorAllowsIt(t *testing.T) {
	const text = `caveat now(day string) { day == "monday" }
definition doc { relation reader: user with now }`
	own, err := compileOwn(t, lines(text), spice.OwnRules{Caveats: true})
	if err != nil {
		t.Fatal(err)
	}
	objects, caveats := own.Behind("t0003")
	if caveats[0].GetName() != "t0003/now" || !strings.Contains(objects[0].String(), "t0003/now") {
		t.Errorf("caveat %s, definition %s", caveats[0].GetName(), objects[0])
	}
}

// many makes so many types with so many relations each.
func many(types, relations int) string {
	var b strings.Builder
	for i := range types {
		b.WriteString("definition type_" + letters(i) + " {\n")
		for j := range relations {
			b.WriteString("relation rel_" + letters(j) + ": user\n")
		}
		b.WriteString("}\n")
	}
	return b.String()
}

func letters(n int) string {
	return string(rune('a'+n/26/26%26)) + string(rune('a'+n/26%26)) + string(rune('a'+n%26))
}

// bomb makes a permission that the engine would look into two to the n times.
func bomb(n int) string {
	var b strings.Builder
	b.WriteString("definition doc {\nrelation reader: user\npermission per_aaa = reader\n")
	for i := 1; i < n; i++ {
		b.WriteString("permission per_" + letters(i) + " = per_" + letters(i-1) + " & per_" + letters(i-1) + "\n")
	}
	return b.String() + "}"
}

func TestConfigurationMeansItsDefinition(t *testing.T) {
	for name, c := range map[string]struct{ config, want string }{
		"the document's": {
			`{"relations":{"parent":{},"direct_owner":{},"parent_owner":{"tupleToUserset":{"tupleset":"parent","computedUserset":"owner"}},
			  "owner":{"union":["direct_owner","parent_owner"]}},"permissions":{"read":["owner"],"write":{"union":["owner"]}}}`,
			`relation parent: user | user with expiration | agent | agent with expiration | group#member | group#member with expiration | doc
			 permission owner = direct_owner + parent_owner permission parent_owner = parent->owner permission read = owner`,
		},
		"intersection": {
			`{"relations":{"reader":{"subjects":["user"]},"cleared":{"subjects":["user"]}},"permissions":{"read":{"intersection":["reader","cleared"]}}}`,
			`permission read = reader & cleared`,
		},
		"exclusion as a list": {
			`{"relations":{"reader":{"subjects":["user"]},"banned":{"subjects":["user"]}},"permissions":{"read":{"exclusion":["reader","banned"]}}}`,
			`permission read = reader - banned`,
		},
		"the original's exclusion, in an intersection": {
			`{"relations":{"reader":{},"member":{},"banned":{},"gone":{},"not_banned":{"exclusion":"banned"}},
			  "permissions":{"read":{"intersection":["reader","not_banned","member",{"exclusion":"gone"}]}}}`,
			`permission read = (reader & member) - banned - gone`,
		},
		"nested": {
			`{"relations":{"reader":{},"writer":{},"banned":{}},"permissions":{"read":{"exclusion":[{"union":["reader","writer"]},"banned"]}}}`,
			`permission read = (reader + writer) - banned`,
		},
		"subjects": {
			`{"relations":{"reader":{"subjects":["user with expiration","group#member","doc#reader"]}},"permissions":{"read":["reader"]}}`,
			`relation reader: user with expiration | group#member | doc#reader`,
		},
		"everybody and nobody": {
			`{"relations":{"reader":{},"parent":{"subjects":["doc"]}},"permissions":{"none":[],"every":{"allOfTupleToUserset":{"tupleset":"parent","computedUserset":"none"}},"own":{"union":[{"self":true}]}}}`,
			`permission every = parent.all(none) permission none = nil permission own = self`,
		},
	} {
		text, err := spice.Translate("doc", json.RawMessage(c.config))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		flat := strings.Join(strings.Fields(text), " ")
		if !strings.Contains(flat, strings.Join(strings.Fields(c.want), " ")) {
			t.Errorf("%s: %s, want %s in it", name, flat, c.want)
		}
		own, err := compileOwn(t, spice.Join([]string{text}), spice.OwnRules{})
		if err != nil {
			t.Errorf("%s: %s: %v", name, text, err)
			continue
		}
		again, err := spice.Translate("doc", own.Types[0].Config)
		if err != nil {
			t.Errorf("%s: the configuration of the definition, %s: %v", name, own.Types[0].Config, err)
			continue
		}
		second, err := compileOwn(t, spice.Join([]string{again}), spice.OwnRules{})
		if err != nil || string(second.Types[0].Config) != string(own.Types[0].Config) {
			t.Errorf("%s: there and back: %v, %v", name, second, err)
		}
	}
}

func TestConfigurationThatMeansNothingIsRefused(t *testing.T) {
	for config, code := range map[string]int{
		`null`:                              -32602,
		`{}`:                                -32602,
		`{"relations":{}}`:                  -32602,
		`{"relations":{},"permissions":[]}`: -32602,
		`{"relations":{},"permissions":{},"x":1}`:                                                                                             -32602,
		`{"relations":{"reader":1},"permissions":{}}`:                                                                                         -32602,
		`{"relations":{"reader":{"subjects":["user"],"union":["reader"]}},"permissions":{}}`:                                                  -32602,
		`{"relations":{"reader":{"subjects":"user"}},"permissions":{}}`:                                                                       -32602,
		`{"relations":{"reader":{"subjects":[]}},"permissions":{}}`:                                                                           -32005,
		`{"relations":{"reader":{"subjects":["user } definition evil {"]}},"permissions":{}}`:                                                 -32005,
		`{"relations":{"reader":{"subjects":["user with expiration | file"]}},"permissions":{}}`:                                              -32005,
		`{"relations":{"reader\n":{}},"permissions":{}}`:                                                                                      -32005,
		`{"relations":{"nil":{}},"permissions":{}}`:                                                                                           -32005,
		`{"relations":{"reader":{}},"permissions":{"reader":["reader"]}}`:                                                                     -32005,
		`{"relations":{"reader":{}},"permissions":{"read":["writer"]}}`:                                                                       -32005,
		`{"relations":{"reader":{}},"permissions":{"read":"reader"}}`:                                                                         -32602,
		`{"relations":{"reader":{}},"permissions":{"read":{"union":["reader"],"intersection":["reader"]}}}`:                                   -32602,
		`{"relations":{"reader":{}},"permissions":{"read":{"exclusion":"reader"}}}`:                                                           -32005,
		`{"relations":{"reader":{},"others":{"exclusion":"reader"}},"permissions":{"read":["others"]}}`:                                       -32005,
		`{"relations":{"others":{"exclusion":"reader"}},"permissions":{"read":{"intersection":["others"]}}}`:                                  -32005,
		`{"relations":{"reader":{}},"permissions":{"read":{"tupleToUserset":{"tupleset":"parent","computedUserset":"read"}}}}`:                -32005,
		`{"relations":{"reader":{}},"permissions":{"read":` + strings.Repeat(`{"union":[`, 40) + `"reader"` + strings.Repeat(`]}`, 40) + `}}`: -32005,
	} {
		text, err := spice.Translate("doc", json.RawMessage(config))
		if !errors.Is(err, errs.Invalid) || errs.RPC(err) != code {
			t.Errorf("Translate(%.90s) = %q, %v (%d), want %d", config, text, err, errs.RPC(err), code)
		}
	}
	if _, err := spice.Translate("x}\ndefinition evil {", json.RawMessage(`{"relations":{},"permissions":{}}`)); !errors.Is(err, errs.Invalid) {
		t.Errorf("a type of any name: %v", err)
	}
}

func FuzzConfigurationMakesOneDefinition(f *testing.F) {
	f.Add(`{"relations":{"reader":{}},"permissions":{"read":["reader"]}}`)
	f.Add(`{"relations":{"reader":{"subjects":["user"]},"not":{"exclusion":"reader"}},"permissions":{"read":{"intersection":["reader","not"]}}}`)
	f.Add(`{"relations":{"parent":{}},"permissions":{"read":{"tupleToUserset":{"tupleset":"parent","computedUserset":"read"}}}}`)
	product, err := spice.CompileProduct(context.Background(), schema.Text)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, config string) {
		text, err := spice.Translate("doc", json.RawMessage(config))
		if err != nil {
			return
		}
		own, err := product.CompileOwn(context.Background(), spice.Join([]string{text}), spice.OwnRules{})
		if err == nil && (len(own.Types) != 1 || own.Types[0].Name != "doc") {
			t.Errorf("%s makes %s", config, text)
		}
	})
}
