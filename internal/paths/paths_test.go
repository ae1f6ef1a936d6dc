package paths

import (
	"errors"
	"strings"
	"testing"

	"nexus/internal/errs"
)

func TestCleanFoldsWhatMeansTheSame(t *testing.T) {
	for in, want := range map[string]string{
		"/": "/", "a/b": "/a/b", "//a///b/": "/a/b", "/a b/c": "/a b/c", "/cafe\u0301": "/caf\u00e9", "/...": "/...", "/.hidden": "/.hidden",
	} {
		got, err := Clean(in)
		if err != nil || got != want {
			t.Errorf("Clean(%q) = %q, %v, want %q", in, got, err, want)
		}
	}
}

func TestCleanRefusesWhatCouldMislead(t *testing.T) {
	for _, in := range []string{
		"", "/a/../b", "..", "/./a", "/a\x00b", "/a\nb", "/a/ b", "/a /b", "/a\xff", "/a\u0085b",
		"/" + strings.Repeat("x", 256), strings.Repeat("/x", 101), "/" + strings.Repeat(strings.Repeat("y", 200)+"/", 30),
	} {
		got, err := Clean(in)
		if errs.From(err).Reason != errs.InvalidPath || !errors.Is(err, errs.Invalid) {
			t.Errorf("Clean(%.20q) = %q, %v, want INVALID_PATH", in, got, err)
		}
	}
}

func TestPrefixHasTheFormOfPaths(t *testing.T) {
	for in, want := range map[string]string{"": "", "/a/": "/a/", "a": "a", "/cafe\u0301": "/caf\u00e9"} {
		if got, err := Prefix(in); err != nil || got != want {
			t.Errorf("Prefix(%q) = %q, %v, want %q", in, got, err, want)
		}
	}
	for _, in := range []string{"/a\x00", "/\xff", "\n"} {
		if got, err := Prefix(in); errs.From(err) == nil || errs.From(err).Reason != errs.InvalidPath {
			t.Errorf("Prefix(%q) = %q, %v, want INVALID_PATH", in, got, err)
		}
	}
}

func TestSplitUndoesJoin(t *testing.T) {
	for _, folder := range []string{"/", "/a", "/a/b"} {
		gotFolder, gotName := Split(Join(folder, "n"))
		if gotFolder != folder || gotName != "n" {
			t.Errorf("Split(Join(%q, n)) = %q, %q", folder, gotFolder, gotName)
		}
	}
}

func FuzzCleanIsIdempotent(f *testing.F) {
	for _, seed := range []string{"/a/b", "a//b/", "/é", "/ a", "/..", "\x00"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, in string) {
		once, err := Clean(in)
		if err != nil {
			return
		}
		twice, err := Clean(once)
		if err != nil || twice != once {
			t.Fatalf("Clean(Clean(%q)) = %q, %v, want %q", in, twice, err, once)
		}
		if once[0] != '/' || strings.Contains(once, "//") || strings.Contains(once+"/", "/../") {
			t.Fatalf("Clean(%q) = %q", in, once)
		}
	})
}
