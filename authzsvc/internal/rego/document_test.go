package rego

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs; rules in the field see this shape, so review before -update\ngot:\n%s", path, got)
	}
}

var everything = parts{principal: true, object: true, context: true}

func shape(t *testing.T, in *Input, read parts) map[string]any {
	t.Helper()
	value, err := ast.JSON(document(in, in.Objects, read).Value)
	if err != nil {
		t.Fatal(err)
	}
	return value.(map[string]any)
}

func TestInputHasTheGoldenShape(t *testing.T) {
	full := reads(person(Subject{Type: "agent", ID: "bot", Tenant: "acme"}),
		Object{Type: "file", Tenant: "acme", ID: "0001", Path: "/mnt/drive", Name: "drive/a.txt", Rest: "a.txt"})
	full.Principal.Key, full.Principal.Admin, full.Principal.Scopes = "k1", true, []string{"files", "evaluate"}
	documents := map[string]any{"full": shape(t, full, everything), "zero": shape(t, &Input{}, everything)}
	text, err := json.MarshalIndent(documents, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "input.golden", append(text, '\n'))
}

func TestPartThatNoRuleReadsIsNotBuilt(t *testing.T) {
	in := reads(agent(), file("/a"))
	for name, read := range map[string]parts{"principal": {principal: true}, "objects": {object: true}, "context": {context: true}} {
		got := shape(t, in, read)
		if len(got) != 2 || got[name] == nil || got["operation"] != "files.read" {
			t.Errorf("the document for %s = %v", name, got)
		}
	}
}

// The compiler trusts the schema, so what is built must fit it exactly: each field is in both or in neither.
func TestSchemaDescribesTheDocument(t *testing.T) {
	var schema map[string]any
	if err := json.Unmarshal(inputSchema, &schema); err != nil {
		t.Fatal(err)
	}
	in := reads(person(Subject{Type: "agent"}), file("/a"))
	in.Principal.Scopes = []string{"files"}
	fits(t, "input", schema, shape(t, in, everything))
}

func fits(t *testing.T, at string, schema map[string]any, value any) {
	t.Helper()
	want := schema["type"]
	switch value := value.(type) {
	case map[string]any:
		properties, closed := schema["properties"].(map[string]any)
		for key, field := range value {
			property, ok := properties[key].(map[string]any)
			if !closed {
				property, ok = schema["additionalProperties"].(map[string]any)
			}
			if !ok {
				t.Errorf("%s.%s is not in the schema", at, key)
				continue
			}
			fits(t, at+"."+key, property, field)
		}
		for key := range properties {
			if _, ok := value[key]; !ok {
				t.Errorf("%s.%s is in the schema and not in the document", at, key)
			}
		}
		expect(t, at, want, "object")
	case []any:
		expect(t, at, want, "array")
		for _, element := range value {
			fits(t, at+"[]", schema["items"].(map[string]any), element)
		}
	case string:
		expect(t, at, want, "string")
	case bool:
		expect(t, at, want, "boolean")
	case json.Number:
		expect(t, at, want, "number")
	default:
		t.Errorf("%s is a %T", at, value)
	}
}

func expect(t *testing.T, at string, schema any, document string) {
	t.Helper()
	if schema != document {
		t.Errorf("%s is a %s, the schema says %v", at, document, schema)
	}
}

// What rules may call changes only when somebody reads the difference.
func TestOfferedBuiltinsAreGolden(t *testing.T) {
	var names []string
	for _, builtin := range capabilities().Builtins {
		names = append(names, builtin.Name)
	}
	golden(t, "builtins.golden", []byte(strings.Join(unique(names), "\n")+"\n"))
}
