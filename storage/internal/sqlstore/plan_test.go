package sqlstore

import (
	"path/filepath"
	"strings"
	"testing"

	"nexus/internal/sqldb"
)

var (
	planFrom = sqldb.OnlySQLite(`EXPLAIN QUERY PLAN SELECT string_agg(id, '` + separator + `'), string_agg(dir, '` + separator + `'), string_agg(name, '` + separator + `') FROM (
		SELECT f.id, f.dir, f.name FROM dirs d JOIN files f ON f.dir = d.id
		WHERE d.tenant = $1 AND d.path >= $2 AND d.path <= $3 AND f.version > 0 ORDER BY d.path, f.name LIMIT $4) AS page`)
	planOf = sqldb.OnlySQLite(`EXPLAIN QUERY PLAN SELECT string_agg(id, '` + separator + `'), string_agg(dir, '` + separator + `'), string_agg(name, '` + separator + `') FROM (
		SELECT id, dir, name FROM files
		WHERE dir = $1 AND name >= $2 AND version > 0 ORDER BY name LIMIT $3) AS page`)
	planDirs = sqldb.OnlySQLite(`EXPLAIN QUERY PLAN SELECT string_agg(id, '` + separator + `'), string_agg(parent, '` + separator + `'), string_agg(path, '` + separator + `') FROM (
		SELECT id, parent, path FROM dirs
		WHERE parent = $1 AND name >= $2 AND state < 3 ORDER BY name LIMIT $3) AS page`)
)

// A walk reads names of files from indexes alone, in their order: it neither looks up the rows it passes nor sorts them. Folders
// come in the order of theirs.
func TestWalksReadIndexesAlone(t *testing.T) {
	db, err := sqldb.OpenLite(t.Context(), filepath.Join(t.TempDir(), "x.db"), sqldb.LiteOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	if err := Migrate(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		plan, statement *sqldb.Stmt
		args            []any
		index           string
	}{
		"of many folders": {planFrom, filesFrom, []any{"t", "/", "0", 1}, "COVERING INDEX files_there (dir=?)"},
		"of one folder":   {planOf, filesOf, []any{"d", "", 1}, "COVERING INDEX files_there (dir=? AND name>?)"},
		"of folders":      {planDirs, dirsOf, []any{"d", "", 1}, "INDEX dirs_name (parent=? AND name>?)"},
	} {
		if "EXPLAIN QUERY PLAN "+c.statement.Text(sqldb.SQLite) != c.plan.Text(sqldb.SQLite) {
			t.Errorf("%s: the plan is that of another statement", name)
		}
		var steps []string
		err := db.Each(t.Context(), c.plan, c.args, func(r sqldb.Row) error {
			var id, parent, unused int64
			var step string
			err := r.Scan(&id, &parent, &unused, &step)
			steps = append(steps, step)
			return err
		})
		if plan := strings.Join(steps, "; "); err != nil || !strings.Contains(plan, c.index) || strings.Contains(plan, "TEMP B-TREE") {
			t.Errorf("%s: %v, %s, want %s", name, err, plan, c.index)
		}
	}
}
