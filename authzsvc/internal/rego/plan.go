package rego

import (
	"fmt"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// plan is what is asked for one operation of some principals, prepared. A nil query asks nothing.
type plan struct {
	applies Applies
	read    parts  // what any of the rules reads
	all     *query // every rule
	once    *query // those that do not look at the object
	list    *query // those that do and have a list form, in that form
	each    *query // those that do and have none
}

// query asks some rules for their refuse and oblige in one evaluation.
type query struct {
	body     ast.Body
	compiler ast.QueryCompiler
	slots    []slot
}

// slot is where a query leaves the set of one rule.
type slot struct {
	result ast.Var
	rule   *Rule
	oblige bool // the set is oblige, not refuse
}

// preparer makes the query that asks rules below root, or finds the one that was made; nil for no rules.
type preparer func(root ast.Ref, rules []*Rule) (*query, error)

// index makes the plans of every known operation. Operations that are named by the same rules share their queries.
func (b *Bundle) index() error {
	queries := map[string]*query{}
	prepared := func(root ast.Ref, rules []*Rule) (*query, error) {
		if len(rules) == 0 {
			return nil, nil
		}
		key := root.String() + " " + strings.Join(ids(rules), " ")
		if q, ok := queries[key]; ok {
			return q, nil
		}
		q, err := b.prepare(root, rules)
		queries[key] = q
		return q, err
	}
	named := map[string][]*Rule{}
	for _, rule := range b.rules {
		for _, operation := range rule.Operations {
			named[operation] = append(named[operation], rule)
		}
	}
	b.choices = make(map[string]*choice, len(b.config.Operations))
	for _, operation := range b.config.Operations {
		c, err := newChoice(operation, named[operation])
		if err != nil {
			return err
		}
		if err := c.plan(named[operation], prepared); err != nil {
			return fmt.Errorf("prepare the policy of %s: %w", operation, err)
		}
		b.choices[operation] = c
	}
	return nil
}

// newPlan sorts rules by how a list asks them.
func newPlan(rules []*Rule, prepared preparer) (*plan, error) {
	p := &plan{}
	var once, list, each []*Rule
	for _, rule := range rules {
		p.applies.Any = true
		p.read = p.read.or(rule.read)
		switch {
		case !rule.read.object:
			once = append(once, rule)
		case rule.listed:
			list = append(list, rule)
		default:
			each = append(each, rule)
		}
	}
	p.applies.Object = p.read.object
	for _, want := range []struct {
		query **query
		root  ast.Ref
		rules []*Rule
	}{{&p.all, rulesRef, rules}, {&p.once, rulesRef, once}, {&p.list, listsRef, list}, {&p.each, rulesRef, each}} {
		q, err := prepared(want.root, want.rules)
		if err != nil {
			return nil, err
		}
		*want.query = q
	}
	return p, nil
}

func ids(rules []*Rule) []string {
	list := make([]string, len(rules))
	for i, rule := range rules {
		list[i] = rule.ID
	}
	return list
}

// prepare compiles the query "r0 = data.nexus.rules.a.refuse; r1 = data.nexus.rules.a.oblige; …". Each is a set, so none is undefined.
func (b *Bundle) prepare(root ast.Ref, rules []*Rule) (*query, error) {
	q := &query{compiler: b.compiler.QueryCompiler()}
	var body ast.Body
	add := func(rule *Rule, name string) {
		result := ast.Var(fmt.Sprintf("r%d", len(q.slots)))
		ref := append(root.Copy(), ast.StringTerm(rule.ID), ast.StringTerm(name))
		body.Append(ast.Equality.Expr(ast.NewTerm(result), ast.NewTerm(ref)))
		q.slots = append(q.slots, slot{result, rule, name == obligeName})
	}
	for _, rule := range rules {
		if rule.refuses {
			add(rule, refuseName)
		}
		if rule.obliges {
			add(rule, obligeName)
		}
	}
	var err error
	q.body, err = q.compiler.Compile(body)
	return q, err
}
