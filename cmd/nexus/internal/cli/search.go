package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"nexus/apiserver/api"
	"nexus/apiserver/client"
)

func (a *app) glob() *cobra.Command {
	return &cobra.Command{
		Use:     "glob PATTERN [PATH]",
		Short:   "Find files by their paths",
		Long:    "Print the paths below PATH that match: * and ? and [a-z] within a component, ** for any number of components, {a,b} for either.",
		Example: "  nexus glob '**/*_test.go' /src/net",
		Args:    cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			p := api.GlobParams{Pattern: args[0], Path: second(args), Limit: 1000}
			all := []string{}
			for more := true; more; {
				r, err := client.Call(cmd.Context(), c, api.Glob, p)
				if err != nil {
					return err
				}
				p.Cursor, more = r.NextCursor, !r.Complete
				if a.json {
					all = append(all, r.Matches...)
					continue
				}
				for _, path := range r.Matches {
					fmt.Fprintln(a.Out, path)
				}
			}
			if a.json {
				return a.print(all)
			}
			return nil
		},
	}
}

// grepPage is how many lines are asked for at once.
const grepPage = 1000

func (a *app) grep() *cobra.Command {
	p := client.Defaults(api.Grep)
	var most int
	cmd := &cobra.Command{
		Use:   "grep PATTERN [PATH]",
		Short: "Find lines of files by a regular expression",
		Long:  "Print the lines below PATH that match, as file:line:content. PATTERN is in the syntax of RE2.",
		Example: `  nexus grep 'func \w+Handler' /src/net --files '*.go'
  nexus grep -i todo -m 20`,
		Args: cobra.RangeArgs(1, 2),
	}
	cmd.Flags().BoolVarP(&p.IgnoreCase, "ignore-case", "i", false, "upper and lower case are the same")
	cmd.Flags().StringVar(&p.FilePattern, "files", "", "only files that match this pattern of paths")
	cmd.Flags().IntVarP(&most, "max", "m", 10_000, "stop after so many lines")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if most < 1 {
			return wrong("--max must be at least 1")
		}
		c, err := a.client()
		if err != nil {
			return err
		}
		p.Pattern, p.Path, p.Paged = args[0], second(args), true
		lines := []api.GrepMatch{}
		for more := true; more; {
			p.MaxResults = min(most, grepPage)
			r, err := client.Call(cmd.Context(), c, api.Grep, p)
			if err != nil {
				return err
			}
			most -= len(r.Results)
			p.Cursor, more = r.NextCursor, r.NextCursor != "" && most > 0
			if a.json {
				lines = append(lines, r.Results...)
			} else {
				a.printLines(r.Results)
			}
			if r.Truncated && !more {
				fmt.Fprintln(a.Err, "nexus: not everything was searched or shown: "+r.Reason)
			}
		}
		if a.json {
			return a.print(lines)
		}
		return nil
	}
	return cmd
}

func (a *app) printLines(lines []api.GrepMatch) {
	for _, l := range lines {
		fmt.Fprintf(a.Out, "%s:%d:%s\n", l.File, l.Line, l.Content)
	}
}

// second returns the path that follows the first argument, or the root.
func second(args []string) string {
	if len(args) == 2 {
		return args[1]
	}
	return "/"
}
