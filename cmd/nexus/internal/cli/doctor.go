package cli

import (
	"context"
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"nexus/cmd/nexus/internal/config"
	"nexus/internal/errs"
)

// State of a check.
type state string

const (
	fine state = "ok"
	warn state = "warn"
	bad  state = "FAIL"
)

// diagnosis is what a check found, and what to do about it.
type diagnosis struct {
	Check string `json:"check"`
	State state  `json:"state"`
	Found string `json:"found"`
	Do    string `json:"do,omitempty"`
}

func (a *app) doctor() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Say what is wrong with a set-up",
		Long: `Look at the settings, the data directory and the server, and say of each what is wrong and what to do. The server is the
one that NEXUS_URL names, the settings are those that nexus serve would use here. The exit status is 1 when a check fails.`,
		Example: "  nexus doctor --data ./data\n  nexus doctor --config nexus.yaml --json",
		Args:    cobra.NoArgs,
	}
	config.Flags(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		all := []diagnosis{}
		c, err := config.Load(cmd.LocalNonPersistentFlags(), a.Environ)
		if err != nil {
			all = append(all, diagnosis{"settings", bad, describe(err), "correct the flag, variable or file; nexus serve --help lists the settings"})
			c.Data = a.dataDir("")
		} else {
			all = append(all, diagnosis{Check: "settings", State: fine, Found: "can be read"})
		}
		all = append(all, a.examineServer(cmd.Context())...)
		all = append(all, examineData(cmd.Context(), c)...)
		return a.diagnosed(all)
	}
	return cmd
}

func (a *app) diagnosed(all []diagnosis) error {
	if err := a.printDiagnoses(all); err != nil {
		return err
	}
	for _, d := range all {
		if d.State == bad {
			return answered(errs.Internal)
		}
	}
	return nil
}

func (a *app) printDiagnoses(all []diagnosis) error {
	if a.json {
		return a.print(all)
	}
	t := tabwriter.NewWriter(a.Out, 0, 0, 2, ' ', 0)
	for _, d := range all {
		fmt.Fprintf(t, "%s\t%s\t%s", d.State, d.Check, d.Found)
		if d.Do != "" {
			fmt.Fprintf(t, "; %s", d.Do)
		}
		fmt.Fprintln(t)
	}
	return t.Flush()
}

// examine runs checks one after the other.
func examine(ctx context.Context, checks ...func(context.Context) diagnosis) []diagnosis {
	all := make([]diagnosis, len(checks))
	for i, check := range checks {
		all[i] = check(ctx)
	}
	return all
}
