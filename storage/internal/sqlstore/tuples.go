package sqlstore

import (
	"context"

	"nexus/authzsvc/authz"
	"nexus/authzsvc/relations"
	"nexus/internal/sqldb"
)

// Tuple is the id that a relationship is known by outside, with when it got it and from whom. The expiry of its
// Relationship is not set: Expires has it, as of the last time that anybody looked.
type Tuple struct {
	ID, Tenant string
	relations.Relationship
	Created int64
	Expires int64  // microseconds; 0: never; Unknown
	Author  string // type:id of who related them; empty for what the store wrote
}

// Unknown is the expiry of a tuple that nobody has looked up yet.
const Unknown = -1

const tupleColumns = `id, tenant, resource_type, resource_id, relation, subject_type, subject_id, subject_relation, created, expires, author`

var (
	insertTuple = sqldb.SQL(`INSERT INTO tuples (` + tupleColumns + `) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`)
	// A bare $3 would make SQLite plan these two anew at each run: it may be the relation of which tuples_links alone tells.
	tupleByKey = sqldb.SQL(`SELECT ` + tupleColumns + ` FROM tuples
		WHERE resource_type = $1 AND resource_id = $2 AND relation = $3 || '' AND subject_type = $4 AND subject_id = $5 AND subject_relation = $6`)
	tupleByID     = sqldb.SQL(`SELECT ` + tupleColumns + ` FROM tuples WHERE id = $1`)
	keepTuple     = sqldb.SQL(`UPDATE tuples SET expires = $2, author = $3 WHERE id = $1`)
	deleteTuple   = sqldb.SQL(`DELETE FROM tuples WHERE id = $1`)
	deleteTupleOf = sqldb.SQL(`DELETE FROM tuples
		WHERE resource_type = $1 AND resource_id = $2 AND relation = $3 || '' AND subject_type = $4 AND subject_id = $5 AND subject_relation = $6`)
	grantsOn       = sqldb.SQL(`SELECT count(*) FROM tuples WHERE resource_type = $1 AND resource_id = $2 AND relation <> 'parent'`)
	deleteTuplesOn = sqldb.SQL(`DELETE FROM tuples WHERE resource_type = $1 AND resource_id = $2`)
	tuplesOf       = sqldb.SQL(`SELECT ` + tupleColumns + ` FROM tuples
		WHERE subject_type = $1 AND subject_id = $2 AND subject_relation = $3 AND resource_type = $4 AND (resource_id, relation) > ($5, $6)
		ORDER BY resource_id, relation LIMIT $7`)
	dueTuples = sqldb.SQL(`SELECT ` + tupleColumns + ` FROM tuples WHERE expires <> 0 AND expires <= $1 AND tenant = $2 ORDER BY expires LIMIT $3`)
)

// InsertTuple gives a relationship its id.
func InsertTuple(ctx context.Context, tx sqldb.Tx, t *Tuple) error {
	_, err := tx.Exec(ctx, insertTuple, t.ID, t.Tenant, t.Resource.Type, t.Resource.ID, t.Relation, t.Subject.Type, t.Subject.ID, t.SubjectRelation,
		t.Created, t.Expires, t.Author)
	return err
}

// TupleOf returns the id of a relationship.
func TupleOf(ctx context.Context, q sqldb.Q, r relations.Relationship) (*Tuple, error) {
	return scanTuple(q.Row(ctx, tupleByKey, r.Resource.Type, r.Resource.ID, r.Relation, r.Subject.Type, r.Subject.ID, r.SubjectRelation))
}

// TupleByID returns the relationship of an id.
func TupleByID(ctx context.Context, q sqldb.Q, id string) (*Tuple, error) {
	return scanTuple(q.Row(ctx, tupleByID, id))
}

// KeepTuple writes down the expiry and the author that t has now.
func KeepTuple(ctx context.Context, tx sqldb.Tx, t *Tuple) error {
	_, err := tx.Exec(ctx, keepTuple, t.ID, t.Expires, t.Author)
	return err
}

// DeleteTuple forgets an id.
func DeleteTuple(ctx context.Context, tx sqldb.Tx, id string) error {
	_, err := tx.Exec(ctx, deleteTuple, id)
	return err
}

// DeleteTupleOf forgets the id of a relationship, if it has one.
func DeleteTupleOf(ctx context.Context, tx sqldb.Tx, r relations.Relationship) error {
	_, err := tx.Exec(ctx, deleteTupleOf, r.Resource.Type, r.Resource.ID, r.Relation, r.Subject.Type, r.Subject.ID, r.SubjectRelation)
	return err
}

// GrantsOn counts the ids of an object's relationships, its place in the tree aside.
func GrantsOn(ctx context.Context, q sqldb.Q, object authz.Ref) (n int64, err error) {
	err = q.Row(ctx, grantsOn, object.Type, object.ID).Scan(&n)
	return n, err
}

// DeleteTuplesOn forgets the ids of all of an object's relationships.
func DeleteTuplesOn(ctx context.Context, tx sqldb.Tx, object authz.Ref) error {
	_, err := tx.Exec(ctx, deleteTuplesOn, object.Type, object.ID)
	return err
}

// TuplesOf returns up to n relationships of a subject, or of a subject set where relation is not empty, to resources of one
// type, in order of resource and relation, behind the one of those names; a walk begins behind none.
func TuplesOf(ctx context.Context, q sqldb.Q, subject authz.Ref, relation, resourceType, resource, name string, n int) ([]Tuple, error) {
	return tuples(ctx, q, tuplesOf, subject.Type, subject.ID, relation, resourceType, resource, name, n)
}

// DueTuples returns up to n tuples of a tenant whose relationship may have expired by now, in microseconds.
func DueTuples(ctx context.Context, q sqldb.Q, tenant string, now int64, n int) ([]Tuple, error) {
	return tuples(ctx, q, dueTuples, now, tenant, n)
}

func tuples(ctx context.Context, q sqldb.Q, s *sqldb.Stmt, args ...any) ([]Tuple, error) {
	var all []Tuple
	err := q.Each(ctx, s, args, func(r sqldb.Row) error {
		t, err := scanTuple(r)
		if err == nil {
			all = append(all, *t)
		}
		return err
	})
	return all, err
}

func scanTuple(r sqldb.Row) (*Tuple, error) {
	var t Tuple
	err := r.Scan(&t.ID, &t.Tenant, &t.Resource.Type, &t.Resource.ID, &t.Relation, &t.Subject.Type, &t.Subject.ID, &t.SubjectRelation,
		&t.Created, &t.Expires, &t.Author)
	if err != nil {
		return nil, err
	}
	return &t, nil
}
