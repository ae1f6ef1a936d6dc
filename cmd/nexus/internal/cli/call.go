package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"nexus/apiserver/api"
	"nexus/apiserver/client"
	"nexus/internal/errs"
)

func (a *app) call() *cobra.Command {
	var params []string
	cmd := &cobra.Command{
		Use:   "call METHOD",
		Short: "Call any JSON-RPC method",
		Long: `Call a method with parameters name=value. A value that is JSON is taken as it is, anything else as a string;
name=@FILE sends the file's contents as bytes.`,
		Example: `  nexus call list --param path=/src --param recursive=false
  nexus call write --param path=/notes/a.txt --param content=@a.txt`,
		Args: cobra.ExactArgs(1),
	}
	cmd.Flags().StringArrayVar(&params, "param", nil, "a parameter, name=value; may be repeated")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		sent := map[string]any{}
		for _, p := range params {
			name, value, ok := strings.Cut(p, "=")
			if !ok {
				return wrong("--param %q is not name=value", p)
			}
			v, err := paramValue(value)
			if err != nil {
				return err
			}
			sent[name] = v
		}
		c, err := a.client()
		if err != nil {
			return err
		}
		r, err := c.Raw(cmd.Context(), args[0], sent)
		if err != nil {
			return err
		}
		return a.print(r)
	}
	return cmd
}

func paramValue(text string) (any, error) {
	if path, ok := strings.CutPrefix(text, "@"); ok {
		body, err := os.ReadFile(path)
		if err != nil {
			return nil, errs.New(errs.Invalid, "%s cannot be read", path).Because(err)
		}
		return api.Bytes(body), nil
	}
	if json.Valid([]byte(text)) {
		return json.RawMessage(text), nil
	}
	return text, nil
}

func (a *app) cat() *cobra.Command {
	return &cobra.Command{
		Use:     "cat PATH…",
		Short:   "Print the contents of files",
		Example: "  nexus cat /src/net/http/server.go",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			for _, path := range args {
				if err := show(cmd.Context(), c, path, a.Out); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

func (a *app) ls() *cobra.Command {
	var recursive, long bool
	cmd := &cobra.Command{
		Use:     "ls [PATH]",
		Short:   "List what you may see in a folder, page by page as it arrives",
		Example: "  nexus ls -l /src/net",
		Args:    cobra.MaximumNArgs(1),
	}
	cmd.Flags().BoolVarP(&recursive, "recursive", "r", false, "the whole tree")
	cmd.Flags().BoolVarP(&long, "long", "l", false, "size, version and time of each entry")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		path := "/"
		if len(args) == 1 {
			path = args[0]
		}
		c, err := a.client()
		if err != nil {
			return err
		}
		entries := client.Entries(cmd.Context(), c, api.ListParams{Path: path, Recursive: recursive, Details: long || a.json})
		return a.printEntries(entries, long)
	}
	return cmd
}

// printEntries prints entries as they arrive; as JSON, once all have.
func (a *app) printEntries(entries iter.Seq2[api.Metadata, error], long bool) error {
	all := []api.Metadata{}
	line := func(e api.Metadata) { fmt.Fprintln(a.Out, shown(e)) }
	switch {
	case a.json:
		line = func(e api.Metadata) { all = append(all, e) }
	case long:
		fmt.Fprintf(a.Out, longEntry, "SIZE", "VERSION", "MODIFIED", "PATH")
		line = func(e api.Metadata) {
			fmt.Fprintf(a.Out, longEntry, strconv.FormatInt(e.Size, 10), strconv.FormatInt(e.Version, 10), e.Modified.Format("2006-01-02 15:04:05"), shown(e))
		}
	}
	tell, stop := a.counter("entries")
	defer stop()
	for e, err := range entries {
		if err != nil {
			return err
		}
		line(e)
		tell()
	}
	if a.json {
		return a.print(all)
	}
	return nil
}

// longEntry is a line of a long list; its widths are fixed, since the first line is printed before the last is known.
const longEntry = "%12s  %7s  %-19s  %s\n"

// counter shows on standard error, where that is a terminal and standard output is none, how often tell was called.
func (a *app) counter(what string) (tell, stop func()) {
	if !terminal(a.Err) || terminal(a.Out) {
		return func() {}, func() {}
	}
	n := 0
	tell = func() {
		if n++; n%1000 == 0 {
			fmt.Fprintf(a.Err, "\r%d %s", n, what)
		}
	}
	return tell, func() { fmt.Fprint(a.Err, "\r\x1b[K") }
}

// shown is an entry's path, with a slash behind a folder's.
func shown(e api.Metadata) string {
	if e.IsDirectory && !strings.HasSuffix(e.Path, "/") {
		return e.Path + "/"
	}
	return e.Path
}

func (a *app) docs() *cobra.Command {
	return &cobra.Command{
		Use: "operations", Short: "Print the table of operations as Markdown (docs/operations.md)", Args: cobra.NoArgs,
		Example: "  nexus operations > docs/operations.md",
		RunE: func(*cobra.Command, []string) error {
			text, err := Operations()
			if err != nil {
				return err
			}
			_, err = io.WriteString(a.Out, text)
			return err
		},
	}
}

func notFound(format string, args ...any) error { return errs.New(errs.NotFound, format, args...) }
