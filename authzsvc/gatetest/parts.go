package gatetest

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"nexus/authzsvc/authz"
)

// Revision is the revision of every answer.
const Revision = "1700000000000000000"

// Rule is the id of the rule that refuses or obliges.
const Rule = "gatetest/rule"

type relations struct{ Config }

// Ask answers from the Config.
func (r relations) Ask(ctx context.Context, subjects []authz.Ref, checks []authz.Check) (authz.Finding, error) {
	if err := errors.Join(ctx.Err(), r.Unanswered); err != nil {
		return authz.Finding{}, err
	}
	f := authz.Finding{Answers: make([]authz.Answer, len(checks)), Revision: Revision, Stamps: r.Stamps}
	for i, c := range checks {
		gaveUp := r.Incomplete != nil && r.Incomplete(c)
		f.Answers[i] = authz.Answer{Check: c, Allowed: !gaveUp && r.holds(subjects, c), Incomplete: gaveUp}
	}
	return f, nil
}

// Sift answers from the Config.
func (r relations) Sift(ctx context.Context, subjects []authz.Ref, permission, _ string, members []authz.Member) ([]bool, error) {
	if err := errors.Join(ctx.Err(), r.Unanswered); err != nil {
		return nil, err
	}
	pass := make([]bool, len(members))
	for i, m := range members {
		pass[i] = r.holds(subjects, authz.Check{Type: m.Object.Type, ID: m.Object.ID, Permission: permission})
	}
	return pass, nil
}

// Granted answers from the Config.
func (r relations) Granted(ctx context.Context, subjects []authz.Ref, _, permission, _ string, most int) (ids []string, known bool, err error) {
	if err := errors.Join(ctx.Err(), r.Unanswered); err != nil || r.Roots == nil {
		return nil, false, err
	}
	ids = r.Roots(subjects, permission)
	if len(ids) > most {
		return nil, false, nil
	}
	return ids, true, nil
}

func (r relations) holds(subjects []authz.Ref, c authz.Check) bool {
	return r.Relations == nil || r.Relations(subjects, c)
}

type tree struct{ Config }

// Below answers from the Config.
func (t tree) Below(ctx context.Context, _ string, roots, objects []authz.Ref) ([]bool, error) {
	if err := errors.Join(ctx.Err(), t.Unanswered); err != nil {
		return nil, err
	}
	below := t.Config.Below
	if below == nil {
		below = byPath
	}
	all := make([]bool, len(objects))
	for i, o := range objects {
		all[i] = below(roots, o)
	}
	return all, nil
}

func byPath(roots []authz.Ref, object authz.Ref) bool {
	return slices.ContainsFunc(roots, func(r authz.Ref) bool {
		return r.Type == object.Type && (r.ID == object.ID || strings.HasPrefix(object.ID, strings.TrimSuffix(r.ID, "/")+"/"))
	})
}

type policy struct{ Config }

// Rules returns the Config's rules, which do not change.
func (p policy) Rules() authz.Rules { return p }

// Applies reports a rule for every operation of anybody as soon as the Config has one.
func (p policy) Applies(authz.Principal, string) (applies, objects bool) {
	looks := p.RefuseObject != nil || p.Oblige != nil
	return looks || p.Refuse != nil || p.Unjudged != nil, looks
}

// Evaluate asks the Config's rules.
func (p policy) Evaluate(_ context.Context, _ authz.Principal, op string, objects []authz.Named) ([]authz.Verdict, error) {
	if p.Unjudged != nil {
		return nil, p.Unjudged
	}
	if len(objects) == 0 {
		return []authz.Verdict{p.judge(op, authz.Named{})}, nil
	}
	verdicts := make([]authz.Verdict, len(objects))
	for i, o := range objects {
		verdicts[i] = p.judge(op, o)
	}
	return verdicts, nil
}

func (p policy) judge(op string, object authz.Named) authz.Verdict {
	var v authz.Verdict
	v.Refused = p.Refuse != nil && p.Refuse(op) || p.RefuseObject != nil && p.RefuseObject(op, object)
	if p.Oblige != nil {
		v.Obligations = p.Oblige(op, object)
	}
	if v.Refused || len(v.Obligations) > 0 {
		v.Rules = []string{Rule}
	}
	return v
}

// Digest returns a fixed one.
func (p policy) Digest() string { return "policy-digest" }

// Recorder keeps what is recorded. It is safe for concurrent use.
type Recorder struct {
	mu       sync.Mutex // guards what follows
	refusal  error
	decided  []authz.Decided
	outcomes []authz.Outcome
}

// Refuse makes Decide and Conclude return err from now on; nil makes them work again.
func (r *Recorder) Refuse(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.refusal = err
}

// Decide keeps d, unless the recorder refuses or ctx is over.
func (r *Recorder) Decide(ctx context.Context, d *authz.Decided) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := errors.Join(ctx.Err(), r.refusal); err != nil {
		return err
	}
	r.decided = append(r.decided, *d)
	return nil
}

// Conclude keeps o, unless the recorder refuses or ctx is over.
func (r *Recorder) Conclude(ctx context.Context, o *authz.Outcome) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := errors.Join(ctx.Err(), r.refusal); err != nil {
		return err
	}
	r.outcomes = append(r.outcomes, *o)
	return nil
}

// Decided returns what was decided so far, oldest first.
func (r *Recorder) Decided() []authz.Decided {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.decided)
}

// Outcomes returns what was concluded so far, oldest first.
func (r *Recorder) Outcomes() []authz.Outcome {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.outcomes)
}

// Stamps hold until Change is called. The zero Stamps hold.
type Stamps struct{ changed atomic.Bool }

// Change makes decisions that depend on s stale.
func (s *Stamps) Change() { s.changed.Store(true) }

// Hold reports whether nothing has changed.
func (s *Stamps) Hold() bool { return !s.changed.Load() }

// Clock stands still until it is advanced. It is safe for concurrent use.
type Clock struct {
	mu  sync.Mutex // guards now
	now time.Time
}

// NewClock returns a clock that shows noon UTC of 1 June 2026.
func NewClock() *Clock { return &Clock{now: time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)} }

// Now returns the time it shows.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Advance moves it forward by d.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}
