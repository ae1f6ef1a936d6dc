package sqlstore

import (
	"context"
	"errors"
	"path/filepath"
	"testing"

	"nexus/internal/sqldb"
)

// tree is a tenant with folders and files of every kind there is.
func tree(t *testing.T) *sqldb.Lite {
	t.Helper()
	ctx := context.Background()
	db, err := sqldb.OpenLite(ctx, filepath.Join(t.TempDir(), "nexus.db"), sqldb.LiteOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := Migrate(ctx, db); err != nil {
		t.Fatal(err)
	}
	err = db.Tx(ctx, func(ctx context.Context, tx sqldb.Tx) error {
		if _, err := InsertTenant(ctx, tx, "t", 1); err != nil {
			return err
		}
		for _, d := range []Dir{
			{ID: "root", Path: "/", State: Explicit}, {ID: "a", Parent: "root", Path: "/a/", State: Explicit},
			{ID: "ab", Parent: "a", Path: "/a/b/", State: Implicit}, {ID: "kept", Parent: "a", Path: "/a/kept/", State: Reserved},
		} {
			d.Tenant = "t"
			if err := InsertDir(ctx, tx, &d); err != nil {
				return err
			}
		}
		for _, f := range []File{
			{ID: "f", Dir: "root", Name: "f", Version: 3, Etag: "e", Type: "text/plain", Size: 1 << 40, Seq: 5, Created: 6, Modified: 7}, {ID: "g", Dir: "ab", Name: "g", Version: 1}, {ID: "wanted", Dir: "ab", Name: "wanted"},
		} {
			if err := InsertFile(ctx, tx, &f); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return db
}

func TestFindSaysOfAPathWhatLocateSays(t *testing.T) {
	db := tree(t)
	for path, want := range map[string]Spot{
		"/":           {ID: "root", Folder: true},
		"/a":          {ID: "a", Parent: "root", Folder: true},
		"/a/b":        {ID: "ab", Parent: "a", Folder: true},
		"/a/kept":     {ID: "kept", Parent: "a", Folder: true, Reserved: true},
		"/f":          {ID: "f", Parent: "root"},
		"/a/b/g":      {ID: "g", Parent: "ab"},
		"/a/b/wanted": {ID: "wanted", Parent: "ab", Reserved: true},
		"/x":          {ID: "root", Folder: true, Rest: "x"},
		"/x/y/z":      {ID: "root", Folder: true, Rest: "x/y/z"},
		"/a/kept/x":   {ID: "kept", Parent: "a", Folder: true, Reserved: true, Rest: "x"},
		"/a/b/x/y":    {ID: "ab", Parent: "a", Folder: true, Rest: "x/y"},
		"/a/b/g/x":    {ID: "g", Parent: "ab", Rest: "x"},
		"/a/b/g/x/y":  {ID: "g", Parent: "ab", Rest: "x/y"},
	} {
		got, err := Find(context.Background(), db, "t", path)
		if err != nil || got != want {
			t.Errorf("Find %s = %+v, %v, want %+v", path, got, err, want)
		}
		place, err := Locate(context.Background(), db, "t", path)
		if err != nil || place.Spot() != want {
			t.Errorf("Locate %s = %+v, %v, want %+v", path, place.Spot(), err, want)
		}
	}
}

func TestNothingIsFoundInATenantWithoutATree(t *testing.T) {
	db := tree(t)
	for _, path := range []string{"/", "/a", "/a/b/g"} {
		if got, err := Find(context.Background(), db, "other", path); !errors.Is(err, sqldb.ErrNoRows) || got != (Spot{}) {
			t.Errorf("Find %s = %+v, %v, want no rows", path, got, err)
		}
		if got, err := Locate(context.Background(), db, "other", path); !errors.Is(err, sqldb.ErrNoRows) || got != (Place{}) {
			t.Errorf("Locate %s = %+v, %v, want no rows", path, got, err)
		}
	}
}
