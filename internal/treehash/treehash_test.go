package treehash

import (
	"testing"
	"testing/fstest"
)

// empty is the SHA-256 of "nexus/tree/v1\n", and small that of the tree of TestHashIsTheDocumentedOne, both made with sha256sum.
const (
	empty = "ca949b9fe5a2929fff9ef98b6171f79004012d21a8f1477a7ea0da145e3659b3"
	small = "98fd5a92fc7bba80fa3cfa3d2f24a26a018ac3e266198e4bae0a7ad7872e6722"
)

func file(body string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(body)} }

func mustHash(t *testing.T, files fstest.MapFS, folder string) string {
	t.Helper()
	h, err := OfFolder(files, folder)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestHashIsTheDocumentedOne(t *testing.T) {
	if got := Of(nil); got != empty {
		t.Errorf("an empty folder has %s, want %s", got, empty)
	}
	files := fstest.MapFS{"a.txt": file("one"), "b/c": file("two"), "b/link": {Mode: 1 << 27}}
	if got := mustHash(t, files, "."); got != small {
		t.Errorf("the tree has %s, want %s", got, small)
	}
}

func TestEqualTreesHaveOneHashWhereverTheyStand(t *testing.T) {
	files := fstest.MapFS{"x/a": file("1"), "x/d/b": file("2"), "y/z/d/b": file("2"), "y/z/a": file("1")}
	if one, other := mustHash(t, files, "x"), mustHash(t, files, "y/z"); one != other {
		t.Errorf("equal trees have %s and %s", one, other)
	}
}

func TestOtherTreesHaveOtherHashes(t *testing.T) {
	seen := map[string]string{}
	for name, files := range map[string]fstest.MapFS{
		"one file":        {"a": file("1")},
		"other contents":  {"a": file("2")},
		"other name":      {"b": file("1")},
		"two files":       {"a": file("1"), "b": file("1")},
		"deeper":          {"d/a": file("1")},
		"an empty folder": {"a": file("1"), "d": {Mode: 1 << 31}},
		"swapped":         {"a": file("2"), "b": file("1"), "c": file("1")},
		"swapped back":    {"a": file("1"), "b": file("2"), "c": file("1")},
	} {
		h := mustHash(t, files, ".")
		if other, twice := seen[h]; twice {
			t.Errorf("%s and %s have one hash", name, other)
		}
		seen[h] = name
	}
}

func TestNameThatNoPathHoldsRefused(t *testing.T) {
	if h, err := OfFolder(fstest.MapFS{"a\nfile x b": file("1")}, "."); err == nil {
		t.Errorf("a name with a line feed is hashed: %s", h)
	}
}
