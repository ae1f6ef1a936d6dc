package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"nexus/cmd/nexus/internal/importer"
	"nexus/internal/errs"
)

func (a *app) importer() *cobra.Command {
	var o importer.Options
	var progress bool
	cmd := &cobra.Command{
		Use:   "import DIR PATH",
		Short: "Copy a local folder into the workspace",
		Long: `Copy every regular file below DIR to PATH. Each is an ordinary write with its own decision, record, version and
relationships. Links and irregular files are left out and counted. What the server refuses is told and counted, and the rest
goes on; then the exit status is 1.`,
		Example: "  nexus import ./src /src\n  nexus import ./src /src --skip-existing   # go on where an import was interrupted\n" +
			"  nexus import ./src /src --dry-run",
		Args: cobra.ExactArgs(2),
	}
	f := cmd.Flags()
	f.BoolVar(&o.SkipExisting, "skip-existing", false, "leave alone what is there already")
	f.BoolVar(&o.DryRun, "dry-run", false, "read everything, send nothing")
	f.Int64Var(&o.MaxBytes, "max-file-bytes", 0, "longest file that is sent; 0: any. The server's upload-limit bounds it")
	f.IntVar(&o.InFlight, "in-flight", 4, "batches on their way at once")
	f.BoolVar(&progress, "progress", false, "show a bar even where standard error is no terminal")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		o.From, o.To = args[0], args[1]
		o.Counted = new(importer.Progress)
		o.Failed = func(path string, err error) { fmt.Fprintf(a.Err, "nexus: %s: %s\n", shownText(path), describe(err)) }
		if !o.DryRun {
			var err error
			if o.Client, err = a.client(); err != nil {
				return err
			}
		}
		stop := a.display(cmd.Context(), progress, a.tellProgress(o.Counted), drawProgress(a.Err, o.Counted))
		r, err := importer.Run(cmd.Context(), o)
		stop()
		if err != nil {
			return err
		}
		return a.imported(r, o.DryRun)
	}
	return cmd
}

// imported prints the last line, and says by the exit status whether anything failed.
func (a *app) imported(r importer.Result, dry bool) error {
	if err := a.printImported(r, dry); err != nil {
		return err
	}
	if r.Failed > 0 {
		return answered(errs.Internal)
	}
	return nil
}

func (a *app) printImported(r importer.Result, dry bool) error {
	if a.json {
		return a.print(r)
	}
	verb := "imported"
	if dry {
		verb = "would import"
	}
	_, err := fmt.Fprintf(a.Out, "%s %d files, %d bytes in %.1f s, %.0f files/s; %d existing, %d irregular, %d failed\n",
		verb, r.Files, r.Bytes, r.Seconds, r.PerSecond, r.Existing, r.Irregular, r.Failed)
	return err
}

// How often the bar is drawn, and how often a line is printed where there is no bar.
const (
	drawEvery = 100 * time.Millisecond
	tellEvery = 5 * time.Second
)

// display shows progress on standard error until the function that it returns is called: by tell, or where there is a terminal, or
// bar says so, by draw. Each gets whether it is the last time.
func (a *app) display(ctx context.Context, bar bool, tell, draw func(ctx context.Context, last bool)) (stop func()) {
	every, show := tellEvery, tell
	if bar || terminal(a.Err) {
		every, show = drawEvery, draw
	}
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				show(ctx, false)
			case <-ctx.Done():
				show(ctx, true)
				return
			}
		}
	}()
	return func() { cancel(); <-done }
}

func (a *app) tellProgress(p *importer.Progress) func(context.Context, bool) {
	return func(_ context.Context, last bool) {
		if !last {
			fmt.Fprintf(a.Err, "%d of %d files found so far, %d bytes, %d failed\n", p.Files.Load(), p.Found.Load(), p.Bytes.Load(), p.Failed.Load())
		}
	}
}

// drawProgress returns what draws the bar. Its end moves away while the tree is still being walked.
func drawProgress(w io.Writer, p *importer.Progress) func(context.Context, bool) {
	bar := progressbar.NewOptions64(1, progressbar.OptionSetWriter(w), progressbar.OptionSetDescription("importing"),
		progressbar.OptionShowCount(), progressbar.OptionShowIts(), progressbar.OptionSetItsString("files"), progressbar.OptionThrottle(drawEvery/2))
	return func(_ context.Context, last bool) {
		bar.ChangeMax64(max(1, p.Found.Load()))
		_ = bar.Set64(p.Files.Load() + p.Existing.Load() + p.Failed.Load()) // a bar that cannot be drawn is no reason to stop
		if last {
			_ = bar.Exit()
			fmt.Fprintln(w)
		}
	}
}

func terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	at, err := f.Stat()
	return err == nil && at.Mode()&os.ModeCharDevice != 0
}
