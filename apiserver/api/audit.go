package api

import (
	"encoding/json"

	"nexus/apiserver/op"
	"nexus/internal/errs"
	"nexus/internal/paths"
)

// DecisionsParams are those of audit.list.
type DecisionsParams struct {
	Principal string `json:"principal" audit:"plain" doc:"only of this base, as type:name, such as user:alice"`
	Operation string `json:"operation" audit:"plain" doc:"only of this operation, such as files.read"`
	Path      string `json:"path" audit:"plain" doc:"only about this path"`
	Denied    *bool  `json:"denied" audit:"plain" doc:"only refusals, or only allowances"`
	Since     Time   `json:"since" audit:"plain" doc:"not older than this"`
	Until     Time   `json:"until" audit:"plain" doc:"older than this"`
	Limit     int    `json:"limit" audit:"plain" doc:"at most so many, newest first (default: 100, at most 1000)"`
}

// Defaults sets the page size.
func (p *DecisionsParams) Defaults() { p.Limit = 100 }

// Clean refuses page sizes that are none.
func (p *DecisionsParams) Clean() error {
	if p.Limit < 1 || p.Limit > 1000 {
		return errs.New(errs.Invalid, "limit must be 1 to 1000").Marked(errs.NotValid)
	}
	if p.Path == "" {
		return nil
	}
	clean, err := paths.Clean(p.Path)
	p.Path = clean
	return err
}

// DecisionsResult is a page of the record, newest first.
type DecisionsResult struct {
	Decisions []json.RawMessage `json:"decisions"`
}

// ExplainDecisionParams are those of audit.explain.
type ExplainDecisionParams struct {
	ID string `json:"decision_id" need:"required" audit:"plain" doc:"id of a recorded decision"`
}

// DecisionExplained is a recorded decision with its reasons, as of the revision it was made at.
type DecisionExplained struct {
	Decision    json.RawMessage `json:"decision"`
	Checks      []Explanation   `json:"checks"`      // one for each check of the decision, in order
	SameAnswer  bool            `json:"same_answer"` // whether asking again as of that revision answers the same
	Explanation string          `json:"explanation"` // for people
}

// Operations for auditors.
var (
	Decisions = &op.Contract[DecisionsParams, DecisionsResult]{
		Sample: DecisionsParams{Limit: 10},
		Decl: op.Decl{
			Name: "audit.list", Method: "audit_list", Access: op.Reads, Prompt: true, Essential: true,
			Summary: "List recorded decisions.",
			Doc:     "Needs read_audit on the tenant; shows that tenant's decisions only.",
		},
	}
	ExplainDecision = &op.Contract[ExplainDecisionParams, *DecisionExplained]{
		Decl: op.Decl{
			Name: "audit.explain", Method: "audit_explain", Access: op.Reads, Prompt: true, Essential: true,
			Summary: "Explain a recorded decision as of the time it was made.",
			Doc:     "Needs read_audit on the tenant.",
		},
		Sample: ExplainDecisionParams{ID: "sample-decision"},
	}
)
