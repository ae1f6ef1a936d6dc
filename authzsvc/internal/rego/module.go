package rego

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// Where modules may live: a rule in nexus.rules.<id>, what rules share in nexus.lib.<name>.
var (
	rulesRef = ast.MustParseRef("data.nexus.rules")
	libRef   = ast.MustParseRef("data.nexus.lib")
	listsRef = ast.MustParseRef("data.nexus.lists") // made by the loader, see lists.go
)

// idForm is what an id of a rule or the name of a library looks like.
var idForm = regexp.MustCompile(`^[a-z][a-z0-9_]{0,63}$`)

// isTest reports whether path holds tests, which are not part of a bundle.
func isTest(path string) bool { return strings.HasSuffix(path, "_test.rego") }

func parse(path, text string) (*ast.Module, error) {
	return ast.ParseModuleWithOpts(path, text, ast.ParserOptions{
		ProcessAnnotation: true,
		RegoVersion:       ast.RegoV1,
		Capabilities:      capabilities(),
	})
}

// parseAll parses the modules that isWanted accepts, and tells every problem at once.
func parseAll(texts map[string]string, isWanted func(path string) bool) (map[string]*ast.Module, []error) {
	modules := map[string]*ast.Module{}
	var problems []error
	for _, path := range slices.Sorted(maps.Keys(texts)) {
		if !isWanted(path) {
			continue
		}
		module, err := parse(path, texts[path])
		if err != nil {
			problems = append(problems, err)
			continue
		}
		modules[path] = module
	}
	return modules, problems
}

// nameIn returns the one name by which module's package lies below root.
func nameIn(root ast.Ref, module *ast.Module) (string, bool) {
	ref := module.Package.Path
	if len(ref) != len(root)+1 || !ref.HasPrefix(root) {
		return "", false
	}
	name, ok := ref[len(root)].Value.(ast.String)
	return string(name), ok
}

// sortModules splits modules into rules and libraries, and returns the rules by id. A package stands in one file: were it spread, a file could
// add to a rule or a library from outside. A module that is neither is a problem.
func sortModules(modules map[string]*ast.Module) (rules map[string]*ast.Module, problems []error) {
	rules = map[string]*ast.Module{}
	files := map[string]string{} // by package
	for _, path := range slices.Sorted(maps.Keys(modules)) {
		module := modules[path]
		line := module.Package.Loc()
		id, isRule := nameIn(rulesRef, module)
		name, isLib := nameIn(libRef, module)
		if !idForm.MatchString(id + name) {
			problems = append(problems, at(line, "%s is neither nexus.rules.<id> nor nexus.lib.<name> (small letters, digits, _)", module.Package))
			continue
		}
		whole := module.Package.String()
		if other, taken := files[whole]; taken {
			problems = append(problems, at(line, "%s stands in %s already", whole, other))
			continue
		}
		files[whole] = path
		if isRule && !isLib {
			rules[id] = module
		}
	}
	return rules, problems
}

// at says a problem with the file and line that it is in.
func at(loc *ast.Location, format string, args ...any) error {
	text := fmt.Sprintf(format, args...)
	if loc == nil {
		return fmt.Errorf("%s", text)
	}
	return fmt.Errorf("%s:%d: %s", loc.File, loc.Row, text)
}
