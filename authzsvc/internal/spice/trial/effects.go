package trial

import (
	"cmp"
	"context"
	"errors"
	"io"
	"maps"
	"slices"
	"strings"

	v1 "github.com/authzed/authzed-go/proto/authzed/api/v1"
	"github.com/authzed/spicedb/pkg/tuple"

	"nexus/authzsvc/internal/spice"
	"nexus/internal/errs"
)

// Effect is a permission that somebody comes by, or loses, when one schema takes the place of another.
type Effect struct {
	Subject    string `json:"subject"`
	Permission string `json:"permission"`
	Object     string `json:"object"`
	Gained     bool   `json:"gained"`
}

// maxLists is how many lists of who has a permission Effects makes of a schema at most.
const maxLists = 10_000

// Effects returns who gains and who loses which permissions on objects of a tenant's types, when after takes the place of
// before while relationships stay. They are given as people write them, ids included: doc:plan#reader@user:ann. What they
// hold that after does not admit counts as gone, and is returned beside. errs.Exhausted when there is too much to ask.
func Effects(ctx context.Context, product *spice.Product, before, after string, rels []string) (effects []Effect, orphans []string, err error) {
	parsed, err := relationships(rels)
	if err != nil {
		return nil, nil, err
	}
	old, _, err := trialOf(ctx, product, before, parsed)
	if err != nil {
		return nil, nil, err
	}
	defer old.close()
	young, orphans, err := trialOf(ctx, product, after, parsed)
	if err != nil {
		return nil, nil, err
	}
	defer young.close()
	for _, o := range objectsOf(parsed) {
		for _, p := range union(old.names(o.ObjectType), young.names(o.ObjectType)) {
			had, err := old.who(ctx, o, p)
			if err != nil {
				return nil, nil, err
			}
			has, err := young.who(ctx, o, p)
			if err != nil {
				return nil, nil, err
			}
			effects = append(effects, compared(had, has, p, o.ObjectType+":"+o.ObjectID)...)
		}
	}
	return effects, orphans, nil
}

// compared returns who is in one list alone, those who lose first.
func compared(had, has map[string]bool, permission, object string) (all []Effect) {
	for _, who := range slices.Sorted(maps.Keys(had)) {
		if !has[who] {
			all = append(all, Effect{who, permission, object, false})
		}
	}
	for _, who := range slices.Sorted(maps.Keys(has)) {
		if !had[who] {
			all = append(all, Effect{who, permission, object, true})
		}
	}
	return all
}

// trial is a bench with what its own types can be asked.
type trial struct {
	*bench
	kinds  map[string][]string
	client v1.PermissionsServiceClient
	end    func()
	lists  int
}

// trialOf returns a tenant's schema with those of rels that it admits, and the others.
func trialOf(ctx context.Context, product *spice.Product, text string, rels []tuple.Relationship) (*trial, []string, error) {
	own, err := product.CompileOwn(ctx, text, spice.OwnRules{Caveats: true})
	if err != nil {
		return nil, nil, err
	}
	whole, err := Whole(ctx, product, text)
	if err != nil {
		return nil, nil, err
	}
	fitting, orphans := fit(own, rels)
	b, wrong, err := newBench(ctx, fileOf(whole, fitting))
	if err == nil && len(wrong) > 0 {
		err = errs.New(errs.Invalid, "%s", joined(wrong))
	}
	if err != nil {
		return nil, nil, err
	}
	conn, end, err := b.DevContext.RunV1InMemoryService()
	if err != nil {
		b.DevContext.Dispose()
		return nil, nil, errs.New(errs.Internal, "the schema cannot be tried").Because(err)
	}
	t := &trial{bench: b, kinds: map[string][]string{}, client: v1.NewPermissionsServiceClient(conn), end: end}
	for _, kind := range own.Types {
		t.kinds[kind.Name] = slices.Concat(kind.Relations, kind.Permissions)
	}
	return t, orphans, nil
}

// fit splits rels by whether the types that own defines have a place for them. The product's types are not looked at.
func fit(own *spice.Own, rels []tuple.Relationship) (fitting []tuple.Relationship, orphans []string) {
	for _, r := range rels {
		i := slices.IndexFunc(own.Types, func(t spice.OwnType) bool { return t.Name == r.Resource.ObjectType })
		switch {
		case r.Resource.ObjectType == "group" || r.Resource.ObjectType == "tenant":
			fitting = append(fitting, r)
		case i >= 0 && own.Types[i].Admits(r.Resource.Relation, r.Subject.ObjectType, r.Subject.Relation, r.OptionalExpiration != nil):
			fitting = append(fitting, r)
		default:
			orphans = append(orphans, tuple.StringWithoutCaveatOrExpiration(r))
		}
	}
	return fitting, orphans
}

func (t *trial) close() {
	t.end()
	t.DevContext.Dispose()
}

func (t *trial) names(kind string) []string { return t.kinds[kind] }

// who returns the people and agents who hold a permission without a condition.
func (t *trial) who(ctx context.Context, object tuple.ObjectAndRelation, permission string) (map[string]bool, error) {
	found := map[string]bool{}
	if !slices.Contains(t.kinds[object.ObjectType], permission) {
		return found, nil
	}
	if t.lists++; t.lists > maxLists {
		return nil, errs.New(errs.Exhausted, "there are more than %d permissions on objects to look at", maxLists)
	}
	for _, kind := range []string{"agent", "user"} {
		if err := t.lookup(ctx, object, permission, kind, found); err != nil {
			return nil, errs.New(errs.Invalid, "%s of %s cannot be found out: %s", permission, object.ObjectType, firstLine(err))
		}
	}
	return found, nil
}

func (t *trial) lookup(ctx context.Context, object tuple.ObjectAndRelation, permission, kind string, found map[string]bool) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := t.client.LookupSubjects(ctx, &v1.LookupSubjectsRequest{
		Consistency: &v1.Consistency{Requirement: &v1.Consistency_FullyConsistent{FullyConsistent: true}},
		Resource:    &v1.ObjectReference{ObjectType: object.ObjectType, ObjectId: object.ObjectID}, Permission: permission, SubjectObjectType: kind,
	})
	if err != nil {
		return err
	}
	for {
		got, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if got.GetSubject().GetPermissionship() == v1.LookupPermissionship_LOOKUP_PERMISSIONSHIP_HAS_PERMISSION {
			found[kind+":"+got.GetSubject().GetSubjectObjectId()] = true
		}
	}
}

// objectsOf returns the objects in rels of types that are not the product's, in order.
func objectsOf(rels []tuple.Relationship) []tuple.ObjectAndRelation {
	set := map[tuple.ObjectAndRelation]bool{}
	for _, r := range rels {
		if o := r.Resource; o.ObjectType != "group" && o.ObjectType != "tenant" {
			o.Relation = ""
			set[o] = true
		}
	}
	return slices.SortedFunc(maps.Keys(set), func(a, b tuple.ObjectAndRelation) int {
		return cmp.Or(strings.Compare(a.ObjectType, b.ObjectType), strings.Compare(a.ObjectID, b.ObjectID))
	})
}

func union(a, b []string) []string {
	all := slices.Concat(a, b)
	slices.Sort(all)
	return slices.Compact(all)
}
