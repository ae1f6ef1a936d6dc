package main

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"nexus": main})
}

// TestScripts runs the program as its users do: each script has a directory and servers of its own.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: filepath.Join("testdata", "script"),
		Setup: func(e *testscript.Env) error {
			e.Setenv("GOSRC", sources(t, e.WorkDir))
			e.Values[servers{}] = map[string]*server{}
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"serve":    serve,
			"end":      end,
			"kill9":    kill9,
			"status":   status,
			"keep":     keep,
			"member":   member,
			"contents": contents,
			"post":     post,
			"alike":    alike,
			"mode":     mode,
			"flip":     flip,
			"cut":      cut,
			"drop":     drop,
			"decision": decision,
			"follow":   follow,
		},
	})
}

// sources returns a tree to import: the whole of Go's library, or in a short run two packages of it.
func sources(t *testing.T, work string) string {
	all := filepath.Join(runtime.GOROOT(), "src")
	if !testing.Short() {
		return all
	}
	some := filepath.Join(work, "gosrc")
	for _, name := range []string{"net", "os"} {
		if err := os.CopyFS(filepath.Join(some, name), os.DirFS(filepath.Join(all, name))); err != nil {
			t.Fatal(err)
		}
	}
	return some
}
