package mcp_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"nexus/apiserver/api"
	"nexus/apiserver/op"
	"nexus/authzsvc/gatetest"
)

// TestMappingsAreWhatTheOperationsNeed holds mappings.json, which is part of the program, against the needs of the operations
// for their samples.
func TestMappingsAreWhatTheOperationsNeed(t *testing.T) {
	gate, _ := gatetest.AllowAll(t)
	all, instead := table(t, gate)
	mappings := map[string][]map[string]string{}
	for _, o := range all.All() {
		if o.Shape != op.Unary || o.Public || o.NoTool != "" {
			continue
		}
		raw, given := sample(t, o, instead)
		asked, err := o.Asks(t.Context(), owner, raw)
		if err != nil {
			t.Fatalf("%s: %v", o.Name, err)
		}
		if asks := asks(asked, given); asks != nil && !refers(o) && varying[o.Name] == "" {
			mappings[o.Name] = asks
		}
	}
	text, err := json.MarshalIndent(mappings, "", "\t")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "mappings.json", string(text)+"\n")
}

func sample(t *testing.T, o *op.Operation, instead map[string]json.RawMessage) (raw json.RawMessage, given map[string]any) {
	t.Helper()
	raw, ok := instead[o.Name]
	if !ok {
		var err error
		if raw, err = json.Marshal(o.Sample); err != nil {
			t.Fatal(err)
		}
	}
	if err := json.Unmarshal(raw, &given); err != nil {
		t.Fatal(err)
	}
	return raw, given
}

// varying says of operations why their sample does not stand for all calls.
var varying = map[string]string{
	api.Rename.Name:            "within a folder write is enough, and no owner is asked",
	api.RegisterWorkspace.Name: "a folder that is new is asked for above",
}

// refers reports whether what an operation asks depends on what kind of object its arguments name.
func refers(o *op.Operation) bool {
	return slices.ContainsFunc(op.Params(o.Params), func(p op.Param) bool { return strings.HasPrefix(p.Type, "tuple[") })
}

// asks returns what is asked in terms of the arguments; nil where that cannot be said.
func asks(asked op.Asked, given map[string]any) (all []map[string]string) {
	if asked.Choice {
		return nil
	}
	for i, c := range asked.Checks {
		id := ""
		switch c.Type {
		case "tenant":
			id = "$token.tenant_id"
		case "platform":
			id = c.ID
		}
		for name, value := range given {
			if text, ok := value.(string); ok && id == "" && (text == asked.Objects[i].Name || c.Type+" "+text == asked.Objects[i].Name) {
				id = "$params.arguments." + name
			}
		}
		if id == "" {
			return nil
		}
		one := map[string]string{"permission": c.Permission, "type": c.Type, "id": id}
		if !slices.ContainsFunc(all, func(m map[string]string) bool { return maps.Equal(m, one) }) {
			all = append(all, one)
		}
	}
	return all
}

// TestToolsAreGolden lists the tools as models see them, and the operations that are none, with the reason.
func TestToolsAreGolden(t *testing.T) {
	s := allowing(t)
	body, headers := newer("owner-key", "tools/list", `{}`)
	_, text := s.send("POST", body, headers...)
	var answer struct {
		Result struct{ Tools []map[string]any }
	}
	if err := json.Unmarshal([]byte(text), &answer); err != nil || len(answer.Result.Tools) == 0 {
		t.Fatalf("tools/list = %s", text)
	}
	var b strings.Builder
	var names []string
	for _, tool := range answer.Result.Tools {
		names = append(names, tool["name"].(string))
		pretty, err := json.MarshalIndent(tool, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "%s\n\n", pretty)
	}
	if !slices.IsSorted(names) {
		t.Errorf("tools come in the order %q", names)
	}
	gate, _ := gatetest.AllowAll(t)
	all, _ := table(t, gate)
	for _, o := range all.All() {
		if o.NoTool != "" {
			fmt.Fprintf(&b, "%s is no tool: %s\n", o.Name, o.NoTool)
		}
	}
	golden(t, "testdata/mcp_tools.golden", b.String())
}

// TestResultsOfToolsHaveAForm: a result without names of its own for its members needs a row in shapes.go.
func TestResultsOfToolsHaveAForm(t *testing.T) {
	gate, _ := gatetest.AllowAll(t)
	all, _ := table(t, gate)
	shaped := []string{api.Read.Name, api.List.Name, api.GetVersion.Name, api.DiffVersions.Name, api.WorkspaceDiff.Name}
	for _, o := range all.All() {
		if o.Shape != op.Unary || o.Public || o.NoTool != "" || slices.Contains(shaped, o.Name) {
			continue
		}
		if field := unnamed(o.Result); field != "" {
			t.Errorf("%s answers a member %s that its JSON does not name", o.Name, field)
		}
	}
}

// unnamed returns a member of a struct that has no name in JSON.
func unnamed(r reflect.Type) string {
	if r == reflect.TypeFor[[]byte]() {
		return "bytes"
	}
	for r.Kind() == reflect.Pointer || r.Kind() == reflect.Slice {
		r = r.Elem()
	}
	if r.Kind() != reflect.Struct {
		return ""
	}
	for i := range r.NumField() {
		if f := r.Field(i); f.IsExported() && !f.Anonymous && f.Tag.Get("json") == "" {
			return f.Name
		}
	}
	return ""
}
