package house

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/parser"
	"go/token"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

const module = "nexus"

// pkg is a package of the module, as go list tells it.
type pkg struct {
	Dir            string
	ImportPath     string
	Name           string
	Doc            string
	Imports        []string
	TestImports    []string
	XTestImports   []string
	GoFiles        []string
	IgnoredGoFiles []string // for another system
}

// path returns the package's path below the module.
func (p pkg) path() string { return below(p.ImportPath) }

// tests returns what the package's tests import.
func (p pkg) tests() []string { return slices.Concat(p.TestImports, p.XTestImports) }

// below strips the module from an import path; what is not of the module stays as it is.
func below(path string) string { return strings.TrimPrefix(path, module+"/") }

// ours reports whether an import path is of the module.
func ours(path string) bool { return path == module || strings.HasPrefix(path, module+"/") }

// matches reports whether path is pattern, or below it where pattern ends in /...
func matches(pattern, path string) bool {
	if root, ok := strings.CutSuffix(pattern, "/..."); ok {
		return path == root || strings.HasPrefix(path, root+"/")
	}
	return path == pattern
}

func matchesAny(patterns []string, path string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return matches(p, path) })
}

// packages returns every package of the module. Packages that do not compile are listed too.
func packages(t *testing.T) []pkg {
	t.Helper()
	all, err := listed()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	return all
}

var listed = sync.OnceValues(func() ([]pkg, error) {
	list := exec.Command("go", "list", "-e",
		"-json=Dir,ImportPath,Name,Doc,Imports,TestImports,XTestImports,GoFiles,IgnoredGoFiles", module+"/...")
	out, err := list.Output()
	if err != nil {
		return nil, err
	}
	var all []pkg
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, err
		}
		if err := p.addIgnored(); err != nil {
			return nil, err
		}
		all = append(all, p)
	}
})

// addIgnored adds what files for other systems import: a rule holds on every system.
func (p *pkg) addIgnored() error {
	for _, name := range p.IgnoredGoFiles {
		f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, name), nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, i := range f.Imports {
			path, err := strconv.Unquote(i.Path.Value)
			if err != nil {
				return err
			}
			if strings.HasSuffix(name, "_test.go") {
				p.TestImports = append(p.TestImports, path)
			} else {
				p.Imports = append(p.Imports, path)
			}
		}
	}
	return nil
}
