package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"nexus/apiserver/api"
	"nexus/apiserver/client"
)

func (a *app) keys() *cobra.Command {
	cmd := &cobra.Command{Use: "key", Short: "Make API keys", Example: "  nexus key create alice"}
	cmd.AddCommand(a.createKey())
	return cmd
}

func (a *app) createKey() *cobra.Command {
	var p api.CreateKeyParams
	var days int
	cmd := &cobra.Command{
		Use:     "create USER",
		Short:   "Make a key for a user or an agent, and print it once",
		Example: "  nexus key create alice\n  nexus key create alice --agent build-bot --scopes read --expires-days 30",
		Args:    cobra.ExactArgs(1),
	}
	f := cmd.Flags()
	f.StringVar(&p.Name, "name", "", "what the key is called (default: the user's name)")
	f.StringVar(&p.SubjectID, "agent", "", "make the key for this agent of the user")
	f.StringVar(&p.Tenant, "tenant", "", "tenant (default: your own); * makes a platform admin's key")
	f.BoolVar(&p.IsAdmin, "admin", false, "the key administers the tenant")
	f.IntVar(&days, "expires-days", 0, "days until the key ends (default: never)")
	f.StringSliceVar(&p.Scopes, "scopes", nil, "read, write, evaluate (default: read,write)")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		p.UserID = args[0]
		if p.Name == "" {
			p.Name = args[0]
		}
		p.SubjectType = "user"
		if p.SubjectID != "" {
			p.SubjectType = "agent"
		}
		if days != 0 {
			p.ExpiresDays = &days
		}
		c, err := a.client()
		if err != nil {
			return err
		}
		key, err := client.Call(cmd.Context(), c, api.CreateKey, p)
		if err != nil {
			return err
		}
		if a.json {
			return a.print(key)
		}
		_, err = fmt.Fprintln(a.Out, key.APIKey)
		return err
	}
	return cmd
}
