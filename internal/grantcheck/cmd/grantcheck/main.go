// Command grantcheck runs the pass of package grantcheck over packages and decides nothing by itself: its exit status is 0
// when nothing is found. Run it with go run ./internal/grantcheck/cmd/grantcheck ./...
package main

import (
	"golang.org/x/tools/go/analysis/singlechecker"

	"nexus/internal/grantcheck"
)

func main() { singlechecker.Main(grantcheck.Analyzer) }
