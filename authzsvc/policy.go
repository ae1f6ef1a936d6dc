package authzsvc

import (
	"context"
	"net/netip"

	"nexus/authzsvc/authz"
	"nexus/authzsvc/internal/rego"
	"nexus/internal/clock"
	"nexus/internal/ids"
	"nexus/schema"
)

// policy is the Gate's view of the policies.
type policy struct {
	engine *rego.Engine
	clock  clock.Clock
}

func (p policy) Rules() authz.Rules { return rules{p.engine.Bundle(), p.clock} }

// rules is the Gate's view of one bundle.
type rules struct {
	bundle *rego.Bundle
	clock  clock.Clock
}

func (r rules) Applies(who authz.Principal, op string) (anyRule, objects bool) {
	var few [4]string // so that nothing is allocated for a principal as they mostly are
	types := append(few[:0], who.Base.Type)
	for i := range who.Actors {
		types = append(types, who.Actors[i].Type)
	}
	a := r.bundle.Applies(op, types...)
	return a.Any, a.Object
}

func (r rules) Digest() string { return r.bundle.Digest() }

func (r rules) Evaluate(ctx context.Context, who authz.Principal, op string, objects []authz.Named) ([]authz.Verdict, error) {
	in := &rego.Input{
		Principal: principal(who), Operation: op,
		Context: rego.Context{Time: r.clock.Now().UTC(), Address: address(who.Via.Address)},
	}
	if len(objects) == 0 {
		v, err := r.bundle.Evaluate(ctx, in)
		return []authz.Verdict{verdict(v)}, err
	}
	asked := make([]rego.Object, len(objects))
	for i, o := range objects {
		asked[i] = object(o)
	}
	found, err := r.bundle.EvaluateObjects(ctx, in, asked)
	if err != nil {
		return nil, err
	}
	all := make([]authz.Verdict, len(found))
	for i, v := range found {
		all[i] = verdict(v)
	}
	return all, nil
}

func principal(who authz.Principal) rego.Principal {
	p := rego.Principal{Base: subject(who.Base), Key: who.Via.Key, Admin: !who.Admin.IsZero(), Scopes: who.Via.Scopes}
	for _, a := range who.Actors {
		p.Actors = append(p.Actors, subject(a.Ref))
	}
	return p
}

func subject(r authz.Ref) rego.Subject {
	return rego.Subject{Type: r.Type, ID: schema.NameOf(r), Tenant: ids.Plain(schema.TenantOf(r))}
}

// object is what rules see of an object. A file's path is the caller's own, clean and whole, so nothing remains below it.
func object(o authz.Named) rego.Object {
	out := rego.Object{Type: schema.TypeName(o.Type), Tenant: ids.Plain(schema.TenantOf(o.Ref)), ID: o.ID, Name: o.Name}
	if o.Type == "file" {
		out.Path = o.Name
	}
	return out
}

func verdict(v rego.Verdict) authz.Verdict {
	out := authz.Verdict{Refused: v.Refused, Messages: v.Messages, Rules: v.Rules}
	for _, o := range v.Obligations {
		out.Obligations = append(out.Obligations, authz.Obligation(o.Name))
	}
	return out
}

// address is the zero address, which rules see as "", for what is none.
func address(text string) netip.Addr {
	a, _ := netip.ParseAddr(text)
	return a
}
