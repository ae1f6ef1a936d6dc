package node

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"nexus/cmd/nexus/internal/backup"
	"nexus/internal/errs"
	"nexus/internal/sqldb"
)

// migrations are those of the domain, as they are in the source.
const migrations = "../../../../storage/internal/sqlstore/migrations/sqlite"

// makeOlder takes a closed data directory back to what the program was that knew the first migrations alone: the tables go the
// way that each file describes for it.
func makeOlder(t *testing.T, dir string, version string) {
	t.Helper()
	files, err := filepath.Glob(migrations + "/*.sql")
	if err != nil || len(files) < 3 {
		t.Fatalf("migrations %q, %v", files, err)
	}
	slices.Sort(files)
	for _, name := range slices.Backward(files) {
		if filepath.Base(name) < version+"_~" {
			break
		}
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		_, down, found := strings.Cut(string(text), "-- +goose Down")
		if !found {
			t.Fatalf("%s does not say how to go back", name)
		}
		run(t, dir, down)
	}
	run(t, dir, "DELETE FROM migrations_main WHERE version_id > "+version)
	run(t, dir, "CREATE TABLE trash (x TEXT); DROP TABLE trash") // the newer program's is gone
}

// run runs SQL on the database of a closed data directory.
func run(t *testing.T, dir, text string) {
	t.Helper()
	db, err := sqldb.OpenLite(t.Context(), DatabasePath(dir), sqldb.LiteOptions{})
	if err != nil {
		t.Fatal(err)
	}
	err = db.Tx(t.Context(), func(ctx context.Context, tx sqldb.Tx) error {
		conn, _ := sqldb.WriterConn(tx)
		_, err := conn.ExecContext(ctx, text)
		return err
	})
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
}

// TestDataDirectoryOfAnOlderProgramIsMigrated: so is a backup of one.
func TestDataDirectoryOfAnOlderProgramIsMigrated(t *testing.T) {
	k := newKit(t, Config{})
	k.story()
	k.close()
	makeOlder(t, k.config.DataDir, "00002")
	target := filepath.Join(t.TempDir(), "backup")
	db, err := sqldb.OpenLite(t.Context(), DatabasePath(k.config.DataDir), sqldb.LiteOptions{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = backup.Take(t.Context(), backup.Source{Dir: k.config.DataDir, DB: db, Program: "older", Clock: k.clock}, target, quiet)
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	k.open()
	for name, on := range map[string]*kit{"the directory": k, "its backup": restored(t, target, k)} {
		on.storyHolds()
		on.do(on.admin, "delete", `{"path":"/src/os/file.go"}`) // needs tables that the older program did not have
		on.write(on.admin, "/src/net/new.go", "x")
		on.mustRead(user("alice"), "/src/net/new.go", "x")
		on.mustVerify()
		if t.Failed() {
			t.Errorf("so much for %s", name)
		}
	}
}

// TestDataDirectoryOfANewerProgramIsRefusedAndLeftAlone, whichever part is newer.
func TestDataDirectoryOfANewerProgramIsRefusedAndLeftAlone(t *testing.T) {
	for part, newer := range map[string]string{
		"domain":        "INSERT INTO migrations_main (version_id, is_applied) VALUES (99999, 1)",
		"relationships": "UPDATE rel_meta SET val = val + 90 WHERE name = 'version'",
	} {
		t.Run(part, func(t *testing.T) {
			k := newKit(t, Config{})
			k.story()
			k.close()
			t.Cleanup(k.open) // the kit closes what is open
			run(t, k.config.DataDir, newer)
			target := filepath.Join(t.TempDir(), "backup")
			before := contents(t, k.config.DataDir)
			if n, err := Open(t.Context(), k.config); !errors.Is(err, errs.Precondition) || !strings.Contains(err.Error(), "newer program") {
				t.Errorf("Open = %v, %v, want precondition", n, err)
			}
			if after := contents(t, k.config.DataDir); !bytes.Equal(before, after) {
				t.Error("the directory was written to")
			}
			db, err := sqldb.OpenLite(t.Context(), DatabasePath(k.config.DataDir), sqldb.LiteOptions{})
			if err != nil {
				t.Fatal(err)
			}
			_, err = backup.Take(t.Context(), backup.Source{Dir: k.config.DataDir, DB: db, Clock: k.clock}, target, quiet)
			if err := errors.Join(err, db.Close()); err != nil {
				t.Fatal(err)
			}
			data := filepath.Join(t.TempDir(), "data")
			if _, err := backup.Restore(t.Context(), target, data, quiet); part == "domain" && !errors.Is(err, errs.Precondition) {
				t.Errorf("Restore of a newer backup = %v, want precondition", err)
			}
			run(t, k.config.DataDir, "DELETE FROM migrations_main WHERE version_id = 99999; UPDATE rel_meta SET val = val % 90 WHERE name = 'version'")
		})
	}
}

// contents returns the bytes of the database and of the record.
func contents(t *testing.T, dir string) []byte {
	t.Helper()
	var all []byte
	for _, name := range []string{DatabasePath(dir), filepath.Join(RecordDir(dir), "000001.seg"), filepath.Join(RecordDir(dir), "head")} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, text...)
	}
	return all
}
