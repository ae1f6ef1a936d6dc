package authz_test

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/tools/go/packages"
	"golang.org/x/tools/txtar"
)

// A case under testdata/nocompile says in its first line what cannot be done, and holds the text of the compiler's error, a
// file that must not compile, and a twin that must and differs in one line: so it is that line which is refused.
type nocompile struct {
	name          string
	want          *regexp.Regexp
	refused, twin []byte
}

// virtual is a folder that exists for the compiler alone. It lies outside authzsvc, as every caller does.
const virtual = "nocompile"

func TestMisuseDoesNotCompile(t *testing.T) {
	cases := readCases(t)
	found := typecheck(t, cases)
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if n := differing(c.refused, c.twin); n != 1 {
				t.Errorf("the twin differs in %d lines, want 1", n)
			}
			for _, e := range found[c.name+"/twin"] {
				t.Errorf("the twin does not compile: %s", e)
			}
			wrong := found[c.name+"/refused"]
			if len(wrong) == 0 {
				t.Error("what must not compile does")
			}
			for _, e := range wrong {
				if !c.want.MatchString(e) {
					t.Errorf("refused with %q, want %q", e, c.want)
				}
			}
		})
	}
}

func readCases(t *testing.T) []nocompile {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", "nocompile", "*.txtar"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	cases := make([]nocompile, len(files))
	for i, f := range files {
		a, err := txtar.ParseFile(f)
		if err != nil {
			t.Fatal(err)
		}
		part := func(name string) []byte {
			at := slices.IndexFunc(a.Files, func(f txtar.File) bool { return f.Name == name })
			if at < 0 {
				t.Fatalf("%s has no %s", f, name)
			}
			return a.Files[at].Data
		}
		cases[i] = nocompile{
			name:    strings.TrimSuffix(filepath.Base(f), ".txtar"),
			want:    regexp.MustCompile(strings.TrimSpace(string(part("want")))),
			refused: part("refused.go"),
			twin:    part("twin.go"),
		}
	}
	return cases
}

// typecheck compiles every file of cases as a package of its own, all in one go, and returns the errors of each.
func typecheck(t *testing.T, cases []nocompile) map[string][]string {
	t.Helper()
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	overlay := map[string][]byte{}
	var patterns []string
	for _, c := range cases {
		for kind, text := range map[string][]byte{"refused": c.refused, "twin": c.twin} {
			overlay[filepath.Join(root, virtual, c.name, kind, "p.go")] = text
			patterns = append(patterns, "./"+virtual+"/"+c.name+"/"+kind)
		}
	}
	loaded, err := packages.Load(&packages.Config{
		Mode: packages.NeedName | packages.NeedFiles | packages.NeedCompiledGoFiles | packages.NeedImports |
			packages.NeedTypes | packages.NeedSyntax | packages.NeedTypesInfo | packages.NeedExportFile,
		Dir: root, Overlay: overlay,
	}, patterns...)
	if err != nil {
		t.Fatal(err)
	}
	if len(loaded) != 2*len(cases) {
		t.Fatalf("%d packages were loaded, want two a case: %d", len(loaded), 2*len(cases))
	}
	found := map[string][]string{}
	for _, p := range loaded {
		name := strings.TrimPrefix(p.PkgPath, "nexus/"+virtual+"/")
		for _, e := range p.Errors {
			found[name] = append(found[name], e.Msg)
		}
	}
	return found
}

// differing returns the number of lines in which a and b differ.
func differing(a, b []byte) int {
	x, y := strings.Split(string(a), "\n"), strings.Split(string(b), "\n")
	if len(x) != len(y) {
		return max(len(x), len(y))
	}
	n := 0
	for i := range x {
		if x[i] != y[i] {
			n++
		}
	}
	return n
}
