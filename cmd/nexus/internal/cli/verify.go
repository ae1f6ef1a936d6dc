package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"nexus/authzsvc/audit"
	"nexus/cmd/nexus/internal/node"
	"nexus/internal/clock"
	"nexus/internal/errs"
	"nexus/internal/sqldb"
	"nexus/storage"
)

// verified is what verify prints as JSON.
type verified struct {
	Report   audit.Report    `json:"report"`
	Findings []audit.Finding `json:"findings"`
	Effects  string          `json:"effects"` // compared, or why not
}

func (a *app) verify(ctx context.Context, data string, o audit.VerifyOptions) (err error) {
	if _, err := os.Stat(node.RecordDir(data)); err != nil {
		return errs.New(errs.NotFound, "no record in %s", node.RecordDir(data)).Because(err)
	}
	v := verified{Findings: []audit.Finding{}, Effects: "compared"}
	db, err := effectsOf(ctx, data)
	if db != nil {
		defer func() { err = errors.Join(err, db.Close()) }()
		store := storage.New(db, nil, nil, nil, clock.System{})
		o.Effects = &audit.Effects{Of: store.Effect, All: store.Effects}
	} else {
		v.Effects = "not compared: " + describe(err)
	}
	o.Found = func(f audit.Finding) {
		v.Findings = append(v.Findings, f)
		if !a.json {
			fmt.Fprintln(a.Out, findingLine(f))
		}
	}
	if v.Report, err = audit.Verify(ctx, node.RecordDir(data), o); err != nil {
		return err
	}
	return errors.Join(a.printVerified(v), damage(v.Report))
}

// effectsOf opens the database of a data directory when no server has it, to see what was committed.
func effectsOf(ctx context.Context, data string) (*sqldb.Lite, error) {
	path := node.DatabasePath(data)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil, errs.New(errs.NotFound, "there is no database %s", path)
	}
	return sqldb.OpenLite(ctx, path, sqldb.LiteOptions{Readers: 1})
}

func (a *app) printVerified(v verified) error {
	if a.json {
		return a.print(v)
	}
	r := v.Report
	state := "ok"
	if r.Findings > 0 {
		state = fmt.Sprintf("DAMAGED: %d findings", r.Findings)
	}
	fmt.Fprintf(a.Out, "%s\n%d entries (%d to %d) in %d segments, %d bytes, %d signed checkpoints\n",
		state, r.Entries, r.First, r.Last, r.Segments, r.Bytes, r.Checkpoints)
	fmt.Fprintf(a.Out, "%d entries behind the newest checkpoint, %d decisions without outcome, %d segments retired by rule\n", r.Unsigned, r.Open, r.Retired)
	if r.Cut+r.Unsynced > 0 || r.Gaps > 0 || r.Unfinished > 0 {
		fmt.Fprintf(a.Out, "noted by the log itself: %d unfinished tails cut, %d failed fsyncs, %d entries refused by the disk; %d bytes unfinished at the end\n",
			r.Cut, r.Unsynced, r.Gaps, r.Unfinished)
	}
	_, err := fmt.Fprintf(a.Out, "committed effects: %s\n", v.Effects)
	return err
}

func findingLine(f audit.Finding) string {
	where := ""
	if f.Segment != 0 {
		where = fmt.Sprintf(" segment %d offset %d", f.Segment, f.Offset)
	}
	return fmt.Sprintf("%-10s%s%s: %s", f.Kind, where, worded(" decision ", f.Decision), f.Text)
}

// damage is the exit status of a record that is not what was written.
func damage(r audit.Report) error {
	if r.Findings == 0 {
		return nil
	}
	return answered(errs.Internal)
}
