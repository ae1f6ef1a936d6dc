package main

import (
	"bytes"
	_ "embed"
	"fmt"
	"go/format"
	"strings"
	"text/template"
)

//go:embed schema.tmpl
var page string

// class is one Go type over a definition, as the template sees it.
type class struct {
	noun
	Definition string
	Doc        string
	Recv       string
	Rights     []right
}

// right is one permission of a class.
type right struct {
	Name   string // in the schema
	Verb   string // the method, and the head of the names of its grant and scope
	Marker string // the type that stands for the permission
	Doc    string
}

// Single, Plain, Tenanted and Made tell the template how ids are written.
func (c class) Single() bool   { return c.IDs == single }
func (c class) Plain() bool    { return c.IDs == plain }
func (c class) Tenanted() bool { return c.IDs == tenants }
func (c class) Made() bool     { return c.IDs != byHand }

// generate returns the Go source for defs, formatted.
func generate(defs []definition) ([]byte, error) {
	var classes []class
	for _, d := range defs {
		served, ok := nouns[d.Name]
		if !ok {
			return nil, fmt.Errorf("definition %s has no entry in nouns", d.Name)
		}
		for _, n := range served {
			classes = append(classes, classify(d, n))
		}
	}
	t, err := template.New("schema").Parse(page)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if err := t.Execute(&out, map[string]any{"Classes": classes, "Definitions": defs}); err != nil {
		return nil, err
	}
	return format.Source(out.Bytes())
}

func classify(d definition, n noun) class {
	c := class{noun: n, Definition: d.Name, Doc: d.Doc, Recv: strings.ToLower(n.Type[:1])}
	for _, p := range d.Permissions {
		verb := p.Name
		if v, ok := verbs[p.Name]; ok {
			verb = v
		}
		c.Rights = append(c.Rights, right{
			Name: p.Name, Verb: camel(verb), Doc: p.Doc,
			Marker: strings.ToLower(n.Word) + camel(verb),
		})
	}
	return c
}

// camel turns read_audit into ReadAudit.
func camel(name string) string {
	var b strings.Builder
	for part := range strings.SplitSeq(name, "_") {
		if part != "" {
			b.WriteString(strings.ToUpper(part[:1]) + part[1:])
		}
	}
	return b.String()
}
