package api

import (
	"nexus/apiserver/op"
	"nexus/internal/errs"
)

// PolicyRule is a rule, as its metadata describes it.
type PolicyRule struct {
	ID         string   `json:"id"`
	Title      string   `json:"title"`
	File       string   `json:"file"`
	Operations []string `json:"operations"` // that ask it
	Principals []string `json:"principals"` // types that it concerns; empty: everybody
	LooksAt    []string `json:"looks_at"`   // object, principal, context
	Obliges    []string `json:"obliges"`    // obligations that it may attach
	Shipped    bool     `json:"shipped"`
}

// Policy is the policy in force.
type Policy struct {
	Digest    string            `json:"digest"`    // of all rules, as decisions record it
	Installed string            `json:"installed"` // digest of the installed bundle; empty: there is none
	Rules     []PolicyRule      `json:"rules"`
	Files     map[string]string `json:"files"` // the operator's own, tests included
}

// PutPolicyParams are those of policy.put.
type PutPolicyParams struct {
	Files  map[string]string `json:"files" need:"required" audit:"hash" doc:"all of the operator's own policies: Rego texts by path, *_test.rego among them; {} for none"`
	DryRun bool              `json:"dry_run" audit:"plain" doc:"only check and test them (default: false)"`
}

// PutPolicyResult is what policy.put found.
type PutPolicyResult struct {
	Digest     string       `json:"digest"`   // of all rules, with the bundle
	Previous   string       `json:"previous"` // and before it
	Rules      []PolicyRule `json:"rules"`
	Tests      int          `json:"tests"`
	Coverage   float64      `json:"coverage"` // percent of the lines of rules
	NotCovered []string     `json:"not_covered"`
	Installed  bool         `json:"installed"`
}

// RehearsePolicyParams are those of policy.rehearse.
type RehearsePolicyParams struct {
	Files map[string]string `json:"files" need:"required" audit:"hash" doc:"as for policy.put"`
	Last  int               `json:"last" audit:"plain" doc:"how many recorded decisions to look at, newest first (default: 1000, at most 100000)"`
}

// Defaults sets how many decisions are looked at.
func (p *RehearsePolicyParams) Defaults() { p.Last = 1000 }

// Clean refuses numbers that are none.
func (p *RehearsePolicyParams) Clean() error {
	if p.Last < 1 || p.Last > 100_000 {
		return errs.New(errs.Invalid, "last must be 1 to 100000").Marked(errs.NotValid)
	}
	return nil
}

// Rehearsal is what a bundle would have said of decisions that were made.
type Rehearsal struct {
	Digest  string      `json:"digest"`
	Looked  int         `json:"looked"`  // decisions looked at
	Asked   int         `json:"asked"`   // of these: those that a rule concerns
	Unknown int         `json:"unknown"` // of these: those that could not be asked again
	Partial []string    `json:"partial"` // rules that look at what the record does not keep: what they say is not the whole
	Changes []Rehearsed `json:"changes"` // newest first
	More    bool        `json:"more"`    // there are more changes than are told
}

// Rehearsed is a decision that would have been another.
type Rehearsed struct {
	Decision    string   `json:"decision_id"`
	At          Time     `json:"at"`
	Tenant      string   `json:"tenant_id"`
	Principal   string   `json:"principal"`
	Actors      []string `json:"actors"`
	Operation   string   `json:"operation"`
	Objects     []string `json:"objects"`
	Was         bool     `json:"was_allowed"`
	Would       bool     `json:"would_be_allowed"`
	Rules       []string `json:"rules"` // of the bundle, that would have fired
	Messages    []string `json:"messages"`
	Obligations []string `json:"obligations"`
}

// Operations on policies. They are for who administers the platform: policies hold for every tenant.
var (
	ReadPolicy = &op.Contract[Nothing, Policy]{
		Decl: op.Decl{
			Name: "policy.read", Method: "policy_read", Access: op.Reads, Prompt: true,
			Summary: "Read the policy in force: its digest, its rules and the operations that each names.",
			Doc:     "Needs administer on the platform.",
		},
	}
	PutPolicy = &op.Contract[PutPolicyParams, PutPolicyResult]{
		Decl: op.Decl{
			Name: "policy.put", Method: "policy_put", Access: op.Writes,
			Summary: "Install a bundle of policies in place of the operator's own, once its tests pass.",
			Doc:     "Needs administer on the platform. The bundle is checked against the operations there are, its tests and the shipped ones run, and it is in force when the answer arrives. The bundle before it is kept in the policy directory. A rule cannot name policy.put or another operation on policies: it could never be taken back.",
		},
		Sample: PutPolicyParams{Files: map[string]string{}},
	}
	RehearsePolicy = &op.Contract[RehearsePolicyParams, Rehearsal]{
		Decl: op.Decl{
			Name: "policy.rehearse", Method: "policy_rehearse", Access: op.Reads, Prompt: true,
			Summary: "Ask a bundle of policies about recorded decisions, and tell which would have been others.",
			Doc:     "Needs administer on the platform; looks at the decisions of every tenant. What relations refused is not asked again, and a list is rehearsed as one decision.",
		},
		Sample: RehearsePolicyParams{Files: map[string]string{}, Last: 10},
	}
)
