package spice

import (
	"cmp"
	"context"
	"errors"
	"io"
	"slices"

	v1 "github.com/authzed/authzed-go/proto/authzed/api/v1"
	"google.golang.org/grpc"

	"nexus/authzsvc/authz"
	"nexus/authzsvc/explain"
	"nexus/authzsvc/relations"
	"nexus/internal/errs"
)

// Expand returns everybody who holds a permission or a relation on object as of at: users, agents and keys one by one, however
// they come to it, and beside them the subject sets through which they do (group:eng#member, tenant:acme#administer). The
// list is complete, without repetition, and sorted by type, id and relation. A subject for whom a caveat decides is marked.
// When the engine gives up, there is no list but errs.Unavailable: a part of it would be taken for the whole.
func (e *Engine) Expand(ctx context.Context, at relations.Revision, object authz.Ref, permission string) ([]explain.Subject, error) {
	s, err := e.snapshot(ctx, at)
	if err != nil {
		return nil, err
	}
	schema, err := e.model(ctx, s)
	if err != nil {
		return nil, err
	}
	if err := askable(schema, object, permission); err != nil {
		return nil, err
	}
	consistency, err := e.consistency(ctx, s)
	if err != nil {
		return nil, err
	}
	var all []explain.Subject
	for _, kind := range schema.Holders(object.Type, permission) {
		found, err := e.holders(ctx, &v1.LookupSubjectsRequest{
			Consistency: consistency, Resource: reference(object), Permission: permission,
			SubjectObjectType: kind.Type, OptionalSubjectRelation: kind.Relation,
		})
		if err != nil {
			return nil, e.listFault(ctx, err, Incomplete{At: at, Check: authz.Check{Type: object.Type, ID: object.ID, Permission: permission}})
		}
		all = append(all, found...)
	}
	slices.SortFunc(all, func(a, b explain.Subject) int { return cmp.Or(order(a, b), certainFirst(a, b)) })
	return slices.CompactFunc(all, func(a, b explain.Subject) bool { return order(a, b) == 0 }), nil
}

// order sorts by type, id and relation.
func order(a, b explain.Subject) int {
	return cmp.Or(cmp.Compare(a.Type, b.Type), cmp.Compare(a.ID, b.ID), cmp.Compare(a.Relation, b.Relation))
}

// certainFirst makes who holds a permission without condition stand before the same subject with one.
func certainFirst(a, b explain.Subject) int {
	switch {
	case a.Conditional == b.Conditional:
		return 0
	case b.Conditional:
		return -1
	}
	return 1
}

func (e *Engine) holders(ctx context.Context, request *v1.LookupSubjectsRequest) ([]explain.Subject, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends the stream when it is left early
	stream, err := e.server.permissions.LookupSubjects(ctx, request)
	if err != nil {
		return nil, err
	}
	var found []explain.Subject
	err = drain(stream, func(r *v1.LookupSubjectsResponse) {
		found = append(found, explain.Subject{
			Ref:         authz.Ref{Type: request.GetSubjectObjectType(), ID: r.GetSubject().GetSubjectObjectId()},
			Relation:    request.GetOptionalSubjectRelation(),
			Conditional: r.GetSubject().GetPermissionship() != v1.LookupPermissionship_LOOKUP_PERMISSIONSHIP_HAS_PERMISSION,
		})
	})
	return found, err
}

// drain gives each message of a stream to take, and returns nil at its end.
func drain[T any](stream grpc.ServerStreamingClient[T], take func(*T)) error {
	for {
		message, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		take(message)
	}
}

// listFault is fault for questions whose answer is a list.
func (e *Engine) listFault(ctx context.Context, err error, q Incomplete) error {
	if !tooDeep(err) {
		return fault(err)
	}
	e.giveUp(ctx, q)
	return errs.New(errs.Unavailable, "the relationships are nested too deep to list them").Because(err)
}

// Page returns at most limit subjects of a list that Expand made, behind the subject after (zero: from the start), and
// whether more follow. Pages of one revision join to the whole list.
func Page(list []explain.Subject, after explain.Subject, limit int) (page []explain.Subject, more bool) {
	from := 0
	if !after.IsZero() {
		at, found := slices.BinarySearchFunc(list, after, order)
		if from = at; found {
			from++
		}
	}
	to := min(from+max(limit, 0), len(list))
	return list[from:to], to < len(list)
}

// Found is one page of a Lookup.
type Found struct {
	IDs  []string
	Next string // where the next page begins; "" when this was the last
}

// Lookup returns at most limit ids (1 to 1,000) of the objects of a type on which subject holds permission as of at. The
// next page begins at Next, which is SpiceDB's own, holds the revision, and is good only for the same question. What only a
// caveat decides is left out.
func (e *Engine) Lookup(ctx context.Context, at relations.Revision, subject authz.Ref, objects, permission, cursor string, limit int) (Found, error) {
	s, err := e.snapshot(ctx, at)
	if err != nil {
		return Found{}, err
	}
	schema, err := e.model(ctx, s)
	if err != nil {
		return Found{}, err
	}
	if err := errors.Join(named(schema, subject), askable(schema, authz.Ref{Type: objects, ID: "any"}, permission)); err != nil {
		return Found{}, err
	}
	consistency, err := e.consistency(ctx, s)
	if err != nil {
		return Found{}, err
	}
	request := &v1.LookupResourcesRequest{
		Consistency: consistency, ResourceObjectType: objects, Permission: permission,
		Subject:       &v1.SubjectReference{Object: reference(subject)},
		OptionalLimit: uint32(min(max(limit, 1), maxBulk)), //nolint:gosec // between 1 and maxBulk
	}
	if cursor != "" {
		request.OptionalCursor = &v1.Cursor{Token: cursor}
	}
	found, err := e.objects(ctx, request)
	if err != nil {
		return Found{}, e.listFault(ctx, err, Incomplete{At: at, Subject: subject, Check: authz.Check{Type: objects, Permission: permission}})
	}
	return found, nil
}

func (e *Engine) objects(ctx context.Context, request *v1.LookupResourcesRequest) (Found, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := e.server.permissions.LookupResources(ctx, request)
	if err != nil {
		return Found{}, err
	}
	var (
		page Found
		got  uint32
		next string
	)
	err = drain(stream, func(r *v1.LookupResourcesResponse) {
		got++
		next = r.GetAfterResultCursor().GetToken()
		if r.GetPermissionship() == v1.LookupPermissionship_LOOKUP_PERMISSIONSHIP_HAS_PERMISSION {
			page.IDs = append(page.IDs, r.GetResourceObjectId())
		}
	})
	if got == request.GetOptionalLimit() {
		page.Next = next
	}
	return page, err
}
