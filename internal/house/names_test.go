package house

import (
	"bufio"
	"bytes"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// vague are names that say where code was put and not what it is.
var vague = []string{
	"base", "common", "core", "helper", "helpers", "impl", "lib", "manager", "managers", "misc", "model", "models",
	"service", "services", "shared", "type", "types", "util", "utils",
}

// longest is the number of lines at which a file holds more than one noun.
const longest = 600

func TestPackageNamesSayWhatIsInside(t *testing.T) {
	for _, p := range packages(t) {
		for _, name := range []string{p.Name, path.Base(p.ImportPath)} {
			if slices.Contains(vague, name) {
				t.Errorf("package %s is named %s, which says nothing of what is in it", p.path(), name)
			}
		}
	}
}

func TestPackagesIntroduceThemselves(t *testing.T) {
	for _, p := range packages(t) {
		want := "Package " + p.Name + " "
		if p.Name == "main" {
			want = "Command " + path.Base(p.ImportPath) + " "
		}
		if len(p.GoFiles) > 0 && !strings.HasPrefix(p.Doc, want) {
			t.Errorf("the doc of %s begins %q, want %q", p.path(), p.Doc, want)
		}
	}
}

var (
	generated  = regexp.MustCompile(`(?m)^// Code generated .* DO NOT EDIT\.$`)
	unfinished = regexp.MustCompile(`\b(TO` + `DO|FIX` + `ME|X` + `XX)\b`)
)

func TestFilesAreShortAndFinished(t *testing.T) {
	seen := 0
	eachGoFile(t, func(name string, text []byte) {
		seen++
		if generated.Match(text) {
			return
		}
		lines := bufio.NewScanner(bytes.NewReader(text))
		lines.Buffer(nil, 1<<20)
		n := 0
		for lines.Scan() {
			n++
			if word := unfinished.Find(lines.Bytes()); word != nil {
				t.Errorf("%s:%d says %s: finish it, or write it down where work is planned", name, n, word)
			}
		}
		if err := lines.Err(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if n > longest {
			t.Errorf("%s has %d lines, want at most %d: cut it by noun", name, n, longest)
		}
	})
	if seen == 0 {
		t.Error("no Go file was read")
	}
}

// eachGoFile calls f with every Go file of the module, those for other systems and testdata included.
func eachGoFile(t *testing.T, f func(name string, text []byte)) {
	t.Helper()
	root := filepath.Join("..", "..")
	if _, err := os.Stat(filepath.Join(root, "go.mod")); err != nil {
		t.Fatal(err)
	}
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && name != root && strings.HasPrefix(d.Name(), "."):
			return filepath.SkipDir
		case d.IsDir() || filepath.Ext(name) != ".go":
			return nil
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		f(strings.TrimPrefix(filepath.ToSlash(name), "../../"), text)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestUnfinishedWordsAreFound(t *testing.T) {
	for text, want := range map[string]bool{
		"// TO" + "DO: later":       true,
		"// FIX" + "ME":             true,
		"context.TO" + "DO()":       true,
		"the word mastodon":         false,
		"a TO" + "DOIST is no work": false,
	} {
		if got := unfinished.MatchString(text); got != want {
			t.Errorf("%q is unfinished: %t, want %t", text, got, want)
		}
	}
}
