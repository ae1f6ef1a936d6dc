package spice

import (
	"context"

	"nexus/authzsvc/authz"
	"nexus/authzsvc/relations"
)

// Singly and Batches are the two ways in which Check asks, for comparison.
func (e *Engine) Singly(ctx context.Context, at relations.Revision, who authz.Ref, checks []authz.Check) ([]authz.Answer, error) {
	return e.one(ctx, at, who, checks, e.singly)
}

func (e *Engine) Batches(ctx context.Context, at relations.Revision, who authz.Ref, checks []authz.Check) ([]authz.Answer, error) {
	return e.one(ctx, at, who, checks, e.batches)
}

func (e *Engine) one(ctx context.Context, at relations.Revision, who authz.Ref, checks []authz.Check, ask func(context.Context, snapshot, authz.Ref, []*authz.Answer) error) ([]authz.Answer, error) {
	s, err := e.snapshot(ctx, at)
	if err != nil {
		return nil, err
	}
	answers, open := make([]authz.Answer, len(checks)), make([]*authz.Answer, len(checks))
	for i, c := range checks {
		answers[i].Check, open[i] = c, &answers[i]
	}
	return answers, ask(ctx, s, who, open)
}
