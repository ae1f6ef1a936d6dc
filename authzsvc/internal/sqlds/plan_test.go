package sqlds

import (
	"context"
	"database/sql"
	"strings"
	"testing"

	"github.com/authzed/spicedb/pkg/datastore"
	"github.com/authzed/spicedb/pkg/datastore/options"

	"nexus/authzsvc/relations"
	"nexus/internal/sqldb"
)

// The engine's shapes of query must seek in an index, from the first page on and after a cursor, and never sort or scan the table.
func TestQueriesOfTheEngineSeek(t *testing.T) {
	d := openStore(t, Options{}, sqldb.LiteOptions{})
	for _, c := range shapes(t) {
		for _, after := range []*key{nil, &c.last} {
			c.q.after = after
			text, args := c.q.text(1, 10)
			plan := explain(t, d, text, args)
			if !strings.Contains(plan, c.seeks) || strings.Contains(plan, "SCAN") || strings.Contains(plan, "TEMP B-TREE FOR ORDER BY") {
				t.Errorf("%s, after %v: %s", c.name, after, plan)
			}
		}
	}
}

// shape is a query of the engine, the index that it seeks in, and a row of its answer.
type shape struct {
	name  string
	q     *query
	seeks string
	last  key
}

func shapes(t *testing.T) []shape {
	t.Helper()
	set := datastore.SubjectRelationFilter{}.WithNonEllipsisRelation("member")
	direct := datastore.SubjectRelationFilter{}.WithEllipsisRelation()
	ask := func(f datastore.RelationshipsFilter) *query {
		q, err := forward(f, &options.QueryOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return q
	}
	from := func(f datastore.SubjectsFilter, o options.ReverseQueryOptions) *query {
		q, err := reverse(f, &o)
		if err != nil {
			t.Fatal(err)
		}
		return q
	}
	of := &options.ResourceRelation{Namespace: "file", Relation: "direct_viewer"}
	return []shape{
		{"check", ask(datastore.RelationshipsFilter{
			OptionalResourceType: "file", OptionalResourceIds: []string{"a", "b"}, OptionalResourceRelation: "direct_viewer",
			OptionalSubjectsSelectors: []datastore.SubjectsSelector{{OptionalSubjectType: "user", OptionalSubjectIds: []string{"ann"}, RelationFilter: direct}},
		}), "rel_reverse (st=? AND so=? AND sr=? AND rt=? AND rr=? AND ro=?", key{"file", "a", "direct_viewer", "user", "ann", "..."}},
		{"subject sets", ask(datastore.RelationshipsFilter{
			OptionalResourceType: "file", OptionalResourceIds: []string{"a"}, OptionalResourceRelation: "direct_viewer",
			OptionalSubjectsSelectors: []datastore.SubjectsSelector{{RelationFilter: datastore.SubjectRelationFilter{}.WithOnlyNonEllipsisRelations()}},
		}), "PRIMARY KEY (rt=? AND ro=? AND rr=?", key{"file", "a", "direct_viewer", "group", "m", "member"}},
		{"of a type", ask(datastore.RelationshipsFilter{OptionalResourceType: "file"}), "PRIMARY KEY (rt=?", key{"file", "m", "parent", "file", "d", "..."}},
		{"resources of a subject", from(datastore.SubjectsFilter{SubjectType: "user", OptionalSubjectIds: []string{"ann"}, RelationFilter: direct},
			options.ReverseQueryOptions{ResRelation: of}), "rel_reverse (st=? AND so=? AND sr=? AND rt=? AND rr=?", key{"file", "m", "direct_viewer", "user", "ann", "..."}},
		{"resources of subjects, by subject", from(datastore.SubjectsFilter{SubjectType: "group", OptionalSubjectIds: []string{"a", "b"}, RelationFilter: set},
			options.ReverseQueryOptions{ResRelation: of, SortForReverse: options.BySubject}), "rel_reverse (st=? AND so=? AND sr=? AND rt=? AND rr=?", key{"file", "m", "direct_viewer", "group", "a", "member"}},
		{"all of a subject", from(datastore.SubjectsFilter{SubjectType: "user", OptionalSubjectIds: []string{"ann"}}, options.ReverseQueryOptions{}), "rel_reverse (st=? AND so=?", key{"file", "m", "direct_viewer", "user", "ann", "..."}},
	}
}

// A statement that is planned again at each run takes several times as long.
func TestNoQueryIsPlannedAgainForOtherValues(t *testing.T) {
	d := openStore(t, Options{}, sqldb.LiteOptions{})
	texts := []string{textObject, textLinked, textGranted, textLog, textDoc, textDocs, textVersions, textNextExpiry, textExpired}
	for _, c := range shapes(t) {
		first, _ := c.q.text(1, 10)
		c.q.after = &c.last
		next, _ := c.q.text(1, 10)
		texts = append(texts, first, next)
	}
	for _, s := range sqldb.Statements() {
		if strings.HasPrefix(s.Where(), "sqlds/") && !strings.Contains(s.Where(), "_test.go") {
			texts = append(texts, s.Text(sqldb.SQLite))
		}
	}
	if err := sqldb.Steady(t.Context(), d.db, texts...); err != nil {
		t.Error(err)
	}
}

// What one user has of one kind is found without looking at anybody else's, in order of the resources.
func TestReadOfWhatAUserHasSeeks(t *testing.T) {
	d := openStore(t, Options{}, sqldb.LiteOptions{})
	q, err := selected(relations.Filter{ResourceType: "file", Relation: "direct_owner", SubjectType: "user", SubjectID: "ann"})
	if err != nil {
		t.Fatal(err)
	}
	for _, after := range []*key{nil, {"file", "m", "direct_owner", "user", "ann", "..."}} {
		q.after = after
		text, args := q.text(1, 10)
		plan := explain(t, d, text, args)
		if !strings.Contains(plan, "rel_reverse (st=? AND so=? AND sr=? AND rt=? AND rr=?") || strings.Contains(plan, "TEMP B-TREE") {
			t.Errorf("after %v: %s", after, plan)
		}
	}
}

func explain(t *testing.T, d *Datastore, text string, args []any) string {
	t.Helper()
	var lines []string
	err := d.texts.rows(context.Background(), "EXPLAIN QUERY PLAN "+text, args, func(rows *sql.Rows) error {
		var id, parent, unused int
		var line string
		err := rows.Scan(&id, &parent, &unused, &line)
		lines = append(lines, line)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(lines, "; ")
}

// What the writer asks while everybody waits for it must cost the same however large the store is.
func TestQueriesOfTheWriterSeek(t *testing.T) {
	d := openStore(t, Options{}, sqldb.LiteOptions{})
	for _, c := range []struct {
		name  string
		s     *sqldb.Stmt
		args  []any
		seeks string
	}{
		{"up", sqlUp, []any{"file", "a", "parent", "link", 1}, "PRIMARY KEY (rt=? AND ro=? AND rr=?"},
		{"down", sqlDown, []any{"file", "a", "parent", "link", 1, "..."}, "rel_reverse (st=? AND so=? AND sr=? AND rt=? AND rr=?"},
		{"sets", sqlSets, []any{"file", "a", "direct_viewer", "group", 10, 1}, "PRIMARY KEY (rt=? AND ro=? AND rr=? AND st=?"},
	} {
		plan := explain(t, d, c.s.Text(sqldb.SQLite), c.args)
		if !strings.Contains(plan, c.seeks) || strings.Contains(plan, "SCAN rel") {
			t.Errorf("%s: %s", c.name, plan)
		}
	}
}
