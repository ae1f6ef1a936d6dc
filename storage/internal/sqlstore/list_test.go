package sqlstore

import (
	"fmt"
	"slices"
	"testing"
)

func TestWalksReadWhatStandsThereInOrder(t *testing.T) {
	db, ctx := tree(t), t.Context()
	all, err := DirsFrom(ctx, db, "t", "/", "0", 9)
	if want := []Folder{{"root", "", "/"}, {"a", "root", "/a/"}, {"ab", "a", "/a/b/"}}; err != nil || !slices.Equal(all, want) {
		t.Errorf("folders are %v, %v, want %v", all, err, want)
	}
	root, err := DirsFrom(ctx, db, "t", "/", "0", 1) // whose parent is an empty text
	if err != nil || !slices.Equal(root, []Folder{{"root", "", "/"}}) {
		t.Errorf("the first folder is %v, %v, want the root", root, err)
	}
	in, err := DirsOf(ctx, db, "a", "", 9)
	if err != nil || !slices.Equal(in, []Folder{{"ab", "a", "/a/b/"}}) {
		t.Errorf("in /a stand %v, %v, want /a/b/ alone", in, err)
	}
	files, err := FilesFrom(ctx, db, "t", "/", "/a/b/", 9)
	if err != nil || !slices.Equal(files, []Name{{"f", "root", "f"}, {"g", "ab", "g"}}) {
		t.Errorf("files are %v, %v, want f and g", files, err)
	}
	none, err := FilesOf(ctx, db, "ab", "h", 9)
	if err != nil || len(none) != 0 {
		t.Errorf("behind the last file come %v, %v", none, err)
	}
}

func TestDetailsAreThoseOfTheFile(t *testing.T) {
	db, ctx := tree(t), t.Context()
	var ids []string
	for i := range many { // more than one statement asks for
		ids = append(ids, fmt.Sprint("none", i))
	}
	found, err := DetailsByID(ctx, db, append(ids, "f", "g", "wanted", "a"))
	if err != nil || len(found) != 2 {
		t.Fatalf("details of %d, %v, want those of two files", len(found), err)
	}
	for id, f := range found {
		want, err := FileByID(ctx, db, id)
		if err != nil {
			t.Fatal(err)
		}
		want.Dir, want.Name, want.Seq = "", "", 0
		if *f != *want {
			t.Errorf("details of %s are %+v, want %+v", id, *f, *want)
		}
	}
}
