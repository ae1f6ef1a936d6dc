// Package storagetest is the suite that every database under storage passes, and the relationships it passes it with. It is
// imported by tests alone. To add a claim, write a function of the suite and list it in Run.
package storagetest

import (
	"context"
	"slices"
	"strings"
	"sync"

	"nexus/authzsvc/authz"
	"nexus/authzsvc/relations"
	"nexus/internal/errs"
	"nexus/internal/sqldb"
)

// Relations keeps relationships in memory, as a transaction ends: a Writer and Reader for stores whose engine is not under
// test. It validates nothing but Create. It is safe for concurrent use.
type Relations struct {
	mu   sync.Mutex // guards what follows
	rows map[string]relations.Relationship
	head relations.Revision
}

// NewRelations returns an empty store.
func NewRelations() *Relations { return &Relations{rows: map[string]relations.Relationship{}} }

// Write applies updates when tx commits.
func (r *Relations) Write(_ context.Context, tx sqldb.Tx, updates ...relations.Update) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, u := range updates {
		if _, there := r.rows[u.String()]; there && u.Kind == relations.Create {
			return errs.New(errs.Exists, "relationship %s exists", u.Relationship)
		}
	}
	tx.OnEnd(func(committed bool) {
		if committed {
			r.apply(updates)
		}
	})
	return nil
}

func (r *Relations) apply(updates []relations.Update) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.head++
	for _, u := range updates {
		if u.Kind == relations.Delete {
			delete(r.rows, u.String())
			continue
		}
		r.rows[u.String()] = u.Relationship
	}
}

// DeleteObject deletes all of an object's relationships when tx commits.
func (r *Relations) DeleteObject(ctx context.Context, tx sqldb.Tx, object authz.Ref) error {
	var updates []relations.Update
	for _, rel := range r.All() {
		if rel.Resource == object || rel.Subject == object {
			updates = append(updates, relations.Update{Kind: relations.Delete, Relationship: rel})
		}
	}
	return r.Write(ctx, tx, updates...)
}

// Head returns a number that rises with each write.
func (r *Relations) Head(context.Context) (relations.Revision, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.head, nil
}

// Read yields what f selects, in order. It knows no earlier revision.
func (r *Relations) Read(_ context.Context, _ relations.Revision, f relations.Filter, yield func(relations.Relationship) bool) error {
	is := func(want, got string) bool { return want == "" || want == got }
	for _, rel := range r.All() {
		if is(f.ResourceType, rel.Resource.Type) && is(f.ResourceID, rel.Resource.ID) && is(f.Relation, rel.Relation) &&
			is(f.SubjectType, rel.Subject.Type) && is(f.SubjectID, rel.Subject.ID) && is(f.SubjectRelation, rel.SubjectRelation) && !yield(rel) {
			return nil
		}
	}
	return nil
}

// All returns every relationship, in order.
func (r *Relations) All() []relations.Relationship {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make([]relations.Relationship, 0, len(r.rows))
	for _, rel := range r.rows {
		all = append(all, rel)
	}
	slices.SortFunc(all, func(a, b relations.Relationship) int { return strings.Compare(a.String(), b.String()) })
	return all
}
