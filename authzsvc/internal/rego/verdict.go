package rego

import (
	"fmt"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
)

// Verdict is what policy says of one request. The zero Verdict neither refuses nor obliges: policy has nothing against what the relations allow.
type Verdict struct {
	Refused     bool
	Messages    []string     // why, for the caller, sorted
	Rules       []string     // ids of the rules that fired, sorted
	Obligations []Obligation // what an allow obliges to; none beside a refusal
}

// Obligation is a condition on an allow that the caller of storage must meet.
type Obligation struct {
	Name string         `json:"name"`
	Args map[string]any `json:"args,omitempty"`
}

// failed is the verdict when no verdict could be reached.
func failed() Verdict {
	return Verdict{Refused: true, Messages: []string{"policy could not be decided"}}
}

// draft collects what the rules say before it becomes a Verdict.
type draft struct {
	messages    []string
	rules       []string
	obligations []obligation
}

// obligation keeps the term, which compares, beside what is made of it.
type obligation struct {
	term *ast.Term
	made Obligation
}

func (d *draft) refuse(r *Rule, message *ast.Term) error {
	text, ok := message.Value.(ast.String)
	if !ok {
		return fmt.Errorf("rule %s refuses with %s, not with a message", r.ID, message)
	}
	d.messages = append(d.messages, string(text))
	d.rules = append(d.rules, r.ID)
	return nil
}

func (d *draft) oblige(r *Rule, term *ast.Term) error {
	made, err := toObligation(r, term)
	if err != nil {
		return err
	}
	d.obligations = append(d.obligations, obligation{term, made})
	d.rules = append(d.rules, r.ID)
	return nil
}

// toObligation reads {"name": …, argument: …}. A name that the rule's metadata does not declare is an error, not an unknown duty.
func toObligation(r *Rule, term *ast.Term) (Obligation, error) {
	value, err := ast.JSON(term.Value)
	if err != nil {
		return Obligation{}, err
	}
	args, ok := value.(map[string]any)
	if !ok {
		return Obligation{}, fmt.Errorf("rule %s obliges with %s, not with an object", r.ID, term)
	}
	name, _ := args["name"].(string)
	if !slices.Contains(r.Obliges, name) {
		return Obligation{}, fmt.Errorf("rule %s obliges with %s, which its metadata does not declare", r.ID, term)
	}
	delete(args, "name")
	if len(args) == 0 {
		args = nil
	}
	return Obligation{Name: name, Args: args}, nil
}

// verdict sorts, drops repeats, and leaves obligations out of a refusal.
func (d *draft) verdict() Verdict {
	if len(d.rules) == 0 {
		return Verdict{}
	}
	v := Verdict{Refused: len(d.messages) > 0, Messages: unique(d.messages), Rules: unique(d.rules)}
	if v.Refused {
		return v
	}
	slices.SortFunc(d.obligations, func(a, b obligation) int { return ast.Compare(a.term, b.term) })
	same := func(a, b obligation) bool { return ast.Compare(a.term, b.term) == 0 }
	for _, o := range slices.CompactFunc(d.obligations, same) {
		v.Obligations = append(v.Obligations, o.made)
	}
	return v
}

func unique(list []string) []string {
	slices.Sort(list)
	return slices.Compact(list)
}
