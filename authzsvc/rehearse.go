package authzsvc

import (
	"context"
	"slices"
	"time"

	"nexus/authzsvc/audit"
	"nexus/authzsvc/authz"
	"nexus/authzsvc/internal/rego"
	"nexus/internal/errs"
	"nexus/schema"
)

// Rehearsal is what a draft of the policies would have said of decisions that were made.
type Rehearsal struct {
	Digest  string // of all rules, with the draft
	Looked  int    // decisions that were looked at
	Asked   int    // of these: those that a rule of the draft concerns, or that a rule decided then
	Unknown int    // of these: those that could not be asked again
	// Partial are rules that look at what the record does not keep of a request (its address, the key's scopes): of what they
	// would have said, that part is missing.
	Partial []string
	Changes []Rehearsed // newest first
	More    bool        // there are more changes than are told
}

// Rehearsed is a decision that would have been another.
type Rehearsed struct {
	Decision    string
	At          time.Time
	Tenant      string
	Base        authz.Ref
	Actors      []authz.Ref
	Op          string
	Objects     []authz.Named
	Was, Would  bool     // allowed
	Rules       []string // of the draft, that would have fired
	Messages    []string
	Obligations []string
}

// Limits of a rehearsal.
const (
	MaxRehearsed = 100_000 // decisions
	maxChanges   = 1_000
)

// RehearsePolicy asks files, in place of the operator's own policies, about the last decisions of the record that relations
// allowed. What relations refused no rule was asked about. Lists are rehearsed as the decision that opened them, not row by row.
func (s *Service) RehearsePolicy(ctx context.Context, g schema.AdministerPlatform, files map[string]string, last int) (*Rehearsal, error) {
	if _, err := g.Use(); err != nil {
		return nil, err
	}
	if last < 1 || last > MaxRehearsed {
		return nil, errs.New(errs.Invalid, "a rehearsal looks at 1 to %d decisions", MaxRehearsed).Marked(errs.NotValid)
	}
	b, _, err := s.loadDraft(ctx, files)
	if err != nil {
		return nil, err
	}
	r := &rehearsal{Rehearsal: Rehearsal{Digest: b.Digest()}, bundle: b}
	q := audit.Query{Types: []audit.Type{audit.TypeDecided}, Newest: true, Limit: last}
	err = s.record.Read(ctx, q, func(e audit.Entry) bool {
		r.again(ctx, e.Decided)
		return ctx.Err() == nil
	})
	if err == nil {
		err = ctx.Err()
	}
	slices.Sort(r.Partial)
	return &r.Rehearsal, err
}

type rehearsal struct {
	Rehearsal
	bundle *rego.Bundle
}

// moment is a clock that stands at the time of a decision.
type moment time.Time

func (m moment) Now() time.Time { return time.Time(m) }

// again asks the draft about one decision.
func (r *rehearsal) again(ctx context.Context, d *authz.Decided) {
	r.Looked++
	was := verdictOf(d)
	if was == unasked {
		return
	}
	who := authz.Principal{Base: d.Base, Admin: d.Admin, Tenant: d.Tenant, Via: authz.Via{Key: d.Key}}
	for _, a := range d.Actors {
		who.Actors = append(who.Actors, authz.Actor{Ref: a})
	}
	of := rules{r.bundle, moment(d.At)}
	if !r.known(d.Op) {
		r.Unknown++
		return
	}
	applies, looks := of.Applies(who, d.Op)
	if !applies && len(d.Rules) == 0 {
		return
	}
	r.Asked++
	var verdict authz.Verdict
	if applies {
		r.partial(d.Op)
		var err error
		if verdict, err = join(ctx, of, who, d, looks); err != nil {
			r.Unknown++
			return
		}
	}
	r.compare(d, was == allowed, verdict)
}

// result is what rules said of a decision then.
type result uint8

const (
	unasked result = iota // they were not: relations refused, or a rule could not be asked
	allowed
	refused
)

func verdictOf(d *authz.Decided) result {
	switch {
	case d.Allowed:
		return allowed
	case d.Reason == string(errs.PolicyRefused):
		return refused
	}
	return unasked
}

// known reports whether the draft was loaded for an operation: the record may be of an older program.
func (r *rehearsal) known(op string) bool { return r.bundle.Knows(op) }

// partial notes the rules of an operation that look at what the record does not keep.
func (r *rehearsal) partial(op string) {
	for _, rule := range r.bundle.Rules() {
		if slices.Contains(rule.Operations, op) && !slices.Contains(r.Partial, rule.ID) &&
			(slices.Contains(rule.LooksAt, "context") || slices.Contains(rule.LooksAt, "principal")) {
			r.Partial = append(r.Partial, rule.ID)
		}
	}
}

// join asks about each object, as the Gate does, and joins the answers.
func join(ctx context.Context, of rules, who authz.Principal, d *authz.Decided, looks bool) (all authz.Verdict, err error) {
	var objects []authz.Named
	if looks {
		objects = d.Objects
	}
	verdicts, err := of.Evaluate(ctx, who, d.Op, objects)
	for _, v := range verdicts {
		all.Refused = all.Refused || v.Refused
		all.Messages = append(all.Messages, v.Messages...)
		all.Rules = append(all.Rules, v.Rules...)
		all.Obligations = append(all.Obligations, v.Obligations...)
	}
	return all, err
}

func (r *rehearsal) compare(d *authz.Decided, was bool, v authz.Verdict) {
	obliged := make([]string, 0, len(v.Obligations))
	if !v.Refused {
		for _, o := range v.Obligations {
			obliged = append(obliged, string(o))
		}
	}
	if was == !v.Refused && slices.Equal(set(obliged), set(d.Obligations)) {
		return
	}
	if len(r.Changes) == maxChanges {
		r.More = true
		return
	}
	r.Changes = append(r.Changes, Rehearsed{
		Decision: d.ID, At: d.At, Tenant: d.Tenant, Base: d.Base, Actors: d.Actors, Op: d.Op, Objects: d.Objects, Was: was, Would: !v.Refused,
		Rules: set(v.Rules), Messages: set(v.Messages), Obligations: set(obliged),
	})
}

func set(list []string) []string {
	sorted := slices.Sorted(slices.Values(list))
	return slices.Compact(sorted)
}
