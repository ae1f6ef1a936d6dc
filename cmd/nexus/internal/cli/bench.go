package cli

import (
	"fmt"
	"os"
	"runtime/pprof"
	"slices"
	"sync"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"nexus/cmd/nexus/internal/bench"
	"nexus/internal/errs"
)

func (a *app) bench() *cobra.Command {
	var o bench.Options
	var profile string
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure this machine against the budgets of the design",
		Long: `Measure what the design promises, each row for a few seconds, in a directory of its own that is deleted afterwards. Rows
over HTTP speak to a server in this process over the loopback.

Rows: ` + bench.Describe(),
		Example: "  nexus bench\n  nexus bench --files 10000 --only gate --json\n  nexus bench --files 100000,1000000 --relationships 10000000",
		Args:    cobra.NoArgs,
	}
	f := cmd.Flags()
	f.IntSliceVar(&o.Files, "files", []int{10_000, 100_000}, "sizes of the tree")
	f.IntVar(&o.Relationships, "relationships", 100_000, "relationships whose heap and disk are measured, and scaled to a million; the largest tree gets as many")
	f.StringArrayVar(&o.Only, "only", nil, "only rows whose name holds this; may be repeated")
	f.DurationVar(&o.Each, "each", bench.DefaultEach, "how long a rate is measured")
	f.IntVar(&o.InFlight, "in-flight", 0, "batches of the import on their way at once")
	f.StringVar(&profile, "cpuprofile", "", "write a CPU profile of what is measured to this file, from the first row on")
	cmd.RunE = func(cmd *cobra.Command, _ []string) (err error) {
		began, stop, err := profiled(profile)
		if err != nil {
			return err
		}
		defer stop()
		o.Began = began
		if o.Program, err = os.Executable(); err != nil {
			return err
		}
		o.Note = func(text string) { fmt.Fprintln(a.Err, text) }
		rows, err := bench.Run(cmd.Context(), o)
		if err != nil {
			return err
		}
		if err := a.printRows(rows); err != nil {
			return err
		}
		return broken(rows)
	}
	return cmd
}

// broken is the exit status of a bench that could not measure everything. A budget that is exceeded is a finding, no failure.
func broken(rows []bench.Row) error {
	if slices.ContainsFunc(rows, func(r bench.Row) bool { return r.Failed != "" }) {
		return answered(errs.Internal)
	}
	return nil
}

func (a *app) printRows(rows []bench.Row) error {
	if a.json {
		return a.print(rows)
	}
	t := tabwriter.NewWriter(a.Out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "ROW\tMEASURED\tBUDGET\tRATIO\t")
	for _, r := range rows {
		fmt.Fprintf(t, "%s\t%s\t%s\t%.2f\t%s\n", r.Title(), r.Shown(r.Measured), r.Limit(), r.Ratio(), r.Verdict())
	}
	return t.Flush()
}

// profiled writes a CPU profile to path, from the first call of began until stop is called.
func profiled(path string) (began, stop func(), err error) {
	if path == "" {
		return nil, func() {}, nil
	}
	f, err := os.Create(path)
	if err != nil {
		return nil, nil, errs.New(errs.Invalid, "%s cannot be written", path).Because(err)
	}
	var once sync.Once
	began = func() {
		once.Do(func() { _ = pprof.StartCPUProfile(f) }) // fails only while another profile runs, and none does
	}
	return began, func() { pprof.StopCPUProfile(); _ = f.Close() }, nil // a profile that was cut short says so when it is read
}
