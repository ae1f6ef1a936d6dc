package cli

import (
	"fmt"
	"strings"

	"nexus/apiserver/op"
	"nexus/apiserver/ops"
	"nexus/storage"
)

// Operations returns the table of operations as Markdown. Its test compares it with docs/operations.md.
func Operations() (string, error) {
	table, err := emptyTable()
	if err != nil {
		return "", err
	}
	var b strings.Builder
	b.WriteString("# Operations\n\nPrinted by `nexus operations` from the table that the server dispatches by. Every operation is decided and recorded\n" +
		"under its name, or that of the one it is another way to do. *Scope* is what a key must carry; it attenuates, and relations are asked all the same. *Recorded* says\n" +
		"what the decision record keeps of a parameter: its value (plain), its length (count), or nothing.\n\n")
	b.WriteString("| operation | JSON-RPC | scope | |\n|---|---|---|---|\n")
	for _, o := range table.All() {
		fmt.Fprintf(&b, "| [%s](#%s) | %s | %s | %s |\n", o.Name, anchor(o.Name), code(o.Method), scope(o), o.Summary)
	}
	for _, o := range table.All() {
		describeOperation(&b, o)
	}
	return b.String(), nil
}

// emptyTable returns the table over no server: for its declarations, not to be called.
func emptyTable() (*op.Table, error) {
	t := op.NewTable(nil)
	return t, ops.Fill(t, ops.Deps{Store: storage.New(nil, nil, nil, nil, nil)})
}

func describeOperation(b *strings.Builder, o *op.Operation) {
	fmt.Fprintf(b, "\n## %s\n\n%s", o.Name, o.Summary)
	if o.Doc != "" {
		b.WriteString(" " + o.Doc)
	}
	b.WriteString("\n\n" + strings.Join(ways(o), " · ") + "\n")
	params := op.Params(o.Params)
	if len(params) == 0 {
		return
	}
	b.WriteString("\n| parameter | type | | recorded |\n|---|---|---|---|\n")
	for _, p := range params {
		fmt.Fprintf(b, "| `%s`%s | %s | %s | %s |\n", p.Name, required(p), p.Type, p.Doc, p.Audit)
	}
}

// ways says how an operation is called and what the call must carry.
func ways(o *op.Operation) []string {
	var all []string
	if o.Method != "" {
		all = append(all, "JSON-RPC "+code(o.Method))
	}
	for _, alias := range o.Aliases {
		all = append(all, "also "+code(alias))
	}
	if o.Get != "" {
		all = append(all, code("GET "+o.Get))
	}
	for _, route := range o.Routes {
		all = append(all, code(route))
	}
	if o.As != "" {
		all = append(all, "decided and recorded as "+code(o.As))
	}
	if o.Shape != op.Unary {
		all = append(all, o.Shape.String())
	}
	return append(all, "scope "+scope(o), durability(o))
}

func scope(o *op.Operation) string {
	if o.Public {
		return "none: public"
	}
	return o.Access.String()
}

func durability(o *op.Operation) string {
	switch {
	case o.Public:
		return "not recorded"
	case o.Prompt:
		return "recorded before the answer"
	}
	return "on disk in the record before the effect"
}

func required(p op.Param) string {
	if p.Required {
		return " (required)"
	}
	return ""
}

func code(text string) string {
	if text == "" {
		return ""
	}
	return "`" + text + "`"
}

func anchor(name string) string { return strings.ReplaceAll(name, ".", "") }
