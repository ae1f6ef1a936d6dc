package rego

import (
	"context"
	"fmt"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"

	"nexus/internal/errs"
)

// chunk is how many objects one evaluation of a list form answers for. It bounds the memory of an evaluation and what one deadline has to cover.
const chunk = 256

// Evaluate asks the rules that name in.Operation and concern in.Principal. Beside an error the verdict is a refusal: the error is for the operator, and the caller of
// Evaluate need not look at it to be safe. Kinds: Canceled when ctx ended, Deadline when the evaluation took longer than it may, Internal else.
func (b *Bundle) Evaluate(ctx context.Context, in *Input) (Verdict, error) {
	p, err := b.planOf(in)
	if err != nil {
		return failed(), err
	}
	if p.all == nil {
		return Verdict{}, nil
	}
	var d draft
	if err := b.ask(ctx, p.all, in, in.Objects, p.read, &d); err != nil {
		return failed(), err
	}
	return d.verdict(), nil
}

// EvaluateObjects asks about each of objects as Evaluate would with that object alone, in.Objects aside, and returns a verdict for each in
// their order. Rules that do not look at the object are asked once, those with a list form once per 256 objects. Beside an error every
// verdict is a refusal.
func (b *Bundle) EvaluateObjects(ctx context.Context, in *Input, objects []Object) ([]Verdict, error) {
	verdicts := make([]Verdict, len(objects))
	err := b.evaluateObjects(ctx, in, objects, verdicts)
	if err != nil {
		for i := range verdicts {
			verdicts[i] = failed()
		}
	}
	return verdicts, err
}

func (b *Bundle) evaluateObjects(ctx context.Context, in *Input, objects []Object, verdicts []Verdict) error {
	p, err := b.planOf(in)
	if err != nil || p.all == nil || len(objects) == 0 {
		return err
	}
	drafts := make([]draft, len(objects))
	if err := b.askOnce(ctx, p, in, drafts); err != nil {
		return err
	}
	for from := 0; p.list != nil && from < len(objects); from += chunk {
		to := min(from+chunk, len(objects))
		if err := b.askList(ctx, p, in, objects[from:to], drafts[from:to]); err != nil {
			return err
		}
	}
	for i := 0; p.each != nil && i < len(objects); i++ {
		if err := b.ask(ctx, p.each, in, objects[i:i+1], p.read, &drafts[i]); err != nil {
			return err
		}
	}
	for i := range drafts {
		verdicts[i] = drafts[i].verdict()
	}
	return nil
}

// ask runs q about objects together and collects what its rules say in d.
func (b *Bundle) ask(ctx context.Context, q *query, in *Input, objects []Object, read parts, d *draft) error {
	answers, err := b.run(ctx, q, in, objects, read)
	if err != nil {
		return err
	}
	return q.collect(answers, func(s slot, term *ast.Term) error { return s.say(d, term) })
}

// askOnce asks the rules that do not look at the object, and says what they say of every object.
func (b *Bundle) askOnce(ctx context.Context, p *plan, in *Input, drafts []draft) error {
	if p.once == nil {
		return nil
	}
	answers, err := b.run(ctx, p.once, in, nil, p.read)
	if err != nil {
		return err
	}
	return p.once.collect(answers, func(s slot, term *ast.Term) error { return sayOfAll(s, drafts, term) })
}

// askList asks the list forms, whose terms are [index, what a rule says].
func (b *Bundle) askList(ctx context.Context, p *plan, in *Input, objects []Object, drafts []draft) error {
	answers, err := b.run(ctx, p.list, in, objects, p.read)
	if err != nil {
		return err
	}
	return p.list.collect(answers, func(s slot, term *ast.Term) error {
		pair, ok := term.Value.(*ast.Array)
		if !ok || pair.Len() != 2 {
			return fmt.Errorf("rule %s: its list form says %s", s.rule.ID, term)
		}
		index, ok := pair.Elem(0).Value.(ast.Number)
		i, whole := index.Int()
		if !ok || !whole || i < everyObject || i >= len(drafts) {
			return fmt.Errorf("rule %s: its list form says %s of %d objects", s.rule.ID, term, len(drafts))
		}
		if i == everyObject {
			return sayOfAll(s, drafts, pair.Elem(1))
		}
		return s.say(&drafts[i], pair.Elem(1))
	})
}

func sayOfAll(s slot, drafts []draft, term *ast.Term) error {
	for i := range drafts {
		if err := s.say(&drafts[i], term); err != nil {
			return err
		}
	}
	return nil
}

// say adds term to d as what it is.
func (s slot) say(d *draft, term *ast.Term) error {
	if s.oblige {
		return d.oblige(s.rule, term)
	}
	return d.refuse(s.rule, term)
}

// collect hands every element of every set to say.
func (q *query) collect(answers topdown.QueryResult, say func(slot, *ast.Term) error) error {
	for _, s := range q.slots {
		answer := answers[s.result]
		if answer == nil {
			return internal("rule %s gave no set", s.rule.ID)
		}
		set, ok := answer.Value.(ast.Set)
		if !ok {
			return internal("rule %s gave %s, not a set", s.rule.ID, answer)
		}
		err := set.Iter(func(term *ast.Term) error { return say(s, term) })
		if err != nil {
			return internal("%w", err)
		}
	}
	return nil
}

// run evaluates q once, under the deadline.
func (b *Bundle) run(ctx context.Context, q *query, in *Input, objects []Object, read parts) (topdown.QueryResult, error) {
	started := time.Now()
	answers, err := b.evaluate(ctx, q, document(in, objects, read))
	if b.config.Observe != nil {
		b.config.Observe(Evaluation{Operation: in.Operation, Objects: len(objects), Took: time.Since(started), Err: err})
	}
	return answers, err
}

// evaluate goes to the evaluator directly: the layer above it turns every answer into JSON and starts a goroutine for each evaluation.
func (b *Bundle) evaluate(ctx context.Context, q *query, input *ast.Term) (topdown.QueryResult, error) {
	cancel := topdown.NewCancel()
	timer := time.AfterFunc(b.config.Deadline, cancel.Cancel)
	defer timer.Stop()
	defer context.AfterFunc(ctx, cancel.Cancel)()

	answers, err := topdown.NewQuery(q.body).
		WithQueryCompiler(q.compiler).
		WithCompiler(b.compiler).
		WithStore(b.store).
		WithTransaction(b.txn).
		WithInput(input).
		WithCancel(cancel).
		WithStrictBuiltinErrors(true). // a builtin that fails is an error, not a condition that does not hold
		Run(ctx)
	switch {
	case ctx.Err() != nil:
		return nil, errs.New(errs.Canceled, "policy").Because(ctx.Err())
	case topdown.IsCancel(err):
		return nil, errs.New(errs.Deadline, "policy took longer than %v", b.config.Deadline).Because(err)
	case err != nil:
		return nil, internal("%w", err)
	case len(answers) != 1:
		return nil, internal("%d answers to one question", len(answers))
	}
	return answers[0], nil
}

// planOf returns the plan of in's operation for in's principal. An operation that nobody announced and a clock that was not read are mistakes of the caller
// that rules would answer wrongly.
func (b *Bundle) planOf(in *Input) (*plan, error) {
	c, known := b.choices[in.Operation]
	if !known {
		return nil, internal("operation %q was not known when the policy was loaded", in.Operation)
	}
	p := c.plans[c.mask(&in.Principal)]
	if p.read.context && in.Context.Time.IsZero() {
		return nil, internal("a rule of %s looks at the context, which has no time", in.Operation)
	}
	return p, nil
}

// internal is an error whose text is for the operator alone.
func internal(format string, args ...any) error {
	return errs.New(errs.Internal, "policy").Because(fmt.Errorf(format, args...))
}
