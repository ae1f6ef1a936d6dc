package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"nexus/apiserver/api"
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
		Short:   "List what you may see in a folder",
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
		entries, err := list(cmd.Context(), c, path, recursive)
		if err != nil {
			return err
		}
		if a.json {
			return a.print(entries)
		}
		if !long {
			for _, e := range entries {
				fmt.Fprintln(a.Out, shown(e))
			}
			return nil
		}
		t := tabwriter.NewWriter(a.Out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(t, "SIZE\tVERSION\tMODIFIED\tPATH")
		for _, e := range entries {
			fmt.Fprintf(t, "%d\t%d\t%s\t%s\n", e.Size, e.Version, e.Modified.Format("2006-01-02 15:04:05"), shown(e))
		}
		return t.Flush()
	}
	return cmd
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
