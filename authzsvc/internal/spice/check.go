package spice

import (
	"context"

	v1 "github.com/authzed/authzed-go/proto/authzed/api/v1"
	"github.com/authzed/spicedb/pkg/embedded"
	"google.golang.org/grpc/status"

	"nexus/authzsvc/authz"
	"nexus/authzsvc/explain"
	"nexus/authzsvc/relations"
	"nexus/internal/errs"
)

const (
	few     = 2    // so many questions are asked one by one; more are quicker in a batch (BenchmarkWays)
	maxBulk = 1000 // questions in one batch; SpiceDB takes ten times as many
)

// Check answers checks as of at: each holds if any of subjects holds it. An answer that needs a condition is a denial. A
// question that the engine gives up on is a denial of that subject: its answer is marked Incomplete unless another subject
// holds, and Options.OnIncomplete is told. A type or permission that the schema does not have is errs.Invalid, and any
// failure of the engine is an error for the whole question, never an answer.
func (e *Engine) Check(ctx context.Context, at relations.Revision, subjects []authz.Ref, checks []authz.Check) ([]authz.Answer, error) {
	s, err := e.snapshot(ctx, at)
	if err != nil {
		return nil, err
	}
	if err := e.known(ctx, s, subjects, checks); err != nil {
		return nil, err
	}
	answers := make([]authz.Answer, len(checks))
	for i, c := range checks {
		answers[i].Check = c
	}
	for _, subject := range subjects {
		if err := e.answer(ctx, s, subject, answers); err != nil {
			return nil, err
		}
	}
	for i := range answers {
		answers[i].Incomplete = answers[i].Incomplete && !answers[i].Allowed
	}
	return answers, nil
}

// CheckUnder answers one check as of at, for any of subjects, with values for the parameters of conditions. What lacks a value
// still is a denial.
func (e *Engine) CheckUnder(ctx context.Context, at relations.Revision, subjects []authz.Ref, check authz.Check, values map[string]any) (bool, error) {
	s, err := e.snapshot(ctx, at)
	if err != nil {
		return false, err
	}
	if err := e.known(ctx, s, subjects, []authz.Check{check}); err != nil {
		return false, err
	}
	for _, subject := range subjects {
		got, err := e.hot.Check(pin(ctx, s), embedded.CheckRequest{
			ResourceType: check.Type, ResourceID: check.ID, Permission: check.Permission,
			SubjectType: subject.Type, SubjectID: subject.ID, CaveatContext: values,
		})
		switch {
		case tooDeep(err):
			e.giveUp(ctx, Incomplete{At: at, Subject: subject, Check: check})
		case err != nil:
			return false, fault(err)
		case got.HasPermission:
			return true, nil
		}
	}
	return false, nil
}

// known refuses what the schema has no word for, before any of it is asked.
func (e *Engine) known(ctx context.Context, s snapshot, subjects []authz.Ref, checks []authz.Check) error {
	schema, err := e.model(ctx, s)
	if err != nil {
		return err
	}
	for _, subject := range subjects {
		if err := named(schema, subject); err != nil {
			return err
		}
	}
	for _, c := range checks {
		if err := askable(schema, c.Object(), c.Permission); err != nil {
			return err
		}
	}
	return nil
}

func named(schema *explain.Schema, r authz.Ref) error {
	if schema.Definitions[r.Type] == nil {
		return errs.New(errs.Invalid, "the schema has no definition %q", r.Type).Marked(errs.NotValid)
	}
	if r.ID == "" || r.ID == "*" {
		return errs.New(errs.Invalid, "%q is not the id of one %s", r.ID, r.Type).Marked(errs.NotValid)
	}
	return nil
}

func askable(schema *explain.Schema, object authz.Ref, permission string) error {
	if err := named(schema, object); err != nil {
		return err
	}
	if !schema.Has(object.Type, permission) {
		return errs.New(errs.Invalid, "%s has no permission %q", object.Type, permission).Marked(errs.NotValid)
	}
	return nil
}

// answer asks for subject what no subject before it holds.
func (e *Engine) answer(ctx context.Context, s snapshot, subject authz.Ref, answers []authz.Answer) error {
	var open []*authz.Answer
	for i := range answers {
		if !answers[i].Allowed {
			open = append(open, &answers[i])
		}
	}
	if len(open) > few {
		return e.batches(ctx, s, subject, open)
	}
	return e.singly(ctx, s, subject, open)
}

// singly asks the embedded checker, without gRPC.
func (e *Engine) singly(ctx context.Context, s snapshot, subject authz.Ref, open []*authz.Answer) error {
	ctx = pin(ctx, s)
	for _, a := range open {
		got, err := e.hot.Check(ctx, embedded.CheckRequest{
			ResourceType: a.Type, ResourceID: a.ID, Permission: a.Permission,
			SubjectType: subject.Type, SubjectID: subject.ID,
		})
		switch {
		case err == nil:
			a.Allowed = got.HasPermission
		case tooDeep(err):
			a.Incomplete = true
			e.giveUp(ctx, Incomplete{At: s.at, Subject: subject, Check: a.Check})
		default:
			return fault(err)
		}
	}
	return nil
}

// batches asks the server, which walks shared ancestors once and keeps what it found.
func (e *Engine) batches(ctx context.Context, s snapshot, subject authz.Ref, open []*authz.Answer) error {
	consistency, err := e.consistency(ctx, s)
	if err != nil {
		return err
	}
	for len(open) > 0 {
		n := min(len(open), maxBulk)
		if err := e.batch(ctx, s, consistency, subject, open[:n]); err != nil {
			return err
		}
		open = open[n:]
	}
	return nil
}

func (e *Engine) batch(ctx context.Context, s snapshot, at *v1.Consistency, subject authz.Ref, open []*authz.Answer) error {
	request := &v1.CheckBulkPermissionsRequest{Consistency: at, Items: make([]*v1.CheckBulkPermissionsRequestItem, len(open))}
	who := &v1.SubjectReference{Object: reference(subject)}
	for i, a := range open {
		request.Items[i] = &v1.CheckBulkPermissionsRequestItem{Resource: reference(a.Object()), Permission: a.Permission, Subject: who}
	}
	response, err := e.server.permissions.CheckBulkPermissions(ctx, request)
	if err != nil {
		return fault(err)
	}
	if len(response.GetPairs()) != len(open) {
		return errs.New(errs.Unavailable, "the relationships cannot be asked").Because(errs.Bug("%d questions, %d answers", len(open), len(response.GetPairs())))
	}
	var deep []*authz.Answer
	for i, pair := range response.GetPairs() {
		switch failed := pair.GetError(); {
		case failed == nil:
			open[i].Allowed = pair.GetItem().GetPermissionship() == v1.CheckPermissionResponse_PERMISSIONSHIP_HAS_PERMISSION
		case tooDeep(status.ErrorProto(failed)):
			deep = append(deep, open[i])
		default:
			return fault(status.ErrorProto(failed))
		}
	}
	// One object whose chain is too deep fails all that were asked together with it: those are asked again, each alone.
	return e.singly(ctx, s, subject, deep)
}

func reference(r authz.Ref) *v1.ObjectReference {
	return &v1.ObjectReference{ObjectType: r.Type, ObjectId: r.ID}
}
