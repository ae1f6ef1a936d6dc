package cli

import (
	"os"

	"github.com/spf13/cobra"

	"nexus/authzsvc/audit"
	"nexus/internal/errs"
	"nexus/storage"
)

func (a *app) audit() *cobra.Command {
	cmd := &cobra.Command{
		Use: "audit", Short: "Look at the record of decisions",
		Example: "  nexus audit tail -n 20 --follow\n  nexus audit verify --data ./data",
	}
	cmd.AddCommand(a.auditTail(), a.auditVerify())
	return cmd
}

func (a *app) auditTail() *cobra.Command {
	var s selection
	var data string
	var follow, denied, allowed bool
	cmd := &cobra.Command{
		Use:   "tail",
		Short: "Print the newest decisions, oldest first",
		Long: `Print the newest decisions of the record, one a line: time, answer, who (with <actor for each that acts for him),
operation, objects, reasons, id of the decision. With --data the record is read from the data directory, also beside a
running server; without it a server is asked, which needs the right to read the tenant's record, and is itself recorded.`,
		Example: "  nexus audit tail -n 20\n  nexus audit tail --data ./data --follow --denied\n  nexus audit tail --principal user:alice --op files.read --path /src/net",
		Args:    cobra.NoArgs,
	}
	f := cmd.Flags()
	f.StringVar(&data, "data", "", "read the record in this data directory instead of asking a server")
	f.IntVarP(&s.count, "lines", "n", 10, "how many")
	f.BoolVarP(&follow, "follow", "f", false, "go on with new ones until interrupted")
	f.StringVar(&s.principal, "principal", "", "only of this base, such as user:alice")
	f.StringVar(&s.op, "op", "", "only of this operation, such as files.read")
	f.StringVar(&s.path, "path", "", "only about this path")
	f.DurationVar(&s.since, "since", 0, "only of so long ago and later, such as 1h")
	f.BoolVar(&denied, "denied", false, "only refusals")
	f.BoolVar(&allowed, "allowed", false, "only what was allowed")
	f.StringVar(&s.tenant, "tenant", storage.DefaultTenant, "tenant of --principal (with --data)")
	f.BoolVar(&s.everything, "all", false, "outcomes, notes and checkpoints, too (with --data)")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if s.count < 0 {
			return wrong("-n must not be negative")
		}
		if denied && allowed {
			return wrong("--denied and --allowed leave nothing to show")
		}
		if denied || allowed {
			s.denied = &denied
		}
		from, err := a.recordSource(data, s)
		if err != nil {
			return err
		}
		return a.tail(cmd.Context(), from, s, follow)
	}
	return cmd
}

func (a *app) auditVerify() *cobra.Command {
	var data, keys, witness string
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Check that the record is whole and unchanged, and agrees with what was committed",
		Long: `Read the whole record and report what is wrong with it: entries changed, removed, added or moved, a tail cut off,
signatures that do not hold. The exit status is 1 when there is any damage. While no server has the database open, what was
recorded as done is also compared with what was committed. What no check from inside can find is said in the documentation of
the package: keep the verifier keys and a checkpoint elsewhere, and give them here.`,
		Example: "  nexus audit verify --data ./data\n  nexus audit verify --data ./data --keys audit.pub --witness checkpoint.txt",
		Args:    cobra.NoArgs,
	}
	f := cmd.Flags()
	f.StringVar(&data, "data", "", "data directory (or NEXUS_DATA; default nexus-data)")
	f.StringVar(&keys, "keys", "", "file of verifier keys that was kept elsewhere")
	f.StringVar(&witness, "witness", "", "file of a signed checkpoint that was kept elsewhere")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		var o audit.VerifyOptions
		var err error
		if o.Keys, err = optionalFile(keys); err != nil {
			return err
		}
		if o.Witness, err = optionalFile(witness); err != nil {
			return err
		}
		return a.verify(cmd.Context(), a.dataDir(data), o)
	}
	return cmd
}

// dataDir is the data directory that a flag, the environment or the default names.
func (a *app) dataDir(flag string) string {
	if flag != "" {
		return flag
	}
	if dir := a.env("NEXUS_DATA"); dir != "" {
		return dir
	}
	return "nexus-data"
}

func optionalFile(path string) (string, error) {
	if path == "" {
		return "", nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return "", errs.New(errs.Invalid, "%s cannot be read", path).Because(err)
	}
	return string(text), nil
}
