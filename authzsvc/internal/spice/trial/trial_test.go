package trial_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"nexus/authzsvc/internal/spice"
	"nexus/authzsvc/internal/spice/spicetest"
	"nexus/authzsvc/internal/spice/trial"
	"nexus/internal/errs"
	"nexus/schema"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m, spicetest.Leaks()...) }

func product(t testing.TB) *spice.Product {
	t.Helper()
	p, err := spice.CompileProduct(t.Context(), schema.Text)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestProductsOwnExamplesHold runs the files that say what the product's schema means, and each again with every expectation
// turned into its opposite.
func TestProductsOwnExamplesHold(t *testing.T) {
	const dir = "../../../../schema"
	files, err := filepath.Glob(filepath.Join(dir, "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no examples: %v", err)
	}
	open := func(name string) ([]byte, error) { return os.ReadFile(filepath.Join(dir, name)) }
	for _, path := range files {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		r, err := trial.Run(t.Context(), product(t), text, open)
		if err != nil || len(r.Failures) > 0 || r.Asserted == 0 {
			t.Errorf("%s: %+v, %v", path, r, err)
			continue
		}
		turned := strings.NewReplacer("assertTrue:", "assertFalse:", "assertFalse:", "assertTrue:").Replace(string(text))
		w, err := trial.Run(t.Context(), product(t), []byte(turned), open)
		if err != nil || len(w.Failures) < r.Asserted {
			t.Errorf("%s, turned: %d of %d fail, %v", path, len(w.Failures), r.Asserted, err)
		}
	}
}

func TestFileThatCannotBeRunSaysWhy(t *testing.T) {
	open := func(name string) ([]byte, error) { return nil, fmt.Errorf("no %s", name) }
	for text, why := range map[string]string{
		"schema: [":                  "validation file",
		"schemaFile: mine.zed":       "mine.zed cannot be read",
		"schema: |-\n  definition {": "not valid",
		"schema: |-\n  definition doc {\n    relation reader: tenant#access\n  }":                                  "tenant#access is neither",
		"schema: |-\n  definition doc {\n    relation reader: user\n  }\nrelationships: |-\n  doc:a#writer@user:b": "writer",
	} {
		if _, err := trial.Run(t.Context(), product(t), []byte(text), open); !errors.Is(err, errs.Invalid) || !strings.Contains(err.Error(), why) {
			t.Errorf("%s: %v, want invalid for %q", text, err, why)
		}
	}
}

const before = "definition doc {\n\trelation reader: user | group#member\n\trelation owner: user\n\tpermission read = reader + owner\n}\n"

func TestEffectsAreOnWhoIsRelated(t *testing.T) {
	after := strings.Replace(before, "reader + owner", "reader & owner", 1)
	rels := []string{
		"doc:a#reader@group:eng#member", "group:eng#member@user:ann", "group:eng#member@group:inner#member", "group:inner#member@user:ida",
		"doc:a#owner@user:olga", "doc:b#reader@user:bob", "doc:b#owner@user:bob",
	}
	effects, orphans, err := trial.Effects(t.Context(), product(t), before, after, rels)
	if err != nil || len(orphans) > 0 {
		t.Fatal(err, orphans)
	}
	got := fmt.Sprint(effects)
	if want := "[{user:ann read doc:a false} {user:ida read doc:a false} {user:olga read doc:a false}]"; got != want {
		t.Errorf("Effects = %s, want %s", got, want)
	}
}

func TestDifferencesAreNamed(t *testing.T) {
	after := "definition doc {\n\trelation reader: user with expiration\n\trelation writer: user\n\tpermission read = reader\n\tpermission write = writer\n}\ndefinition note {}\n"
	changes, err := spice.Diff(t.Context(), before, "use expiration\n"+after)
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Split(strings.TrimSpace(strings.Trim(fmt.Sprint(changes), "[]")), "\n")
	for _, want := range []string{
		"+ definition note", "- relation doc#owner: user", "+ relation doc#writer: user", "+ relation doc#reader admits user with expiration",
		"- relation doc#reader admits group#member", "~ permission doc#read = reader, was reader + owner", "+ permission doc#write = writer",
	} {
		if !strings.Contains(strings.Join(got, "\n"), want) {
			t.Errorf("Diff = %v, want %q in it", changes, want)
		}
	}
	if same, err := spice.Diff(t.Context(), before, "/** words */\n"+before); err != nil || len(same) > 0 {
		t.Errorf("Diff of comments = %v, %v", same, err)
	}
}
