package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"nexus/apiserver/api"
	"nexus/apiserver/client"
	"nexus/internal/errs"
)

func (a *app) restoreWorkspace() *cobra.Command {
	var progress bool
	cmd := &cobra.Command{
		Use: "restore PATH NUMBER", Short: "Make a workspace what a snapshot holds", Args: cobra.ExactArgs(2),
		Long: `Make a workspace what the snapshot of that number holds. Nothing is lost: files get new versions, and what was not there goes into
the trash. What others change after it began stays as it is, and what you may not change is left out; both are counted. One that
was interrupted is gone on with by the same command.`,
		Example: "  nexus workspace restore /src 1\n  nexus workspace status /src   # from another terminal",
	}
	cmd.Flags().BoolVar(&progress, "progress", false, "show a bar even where standard error is no terminal")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		p := api.RestoreParams{WorkspacePath: workspacePath(args[0])}
		var err error
		if p.Number, err = snapshotNumber(args[1]); err != nil {
			return err
		}
		c, err := a.client()
		if err != nil {
			return err
		}
		w := &restoreWatch{c: c, path: p.WorkspacePath}
		stop := a.display(cmd.Context(), progress, w.tell(a.Err), w.draw(a.Err))
		r, err := restoreWhole(cmd.Context(), c, p)
		stop()
		if err != nil || a.json {
			return firstOf(err, func() error { return a.print(r) })
		}
		_, err = fmt.Fprintf(a.Out, "restored %d, deleted %d; left out %d that you may not change, and %d that others changed meanwhile\n",
			r.Files, r.Deleted, r.Hidden, r.Kept)
		return err
	}
	return cmd
}

// restoreWhole calls until all is restored: a call ends after a while and says how much is left.
func restoreWhole(ctx context.Context, c *client.Client, p api.RestoreParams) (api.RestoreResult, error) {
	for least := int64(-1); ; {
		r, err := client.Call(ctx, c, api.RestoreWorkspace, p)
		if err == nil || !errors.Is(err, errs.Deadline) || ctx.Err() != nil {
			return r, err
		}
		s, failed := client.Call(ctx, c, api.RestoreState, p.WorkspacePath)
		if failed != nil || s == nil || least >= 0 && s.Left >= least {
			return r, err // it gets on no more
		}
		least = s.Left
	}
}

func (a *app) restoreStatus() *cobra.Command {
	return &cobra.Command{
		Use: "status PATH", Short: "Tell how far the last restore of a workspace has come", Args: cobra.ExactArgs(1),
		Example: "  nexus workspace status /src --json",
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := calling(cmd.Context(), a, api.RestoreState, workspacePath(args[0]))
			if err == nil && s == nil {
				err = notFound("%s was never restored", args[0])
			}
			if err != nil || a.json {
				return firstOf(err, func() error { return a.print(s) })
			}
			_, err = fmt.Fprintf(a.Out, "%s: snapshot %d by %s, %d restored, %d deleted, %d left, %d left out, %d changed by others\n",
				s.State, s.Number, shownText(s.By), s.Files, s.Deleted, s.Left, s.Hidden, s.Kept)
			return err
		},
	}
}

// restoreWatch asks now and then how far a restore has come. It is for one goroutine.
type restoreWatch struct {
	c    *client.Client
	path api.WorkspacePath
	last time.Time
	seen *api.RestoreStatus
}

// askEvery is how often the server is asked how far a restore has come.
const askEvery = time.Second

// look returns how far it has come, as of the last second; nil when that is not known.
func (w *restoreWatch) look(ctx context.Context) *api.RestoreStatus {
	if time.Since(w.last) < askEvery {
		return w.seen
	}
	w.last = time.Now()
	if s, err := client.Call(ctx, w.c, api.RestoreState, w.path); err == nil && s != nil && s.State == api.RestoreRunning {
		w.seen = s
	}
	return w.seen
}

// tell returns what prints a line about it.
func (w *restoreWatch) tell(out io.Writer) func(context.Context, bool) {
	return func(ctx context.Context, last bool) {
		if s := w.look(ctx); s != nil && !last {
			fmt.Fprintf(out, "%d restored, %d deleted, %d left\n", s.Files, s.Deleted, s.Left)
		}
	}
}

// draw returns what draws a bar of it. Its end moves when the rest is planned anew.
func (w *restoreWatch) draw(out io.Writer) func(context.Context, bool) {
	bar := progressbar.NewOptions64(1, progressbar.OptionSetWriter(out), progressbar.OptionSetDescription("restoring"),
		progressbar.OptionShowCount(), progressbar.OptionThrottle(drawEvery/2))
	return func(ctx context.Context, last bool) {
		if s := w.look(ctx); s == nil {
			_ = bar.RenderBlank()
		} else {
			done := s.Files + s.Deleted + s.Hidden
			bar.ChangeMax64(max(1, done+s.Left))
			_ = bar.Set64(done) // a bar that cannot be drawn is no reason to stop
		}
		if last {
			_ = bar.Exit()
			fmt.Fprintln(out)
		}
	}
}
