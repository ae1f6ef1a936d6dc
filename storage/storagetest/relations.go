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
	"nexus/internal/clock"
	"nexus/internal/errs"
	"nexus/internal/sqldb"
)

// Relations keeps relationships in memory, as a transaction ends: a Writer and Reader for stores whose engine is not under
// test. It validates nothing but Create. It is safe for concurrent use.
type Relations struct {
	Clock     clock.Clock // tells what has expired; nil: nothing ever does
	AfterRead func()      // runs at the end of each Read; nil: nothing

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

// Trim deletes what f selects when tx commits.
func (r *Relations) Trim(ctx context.Context, tx sqldb.Tx, f relations.Filter, n int) (gone []relations.Relationship, err error) {
	var updates []relations.Update
	for _, rel := range r.All() {
		if len(gone) < n && selects(f, rel) {
			gone = append(gone, rel)
			updates = append(updates, relations.Update{Kind: relations.Delete, Relationship: rel})
		}
	}
	return gone, r.Write(ctx, tx, updates...)
}

// Find returns the relationship as transactions that have ended left it.
func (r *Relations) Find(_ context.Context, _ sqldb.Tx, rel relations.Relationship) (relations.Relationship, bool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now, there := r.rows[rel.String()]
	return now, there && r.stands(now), nil
}

func (r *Relations) stands(rel relations.Relationship) bool {
	return rel.Expires.IsZero() || r.Clock == nil || r.Clock.Now().Before(rel.Expires)
}

// Read yields what f selects, in order, and then calls AfterRead. It knows no earlier revision.
func (r *Relations) Read(_ context.Context, _ relations.Revision, f relations.Filter, yield func(relations.Relationship) bool) error {
	found := r.selected(f)
	slices.SortFunc(found, func(a, b relations.Relationship) int { return slices.Compare(order(f, a), order(f, b)) })
	for _, rel := range found {
		if (f.After.Resource.IsZero() || slices.Compare(order(f, rel), order(f, f.After)) > 0) && !yield(rel) {
			break
		}
	}
	if r.AfterRead != nil {
		r.AfterRead()
	}
	return nil
}

// selected returns what f selects of what has not expired.
func (r *Relations) selected(f relations.Filter) (found []relations.Relationship) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, rel := range r.rows {
		if selects(f, rel) && r.stands(rel) {
			found = append(found, rel)
		}
	}
	return found
}

func selects(f relations.Filter, r relations.Relationship) bool {
	is := func(want, got string) bool { return want == "" || want == got }
	return is(f.ResourceType, r.Resource.Type) && is(f.ResourceID, r.Resource.ID) && is(f.Relation, r.Relation) &&
		is(f.SubjectType, r.Subject.Type) && is(f.SubjectID, r.Subject.ID) && is(f.SubjectRelation, r.SubjectRelation) &&
		strings.HasPrefix(r.Resource.ID, f.ResourcePrefix)
}

// order returns what relationships that f selects are sorted by.
func order(f relations.Filter, r relations.Relationship) []string {
	if f.BySubject() {
		return []string{r.Subject.Type, r.Subject.ID, r.SubjectRelation, r.Resource.Type, r.Relation, r.Resource.ID}
	}
	return []string{r.Resource.Type, r.Resource.ID, r.Relation, r.Subject.Type, r.Subject.ID, r.SubjectRelation}
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
