package grantcheck_test

import (
	"testing"

	"golang.org/x/tools/go/analysis/analysistest"

	"nexus/internal/grantcheck"
)

func TestForgedKeptAndUncheckedGrantsAreFound(t *testing.T) {
	analysistest.Run(t, analysistest.TestData(), grantcheck.Analyzer, "a", "nexus/authzsvc/authz")
}
