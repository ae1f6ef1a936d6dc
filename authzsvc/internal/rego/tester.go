package rego

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/cover"
	"github.com/open-policy-agent/opa/v1/tester"
)

// TestReport is what a run of the tests in Rego found.
type TestReport struct {
	Results    []TestResult
	Coverage   float64  // percent of the lines of rules and libraries that the tests evaluated
	NotCovered []string // the others, as file:first-last
}

// TestResult is one test.
type TestResult struct {
	File    string
	Line    int
	Name    string // package and rule: data.nexus.rules.x_test.test_y
	Passed  bool
	Skipped bool   // its name begins with todo_
	Detail  string // where a failed test stopped holding, or its error
}

// Passed reports whether there are tests and all of them passed. One that was skipped did not.
func (r *TestReport) Passed() bool {
	failed := func(t TestResult) bool { return !t.Passed }
	return len(r.Results) > 0 && !slices.ContainsFunc(r.Results, failed)
}

// Test runs the tests among modules (rules test_… in any of them), with the same builtins and the same checks of the input's shape that a
// bundle has. The error tells that they could not be run.
func Test(ctx context.Context, modules map[string]string) (*TestReport, error) {
	parsed, problems := parseAll(modules, func(string) bool { return true })
	if len(problems) > 0 {
		return nil, invalid(problems)
	}
	compiler, err := newCompiler()
	if err != nil {
		return nil, err
	}
	covered := cover.New()
	results, err := tester.NewRunner().
		SetCompiler(compiler).
		RaiseBuiltinErrors(true).
		SetCoverageQueryTracer(covered).
		Run(ctx, parsed)
	if err != nil {
		return nil, invalid([]error{err})
	}
	report := &TestReport{}
	for result := range results {
		report.Results = append(report.Results, testResult(result))
	}
	maps.DeleteFunc(parsed, func(path string, _ *ast.Module) bool { return isTest(path) })
	report.cover(covered.Report(parsed))
	return report, nil
}

func testResult(r *tester.Result) TestResult {
	result := TestResult{Name: r.Package + "." + r.Name, Passed: r.Pass(), Skipped: r.Skip}
	if r.Location != nil {
		result.File, result.Line = r.Location.File, r.Location.Row
	}
	switch {
	case r.Error != nil:
		result.Detail = r.Error.Error()
	case r.FailedAt != nil:
		result.Detail = fmt.Sprintf("does not hold: %s", r.FailedAt)
	}
	return result
}

func (r *TestReport) cover(found cover.Report) {
	r.Coverage = found.Coverage
	for _, file := range slices.Sorted(maps.Keys(found.Files)) {
		for _, lines := range found.Files[file].NotCovered {
			r.NotCovered = append(r.NotCovered, fmt.Sprintf("%s:%d-%d", file, lines.Start.Row, lines.End.Row))
		}
	}
}
