package cli

import (
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"nexus/apiserver/api"
	"nexus/internal/treehash"
)

func (a *app) workspaces() *cobra.Command {
	cmd := &cobra.Command{
		Use: "workspace", Short: "Register folders as workspaces, and keep, compare and restore what was in them",
		Example: "  nexus workspace register /src --name main\n  nexus workspace snapshot /src --description 'before the change'\n  nexus workspace restore /src 1",
	}
	cmd.AddCommand(a.registerWorkspace(), a.unregisterWorkspace(), a.listWorkspaces(), a.workspaceInfo(), a.snapshotWorkspace(),
		a.restoreWorkspace(), a.restoreStatus(), a.workspaceLog(), a.workspaceDiff(), a.hashFolder())
	return cmd
}

func workspacePath(path string) api.WorkspacePath { return api.WorkspacePath{Path: path} }

func (a *app) registerWorkspace() *cobra.Command {
	var p api.RegisterWorkspaceParams
	cmd := &cobra.Command{
		Use: "register PATH", Short: "Register a folder, which is made when it is missing", Args: cobra.ExactArgs(1),
		Example: "  nexus workspace register /src --name main --tag active\n  nexus workspace register /tmp/run-17 --ttl 24h",
	}
	f := cmd.Flags()
	f.StringVar(&p.Name, "name", "", "what it is called")
	f.StringVar(&p.Description, "description", "", "what it is for")
	f.StringSliceVar(&p.Tags, "tag", nil, "a word to find it by; may be repeated")
	f.StringVar(&p.Session, "session", "", "session that it belongs to")
	f.DurationVar(&p.TTL.Duration, "ttl", 0, "after which the folder goes into the trash (default: never)")
	return called(a, cmd, api.RegisterWorkspace, func(args []string) api.RegisterWorkspaceParams {
		p.PathParams = pathParams(args[0])
		return p
	})
}

func (a *app) unregisterWorkspace() *cobra.Command {
	cmd := &cobra.Command{
		Use: "unregister PATH", Short: "End the registration of a workspace, with its snapshots; its files stay", Args: cobra.ExactArgs(1),
		Example: "  nexus workspace unregister /src",
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		was, err := calling(cmd.Context(), a, api.UnregisterWorkspace, pathParams(args[0]))
		if err == nil && !was {
			err = notFound("%s is no workspace", args[0])
		}
		return err
	}
	return cmd
}

func (a *app) listWorkspaces() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List the workspaces that you may read", Args: cobra.NoArgs, Example: "  nexus workspace list --json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			all, err := calling(cmd.Context(), a, api.ListWorkspaces, api.Nothing{})
			if err != nil || a.json {
				return firstOf(err, func() error { return a.print(all) })
			}
			t := tabwriter.NewWriter(a.Out, 0, 0, 2, ' ', 0)
			fmt.Fprintln(t, "FILES\tBYTES\tSNAPSHOTS\tNAME\tPATH")
			for _, w := range all {
				fmt.Fprintf(t, "%d\t%d\t%d\t%s\t%s\n", w.Files, w.Bytes, w.Snapshots, shownText(w.Name), shownText(w.Path))
			}
			return t.Flush()
		},
	}
}

func (a *app) workspaceInfo() *cobra.Command {
	return &cobra.Command{
		Use: "info PATH", Short: "Tell what a folder is registered as", Args: cobra.ExactArgs(1), Example: "  nexus workspace info /src",
		RunE: func(cmd *cobra.Command, args []string) error {
			w, err := calling(cmd.Context(), a, api.GetWorkspace, pathParams(args[0]))
			if err == nil && w == nil {
				err = notFound("%s is no workspace that you may read", args[0])
			}
			if err != nil {
				return err
			}
			return a.print(w)
		},
	}
}

func (a *app) snapshotWorkspace() *cobra.Command {
	var p api.SnapshotParams
	cmd := &cobra.Command{
		Use: "snapshot PATH", Short: "Keep a workspace as it is, and print the snapshot's number", Args: cobra.ExactArgs(1),
		Example: "  nexus workspace snapshot /src --description 'before the change' --tag release",
	}
	cmd.Flags().StringVar(&p.Description, "description", "", "what the snapshot is for")
	cmd.Flags().StringSliceVar(&p.Tags, "tag", nil, "a word to find it by; may be repeated")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		p.WorkspacePath = workspacePath(args[0])
		s, err := calling(cmd.Context(), a, api.TakeSnapshot, p)
		if err != nil || a.json {
			return firstOf(err, func() error { return a.print(s) })
		}
		_, err = fmt.Fprintln(a.Out, s.Number)
		return err
	}
	return cmd
}

func (a *app) workspaceLog() *cobra.Command {
	var limit int
	cmd := &cobra.Command{
		Use: "log PATH", Short: "List the snapshots of a workspace, the newest first", Args: cobra.ExactArgs(1), Example: "  nexus workspace log /src --limit 10",
		Long: "List the snapshots of a workspace, the newest first. The hash of its tree is made in the background; nexus workspace hash makes that of a local folder.",
	}
	cmd.Flags().IntVar(&limit, "limit", 100, "how many at the most")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		all, err := calling(cmd.Context(), a, api.WorkspaceLog, api.LogParams{WorkspacePath: workspacePath(args[0]), Limit: limit})
		if err != nil || a.json {
			return firstOf(err, func() error { return a.print(all) })
		}
		t := tabwriter.NewWriter(a.Out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(t, "NUMBER\tMADE\tBY\tFILES\tBYTES\tTREE\tDESCRIPTION")
		for _, s := range all {
			hash := "-"
			if s.TreeHash != nil {
				hash = *s.TreeHash
			}
			fmt.Fprintf(t, "%d\t%s\t%s\t%d\t%d\t%s\t%s\n", s.Number, moment(s.Timestamp), shownText(s.CreatedBy), s.Files, s.Bytes, hash, shownText(s.Description))
		}
		return t.Flush()
	}
	return cmd
}

func moment(t api.Time) string { return t.Local().Format(time.DateTime) }

func (a *app) workspaceDiff() *cobra.Command {
	return &cobra.Command{
		Use: "diff PATH ONE TWO", Short: "Compare two snapshots of a workspace", Args: cobra.ExactArgs(3),
		Long:    "Compare two snapshots of a workspace by their numbers: + for files that only the second has, - for those that only the first has, ~ for changed ones.",
		Example: "  nexus workspace diff /src 1 2",
		RunE: func(cmd *cobra.Command, args []string) error {
			p := api.CompareParams{WorkspacePath: workspacePath(args[0])}
			var err error
			if p.One, err = snapshotNumber(args[1]); err != nil {
				return err
			}
			if p.Two, err = snapshotNumber(args[2]); err != nil {
				return err
			}
			c, err := a.client()
			if err != nil {
				return err
			}
			r, err := c.Raw(cmd.Context(), api.WorkspaceDiff.Method, p)
			if err != nil || a.json {
				return firstOf(err, func() error { return a.print(r) })
			}
			return a.printDiff(r)
		},
	}
}

func snapshotNumber(text string) (int64, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 1 {
		return 0, wrong("%q is not the number of a snapshot", text)
	}
	return n, nil
}

func (a *app) printDiff(raw json.RawMessage) error {
	var d struct {
		Added, Modified, Deleted []string
		Unchanged, Hidden        int
	}
	if err := json.Unmarshal(raw, &d); err != nil {
		return wrong("the answer is no difference: %v", err)
	}
	var b strings.Builder
	for _, list := range []struct {
		sign  string
		paths []string
	}{{"+", d.Added}, {"-", d.Deleted}, {"~", d.Modified}} {
		for _, path := range list.paths {
			fmt.Fprintln(&b, list.sign, shownText(path))
		}
	}
	fmt.Fprintf(&b, "%d added, %d deleted, %d modified, %d unchanged; %d more that you may not read\n",
		len(d.Added), len(d.Deleted), len(d.Modified), d.Unchanged, d.Hidden)
	_, err := fmt.Fprint(a.Out, b.String())
	return err
}

func (a *app) hashFolder() *cobra.Command {
	return &cobra.Command{
		Use: "hash DIR", Short: "Print the hash of a local folder's tree, as workspace log shows it of snapshots", Args: cobra.ExactArgs(1),
		Long: `Print the hash of a local folder's tree: the one that nexus workspace log shows of a snapshot that holds the same names with the
same contents. Empty folders count; links and irregular files are left out, as nexus import leaves them out. No server is asked.`,
		Example: "  nexus workspace hash ./src",
		RunE: func(_ *cobra.Command, args []string) error {
			hash, err := treehash.OfFolder(os.DirFS(args[0]), ".")
			if err == nil {
				_, err = fmt.Fprintln(a.Out, hash)
			}
			return err
		},
	}
}

// firstOf is err, or what f returns where there is none.
func firstOf(err error, f func() error) error {
	if err != nil {
		return err
	}
	return f()
}
