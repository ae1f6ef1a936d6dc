package rego

import (
	"context"
	"testing"
)

func TestShippedPoliciesPassTheirTests(t *testing.T) {
	report, err := Test(context.Background(), shipped())
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range report.Results {
		if !r.Passed {
			t.Errorf("%s:%d: %s failed: %s", r.File, r.Line, r.Name, r.Detail)
		}
	}
	if !report.Passed() {
		t.Error("the report does not say that all passed")
	}
	t.Logf("%d tests, coverage %.1f %%, not covered: %v", len(report.Results), report.Coverage, report.NotCovered)
	if report.Coverage < 100 {
		t.Errorf("coverage = %.1f, want 100: %v", report.Coverage, report.NotCovered)
	}
}
