// Package cli is the command line: serve runs a server, audit and doctor look at its directory, and everything else is an
// ordinary HTTP client of a running one. It reaches storage in no other way. To add a command, write its function in the
// file of its noun and list it in root.
package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"nexus/apiserver/client"
	"nexus/internal/errs"
)

// Version is what the program says it is.
const Version = "0.1.0"

// World is what a run may use of the world around it.
type World struct {
	In       io.Reader
	Out, Err io.Writer
	Environ  []string
}

// OS is the world of the running process.
func OS() World { return World{os.Stdin, os.Stdout, os.Stderr, os.Environ()} }

// Run runs one command line and returns its exit status: 0, or that of the error's kind.
func Run(ctx context.Context, args []string, w World) int {
	a := &app{World: w}
	root := a.root()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	var told answered
	if errors.As(err, &told) {
		return errs.Kind(told).Exit()
	}
	if !a.ran {
		err = usage(err)
	}
	fmt.Fprintln(w.Err, "nexus: "+describe(err))
	return errs.KindOf(err).Exit()
}

// answered is the error of a command that has said on its output what there is to say: only the exit status remains.
type answered errs.Kind

// Error names the kind.
func (a answered) Error() string { return errs.Kind(a).String() }

// app is what commands share.
type app struct {
	World
	url  string // flag; the environment where it is empty
	json bool
	ran  bool // the words of the command line were right
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "nexus",
		Short: "A workspace for agents and people in which nothing is touched before a decision was made and recorded",
		Long: `nexus serve runs the server. The other commands are clients of a running one: they read
NEXUS_URL (default http://127.0.0.1:8765) and NEXUS_API_KEY.`,
		Example:       "  nexus serve --data ./data\n  NEXUS_API_KEY=… nexus ls /",
		SilenceErrors: true, SilenceUsage: true, Version: Version,
		PersistentPreRun: func(*cobra.Command, []string) { a.ran = true },
	}
	root.SetIn(a.In)
	root.SetOut(a.Out)
	root.SetErr(a.Err)
	root.PersistentFlags().StringVar(&a.url, "url", "", "server (or NEXUS_URL)")
	root.PersistentFlags().BoolVar(&a.json, "json", false, "print JSON instead of a table")
	root.AddCommand(
		a.serve(), a.keys(), a.users(), a.call(), a.check(), a.explain(), a.expand(), a.share(), a.unshare(),
		a.importer(), a.cat(), a.ls(), a.glob(), a.grep(), a.workspaces(), a.schema(), a.policy(), a.audit(),
		a.events(), a.backup(), a.restore(), a.doctor(), a.bench(), a.docs(),
	)
	root.AddCommand(a.tree()...)
	return root
}

// env returns a variable of the environment.
func (a *app) env(name string) string {
	for _, kv := range a.Environ {
		if k, v, _ := strings.Cut(kv, "="); k == name {
			return v
		}
	}
	return ""
}

const defaultURL = "http://127.0.0.1:8765"

// client returns a client of the server that flags or the environment name.
func (a *app) client() (*client.Client, error) {
	key := a.env("NEXUS_API_KEY")
	if key == "" {
		return nil, errs.New(errs.Unauthenticated, "set NEXUS_API_KEY to a key; nexus serve prints the first one")
	}
	return client.New(a.address(), key)
}

// address is the server's, as the flag, the environment or the default names it.
func (a *app) address() string {
	return strings.TrimSuffix(cmp.Or(a.url, a.env("NEXUS_URL"), defaultURL), "/")
}

// print writes v as indented JSON.
func (a *app) print(v any) error {
	enc := json.NewEncoder(a.Out)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// describe is an error for people at a terminal: the operator's, so with its cause.
func describe(err error) string {
	var e *errs.Error
	if !errors.As(err, &e) {
		return err.Error()
	}
	text := e.Text
	if text == "" {
		text = e.Kind.String()
	}
	if e.Err != nil && e.Kind != errs.Denied {
		text += ": " + e.Err.Error()
	}
	return text
}

// usage takes what cobra says of wrong words on the command line for the caller's mistake.
func usage(err error) error {
	var e *errs.Error
	if errors.As(err, &e) {
		return err
	}
	return errs.New(errs.Invalid, "%s", err.Error())
}

// wrong is a mistake in the words of a command line.
func wrong(format string, args ...any) error { return errs.New(errs.Invalid, format, args...) }
