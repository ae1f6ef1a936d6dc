package sqlds

import (
	"math"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	core "github.com/authzed/spicedb/pkg/proto/core/v1"
	"github.com/authzed/spicedb/pkg/tuple"

	"nexus/authzsvc/authz"
	"nexus/authzsvc/relations"
)

// key is what makes a relationship the same relationship.
type key struct{ rt, ro, rr, st, so, sr string }

// row is one stored version of a relationship. extra holds, as a core.RelationTuple, what few have: caveat, integrity, and
// an expiry that nanoseconds cannot express.
type row struct {
	key
	created, deleted, expiry int64
	extra                    []byte
}

func (r *row) visibleAt(rev int64) bool {
	return r.created <= rev && rev < r.deleted && rev < r.expiry
}

func (k *key) resource() authz.Ref { return authz.Ref{Type: k.rt, ID: k.ro} }

func keyOf(r tuple.RelationshipReference) key {
	return key{
		r.Resource.ObjectType, r.Resource.ObjectID, r.Resource.Relation,
		r.Subject.ObjectType, r.Subject.ObjectID, r.Subject.Relation,
	}
}

func (k *key) reference() tuple.RelationshipReference {
	return tuple.RelationshipReference{
		Resource: tuple.ObjectAndRelation{ObjectType: k.rt, ObjectID: k.ro, Relation: k.rr},
		Subject:  tuple.ObjectAndRelation{ObjectType: k.st, ObjectID: k.so, Relation: k.sr},
	}
}

// tuple returns the relationship as SpiceDB takes it.
func (r *row) tuple() (tuple.Relationship, error) {
	rel := tuple.Relationship{RelationshipReference: r.reference()}
	if r.expiry != never {
		t := time.Unix(0, r.expiry).UTC()
		rel.OptionalExpiration = &t
	}
	if len(r.extra) == 0 {
		return rel, nil
	}
	var extra core.RelationTuple
	if err := extra.UnmarshalVT(r.extra); err != nil {
		return rel, err
	}
	rel.OptionalIntegrity = extra.Integrity
	rel.OptionalCaveat = extra.Caveat
	if c := rel.OptionalCaveat; c != nil && c.Context == nil {
		c.Context = &structpb.Struct{} // SpiceDB's evaluation wants a context, be it empty
	}
	if at := extra.OptionalExpirationTime; at != nil {
		t := at.AsTime()
		rel.OptionalExpiration = &t
	}
	return rel, nil
}

// edge returns the relationship in the words of package relations.
func (r *row) edge() relations.Relationship {
	e := relations.Relationship{
		Resource: authz.Ref{Type: r.rt, ID: r.ro}, Relation: r.rr,
		Subject: authz.Ref{Type: r.st, ID: r.so}, SubjectRelation: r.sr,
	}
	if r.sr == tuple.Ellipsis {
		e.SubjectRelation = ""
	}
	if r.expiry != never {
		e.Expires = time.Unix(0, r.expiry).UTC()
	}
	if len(r.extra) > 0 {
		e.Caveat, e.Context = conditionOf(r.extra)
	}
	return e
}

// stored returns the columns that hold what rel carries beside its key. Equal relationships give equal bytes.
func stored(rel tuple.Relationship) (expiry int64, extra []byte, err error) {
	expiry = never
	var keep core.RelationTuple
	if t := rel.OptionalExpiration; t != nil {
		expiry = nanos(*t)
		if !time.Unix(0, expiry).Equal(*t) {
			keep.OptionalExpirationTime = timestamppb.New(*t)
		}
	}
	keep.Caveat, keep.Integrity = rel.OptionalCaveat, rel.OptionalIntegrity
	if keep.Caveat == nil && keep.Integrity == nil && keep.OptionalExpirationTime == nil {
		return expiry, nil, nil
	}
	extra, err = proto.MarshalOptions{Deterministic: true}.Marshal(&keep)
	return expiry, extra, err
}

// nanos returns t in nanoseconds since 1970. What lies after 2262 is never; what lies before 1970 is its beginning.
func nanos(t time.Time) int64 {
	switch s := t.Unix(); {
	case s >= math.MaxInt64/int64(time.Second):
		return never
	case s < 0:
		return 0
	}
	return t.UnixNano()
}
