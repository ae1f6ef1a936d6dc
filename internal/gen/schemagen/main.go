// Command schemagen writes schema/schema_gen.go from schema/nexus.zed: for each definition a typed object, for each of its
// permissions a need and the names of its grant and scope. It never guesses how ids of a definition are written: a definition
// without an entry in nouns is an error. To add a definition, write it in nexus.zed, add it to nouns, and run go generate.
package main

import (
	"fmt"
	"os"
)

// Both are relative to the folder of the package that carries the go:generate line.
const (
	source = "nexus.zed"
	target = "schema_gen.go"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "schemagen:", err)
		os.Exit(1)
	}
}

func run() error {
	text, err := os.ReadFile(source)
	if err != nil {
		return err
	}
	defs, err := read(string(text))
	if err != nil {
		return err
	}
	code, err := generate(defs)
	if err != nil {
		return err
	}
	return os.WriteFile(target, code, 0o644)
}
