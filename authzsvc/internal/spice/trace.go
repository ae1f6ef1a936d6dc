package spice

import (
	"context"
	"strings"

	v1 "github.com/authzed/authzed-go/proto/authzed/api/v1"
	"github.com/authzed/spicedb/pkg/datastore"
	"google.golang.org/protobuf/types/known/structpb"

	"nexus/authzsvc/authz"
	"nexus/authzsvc/explain"
	"nexus/authzsvc/relations"
	"nexus/internal/errs"
)

// Explain answers one check as of at, with the way the engine took. A full trace asks everything anew and has each step with
// one object; it always finds what the schema writes first, a direct relation before an inherited one. Without full the
// answer may come from the cache: the trace then ends in nodes that say Cached, or that stand for a Batch.
func (e *Engine) Explain(ctx context.Context, at relations.Revision, subject authz.Ref, check authz.Check, full bool) (explain.Trace, error) {
	return e.ExplainSet(ctx, at, explain.Subject{Ref: subject}, check, full)
}

// ExplainUnder is Explain with values for the parameters of conditions.
func (e *Engine) ExplainUnder(ctx context.Context, at relations.Revision, subject authz.Ref, check authz.Check, full bool, values map[string]any) (explain.Trace, error) {
	return e.explain(ctx, at, explain.Subject{Ref: subject}, check, full, values)
}

// ExplainSet is Explain for one subject, or for all who have a relation to it at once.
func (e *Engine) ExplainSet(ctx context.Context, at relations.Revision, subject explain.Subject, check authz.Check, full bool) (explain.Trace, error) {
	return e.explain(ctx, at, subject, check, full, nil)
}

func (e *Engine) explain(ctx context.Context, at relations.Revision, subject explain.Subject, check authz.Check, full bool, values map[string]any) (explain.Trace, error) {
	s, err := e.snapshot(ctx, at)
	if err != nil {
		return explain.Trace{}, err
	}
	if err := e.known(ctx, s, []authz.Ref{subject.Ref}, []authz.Check{check}); err != nil {
		return explain.Trace{}, err
	}
	server := e.server
	if full {
		if server, err = e.tracing(); err != nil {
			return explain.Trace{}, err
		}
	}
	t := explain.Trace{Subject: subject.Ref, Set: subject.Relation, Check: check, At: at}
	response, err := e.ask(ctx, server, s, subject, check, values)
	switch {
	case tooDeep(err):
		e.giveUp(ctx, Incomplete{At: at, Subject: subject.Ref, Check: check})
		t.Incomplete = true
	case err != nil:
		return explain.Trace{}, fault(err)
	default:
		t.Allowed = response.GetPermissionship() == v1.CheckPermissionResponse_PERMISSIONSHIP_HAS_PERMISSION
		if t.Root, err = e.nodes(ctx, s, response.GetDebugTrace().GetCheck(), check.Permission); err != nil {
			return explain.Trace{}, err
		}
	}
	return t, nil
}

func (e *Engine) ask(ctx context.Context, server *server, s snapshot, subject explain.Subject, check authz.Check, values map[string]any) (*v1.CheckPermissionResponse, error) {
	consistency, err := e.consistency(ctx, s)
	if err != nil {
		return nil, err
	}
	given, err := structpb.NewStruct(values)
	if err != nil {
		return nil, errs.New(errs.Invalid, "the values for conditions cannot be sent").Marked(errs.NotValid).Because(err)
	}
	return server.permissions.CheckPermission(ctx, &v1.CheckPermissionRequest{
		Consistency: consistency, Resource: reference(check.Object()), Permission: check.Permission,
		Subject: &v1.SubjectReference{Object: reference(subject.Ref), OptionalRelation: subject.Relation}, WithTracing: true,
		Context: given,
	})
}

// tracer turns SpiceDB's trace into ours and adds what it leaves out: over which relation a step went.
type tracer struct {
	ctx    context.Context
	schema *explain.Schema
	reader datastore.Reader
}

func (e *Engine) nodes(ctx context.Context, s snapshot, root *v1.CheckDebugTrace, asked string) (*explain.Node, error) {
	if root == nil {
		return nil, nil
	}
	schema, err := e.model(ctx, s)
	if err != nil {
		return nil, err
	}
	t := tracer{ctx: ctx, schema: schema, reader: e.store.SnapshotReader(s.revision)}
	n, err := t.node(nil, root)
	if err != nil || n.Permission == asked {
		return n, err
	}
	// The engine asked for what the permission is an alias of.
	return &explain.Node{Object: n.Object, Permission: asked, Result: n.Result, Cached: n.Cached, Sub: []*explain.Node{n}}, nil
}

func (t tracer) node(parent *explain.Node, from *v1.CheckDebugTrace) (*explain.Node, error) {
	ids := strings.Split(from.GetResource().GetObjectId(), ",") // of a batch; no id has a comma
	n := &explain.Node{
		Object:     authz.Ref{Type: from.GetResource().GetObjectType(), ID: ids[0]},
		Permission: from.GetPermission(),
		Stored:     from.GetPermissionType() == v1.CheckDebugTrace_PERMISSION_TYPE_RELATION,
		Result:     result(from.GetResult()),
		Cached:     from.GetWasCachedResult(),
		Missing:    from.GetCaveatEvaluationInfo().GetPartialCaveatInfo().GetMissingRequiredContext(),
	}
	n.Joint = t.schema.Joint(n.Object.Type, n.Permission)
	if len(ids) > 1 {
		n.Batch = len(ids)
	}
	if err := t.connect(parent, n); err != nil {
		return nil, err
	}
	for _, sub := range from.GetSubProblems().GetTraces() {
		child, err := t.node(n, sub)
		if err != nil {
			return nil, err
		}
		n.Sub = append(n.Sub, child)
	}
	return n, nil
}

// connect notes how parent's object leads to n's. The trace does not say; the schema does, and where it leaves a choice
// (parent or link), the relationships.
func (t tracer) connect(parent, n *explain.Node) (err error) {
	switch {
	case parent == nil || parent.Object == n.Object && parent.Batch == n.Batch:
		return nil
	case parent.Stored: // through a subject set
		n.Via = parent.Permission
		sets := t.schema.Sets(parent.Object.Type, parent.Permission, n.Object.Type, n.Permission)
		n.Set, err = t.choose(sets, n, func(set string) (bool, error) { return t.written(parent.Object, n.Via, n.Object, set) })
		return err
	}
	over := t.schema.Arrows(parent.Object.Type, parent.Permission, n.Object.Type, n.Permission)
	n.Via, err = t.choose(over, n, func(relation string) (bool, error) { return t.written(parent.Object, relation, n.Object, "") })
	return err
}

// choose returns the first of names that is, and without asking the only one, or for a batch the first.
func (t tracer) choose(names []string, n *explain.Node, is func(string) (bool, error)) (string, error) {
	if len(names) == 1 || len(names) > 1 && n.Batch > 1 {
		return names[0], nil
	}
	for _, name := range names {
		if ok, err := is(name); ok || err != nil {
			return name, err
		}
	}
	return "", nil
}

// written reports whether a relationship from object to subject is stored; any relation of the subject's will do for "".
func (t tracer) written(object authz.Ref, relation string, subject authz.Ref, set string) (bool, error) {
	selector := datastore.SubjectsSelector{OptionalSubjectType: subject.Type, OptionalSubjectIds: []string{subject.ID}}
	if set != "" {
		selector.RelationFilter = selector.RelationFilter.WithNonEllipsisRelation(set)
	}
	rows, err := t.reader.QueryRelationships(t.ctx, datastore.RelationshipsFilter{
		OptionalResourceType: object.Type, OptionalResourceIds: []string{object.ID}, OptionalResourceRelation: relation,
		OptionalSubjectsSelectors: []datastore.SubjectsSelector{selector},
	})
	if err != nil {
		return false, fault(err)
	}
	for _, err := range rows {
		if err != nil {
			return false, fault(err)
		}
		return true, nil
	}
	return false, nil
}

func result(p v1.CheckDebugTrace_Permissionship) explain.Result {
	switch p {
	case v1.CheckDebugTrace_PERMISSIONSHIP_HAS_PERMISSION:
		return explain.Yes
	case v1.CheckDebugTrace_PERMISSIONSHIP_CONDITIONAL_PERMISSION:
		return explain.Conditional
	}
	return explain.No
}
