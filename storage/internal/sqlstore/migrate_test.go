package sqlstore

import (
	"io/fs"
	"slices"
	"strings"
	"testing"
)

// words are the only differences between the dialects: everything else must be written alike.
var words = strings.NewReplacer(` COLLATE "C"`, "", "BYTEA", "BLOB", ") WITHOUT ROWID;", ");")

func TestDialectsDifferInKnownWordsAlone(t *testing.T) {
	lite, pg := files(t, "sqlite"), files(t, "postgres")
	if !slices.Equal(lite, pg) {
		t.Fatalf("migrations of SQLite are %q, of PostgreSQL %q", lite, pg)
	}
	for _, name := range lite {
		if one, other := plain(t, "sqlite", name), plain(t, "postgres", name); one != other {
			t.Errorf("%s differs:\n%s\n%s", name, one, other)
		}
	}
}

// TestOrderedTextIsBytewiseOnPostgres: what lists walk in order must not follow a language.
func TestOrderedTextIsBytewiseOnPostgres(t *testing.T) {
	tree := text(t, "postgres", "00001_tree.sql")
	for line := range strings.Lines(tree) {
		column, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		if slices.Contains([]string{"id", "path", "name"}, column) && !strings.Contains(rest, `COLLATE "C"`) {
			t.Errorf("column %s is ordered by language: %s", column, line)
		}
	}
}

func TestEndIsBehindEverythingBelow(t *testing.T) {
	for _, folder := range []string{"/", "/a/", "/a/b/"} {
		end := End(folder)
		for _, below := range []string{folder + "x", folder + "\x01", folder + "\U0010ffff", folder + "~/~"} {
			if below >= end {
				t.Errorf("%q is not before End(%q) = %q", below, folder, end)
			}
		}
		for _, beside := range []string{"/a0", "/a0/", "/b"} {
			if folder == "/a/" && beside < end && beside > folder {
				t.Errorf("%q is before End(%q) = %q", beside, folder, end)
			}
		}
	}
}

func files(t *testing.T, dialect string) []string {
	t.Helper()
	all, err := fs.Glob(migrations, "migrations/"+dialect+"/*.sql")
	if err != nil || len(all) == 0 {
		t.Fatalf("no migrations of %s: %v", dialect, err)
	}
	for i := range all {
		all[i] = strings.TrimPrefix(all[i], "migrations/"+dialect+"/")
	}
	return all
}

func text(t *testing.T, dialect, name string) string {
	t.Helper()
	raw, err := migrations.ReadFile("migrations/" + dialect + "/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// plain returns a migration without its known differences, and without the spaces that line its columns up.
func plain(t *testing.T, dialect, name string) string {
	t.Helper()
	return strings.Join(strings.Fields(words.Replace(text(t, dialect, name))), " ")
}
