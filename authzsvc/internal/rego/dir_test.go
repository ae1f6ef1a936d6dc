package rego

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"nexus/internal/errs"
)

const ownID = "own"

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func ownRule(id string) string {
	return rule(id, "#   operations: [files.read]\n", `refuse contains "own"`)
}

func TestDirectoryIsReadOnceThroughLinks(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "..2026/a.rego", ownRule("a"))
	if err := os.Symlink(filepath.Join("..2026", "a.rego"), filepath.Join(dir, "a.rego")); err != nil {
		t.Fatal(err)
	}
	write(t, dir, "deep/b.rego", ownRule("b"))
	write(t, dir, "deep/b_test.rego", "package nexus.rules.b_test\n")
	write(t, dir, "deep/.b.rego.swp", "x")
	write(t, dir, "README.md", "x")
	modules, err := LoadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(modules) != 3 || modules["a.rego"] != ownRule("a") || modules["deep/b.rego"] != ownRule("b") || modules["deep/b_test.rego"] == "" {
		t.Errorf("LoadDir = %v", modules)
	}
}

func TestDirectoryThatCannotBeReadIsAnError(t *testing.T) {
	dir := t.TempDir()
	if err := os.Symlink("nowhere", filepath.Join(dir, "a.rego")); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{dir, filepath.Join(dir, "missing")} {
		if _, err := LoadDir(path); !errors.Is(err, errs.Invalid) {
			t.Errorf("LoadDir(%s) = %v, want Invalid", path, err)
		}
	}
}

func TestOwnRulesStandBesideTheShipped(t *testing.T) {
	all, err := Compose(shipped(), with(nil, "own.rego", ownRule(ownID)), nil)
	if err != nil {
		t.Fatal(err)
	}
	v := evaluate(t, load(t, all), reads(agent(), file("/id_rsa")))
	if strings.Join(v.Rules, " ") != "own private_keys" {
		t.Errorf("rules = %v, want own and private_keys", v.Rules)
	}
}

func TestDisabledRuleGoesWithItsTests(t *testing.T) {
	all, err := Compose(shipped(), nil, []string{"private_keys"})
	if err != nil {
		t.Fatal(err)
	}
	if v := evaluate(t, load(t, all), reads(agent(), file("/id_rsa"))); v.Refused {
		t.Errorf("= %+v, want the rule off", v)
	}
	report, err := Test(context.Background(), all)
	if err != nil || !report.Passed() {
		t.Errorf("Test = %+v, %v, want the other tests to pass", report, err)
	}
}

func TestOwnRuleMayReplaceADisabledOneOnly(t *testing.T) {
	own := with(nil, "own.rego", ownRule("private_keys"))
	if _, err := Compose(shipped(), own, nil); !errors.Is(err, errs.Invalid) || !strings.Contains(err.Error(), "stands in") {
		t.Errorf("Compose with a taken id = %v, want Invalid", err)
	}
	all, err := Compose(shipped(), own, []string{"private_keys"})
	if err != nil {
		t.Fatal(err)
	}
	if v := evaluate(t, load(t, all), reads(person(), file("/a"))); !v.Refused {
		t.Errorf("= %+v, want the own rule in place of the shipped", v)
	}
}

func TestDisablingNothingIsAnError(t *testing.T) {
	for _, id := range []string{"privat_keys", "agents", "private_keys_test", ""} {
		if _, err := Compose(shipped(), nil, []string{id}); !errors.Is(err, errs.Invalid) {
			t.Errorf("Compose without %q = %v, want Invalid", id, err)
		}
	}
}

func TestShippedPathIsNotOverwritten(t *testing.T) {
	if _, err := Compose(shipped(), with(nil, "default/private_keys.rego", ownRule(ownID)), nil); !errors.Is(err, errs.Invalid) {
		t.Errorf("Compose = %v, want Invalid", err)
	}
}

func TestReportTellsAFailedTestAndWhatIsNotCovered(t *testing.T) {
	report, err := Test(context.Background(), map[string]string{
		"r.rego": rule("r", "#   operations: [files.read]\n", "refuse contains \"a\" if input.operation == \"x\"\n\nrefuse contains \"b\" if {\n\tinput.operation == \"y\"\n\ttrue\n}"),
		"r_test.rego": "package nexus.rules.r_test\n\nimport data.nexus.rules.r\n\n" +
			"test_right if count(r.refuse) == 1 with input as {\"operation\": \"x\"}\n\n" +
			"test_wrong if {\n\tcount(r.refuse) == 2 with input as {\"operation\": \"x\"}\n}\n\ntodo_test_later if true\n",
	})
	if err != nil {
		t.Fatal(err)
	}
	passed := map[string]bool{}
	for _, r := range report.Results {
		passed[strings.TrimPrefix(r.Name, "data.nexus.rules.r_test.")] = r.Passed
	}
	if report.Passed() || len(passed) != 3 || !passed["test_right"] || passed["test_wrong"] || passed["todo_test_later"] {
		t.Errorf("results = %+v", report.Results)
	}
	if report.Coverage >= 100 || len(report.NotCovered) == 0 {
		t.Errorf("coverage = %v, not covered %v, want the second rule told", report.Coverage, report.NotCovered)
	}
	if (&TestReport{}).Passed() {
		t.Error("no tests count as passed")
	}
}
