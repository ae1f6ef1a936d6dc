package sqlds

import (
	"context"
	"database/sql"
	"slices"
	"strings"

	"github.com/authzed/spicedb/pkg/tuple"

	"nexus/authzsvc/authz"
	"nexus/authzsvc/relations"
)

// maxIDs bounds the resources of one statement.
const maxIDs = 512

// ReadMany calls yield for each relationship as of at whose resource is one of ids of resourceType, whose relation is one of
// names and whose subject has one of the ids subjects (none: any), until yield returns false. Each resource's come together,
// in no order of resources.
func (r relationReader) ReadMany(
	ctx context.Context, at relations.Revision, resourceType string, ids, names, subjects []string, yield func(relations.Relationship) bool,
) error {
	if len(names) == 0 {
		return nil
	}
	own := reader{d: r.d, rev: int64(at), src: r.d.texts}
	goOn := true
	for chunk := range slices.Chunk(slices.Sorted(slices.Values(ids)), maxIDs) {
		err := own.each(ctx, manyQuery(resourceType, slices.Compact(chunk), names, subjects), func(one *row) (bool, error) {
			goOn = yield(one.edge())
			return goOn, nil
		})
		if err != nil || !goOn {
			return inWords(err)
		}
	}
	return nil
}

func manyQuery(resourceType string, ids, names, subjects []string) *query {
	q := newQuery(byResource)
	q.filter = func(q *query) {
		q.is("rt", resourceType)
		q.is("ro", ids...)
		q.is("rr", names...)
		q.is("so", subjects...)
	}
	q.typ, q.ids = resourceType, ids
	q.match = func(k *key) bool {
		return slices.Contains(names, k.rr) && (len(subjects) == 0 || slices.Contains(subjects, k.so))
	}
	return q
}

// textLinked reads only what rel_link holds. Like textGranted it returns a page of ids as one text: what the driver does for a
// row costs more than what SQLite does.
const textLinked = `SELECT group_concat(ro, ' ') FROM (SELECT ro FROM rel
	WHERE rt = ? AND rr BETWEEN 'link' AND 'link' AND ro >= ? AND created <= ? AND deleted > ? AND expiry > ? ORDER BY ro LIMIT +?)`

// ReadLinked calls yield with the id of each resource of resourceType that has the relation link to anything as of at, until
// yield returns false. One with several comes several times.
func (r relationReader) ReadLinked(ctx context.Context, at relations.Revision, resourceType string, yield func(id string) bool) error {
	own := reader{d: r.d, rev: int64(at), src: r.d.texts}
	return own.eachID(ctx, textLinked, []any{resourceType, "", own.rev, own.rev, own.rev, pageRows}, 1, yield)
}

// textGranted reads only what rel_reverse holds, in its order.
const textGranted = `SELECT group_concat(ro, ' ') FROM (SELECT ro FROM rel
	WHERE st = ? AND so = ? AND sr = ? AND rt = ? AND rr = ? AND ro >= ? AND ro <= ?
	AND created <= ? AND deleted > ? AND expiry > ? ORDER BY ro LIMIT +?)`

// ReadGranted returns the ids of up to most resources of resourceType, from first to last, that have relation name to exactly
// the given subject as of at, in order. When they are fewer there are no more. subjectRelation is empty for the subject itself.
func (r relationReader) ReadGranted(
	ctx context.Context, at relations.Revision, resourceType, name string, subject authz.Ref, subjectRelation string,
	first, last string, most int,
) ([]string, error) {
	if subjectRelation == "" {
		subjectRelation = tuple.Ellipsis
	}
	own := reader{d: r.d, rev: int64(at), src: r.d.texts}
	return own.ids(ctx, textGranted, []any{
		subject.Type, subject.ID, subjectRelation, resourceType, name, first, last, own.rev, own.rev, own.rev, most,
	})
}

// eachID calls yield with each id that text selects in order, page by page: args[from] is the first id of a page, and the
// last of args how many ids a page has.
func (r *reader) eachID(ctx context.Context, text string, args []any, from int, yield func(id string) bool) error {
	for {
		page, err := r.ids(ctx, text, args)
		if err != nil {
			return err
		}
		for _, id := range page {
			if !yield(id) {
				return nil
			}
		}
		if len(page) < pageRows {
			return nil
		}
		args[from] = page[len(page)-1] + "\x00" // the next text there is
	}
}

// ids returns one page of ids, which hold no spaces.
func (r *reader) ids(ctx context.Context, text string, args []any) ([]string, error) {
	done, err := r.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	var page []string
	err = r.src.rows(ctx, text, args, func(rows *sql.Rows) error {
		var all sql.NullString // NULL: none
		err := rows.Scan(&all)
		if all.Valid {
			page = strings.Split(all.String, " ")
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return page, r.end()
}
