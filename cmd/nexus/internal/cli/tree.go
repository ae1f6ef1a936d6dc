package cli

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"nexus/apiserver/api"
	"nexus/apiserver/client"
	"nexus/apiserver/op"
	"nexus/internal/paths"
)

// tree returns the commands that change the tree.
func (a *app) tree() []*cobra.Command {
	return []*cobra.Command{a.mkdir(), a.mv(), a.cp(), a.rm(), a.undelete(), a.trash(), a.versions(), a.rollback()}
}

// called is a client command that calls one operation and prints nothing when it succeeds.
func called[P, R any](a *app, cmd *cobra.Command, c *op.Contract[P, R], params func(args []string) P) *cobra.Command {
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		server, err := a.client()
		if err != nil {
			return err
		}
		r, err := client.Call(cmd.Context(), server, c, params(args))
		if err != nil || !a.json {
			return err
		}
		return a.print(r)
	}
	return cmd
}

func pathParams(path string) api.PathParams { return api.PathParams{Path: path} }

func (a *app) mkdir() *cobra.Command {
	var p api.MkdirParams
	cmd := &cobra.Command{
		Use: "mkdir PATH", Short: "Make a folder", Example: "  nexus mkdir --parents /projects/new", Args: cobra.ExactArgs(1),
	}
	cmd.Flags().BoolVarP(&p.Parents, "parents", "p", false, "make missing parents, and take one that exists")
	return called(a, cmd, api.Mkdir, func(args []string) api.MkdirParams {
		p.Path, p.ExistOK = args[0], p.Parents
		return p
	})
}

func (a *app) mv() *cobra.Command {
	cmd := &cobra.Command{
		Use: "mv FROM TO", Short: "Rename or move a file or folder",
		Long:    "Rename FROM, or move it. Into a folder that exists when TO ends in a slash.",
		Example: "  nexus mv /docs/draft.md /docs/final.md\n  nexus mv /docs/final.md /archive/", Args: cobra.ExactArgs(2),
	}
	return called(a, cmd, api.Rename, func(args []string) api.RenameParams {
		return api.RenameParams{Old: args[0], New: target(args[0], args[1])}
	})
}

func (a *app) cp() *cobra.Command {
	cmd := &cobra.Command{
		Use: "cp FROM TO", Short: "Copy a file",
		Long:    "Copy the contents of a file to a new one. Into a folder when TO ends in a slash.",
		Example: "  nexus cp /docs/final.md /archive/final-2026.md", Args: cobra.ExactArgs(2),
	}
	return called(a, cmd, api.Copy, func(args []string) api.CopyParams {
		return api.CopyParams{From: args[0], To: target(args[0], args[1])}
	})
}

// target is where from goes: to, or its own name in to when that ends in a slash.
func target(from, to string) string {
	clean, err := paths.Clean(from)
	if err != nil || !strings.HasSuffix(to, "/") {
		return to // the server says what is wrong
	}
	_, name := paths.Split(clean)
	return to + name
}

func (a *app) rm() *cobra.Command {
	var recursive bool
	cmd := &cobra.Command{
		Use: "rm PATH", Short: "Delete a file, or with --recursive a folder",
		Long:    "Delete a file, or with --recursive a folder and everything in it. What was deleted can be brought back: see nexus trash.",
		Example: "  nexus rm /docs/draft.md\n  nexus rm --recursive /tmp/run-17", Args: cobra.ExactArgs(1),
	}
	cmd.Flags().BoolVarP(&recursive, "recursive", "r", false, "a folder, with everything in it")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		server, err := a.client()
		if err != nil {
			return err
		}
		if recursive {
			_, err = client.Call(cmd.Context(), server, api.Rmdir, api.RmdirParams{PathParams: pathParams(args[0]), Recursive: true})
			return err
		}
		_, err = client.Call(cmd.Context(), server, api.Delete, pathParams(args[0]))
		return err
	}
	return cmd
}

func (a *app) undelete() *cobra.Command {
	cmd := &cobra.Command{
		Use: "undelete PATH", Short: "Bring back what was last deleted at a path", Example: "  nexus undelete /docs/draft.md", Args: cobra.ExactArgs(1),
	}
	return called(a, cmd, api.Undelete, func(args []string) api.PathParams { return pathParams(args[0]) })
}

func (a *app) trash() *cobra.Command {
	return &cobra.Command{
		Use: "trash [FOLDER]", Short: "List what was deleted and can be brought back", Example: "  nexus trash /docs", Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			server, err := a.client()
			if err != nil {
				return err
			}
			all, err := deleted(cmd.Context(), server, append(args, paths.Root)[0])
			if err != nil {
				return err
			}
			if a.json {
				return a.print(all)
			}
			t := tabwriter.NewWriter(a.Out, 0, 0, 2, ' ', 0)
			for _, d := range all {
				fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", d.Deleted.Local().Format(time.DateTime), d.By, keptUntil(d), d.Path)
			}
			return t.Flush()
		},
	}
}

// keptUntil says for people how long something can be brought back.
func keptUntil(d api.DeletedEntry) string {
	if d.Until.IsZero() {
		return "kept"
	}
	return "until " + d.Until.Local().Format(time.DateOnly)
}

// deleted returns all pages of what was deleted below a folder.
func deleted(ctx context.Context, c *client.Client, folder string) ([]api.DeletedEntry, error) {
	all, p := []api.DeletedEntry{}, api.DeletedParams{Path: folder, Limit: 1000}
	for {
		r, err := client.Call(ctx, c, api.ListDeleted, p)
		if err != nil {
			return nil, err
		}
		all = append(all, r.Deleted...)
		if r.Complete {
			return all, nil
		}
		p.Cursor = r.NextCursor
	}
}

func (a *app) versions() *cobra.Command {
	return &cobra.Command{
		Use: "versions PATH", Short: "List the versions of a file, the newest first", Example: "  nexus versions /docs/final.md", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			server, err := a.client()
			if err != nil {
				return err
			}
			r, err := client.Call(cmd.Context(), server, api.ListVersions, api.ListVersionsParams{PathParams: pathParams(args[0])})
			if err != nil {
				return err
			}
			if a.json {
				return a.print(r.Versions)
			}
			t := tabwriter.NewWriter(a.Out, 0, 0, 2, ' ', 0)
			for _, v := range r.Versions {
				fmt.Fprintf(t, "%d\t%s\t%d\t%s\t%s\n", v.Number, v.Modified.Local().Format("2006-01-02 15:04:05"), v.Size, v.CreatedBy, v.Etag[:min(12, len(v.Etag))])
			}
			return t.Flush()
		},
	}
}

func (a *app) rollback() *cobra.Command {
	var p api.VersionParams
	cmd := &cobra.Command{
		Use: "rollback PATH --to VERSION", Short: "Make an earlier version of a file the newest again", Example: "  nexus rollback /docs/final.md --to 3", Args: cobra.ExactArgs(1),
	}
	cmd.Flags().Int64Var(&p.Version, "to", 0, "number of the version")
	_ = cmd.MarkFlagRequired("to") // it is defined in the line above
	return called(a, cmd, api.Rollback, func(args []string) api.VersionParams {
		p.Path = args[0]
		return p
	})
}
