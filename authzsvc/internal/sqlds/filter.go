package sqlds

import (
	"slices"
	"strings"

	"github.com/authzed/spicedb/pkg/datastore"
	"github.com/authzed/spicedb/pkg/datastore/options"
	"github.com/authzed/spicedb/pkg/tuple"

	"nexus/authzsvc/relations"
	"nexus/internal/errs"
	"nexus/schema"
)

// forward returns the query of a filter that begins at the resource.
func forward(f datastore.RelationshipsFilter, o *options.QueryOptions) (*query, error) {
	q := newQuery(forwardOrder(o.Sort))
	if (o.After != nil || o.BeforeOrEqual != nil) && o.Sort == options.Unsorted {
		return nil, datastore.ErrCursorsWithoutSorting
	}
	q.filter = func(q *query) {
		if f.OptionalResourceType != "" {
			q.is("rt", f.OptionalResourceType)
		}
		q.is("ro", f.OptionalResourceIds...)
		if f.OptionalResourceIDPrefix != "" {
			q.prefix("ro", f.OptionalResourceIDPrefix)
		}
		if f.OptionalResourceRelation != "" {
			q.is("rr", f.OptionalResourceRelation)
		}
		q.subjects(f.OptionalSubjectsSelectors)
	}
	q.keep = keeper(f.OptionalCaveatNameFilter, f.OptionalExpirationOption, o.SkipCaveats)
	q.limit = limitOf(o.Limit)
	q.after, q.upTo = cursor(o.After), cursor(o.BeforeOrEqual)
	if f.OptionalResourceType != "" && f.OptionalResourceIDPrefix == "" && o.Sort != options.BySubject {
		q.typ, q.ids = f.OptionalResourceType, f.OptionalResourceIds
		q.match = matcher(f)
	}
	return q, nil
}

// reverse returns the query of a filter that begins at the subject.
func reverse(f datastore.SubjectsFilter, o *options.ReverseQueryOptions) (*query, error) {
	q := newQuery(reverseOrder(o.SortForReverse))
	if o.AfterForReverse != nil && o.SortForReverse == options.Unsorted {
		return nil, datastore.ErrCursorsWithoutSorting
	}
	q.subject(f.AsSelector())
	if rr := o.ResRelation; rr != nil {
		q.is("rt", rr.Namespace)
		q.is("rr", rr.Relation)
	}
	q.keep = keeper(datastore.CaveatNameFilter{}, datastore.ExpirationFilterOptionNone, o.SkipCaveatsForReverse)
	q.limit = limitOf(o.LimitForReverse)
	q.after = cursor(o.AfterForReverse)
	return q, nil
}

func forwardOrder(s options.SortOrder) order {
	if s == options.BySubject {
		return bySubject
	}
	return byResource
}

func reverseOrder(s options.SortOrder) order {
	switch s {
	case options.ByResource:
		return byResource
	case options.BySubject:
		return bySubject
	}
	return byReverse
}

func limitOf(n *uint64) uint64 {
	if n == nil {
		return 0
	}
	return *n
}

func cursor(c options.Cursor) *key {
	if c == nil {
		return nil
	}
	k := keyOf(c.RelationshipReference)
	return &k
}

// keeper returns what must hold of a row beyond its key; nil when nothing must. Relationships with a caveat are left out
// where the engine expects none, for it would not evaluate it.
func keeper(caveat datastore.CaveatNameFilter, expiry datastore.ExpirationFilterOption, skipCaveats bool) func(*row) (bool, error) {
	if caveat.Option == datastore.CaveatFilterOptionNone && expiry == datastore.ExpirationFilterOptionNone && !skipCaveats {
		return nil
	}
	return func(r *row) (bool, error) {
		if len(r.extra) == 0 {
			return caveat.Option != datastore.CaveatFilterOptionHasMatchingCaveat && hasExpiry(r.expiry != never, expiry), nil
		}
		rel, err := r.tuple()
		if err != nil {
			return false, err
		}
		name := ""
		if rel.OptionalCaveat != nil {
			name = rel.OptionalCaveat.CaveatName
		}
		return hasCaveat(name, caveat) && hasExpiry(rel.OptionalExpiration != nil, expiry) && !(skipCaveats && name != ""), nil
	}
}

func hasCaveat(name string, f datastore.CaveatNameFilter) bool {
	switch f.Option {
	case datastore.CaveatFilterOptionHasMatchingCaveat:
		return name == f.CaveatName
	case datastore.CaveatFilterOptionNoCaveat:
		return name == ""
	}
	return true
}

func hasExpiry(has bool, o datastore.ExpirationFilterOption) bool {
	switch o {
	case datastore.ExpirationFilterOptionHasExpiration:
		return has
	case datastore.ExpirationFilterOptionNoExpiration:
		return !has
	}
	return true
}

// matcher returns the filter over a key of which type and id are known to match.
func matcher(f datastore.RelationshipsFilter) func(*key) bool {
	return func(k *key) bool {
		if f.OptionalResourceRelation != "" && f.OptionalResourceRelation != k.rr {
			return false
		}
		if len(f.OptionalSubjectsSelectors) == 0 {
			return true
		}
		return slices.ContainsFunc(f.OptionalSubjectsSelectors, func(s datastore.SubjectsSelector) bool { return selects(s, k) })
	}
}

func selects(s datastore.SubjectsSelector, k *key) bool {
	if s.OptionalSubjectType != "" && s.OptionalSubjectType != k.st {
		return false
	}
	if len(s.OptionalSubjectIds) > 0 && !slices.Contains(s.OptionalSubjectIds, k.so) {
		return false
	}
	f := s.RelationFilter
	switch {
	case f.OnlyNonEllipsisRelations:
		return k.sr != tuple.Ellipsis
	case f.IsEmpty():
		return true
	}
	return f.IncludeEllipsisRelation && k.sr == tuple.Ellipsis || f.NonEllipsisRelation != "" && f.NonEllipsisRelation == k.sr
}

// compare orders keys as the primary key does.
func (k *key) compare(o *key) int {
	for _, c := range byResource {
		if d := strings.Compare(k.column(c), o.column(c)); d != 0 {
			return d
		}
	}
	return 0
}

// selected returns the query of a relations.Filter.
func selected(f relations.Filter) (*query, error) {
	if f.ResourceType == "" && f.SubjectType == "" {
		return nil, errs.New(errs.Invalid, "a filter needs a type of resource or of subject")
	}
	if f.SubjectRelation == "" && standsAlone(f.SubjectType) {
		f.SubjectRelation = tuple.Ellipsis // which lets a seek go on to type and relation of the resource
	}
	q := newQuery(byResource)
	if f.BySubject() {
		q.order = byReverse
	}
	for _, c := range []struct{ column, value string }{
		{"rt", f.ResourceType}, {"ro", f.ResourceID}, {"rr", f.Relation},
		{"st", f.SubjectType}, {"so", f.SubjectID}, {"sr", f.SubjectRelation},
	} {
		if c.value != "" {
			q.is(c.column, c.value)
		}
	}
	if f.After.Resource.Type != "" {
		q.after = keyOfEdge(f.After)
	}
	if f.ResourcePrefix != "" {
		q.below(f.ResourcePrefix)
	}
	return q, nil
}

// below holds the resource to ids that begin with p. Behind a cursor that lies among them only their end counts: a second
// lower bound could keep SQLite from seeking to the cursor.
func (q *query) below(p string) {
	if q.after == nil || q.after.ro < p {
		q.also("ro >= ?", p)
	}
	if end, ok := afterPrefix(p); ok {
		q.also("ro < ?", end)
	}
}

// standsAlone reports whether objects of a definition of the product have no relations, so that none makes a subject set.
func standsAlone(definition string) bool {
	return slices.Contains(schema.Definitions(), definition) && len(schema.Direct(definition))+len(schema.Permissions(definition)) == 0
}

// matches reports whether f selects k, of which the resource is known to match.
func matches(f relations.Filter) func(*key) bool {
	return func(k *key) bool {
		return fits(f.Relation, k.rr) && fits(f.SubjectType, k.st) && fits(f.SubjectID, k.so) && fits(f.SubjectRelation, k.sr)
	}
}

func fits(want, is string) bool { return want == "" || want == is }
