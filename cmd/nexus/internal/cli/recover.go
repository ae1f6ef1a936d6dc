package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"nexus/cmd/nexus/internal/node"
	"nexus/internal/errs"
)

func (a *app) recoverKey() *cobra.Command {
	var data, out, name string
	cmd := &cobra.Command{
		Use:   "recover",
		Short: "Make a new platform admin's key when all are lost",
		Long: `Make a platform admin's key in a data directory that no server has open, and print it once, or write it to a new file that
its owner alone can read. The user it is for is enabled if he was disabled. The record says what was done. Keys that are lost
are not revoked by it: do that with the new one (nexus key list --tenant '*').`,
		Example: "  nexus key recover --data ./data --out ./admin.key",
		Args:    cobra.NoArgs,
	}
	f := cmd.Flags()
	f.StringVar(&data, "data", "", "data directory (or NEXUS_DATA; default nexus-data)")
	f.StringVar(&out, "out", "", "new file for the key (default: print it)")
	f.StringVar(&name, "user", "admin", "user of the default tenant whose key it is")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return a.recover(cmd.Context(), a.dataDir(data), out, name)
	}
	return cmd
}

// recover hands the key out before it says that all went well. The file is made first: a key that cannot be handed out
// would be one more that is lost.
func (a *app) recover(ctx context.Context, data, out, name string) error {
	hand, err := a.keyFile(out)
	if err != nil {
		return err
	}
	if out != "" && hand.file == nil {
		return errs.New(errs.Exists, "%s exists: name a new file", out)
	}
	key, err := node.Recover(ctx, node.Config{DataDir: data, Version: Version}, name)
	switch {
	case key.Secret == "":
		return errors.Join(err, hand.discard())
	case out != "":
		return errors.Join(err, hand.keep(key.Secret))
	}
	_, written := fmt.Fprintf(a.Out, "admin key, shown once: %s\n", key.Secret)
	return errors.Join(err, written)
}
