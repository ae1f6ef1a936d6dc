package storage

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"nexus/authzsvc/authz"
	"nexus/authzsvc/relations"
	"nexus/internal/errs"
	"nexus/schema"
	"nexus/storage/internal/sqlstore"
)

// Shared is a file or folder that somebody else shares with one, or with a group he is in.
type Shared struct {
	ID      string // of the relationship
	Path    string
	Folder  bool
	Grant   string    // the relation: direct_viewer and the like
	With    Subject   // he himself, or the members of a group
	By      authz.Ref // who shared it; zero when that was not kept
	Since   time.Time
	Expires time.Time // zero: never
}

// SharedPlace is where a list of what is shared goes on. The zero SharedPlace is its beginning.
type SharedPlace struct{ SubjectType, SubjectID, SubjectRelation, Resource, Relation string }

const (
	maxShared   = 2000 // relationships that one page looks at
	sharedBatch = 200  // of which so many at once
	maxGroups   = 10_000
)

// SharedWith returns up to limit grants by others to the principal of the scope, or to one of his groups, on files and folders
// that the scope admits, and where the list goes on; more is false when it does not. A file that is shared in two ways
// comes twice. What he made himself is not shared with him, nor is what everybody in the tenant may see.
func SharedWith[P authz.Permission[schema.File]](
	ctx context.Context, h *Shares, in authz.Scope[P, schema.File], from SharedPlace, limit int,
) (found []Shared, next SharedPlace, more bool, err error) {
	tenant, err := in.Tenant(noValues)
	if err != nil {
		return nil, next, false, err
	}
	head, err := h.s.reader.Head(ctx)
	if err != nil {
		return nil, next, false, err
	}
	w := &sharedWalk{s: h.s, head: head, tenant: tenant, me: in.Decision().Principal().Base, next: from, left: maxShared}
	if err := w.begin(ctx); err != nil {
		return nil, next, false, err
	}
	for len(found) < limit && w.left > 0 && !w.done {
		some, err := w.candidates(ctx, limit-len(found))
		if err != nil {
			return nil, next, false, err
		}
		files := make([]schema.File, len(some))
		for i := range some {
			files[i] = some[i].file
		}
		admitted, err := in.Admit(ctx, files, standsIn, noValues)
		if err != nil {
			return nil, next, false, err
		}
		found = append(found, readable(some, admitted)...)
	}
	if err := w.peek(ctx); err != nil {
		return nil, next, false, err
	}
	return found, w.next, !w.done, in.Close(ctx, w.done)
}

// candidate is a grant, and where what it is on stands.
type candidate struct {
	Shared
	file schema.File
}

// readable returns those of some whose file was admitted: admitted is a part of their files, in their order.
func readable(some []candidate, admitted []schema.File) (found []Shared) {
	for _, c := range some {
		if len(admitted) > 0 && admitted[0] == c.file {
			found, admitted = append(found, c.Shared), admitted[1:]
		}
	}
	return found
}

// sharedWalk goes through the grants to one and his groups, subject by subject.
type sharedWalk struct {
	s      *Store
	head   relations.Revision
	tenant string
	me     authz.Ref
	with   []Subject // whom grants may name, in order, from where the walk goes on
	rows   []sqlstore.Tuple
	next   SharedPlace
	left   int // relationships that may still be looked at
	done   bool
}

func (w *sharedWalk) begin(ctx context.Context) error {
	groups, err := w.s.groupsOf(ctx, w.head, w.me)
	if err != nil {
		return err
	}
	w.with = append(groups, Subject{Ref: w.me})
	slices.SortFunc(w.with, inOrder)
	from := Subject{Ref: authz.Ref{Type: w.next.SubjectType, ID: w.next.SubjectID}, Relation: w.next.SubjectRelation}
	at, met := slices.BinarySearchFunc(w.with, from, inOrder)
	if w.with = w.with[at:]; !met {
		w.turn()
	}
	return w.fill(ctx)
}

// turn moves to the beginning of the first subject that is left.
func (w *sharedWalk) turn() {
	if w.done = len(w.with) == 0; !w.done {
		s := w.with[0]
		w.next = SharedPlace{SubjectType: s.Type, SubjectID: s.ID, SubjectRelation: s.Relation}
	}
}

func inOrder(a, b Subject) int {
	return cmp.Or(cmp.Compare(a.Type, b.Type), cmp.Compare(a.ID, b.ID), cmp.Compare(a.Relation, b.Relation))
}

// fill reads more rows when there are none left, from the next subject where need be.
func (w *sharedWalk) fill(ctx context.Context) (err error) {
	for len(w.rows) == 0 && !w.done {
		s := w.with[0]
		w.rows, err = sqlstore.TuplesOf(ctx, w.s.db, s.Ref, s.Relation, "file", w.next.Resource, w.next.Relation, sharedBatch)
		if err != nil {
			return err
		}
		if len(w.rows) == 0 {
			w.with = w.with[1:]
			w.turn()
		}
	}
	return nil
}

// take returns the next row and moves on behind it; nil at the end.
func (w *sharedWalk) take(ctx context.Context) (*sqlstore.Tuple, error) {
	if err := w.fill(ctx); err != nil || w.done {
		return nil, err
	}
	t := &w.rows[0]
	w.rows = w.rows[1:]
	w.left--
	w.next = SharedPlace{t.Subject.Type, t.Subject.ID, t.SubjectRelation, t.Resource.ID, t.Relation}
	return t, nil
}

// candidates returns up to n grants by others that stand, on what exists.
func (w *sharedWalk) candidates(ctx context.Context, n int) (some []candidate, err error) {
	for len(some) < n && w.left > 0 {
		t, err := w.take(ctx)
		if err != nil || t == nil {
			return some, err
		}
		c, ok, err := w.candidate(ctx, t)
		if err != nil {
			return nil, err
		}
		if ok {
			some = append(some, c)
		}
	}
	return some, nil
}

// peek moves on to the next grant by somebody else, so that a list that ends says so.
func (w *sharedWalk) peek(ctx context.Context) error {
	for w.left > 0 {
		if err := w.fill(ctx); err != nil || w.done || w.foreign(&w.rows[0]) {
			return err
		}
		if _, err := w.take(ctx); err != nil {
			return err
		}
	}
	return nil
}

// foreign reports whether somebody else shared it. Who owns a file of which nobody knows who shared it has made it.
func (w *sharedWalk) foreign(t *sqlstore.Tuple) bool {
	if t.Author == "" {
		return t.Relation != "direct_owner"
	}
	return t.Author != w.me.String()
}

func (w *sharedWalk) candidate(ctx context.Context, t *sqlstore.Tuple) (c candidate, ok bool, err error) {
	if !w.foreign(t) || t.Tenant != w.tenant {
		return c, false, nil
	}
	now, stands, err := w.s.stands(ctx, w.head, t.Relationship)
	if err != nil || !stands {
		return c, false, err
	}
	a, err := w.s.Names().AddressOf(ctx, t.Resource)
	if errors.Is(err, errs.NotFound) {
		return c, false, nil // it went since
	}
	if err != nil || !a.Exists() || a.Anchor != t.Resource.ID {
		return c, false, err
	}
	return candidate{
		Shared: Shared{
			ID: t.ID, Path: a.Path, Folder: a.Folder, Grant: t.Relation, With: Subject{Ref: t.Subject, Relation: t.SubjectRelation},
			By: authorOf(t), Since: micros(t.Created), Expires: now.Expires,
		},
		file: schema.File{Address: a},
	}, true, nil
}

// authorOf returns who shared it; nobody when that was not kept.
func authorOf(t *sqlstore.Tuple) authz.Ref {
	typ, id, _ := strings.Cut(t.Author, ":")
	return authz.Ref{Type: typ, ID: id}
}

// stands returns r as it stands at a revision, and whether it does.
func (s *Store) stands(ctx context.Context, at relations.Revision, r relations.Relationship) (now relations.Relationship, stands bool, err error) {
	f := relations.Filter{
		ResourceType: r.Resource.Type, ResourceID: r.Resource.ID, Relation: r.Relation,
		SubjectType: r.Subject.Type, SubjectID: r.Subject.ID, SubjectRelation: r.SubjectRelation,
	}
	err = s.reader.Read(ctx, at, f, func(one relations.Relationship) bool {
		now, stands = one, true
		return false
	})
	return now, stands, err
}

// groupsOf returns the groups that one is in at a revision, be it through other groups.
func (s *Store) groupsOf(ctx context.Context, at relations.Revision, who authz.Ref) ([]Subject, error) {
	var found []Subject
	met := map[authz.Ref]bool{}
	level := []Subject{{Ref: who}}
	for len(level) > 0 {
		var above []Subject
		for _, one := range level {
			f := relations.Filter{ResourceType: "group", Relation: "member", SubjectType: one.Type, SubjectID: one.ID, SubjectRelation: one.Relation}
			err := s.reader.Read(ctx, at, f, func(r relations.Relationship) bool {
				if !met[r.Resource] {
					met[r.Resource] = true
					above = append(above, Subject{Ref: r.Resource, Relation: "member"})
				}
				return len(met) <= maxGroups
			})
			if err != nil {
				return nil, err
			}
		}
		if len(met) > maxGroups {
			return nil, errs.New(errs.Exhausted, "in more than %d groups: what they share cannot be listed", maxGroups).Marked(errs.NotValid)
		}
		found = append(found, above...)
		level = above
	}
	return found, nil
}
