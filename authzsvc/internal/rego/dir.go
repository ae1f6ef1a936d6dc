package rego

import (
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"nexus/internal/errs"
)

// LoadDir reads every *.rego below dir, tests included, by path relative to dir. Names that begin with a dot are left out: a mounted ConfigMap
// keeps its real files in such a folder and links to them. A directory that cannot be read whole is an error.
func LoadDir(dir string) (map[string]string, error) {
	modules := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		hidden := path != dir && strings.HasPrefix(entry.Name(), ".")
		switch {
		case err != nil:
			return err
		case hidden && entry.IsDir():
			return fs.SkipDir
		case hidden || entry.IsDir() || filepath.Ext(path) != ".rego":
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(dir, path)
		modules[filepath.ToSlash(name)] = string(text)
		return err
	})
	if err != nil {
		return nil, errs.New(errs.Invalid, "read the policies in %s", dir).Because(err)
	}
	return modules, nil
}

// Digest names modules by their paths and texts, tests included.
func Digest(modules map[string]string) string { return digest(modules) }

// Compose returns the shipped modules without the rules whose ids are disabled, and an operator's own beside them. An own rule may take the id
// of a disabled one, of no other. An id in disabled that names no shipped rule is an error: a rule that was to be off would be on.
func Compose(shipped, own map[string]string, disabled []string) (map[string]string, error) {
	all := maps.Clone(shipped)
	parsed, problems := parseAll(shipped, func(string) bool { return true })
	if len(problems) > 0 {
		return nil, invalid(problems)
	}
	for _, id := range disabled {
		found := false
		for path, module := range parsed {
			if !belongsTo(id, path, module) {
				continue
			}
			found = found || !isTest(path)
			delete(all, path)
		}
		if !found {
			return nil, errs.New(errs.Invalid, "policy: no shipped rule %q to disable", id)
		}
	}
	for _, path := range slices.Sorted(maps.Keys(own)) {
		if _, taken := all[path]; taken {
			return nil, errs.New(errs.Invalid, "policy: module %q is a shipped one", path)
		}
		all[path] = own[path]
	}
	return all, checkPackages(all)
}

// belongsTo reports whether module is the rule id, or the tests of it.
func belongsTo(id, path string, module *ast.Module) bool {
	name, ok := nameIn(rulesRef, module)
	return ok && (name == id || isTest(path) && name == id+"_test")
}

// checkPackages refuses two files of one package, so that the mistake shows before anything is loaded.
func checkPackages(modules map[string]string) error {
	parsed, problems := parseAll(modules, func(path string) bool { return !isTest(path) })
	_, more := sortModules(parsed)
	if problems = append(problems, more...); len(problems) > 0 {
		return invalid(problems)
	}
	return nil
}
