package mcp

import (
	"encoding/json"
	"reflect"
	"strings"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"nexus/apiserver/op"
	"nexus/internal/errs"
)

// tool is an operation as models see it.
type tool struct {
	operation *op.Operation
	declared  *sdk.Tool
}

// offered reports whether an operation is a tool.
func offered(o *op.Operation) bool { return o.Shape == op.Unary && !o.Public && o.NoTool == "" }

// toolName returns the name of an operation's tool: not every client takes a dot.
func toolName(operation string) string { return strings.ReplaceAll(operation, ".", "_") }

// tools returns the tools of the table, in order of their names.
func (f *Face) tools() ([]tool, error) {
	var all []tool
	for _, o := range f.config.Table.All() {
		if !offered(o) {
			continue
		}
		name := toolName(o.Name)
		if f.byTool[name] != nil {
			return nil, errs.New(errs.Internal, "tool %s means two operations", name)
		}
		f.byTool[name] = o
		input, err := inputSchema(o)
		if err != nil {
			return nil, err
		}
		all = append(all, tool{o, &sdk.Tool{
			Name: name, Title: strings.TrimSuffix(o.Summary, "."), Description: strings.TrimSpace(o.Summary + " " + o.Doc),
			InputSchema: input, Annotations: hints(o),
		}})
	}
	return all, nil
}

// hints tells clients what a tool may do. Nothing here reaches beyond the server.
func hints(o *op.Operation) *sdk.ToolAnnotations {
	reads, closed := o.Access == op.Reads, false
	destructive := !reads
	return &sdk.ToolAnnotations{ReadOnlyHint: reads, DestructiveHint: &destructive, IdempotentHint: reads, OpenWorldHint: &closed}
}

// schema is a JSON Schema, of the draft 2020-12.
type schema map[string]any

// inputSchema describes the parameters of an operation, with the mapping by which a gateway can ask beforehand what the Gate
// will be asked.
func inputSchema(o *op.Operation) (schema, error) {
	defaults, err := defaultsOf(o.Params)
	if err != nil {
		return nil, errs.New(errs.Internal, "defaults of %s", o.Name).Because(err)
	}
	properties, required := schema{}, []string{}
	for _, p := range op.Params(o.Params) {
		if strings.HasPrefix(p.Doc, "accepted for compatibility") {
			continue
		}
		s := typeSchema(p.Type)
		s["description"] = p.Doc
		if value, ok := defaults[p.Name]; ok {
			s["default"] = value
		}
		properties[p.Name] = s
		if p.Required {
			required = append(required, p.Name)
		}
	}
	all := schema{"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object", "properties": properties}
	if len(required) > 0 {
		all["required"] = required
	}
	if m := mappings[o.Name].authzen(); m != nil {
		all["x-authzen-mapping"] = m
	}
	return all, nil
}

// defaultsOf returns the values that parameters have when they are left out, zeros aside.
func defaultsOf(params reflect.Type) (map[string]any, error) {
	p := reflect.New(params)
	d, ok := p.Interface().(op.Defaulter)
	if !ok {
		return nil, nil
	}
	d.Defaults()
	raw, err := json.Marshal(p.Interface())
	if err != nil {
		return nil, err
	}
	var all map[string]any
	if err := json.Unmarshal(raw, &all); err != nil {
		return nil, err
	}
	for name, value := range all {
		if value == nil || reflect.ValueOf(value).IsZero() || reflect.ValueOf(value).Kind() == reflect.Map {
			delete(all, name)
		}
	}
	return all, nil
}

// typeSchema returns the schema of a parameter's wire type.
func typeSchema(wire string) schema {
	if inner, ok := strings.CutPrefix(wire, "array["); ok {
		return schema{"type": "array", "items": typeSchema(strings.TrimSuffix(inner, "]"))}
	}
	if strings.HasPrefix(wire, "tuple[") {
		return schema{"type": "array", "items": schema{"type": "string"}, "minItems": 2, "maxItems": 3}
	}
	switch wire {
	case "boolean", "integer", "number", "object", "string":
		return schema{"type": wire}
	case "seconds":
		return schema{"type": "number"}
	case "datetime":
		return schema{"type": "string", "format": "date-time"}
	case "bytes":
		return schema{"anyOf": []schema{
			{"type": "string", "description": "text, kept as UTF-8"},
			{"type": "object", "required": []string{"__type__", "data"}, "properties": schema{
				"__type__": schema{"const": "bytes"}, "data": schema{"type": "string", "contentEncoding": "base64"},
			}},
		}}
	}
	return schema{}
}
