package cli

import (
	"context"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"nexus/apiserver/api"
	"nexus/apiserver/client"
	"nexus/apiserver/op"
)

func (a *app) keys() *cobra.Command {
	cmd := &cobra.Command{Use: "key", Short: "Make, show, change and end API keys", Example: "  nexus key create alice\n  nexus key list --user alice"}
	cmd.AddCommand(a.createKey(), a.listKeys(), a.getKey(), a.updateKey(), a.revokeKey(), a.recoverKey())
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
	f.StringVar(&p.Prefix, "prefix", "", "what the key begins with (default: nxk_live_)")
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
		key, err := calling(cmd.Context(), a, api.CreateKey, p)
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

func (a *app) listKeys() *cobra.Command {
	var p api.ListKeysParams
	var admin bool
	cmd := &cobra.Command{
		Use: "list", Short: "List keys, the newest first", Args: cobra.NoArgs,
		Example: "  nexus key list --user alice\n  nexus key list --all --limit 1000 --json",
	}
	f := cmd.Flags()
	f.StringVar(&p.UserID, "user", "", "only keys of this user")
	f.StringVar(&p.Tenant, "tenant", "", "tenant (default: your own; all, for a platform admin); * lists the platform admins' keys")
	f.BoolVar(&admin, "admin", false, "only keys that administer; --admin=false: only those that do not")
	f.BoolVar(&p.Revoked, "revoked", false, "revoked keys, too")
	f.BoolVar(&p.Expired, "expired", false, "expired keys, too")
	all := f.Bool("all", false, "revoked and expired keys, too")
	f.IntVar(&p.Limit, "limit", 100, "how many at the most")
	f.IntVar(&p.Offset, "offset", 0, "how many to pass over")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if f.Changed("admin") {
			p.IsAdmin = &admin
		}
		p.Revoked, p.Expired = p.Revoked || *all, p.Expired || *all
		list, err := calling(cmd.Context(), a, api.ListKeys, p)
		if err != nil {
			return err
		}
		if a.json {
			return a.print(list)
		}
		return a.printKeys(list, p.Offset)
	}
	return cmd
}

func (a *app) printKeys(list api.KeyList, offset int) error {
	t := tabwriter.NewWriter(a.Out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "ID\tKEY\tSUBJECT\tTENANT\tADMIN\tSTATE\tLAST USED\tNAME")
	for _, k := range list.Keys {
		fmt.Fprintf(t, "%s\t%s…%s\t%s\t%s\t%s\t%s\t%s\t%s\n", k.KeyID, k.Prefix, k.Last4, shownText(k.SubjectType+":"+k.SubjectID),
			shownText(k.Tenant), yes(k.IsAdmin), keyState(k, time.Now()), day(k.LastUsed), shownText(k.Name))
	}
	if shown := int64(offset + len(list.Keys)); shown < list.Total {
		fmt.Fprintf(t, "\n%d more: --offset %d\n", list.Total-shown, shown)
	}
	return t.Flush()
}

// keyState says in a word or two whether a key is good.
func keyState(k api.Key, now time.Time) string {
	switch {
	case k.Revoked:
		return "revoked " + day(k.RevokedAt)
	case k.Expires.IsZero():
		return "good"
	case !now.Before(k.Expires.Time):
		return "expired " + day(k.Expires)
	}
	return "until " + day(k.Expires)
}

func day(t api.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format(time.DateOnly)
}

func yes(is bool) string {
	if is {
		return "yes"
	}
	return "-"
}

func (a *app) getKey() *cobra.Command {
	return &cobra.Command{
		Use: "get KEY-ID", Short: "Show a key's details, but not the key", Args: cobra.ExactArgs(1),
		Example: "  nexus key get key-0198c2a1",
		RunE: func(cmd *cobra.Command, args []string) error {
			key, err := calling(cmd.Context(), a, api.GetKey, api.KeyParams{KeyID: args[0]})
			if err != nil {
				return err
			}
			return a.printKey(key)
		},
	}
}

func (a *app) printKey(k api.Key) error {
	if a.json {
		return a.print(k)
	}
	return a.printKeys(api.KeyList{Keys: []api.Key{k}, Total: 1}, 0)
}

func (a *app) updateKey() *cobra.Command {
	var p api.UpdateKeyParams
	var days int
	var name string
	var admin bool
	cmd := &cobra.Command{
		Use: "update KEY-ID", Short: "Change a key's name, end or right to administer", Args: cobra.ExactArgs(1),
		Example: "  nexus key update key-0198c2a1 --expires-days 30\n  nexus key update key-0198c2a1 --admin=false",
	}
	f := cmd.Flags()
	f.StringVar(&name, "name", "", "what the key is called")
	f.IntVar(&days, "expires-days", 0, "days from now until it ends")
	f.BoolVar(&p.NeverExpires, "never-expires", false, "it no longer ends")
	f.BoolVar(&admin, "admin", false, "whether it administers its tenant")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		p.KeyID = args[0]
		if f.Changed("name") {
			p.Name = &name
		}
		if f.Changed("expires-days") {
			p.ExpiresDays = &days
		}
		if f.Changed("admin") {
			p.IsAdmin = &admin
		}
		key, err := calling(cmd.Context(), a, api.UpdateKey, p)
		if err != nil {
			return err
		}
		return a.printKey(key)
	}
	return cmd
}

func (a *app) revokeKey() *cobra.Command {
	return &cobra.Command{
		Use: "revoke KEY-ID…", Short: "End keys for good, at once", Args: cobra.MinimumNArgs(1),
		Example: "  nexus key revoke key-0198c2a1",
		RunE: func(cmd *cobra.Command, args []string) error {
			for _, id := range args {
				done, err := calling(cmd.Context(), a, api.RevokeKey, api.KeyParams{KeyID: id})
				if err != nil {
					return err
				}
				if err := a.revoked(done); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

func (a *app) revoked(done api.KeyRevoked) error {
	if a.json {
		return a.print(done)
	}
	_, err := fmt.Fprintln(a.Out, "revoked "+done.KeyID)
	return err
}

// calling calls an operation of the server that flags or the environment name.
func calling[P, R any](ctx context.Context, a *app, o *op.Contract[P, R], p P) (r R, err error) {
	c, err := a.client()
	if err != nil {
		return r, err
	}
	return client.Call(ctx, c, o, p)
}
