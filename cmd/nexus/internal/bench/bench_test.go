package bench_test

import (
	"context"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"nexus/cmd/nexus/internal/bench"
	"nexus/cmd/nexus/internal/cli"
)

// TestMain is also the program that the rows about a process of its own start.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "serve" {
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		status := cli.Run(ctx, os.Args[1:], cli.OS())
		stop()
		os.Exit(status)
	}
	os.Exit(m.Run())
}

func TestEveryRowIsMeasured(t *testing.T) {
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	rows, err := bench.Run(t.Context(), bench.Options{Files: []int{200}, Relationships: 500, Each: 20 * time.Millisecond, Program: program})
	if err != nil {
		t.Fatal(err)
	}
	for name := range strings.SplitSeq(bench.Describe(), "; ") {
		at := slices.IndexFunc(rows, func(r bench.Row) bool { return r.Name == name })
		if at < 0 {
			t.Errorf("no row %q", name)
			continue
		}
		if r := rows[at]; r.Measured < 0 || r.Budget < 0 || r.Unit == "" || r.Failed != "" {
			t.Errorf("row %+v", r)
		}
	}
}

func TestOnlyWhatIsAskedForIsMeasured(t *testing.T) {
	rows, err := bench.Run(t.Context(), bench.Options{Files: []int{50}, Each: time.Millisecond, Only: []string{"gate, cached"}})
	if err != nil || len(rows) != 1 || rows[0].Name != "gate, cached" || rows[0].Files != 50 {
		t.Errorf("Run = %+v, %v, want one row", rows, err)
	}
	if _, err := bench.Run(t.Context(), bench.Options{Only: []string{"no such row"}}); err == nil {
		t.Error("a row that is not there was not refused")
	}
}

func TestRatioGrowsWithTheMissOnEitherSide(t *testing.T) {
	for _, c := range []struct {
		row   bench.Row
		ratio float64
		text  string
	}{
		{bench.Row{Measured: 10, Budget: 5}, 2, "over"},
		{bench.Row{Measured: 5, Budget: 5}, 1, "ok"},
		{bench.Row{Measured: 1000, Budget: 2000, AtLeast: true}, 2, "over"},
		{bench.Row{Measured: 4000, Budget: 2000, AtLeast: true}, 0.5, "ok"},
		{bench.Row{Measured: 4}, 0, ""},
		{bench.Row{Budget: 4, Failed: "no server"}, 0, "FAILED: no server"},
	} {
		if c.row.Ratio() != c.ratio || c.row.Verdict() != c.text {
			t.Errorf("%+v: ratio %v, verdict %q, want %v, %q", c.row, c.row.Ratio(), c.row.Verdict(), c.ratio, c.text)
		}
	}
}
