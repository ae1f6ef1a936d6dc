package rego

import (
	"slices"
	"strings"
)

// maxTypes is how many types of principal the rules of one operation may name together: each doubles its plans.
const maxTypes = 4

// choice holds the plans of one operation. Which one is asked depends on the principal: on those of its types that rules name.
type choice struct {
	types []string // that the operation's rules name, sorted
	plans []*plan  // by mask
}

// mask is a set of a choice's types: bit i stands for types[i].
type mask uint8

// newChoice returns the choice of operation, yet without plans. The error is Invalid.
func newChoice(operation string, rules []*Rule) (*choice, error) {
	var types []string
	for _, rule := range rules {
		types = append(types, rule.Principals...)
	}
	c := &choice{types: unique(types)}
	if len(c.types) > maxTypes {
		return nil, invalid([]error{at(nil, "the rules of %s name %d types of principal (%s): at most %d may be told apart; leave principals out where a rule concerns everybody",
			operation, len(c.types), strings.Join(c.types, ", "), maxTypes)})
	}
	return c, nil
}

// plan makes the plan of every mask.
func (c *choice) plan(rules []*Rule, prepared preparer) error {
	c.plans = make([]*plan, 1<<len(c.types))
	for i := range c.plans {
		p, err := newPlan(c.concerning(mask(i), rules), prepared)
		if err != nil {
			return err
		}
		c.plans[i] = p
	}
	return nil
}

// concerning returns those of rules that concern principals with the types who.
func (c *choice) concerning(who mask, rules []*Rule) []*Rule {
	var some []*Rule
	for _, rule := range rules {
		named := func(name string) bool { return who&c.bit(name) != 0 }
		if rule.Principals == nil || slices.ContainsFunc(rule.Principals, named) {
			some = append(some, rule)
		}
	}
	return some
}

// mask returns which types p has: its base's, and those of the actors in front of it.
func (c *choice) mask(p *Principal) mask {
	who := c.bit(p.Base.Type)
	for i := range p.Actors {
		who |= c.bit(p.Actors[i].Type)
	}
	return who
}

// bit returns the mask of one type: none for a type that no rule names.
func (c *choice) bit(name string) mask {
	for i, known := range c.types {
		if known == name {
			return 1 << i
		}
	}
	return 0
}
