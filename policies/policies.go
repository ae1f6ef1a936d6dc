// Package policies holds the rules that ship with Nexus, as Rego text, with their tests. It judges nothing and parses nothing: the service
// loads the text, and refuses to start when a rule is not what its metadata says. To add a rule, write <id>.rego with
// package nexus.rules.<id>, a METADATA block that names its operations, whom it concerns and what it looks at, and <id>_test.rego beside it.
package policies

import (
	"embed"
	"io/fs"
)

// prefix keeps the paths of the shipped modules apart from those of an operator's directory.
const prefix = "default/"

//go:embed *.rego
var files embed.FS

// Default returns the shipped modules, tests included, by module path (default/private_keys.rego). The map is the caller's.
func Default() map[string]string {
	modules := map[string]string{}
	err := fs.WalkDir(files, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := files.ReadFile(path)
		modules[prefix+path] = string(text)
		return err
	})
	if err != nil {
		panic(err) // the files are part of the binary: reading them cannot fail
	}
	return modules
}
