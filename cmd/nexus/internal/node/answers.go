package node

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"

	"nexus/apiserver/api"
	"nexus/apiserver/ops"
	"nexus/authzsvc"
	"nexus/authzsvc/audit"
	"nexus/authzsvc/authz"
	"nexus/authzsvc/explain"
	"nexus/authzsvc/relations"
	"nexus/internal/errs"
	"nexus/internal/ids"
	"nexus/schema"
	"nexus/storage"
)

// inquiry answers the questions of operations from the decision service.
type inquiry struct {
	service *authzsvc.Service
	names   storage.Names
}

var _ ops.Inquiry = inquiry{}

func (i inquiry) Check(ctx context.Context, may authz.Proof, q ops.Question) (bool, error) {
	return i.service.Check(ctx, may, question(q))
}

func (i inquiry) Explain(ctx context.Context, may authz.Proof, q ops.Question, open bool) (api.Explanation, error) {
	e, err := i.service.Explain(ctx, may, question(q), open, i.paths)
	if err != nil {
		return api.Explanation{}, err
	}
	return told(e)
}

func (i inquiry) Expand(ctx context.Context, may authz.Proof, object authz.Ref, permission string) ([]storage.Subject, error) {
	found, err := i.service.Expand(ctx, may, object, permission)
	all := make([]storage.Subject, len(found))
	for n, s := range found {
		all[n] = storage.Subject{Ref: s.Ref, Relation: s.Relation}
	}
	return all, err
}

func (i inquiry) Access(ctx context.Context, may authz.Proof, object authz.Ref, permission string, after storage.Subject, limit int) ([]ops.Accessor, bool, error) {
	behind := explain.Subject{Ref: after.Ref, Relation: after.Relation}
	page, more, err := i.service.Access(ctx, may, object, permission, behind, limit, i.paths)
	all := make([]ops.Accessor, len(page))
	for n, one := range page {
		all[n] = accessor(one)
	}
	return all, more, err
}

func accessor(a authzsvc.Accessor) ops.Accessor {
	out := ops.Accessor{Subject: storage.Subject{Ref: a.Subject.Ref, Relation: a.Subject.Relation}}
	out.Way, out.Grant, out.On, out.Path, out.Partial = api.Inherited, a.Grant, shown(a.On), a.Path, a.Partial
	if a.Direct {
		out.Way = api.Direct
	}
	out.Through = make([]api.Ref, len(a.Through))
	for n, group := range a.Through {
		out.Through[n] = shown(group)
	}
	return out
}

// shown is an entity as a reference, which has no empty part: what is hidden is called so.
func shown(e explain.Entity) api.Ref {
	if e == explain.Hidden {
		return api.Ref{e.Type, e.Type}
	}
	return api.Ref{e.Type, e.Name}
}

// paths names files by their paths.
func (i inquiry) paths(ctx context.Context, refs []authz.Ref) map[authz.Ref]string {
	known := map[authz.Ref]string{}
	for _, r := range refs {
		if r.Type != "file" {
			continue
		}
		if path, err := i.names.Path(ctx, r); err == nil {
			known[r] = path
		}
	}
	return known
}

func question(q ops.Question) authzsvc.Question {
	return authzsvc.Question{Subjects: q.Subjects, Check: q.Check, Name: q.Asked.ID(), Rest: q.Rest, At: q.At, Full: q.Full, Values: q.Values}
}

// told is an explanation as it goes out: with the text for people beside it.
func told(e explain.Explanation) (api.Explanation, error) {
	var text strings.Builder
	if err := explain.Text(&text, e); err != nil {
		return api.Explanation{}, err
	}
	return api.Explanation{Explanation: e, Result: e.Allowed, Text: text.String()}, nil
}

// record reads the decision record for auditors.
type record struct {
	inquiry
}

var _ ops.Record = record{}

func (r record) Decisions(ctx context.Context, may authz.Proof, tenant string, f api.DecisionsParams) ([]json.RawMessage, error) {
	if err := authz.Ready(may); err != nil {
		return nil, err
	}
	q, err := query(tenant, f)
	if err != nil {
		return nil, err
	}
	var all []json.RawMessage
	err = r.service.Record().Read(ctx, q, func(e audit.Entry) bool {
		if e.Decided.Tenant != tenant || f.Path != "" && !about(e.Decided, f.Path) {
			return true
		}
		raw, err := json.Marshal(e)
		if err == nil {
			all = append(all, raw)
		}
		return len(all) < f.Limit
	})
	return all, err
}

func query(tenant string, f api.DecisionsParams) (audit.Query, error) {
	q := audit.Query{Types: []audit.Type{audit.TypeDecided}, From: f.Since.Time, To: f.Until.Time, Op: f.Operation, Newest: true}
	if f.Denied != nil {
		q.Answer = audit.Allowed
		if *f.Denied {
			q.Answer = audit.Refused
		}
	}
	if f.Principal == "" {
		return q, nil
	}
	typ, name, ok := strings.Cut(f.Principal, ":")
	id, err := schema.ID(ids.Plain(tenant), name)
	if !ok || err != nil {
		return q, errs.New(errs.Invalid, "principal must be type:name, such as user:alice").Marked(errs.NotValid)
	}
	q.Principal = authz.Ref{Type: typ, ID: id}
	return q, nil
}

func about(d *authz.Decided, path string) bool {
	for _, o := range d.Objects {
		if o.Name == path {
			return true
		}
	}
	return false
}

func (r record) Explain(ctx context.Context, may authz.Proof, tenant, id string) (*api.DecisionExplained, error) {
	if err := authz.Ready(may); err != nil {
		return nil, err
	}
	entry, err := r.decision(ctx, tenant, id)
	if err != nil || entry == nil {
		return nil, err
	}
	raw, err := json.Marshal(entry)
	if err != nil {
		return nil, err
	}
	out := &api.DecisionExplained{Decision: raw, SameAnswer: true, Checks: []api.Explanation{}}
	d := entry.Decided
	rev, err := strconv.ParseInt(d.Revision, 10, 64)
	if err != nil || len(d.Checks) == 0 {
		return out, nil
	}
	var text strings.Builder
	for i, c := range d.Checks {
		e, err := r.again(ctx, may, d, c.Check, nameOf(d, i), relations.Revision(rev))
		if err != nil {
			return nil, err
		}
		out.SameAnswer = out.SameAnswer && e.Allowed == c.Allowed
		out.Checks = append(out.Checks, e)
		text.WriteString(e.Text)
	}
	out.Explanation = text.String() + verdict(d)
	return out, nil
}

// again asks a recorded check once more, as of the revision it was decided at.
func (r record) again(ctx context.Context, may authz.Proof, d *authz.Decided, c authz.Check, name string, rev relations.Revision) (api.Explanation, error) {
	subjects := []authz.Ref{d.Base}
	if !d.Admin.IsZero() {
		subjects = append(subjects, d.Admin)
	}
	e, err := r.service.Explain(ctx, may, authzsvc.Question{Subjects: subjects, Check: c, Name: name, Revision: rev, Full: true}, true, r.paths)
	if err != nil {
		return api.Explanation{}, err
	}
	return told(e)
}

func (r record) decision(ctx context.Context, tenant, id string) (found *audit.Entry, err error) {
	q := audit.Query{Types: []audit.Type{audit.TypeDecided}, Decision: id, Limit: 1}
	err = r.service.Record().Read(ctx, q, func(e audit.Entry) bool {
		if e.Decided.ID == id && e.Decided.Tenant == tenant {
			found = &e
		}
		return found == nil
	})
	return found, err
}

// nameOf returns what the caller called the object of a decision's check.
func nameOf(d *authz.Decided, check int) string {
	for _, o := range d.Objects {
		if o.Ref == d.Checks[check].Object() {
			return o.Name
		}
	}
	return schema.NameOf(d.Checks[check].Object())
}

// verdict says in one line what came of a decision beside the relations.
func verdict(d *authz.Decided) string {
	switch {
	case !d.Allowed && d.Reason == string(errs.PolicyRefused):
		return "policy refused: " + strings.Join(d.Rules, ", ") + "\n"
	case !d.Allowed && d.Reason == string(errs.OutsideMandate):
		return "outside the mandate of who acted\n"
	case len(d.Obligations) > 0:
		return "policy obliged to " + strings.Join(d.Obligations, ", ") + " (" + strings.Join(d.Rules, ", ") + ")\n"
	}
	return ""
}
