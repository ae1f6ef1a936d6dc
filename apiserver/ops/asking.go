package ops

import (
	"context"
	"slices"

	"nexus/apiserver/api"
	"nexus/apiserver/op"
	"nexus/authzsvc/authz"
	"nexus/internal/errs"
	"nexus/schema"
)

func asking(t *op.Table, d Deps) {
	q := questionOps{words: words{d.Store.Names()}, inquiry: d.Inquiry}
	op.Handle(t, api.Check, func(ctx context.Context, who authz.Principal, p *api.AskParams) (authz.Need[askGrant], error) {
		return q.askable(ctx, who, p)
	}, q.check)
	op.Handle(t, api.Explain, func(ctx context.Context, who authz.Principal, p *api.ExplainParams) (authz.Need[askGrant], error) {
		return q.askable(ctx, who, &p.AskParams)
	}, q.explain)
	op.Handle(t, api.Expand, q.expandable, q.expand)
}

type questionOps struct {
	words
	inquiry Inquiry
}

// askGrant is the right to ask about somebody. Open says that the asker may know about the object, too.
type askGrant struct {
	proof authz.Proof
	open  bool
}

// askable is the need to ask: about oneself, access to the tenant; about others, share on the object, administer on the
// tenant, or a key made for asking.
func (q questionOps) askable(ctx context.Context, who authz.Principal, p *api.AskParams) (n authz.Need[askGrant], err error) {
	if err := home(who, p.Tenant); err != nil {
		return n, err
	}
	if err := permission(p.Object, p.Permission); err != nil {
		return n, err
	}
	if t := p.Subject.Type(); t != "user" && t != "agent" {
		return n, errs.New(errs.Invalid, "a check is about a user or an agent, not a %s", t).Marked(errs.NotValid)
	}
	if self(who, p.Subject) || slices.Contains(who.Via.Scopes, "evaluate") && !who.IsAgent() {
		return authz.Map(schema.Home(who).Access(), func(g schema.AccessTenant) askGrant { return askGrant{g, false} }), nil
	}
	return q.knowing(ctx, who, p.Object)
}

// knowing is the need to know everything about an object: to share it, or to administer the tenant.
func (q questionOps) knowing(ctx context.Context, who authz.Principal, object api.Ref) (n authz.Need[askGrant], err error) {
	administer := authz.Map(schema.Home(who).Administer(), func(g schema.AdministerTenant) askGrant { return askGrant{g, true} })
	switch object.Type() {
	case "file":
		a, err := q.names.Address(ctx, who.Tenant, object.ID())
		if err != nil {
			return n, err
		}
		share := authz.Map(schema.File{Address: a}.Share(), func(g schema.ShareFile) askGrant { return askGrant{g, true} })
		return either(share, administer), nil
	case "group":
		g, err := schema.GroupOf(who.Tenant, object.ID())
		if err != nil {
			return n, err
		}
		manage := authz.Map(g.Manage(), func(g schema.ManageGroup) askGrant { return askGrant{g, true} })
		return either(manage, administer), nil
	}
	if foreign(object) {
		return q.knowingItem(ctx, who, object)
	}
	return administer, nil
}

// either is the need for a or else b, where both give the same.
func either[G any](a, b authz.Need[G]) authz.Need[G] {
	return authz.Map(authz.Either(a, b), func(c authz.Choice[G, G]) G {
		if g, ok := c.Left(); ok {
			return g
		}
		g, _ := c.Right()
		return g
	})
}

// question turns the parameters into the engine's terms. Who asks about himself is asked with his admin key, if he has one.
func (q questionOps) question(ctx context.Context, who authz.Principal, p *api.AskParams) (Question, error) {
	object, rest, err := q.askedOn(ctx, who, p.Object, p.Permission)
	if err != nil {
		return Question{}, err
	}
	out := Question{Check: authz.Check{Type: object.Type, ID: object.ID, Permission: p.Permission}, Asked: p.Object, Rest: rest}
	if out.Values, err = p.Context.Values(); err != nil {
		return Question{}, err
	}
	if self(who, p.Subject) {
		out.Subjects = who.Subjects()
		return out, nil
	}
	s, err := q.subject(ctx, who, p.Subject)
	out.Subjects = []authz.Ref{s.Ref}
	return out, err
}

func (q questionOps) check(ctx context.Context, who authz.Principal, p *api.AskParams, g askGrant) (api.Allowed, error) {
	question, err := q.question(ctx, who, p)
	if err != nil {
		return api.Allowed{}, err
	}
	allowed, err := q.inquiry.Check(ctx, g.proof, question)
	return api.Allowed{Allowed: allowed}, err
}

func (q questionOps) explain(ctx context.Context, who authz.Principal, p *api.ExplainParams, g askGrant) (api.Explanation, error) {
	question, err := q.question(ctx, who, &p.AskParams)
	if err != nil {
		return api.Explanation{}, err
	}
	question.At, question.Full = p.At.Time, p.Full
	return q.inquiry.Explain(ctx, g.proof, question, g.open)
}

func (q questionOps) expandable(ctx context.Context, who authz.Principal, p *api.ExpandParams) (n authz.Need[askGrant], err error) {
	if err := permission(p.Object, p.Permission); err != nil {
		return n, err
	}
	if foreign(p.Object) {
		return q.knowingItem(ctx, who, p.Object)
	}
	if _, err := q.object(ctx, who, p.Object); err != nil {
		return n, err
	}
	return q.knowing(ctx, who, p.Object)
}

func (q questionOps) expand(ctx context.Context, who authz.Principal, p *api.ExpandParams, g askGrant) (api.Subjects, error) {
	object, _, err := q.askedOn(ctx, who, p.Object, p.Permission)
	if err != nil {
		return api.Subjects{}, err
	}
	found, err := q.inquiry.Expand(ctx, g.proof, object, p.Permission)
	if err != nil {
		return api.Subjects{}, err
	}
	all := api.Subjects{Subjects: []api.Ref{}}
	for _, s := range found {
		if s.Type == "group" && s.Relation == "member" {
			s.Relation = "" // as the document writes it
		}
		all.Subjects = append(all.Subjects, q.setOf(ctx, s))
	}
	return all, nil
}
