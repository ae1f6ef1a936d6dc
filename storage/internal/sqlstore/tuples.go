package sqlstore

import (
	"context"

	"nexus/authzsvc/authz"
	"nexus/authzsvc/relations"
	"nexus/internal/sqldb"
)

// Tuple is the id that a relationship is known by outside, with when it got it.
type Tuple struct {
	ID, Tenant string
	relations.Relationship
	Created int64
}

var (
	insertTuple = sqldb.SQL(`INSERT INTO tuples (id, tenant, resource_type, resource_id, relation, subject_type, subject_id, subject_relation, created)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`)
	tupleByKey = sqldb.SQL(`SELECT id, tenant, resource_type, resource_id, relation, subject_type, subject_id, subject_relation, created FROM tuples
		WHERE resource_type = $1 AND resource_id = $2 AND relation = $3 AND subject_type = $4 AND subject_id = $5 AND subject_relation = $6`)
	tupleByID      = sqldb.SQL(`SELECT id, tenant, resource_type, resource_id, relation, subject_type, subject_id, subject_relation, created FROM tuples WHERE id = $1`)
	deleteTuple    = sqldb.SQL(`DELETE FROM tuples WHERE id = $1`)
	grantsOn       = sqldb.SQL(`SELECT count(*) FROM tuples WHERE resource_type = $1 AND resource_id = $2 AND relation <> 'parent'`)
	deleteTuplesOn = sqldb.SQL(`DELETE FROM tuples WHERE resource_type = $1 AND resource_id = $2`)
)

// InsertTuple gives a relationship its id.
func InsertTuple(ctx context.Context, tx sqldb.Tx, t *Tuple) error {
	_, err := tx.Exec(ctx, insertTuple, t.ID, t.Tenant, t.Resource.Type, t.Resource.ID, t.Relation, t.Subject.Type, t.Subject.ID, t.SubjectRelation, t.Created)
	return err
}

// TupleOf returns the id of a relationship.
func TupleOf(ctx context.Context, q sqldb.Q, r relations.Relationship) (*Tuple, error) {
	return scanTuple(q.Row(ctx, tupleByKey, r.Resource.Type, r.Resource.ID, r.Relation, r.Subject.Type, r.Subject.ID, r.SubjectRelation))
}

// TupleByID returns the relationship of an id. Its expiry is not here but in the relationship itself.
func TupleByID(ctx context.Context, q sqldb.Q, id string) (*Tuple, error) {
	return scanTuple(q.Row(ctx, tupleByID, id))
}

// DeleteTuple forgets an id.
func DeleteTuple(ctx context.Context, tx sqldb.Tx, id string) error {
	_, err := tx.Exec(ctx, deleteTuple, id)
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

func scanTuple(r sqldb.Row) (*Tuple, error) {
	var t Tuple
	err := r.Scan(&t.ID, &t.Tenant, &t.Resource.Type, &t.Resource.ID, &t.Relation, &t.Subject.Type, &t.Subject.ID, &t.SubjectRelation, &t.Created)
	if err != nil {
		return nil, err
	}
	return &t, nil
}
