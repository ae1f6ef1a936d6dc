// Package bench measures what the design promises, and compares. It judges nothing by itself and no test depends on its
// numbers. To add a row, write its function in the file of its group and list it in groups.
package bench

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"nexus/internal/errs"
)

// Options say what is measured.
type Options struct {
	Files         []int // sizes of the tree
	Relationships int
	Only          []string      // rows whose name holds one of these; none: all
	Each          time.Duration // of a rate
	InFlight      int           // batches of the import at once; 0: the importer's own
	Program       string        // the nexus binary, for rows about a process of its own
	Note          func(string)  // gets what is being done
	Began         func()        // called before each row is measured, once what it is measured on stands
}

// DefaultEach is how long a rate is measured.
const DefaultEach = 3 * time.Second

// Row is one measurement beside its budget.
type Row struct {
	Name     string  `json:"name"`
	Files    int     `json:"files,omitempty"` // size of the tree it was measured on
	Measured float64 `json:"measured"`
	Budget   float64 `json:"budget"` // 0: none was promised
	Unit     string  `json:"unit"`
	AtLeast  bool    `json:"at_least"`         // the budget is a lower bound
	Failed   string  `json:"failed,omitempty"` // why there is no number, or none to trust
}

// Title names the row and the tree it was measured on.
func (r Row) Title() string {
	if r.Files == 0 {
		return r.Name
	}
	return fmt.Sprintf("%s (%d files)", r.Name, r.Files)
}

// Ratio is how much of the budget is used: above 1 it is broken.
func (r Row) Ratio() float64 {
	switch {
	case r.Budget == 0 || r.Failed != "":
		return 0
	case r.AtLeast:
		return r.Budget / math.Max(r.Measured, math.SmallestNonzeroFloat64)
	}
	return r.Measured / r.Budget
}

// Verdict is ok, over, nothing where nothing was promised, or what went wrong.
func (r Row) Verdict() string {
	switch {
	case r.Failed != "":
		return "FAILED: " + r.Failed
	case r.Budget == 0:
		return ""
	case r.Ratio() > 1:
		return "over"
	}
	return "ok"
}

// Limit is the budget for people.
func (r Row) Limit() string {
	if r.Budget == 0 {
		return "-"
	}
	bound := "≤ "
	if r.AtLeast {
		bound = "≥ "
	}
	return bound + r.Shown(r.Budget)
}

// Shown is a number in the row's unit for people.
func (r Row) Shown(v float64) string {
	switch {
	case v >= 100:
		return fmt.Sprintf("%.0f %s", v, r.Unit)
	case v >= 10:
		return fmt.Sprintf("%.1f %s", v, r.Unit)
	}
	return fmt.Sprintf("%.2f %s", v, r.Unit)
}

// Describe names the rows.
func Describe() string {
	var all []string
	for _, g := range groups {
		all = append(all, g.rows...)
	}
	return strings.Join(all, "; ")
}

// Run measures the rows that o selects.
func Run(ctx context.Context, o Options) ([]Row, error) {
	if o.Each <= 0 {
		o.Each = DefaultEach
	}
	if len(o.Files) == 0 {
		o.Files = []int{10_000}
	}
	if o.Note == nil {
		o.Note = func(string) {}
	}
	for _, name := range o.Only {
		if !strings.Contains(Describe(), name) {
			return nil, errs.New(errs.Invalid, "no row is named %q; there are: %s", name, Describe())
		}
	}
	var all []Row
	for _, g := range groups {
		if !slices.ContainsFunc(g.rows, o.wants) {
			continue
		}
		o.Note("measuring " + g.name)
		rows, err := g.run(ctx, o)
		if err != nil {
			return all, err
		}
		for _, r := range rows {
			if o.wants(r.Name) {
				all = append(all, r)
			}
		}
	}
	return all, nil
}

// measure is a row, and how its number is got.
type measure struct {
	Row
	number func() (float64, error)
}

// measure measures the rows that o selects on a tree of so many files. One that fails says why, and the rest goes on.
func (o Options) measure(files int, list []measure) []Row {
	var rows []Row
	for _, m := range list {
		if !o.wants(m.Name) {
			continue
		}
		o.begin(m.Name, files)
		v, err := m.number()
		m.Files, m.Measured = files, v
		if err != nil {
			m.Failed = err.Error()
		}
		rows = append(rows, m.Row)
	}
	return rows
}

// begin tells that a row is about to be measured on so many files or relationships.
func (o Options) begin(row string, size int) {
	o.Note(fmt.Sprintf("%s, %d", row, size))
	if o.Began != nil {
		o.Began()
	}
}

// scaled is n, or less where even the largest tree is to be smaller.
func (o Options) scaled(n int) int { return min(n, slices.Max(o.Files)) }

func (o Options) wants(name string) bool {
	return len(o.Only) == 0 || slices.ContainsFunc(o.Only, func(part string) bool { return strings.Contains(name, part) })
}
