package authzsvc

import (
	"context"
	"time"

	"nexus/authzsvc/authz"
	"nexus/authzsvc/explain"
	"nexus/authzsvc/relations"
	"nexus/internal/errs"
	"nexus/schema"
)

// Question is a check about somebody, in the engine's terms.
type Question struct {
	Subjects []authz.Ref // any of whom may hold it: a person, and his admin key
	Check    authz.Check
	Name     string             // of the object, as the asker wrote it
	Rest     string             // what of that lies below the object and has no row
	At       time.Time          // as of this time; zero: now
	Revision relations.Revision // as of this revision; zero: as At says
	Full     bool               // trace past every cache
	Values   map[string]any     // for the parameters of conditions; nil: none
}

// Names returns the names that people know objects by; what it leaves out keeps the name in its id.
type Names func(ctx context.Context, refs []authz.Ref) map[authz.Ref]string

// Check answers one question. may proves that the asker may ask it.
func (s *Service) Check(ctx context.Context, may authz.Proof, q Question) (bool, error) {
	if err := authz.Ready(may); err != nil {
		return false, err
	}
	if len(q.Values) > 0 {
		return s.checkUnder(ctx, q)
	}
	finding, err := s.relations().Ask(ctx, q.Subjects, []authz.Check{q.Check})
	if err != nil {
		return false, err
	}
	if answer := finding.Answers[0]; answer.Allowed || q.Rest == "" {
		return answer.Allowed, nil
	}
	return false, s.relations().Disguise(ctx, q.Subjects, q.Check, q.Rest)
}

// checkUnder answers a question for which there are values: nobody remembers such an answer.
func (s *Service) checkUnder(ctx context.Context, q Question) (allowed bool, err error) {
	at, err := s.store.Settled(ctx)
	if err != nil {
		return false, err
	}
	err = s.own.within(ctx, q.Check.Object(), func(ctx context.Context) error {
		allowed, err = s.engine.CheckUnder(ctx, at, q.Subjects, q.Check, q.Values)
		return err
	})
	return allowed && err == nil, err
}

// Explain answers one question with the way to the answer, as far as the asker, whose proof may is, can see it. open says
// that he may know everything about the object; otherwise a denial about what he may not read tells him nothing that the
// question did not.
func (s *Service) Explain(ctx context.Context, may authz.Proof, q Question, open bool, names Names) (explain.Explanation, error) {
	if err := authz.Ready(may); err != nil {
		return explain.Explanation{}, err
	}
	at, err := s.revision(ctx, q)
	if err != nil {
		return explain.Explanation{}, err
	}
	trace, err := s.trace(ctx, at, q)
	if err != nil {
		return explain.Explanation{}, err
	}
	model, err := s.engine.Schema(ctx, at)
	if err != nil {
		return explain.Explanation{}, err
	}
	asker := may.Decision().Principal()
	if !trace.Allowed && !open && !s.reads(ctx, asker, q.Check.Object()) {
		return s.blind(ctx, trace, model, q.Name), nil
	}
	sharers, err := s.sharers(ctx, at, model, trace)
	if err != nil {
		return explain.Explanation{}, err
	}
	view := explain.Asker{
		Visible: func(r authz.Ref) bool { return open || s.sees(ctx, asker, r) },
		Names:   func(ctx context.Context, refs []authz.Ref) map[authz.Ref]string { return names(ctx, refs) },
	}
	e := view.WhyNot(ctx, trace, model, sharers)
	e.Object.Name = q.Name
	return e, nil
}

// blind explains a denial about what the asker may not read: from the question and the schema alone, so that it is the
// same for what exists and for what does not.
func (s *Service) blind(ctx context.Context, t explain.Trace, model *explain.Schema, name string) explain.Explanation {
	flat := explain.Trace{Subject: t.Subject, Check: t.Check, At: t.At}
	asker := explain.Asker{
		Visible: func(r authz.Ref) bool { return r == t.Subject },
		Names: func(context.Context, []authz.Ref) map[authz.Ref]string {
			return map[authz.Ref]string{t.Check.Object(): name}
		},
	}
	return asker.WhyNot(ctx, flat, model, nil)
}

// trace asks for each subject until one holds.
func (s *Service) trace(ctx context.Context, at relations.Revision, q Question) (t explain.Trace, err error) {
	err = s.own.within(ctx, q.Check.Object(), func(ctx context.Context) error {
		t, err = s.traceAny(ctx, at, q)
		return err
	})
	return t, err
}

func (s *Service) traceAny(ctx context.Context, at relations.Revision, q Question) (t explain.Trace, err error) {
	for _, subject := range q.Subjects {
		t, err = s.engine.ExplainUnder(ctx, at, subject, q.Check, q.Full, q.Values)
		if err != nil || t.Allowed {
			return t, err
		}
	}
	if len(q.Subjects) > 1 {
		t, err = s.engine.ExplainUnder(ctx, at, q.Subjects[0], q.Check, q.Full, q.Values)
	}
	return t, err
}

func (s *Service) sharers(ctx context.Context, at relations.Revision, model *explain.Schema, t explain.Trace) ([]explain.Subject, error) {
	permission := model.Sharing(t.Check.Type)
	if t.Allowed || permission == "" {
		return nil, nil
	}
	return s.expand(ctx, at, t.Check.Object(), permission)
}

// revision returns the revision that a question is about.
func (s *Service) revision(ctx context.Context, q Question) (relations.Revision, error) {
	switch {
	case q.Revision != 0:
		return q.Revision, nil
	case q.At.IsZero():
		return s.store.Reader().Head(ctx)
	case q.At.After(s.clock.Now()):
		return 0, errs.New(errs.Invalid, "cannot explain a time to come").Marked(errs.NotValid)
	}
	return s.store.At(ctx, q.At)
}

// reads reports whether the asker may read an object, now.
func (s *Service) reads(ctx context.Context, asker authz.Principal, object authz.Ref) bool {
	permission := map[string]string{"file": "read", "group": "view", "tenant": "access", "agent": "view", "platform": "administer"}[object.Type]
	if schema.IsOwn(object.Type) {
		permission = s.reading(ctx, object.Type)
	}
	if permission == "" {
		return false
	}
	finding, err := s.relations().Ask(ctx, asker.Subjects(), []authz.Check{{Type: object.Type, ID: object.ID, Permission: permission}})
	return err == nil && finding.Answers[0].Allowed
}

// reading returns the permission by which somebody may see an object of a tenant's type.
func (s *Service) reading(ctx context.Context, definition string) string {
	head, err := s.store.Reader().Head(ctx)
	if err != nil {
		return ""
	}
	model, err := s.engine.Schema(ctx, head)
	if err != nil {
		return ""
	}
	return model.Reading(definition)
}

// sees reports whether an explanation may show r to the asker: people of his own tenant, and what he may read.
func (s *Service) sees(ctx context.Context, asker authz.Principal, r authz.Ref) bool {
	if r.Type == "user" || r.Type == "key" {
		return true
	}
	return s.reads(ctx, asker, r)
}

// Expand returns every subject that has the permission on object. may proves that the asker may know.
func (s *Service) Expand(ctx context.Context, may authz.Proof, object authz.Ref, permission string) ([]explain.Subject, error) {
	if err := authz.Ready(may); err != nil {
		return nil, err
	}
	head, err := s.store.Reader().Head(ctx)
	if err != nil {
		return nil, err
	}
	return s.expand(ctx, head, object, permission)
}

func (s *Service) expand(ctx context.Context, at relations.Revision, object authz.Ref, permission string) ([]explain.Subject, error) {
	var found []explain.Subject
	err := s.own.within(ctx, object, func(ctx context.Context) (err error) {
		found, err = s.engine.Expand(ctx, at, object, permission)
		return err
	})
	return found, err
}
