package schema_test

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/authzed/spicedb/pkg/development"
	devinterface "github.com/authzed/spicedb/pkg/proto/developer/v1"
	"github.com/authzed/spicedb/pkg/validationfile"

	"nexus/schema"
)

// examples returns the validation files beside the schema, by name. They are written by hand and never updated by a test.
func examples(t *testing.T) map[string]*validationfile.ValidationFile {
	t.Helper()
	names, err := filepath.Glob("*.yaml")
	if err != nil || len(names) == 0 {
		t.Fatalf("no validation files: %v", err)
	}
	all := map[string]*validationfile.ValidationFile{}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if all[name], err = validationfile.DecodeValidationFile(text); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if all[name].SchemaFile != "nexus.zed" {
			t.Fatalf("%s is about schema %q, want nexus.zed", name, all[name].SchemaFile)
		}
	}
	return all
}

// judge runs f against a schema text, and returns what is not as f says.
func judge(t *testing.T, f *validationfile.ValidationFile, text string) []string {
	t.Helper()
	files := fstest.MapFS{f.SchemaFile: &fstest.MapFile{Data: []byte(text)}}
	dev, wrong, err := development.NewDevContextForValidationFile(context.Background(), f, development.WithSourceFS(files))
	if err != nil {
		t.Fatal(err)
	}
	if wrong != nil {
		t.Fatalf("the engine takes neither schema nor relationships: %v", messages(wrong.GetInputErrors()))
	}
	defer dev.DevContext.Dispose()
	asserted, err := development.RunAllAssertions(dev.DevContext, &dev.Assertions)
	if err != nil {
		t.Fatal(err)
	}
	_, expanded, err := development.RunValidation(dev.DevContext, &dev.ExpectedRelations)
	if err != nil {
		t.Fatal(err)
	}
	return append(messages(asserted), messages(expanded)...)
}

func messages(found []*devinterface.DeveloperError) []string {
	var all []string
	for _, e := range found {
		all = append(all, e.GetContext()+": "+e.GetMessage())
	}
	return all
}

func TestSchemaDoesWhatTheExamplesSay(t *testing.T) {
	for name, f := range examples(t) {
		t.Run(name, func(t *testing.T) {
			for _, wrong := range judge(t, f, schema.Text) {
				t.Error(wrong)
			}
		})
	}
}

func TestEveryPermissionHasAnExampleHeldAndOneRefused(t *testing.T) {
	held, refused := map[string]bool{}, map[string]bool{}
	for _, f := range examples(t) {
		for _, a := range f.Assertions.AssertTrue {
			held[a.Relationship.Resource.ObjectType+"#"+a.Relationship.Resource.Relation] = true
		}
		for _, a := range f.Assertions.AssertFalse {
			refused[a.Relationship.Resource.ObjectType+"#"+a.Relationship.Resource.Relation] = true
		}
	}
	for _, d := range schema.Definitions() {
		for _, p := range schema.Permissions(d) {
			if !held[d+"#"+p] {
				t.Errorf("no example holds %s#%s", d, p)
			}
			if !refused[d+"#"+p] {
				t.Errorf("no example refuses %s#%s", d, p)
			}
		}
	}
}

func TestEveryRelationIsWrittenInAnExample(t *testing.T) {
	written := map[string]bool{}
	for _, f := range examples(t) {
		for _, r := range f.Relationships.Relationships {
			written[r.Resource.ObjectType+"#"+r.Resource.Relation] = true
		}
	}
	for _, d := range schema.Definitions() {
		for _, r := range schema.Direct(d) {
			if !written[d+"#"+r] {
				t.Errorf("no example writes %s#%s", d, r)
			}
		}
	}
}

// A schema that lost one operand of one permission must break an example: otherwise the examples do not say why it is there.
func TestNoOperandCanBeLostUnnoticed(t *testing.T) {
	all := examples(t)
	mutants := lose(schema.Text)
	if len(mutants) < 30 {
		t.Fatalf("%d operands were found, want those of every permission", len(mutants))
	}
	for _, name := range slices.Sorted(maps.Keys(mutants)) {
		noticed := slices.ContainsFunc(slices.Collect(maps.Values(all)), func(f *validationfile.ValidationFile) bool {
			return len(judge(t, f, mutants[name])) > 0
		})
		if !noticed {
			t.Errorf("losing %s breaks no example", name)
		}
	}
}

// lose returns text once for each operand of a permission, without that operand.
func lose(text string) map[string]string {
	mutants, definition := map[string]string{}, ""
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if words := strings.Fields(line); len(words) > 1 && words[0] == "definition" {
			definition = words[1]
		}
		head, body, ok := strings.Cut(line, " = ")
		if !ok || !strings.Contains(head, "permission ") {
			continue
		}
		operands := strings.Split(body, " + ")
		for j, o := range operands {
			rest := strings.Join(slices.Delete(slices.Clone(operands), j, j+1), " + ")
			if rest == "" {
				rest = "nil"
			}
			mutant := slices.Clone(lines)
			mutant[i] = head + " = " + rest
			_, permission, _ := strings.Cut(head, "permission ")
			mutants[definition+"#"+permission+" - "+o] = strings.Join(mutant, "\n")
		}
	}
	return mutants
}

func TestSchemaHasNoWildcard(t *testing.T) {
	if strings.Contains(schema.Text, ":*") {
		t.Error("the schema admits everybody somewhere: write tenant#access")
	}
}
