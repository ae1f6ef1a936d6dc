package cli

import (
	"context"
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"nexus/apiserver/api"
	"nexus/apiserver/client"
	"nexus/apiserver/op"
)

func (a *app) users() *cobra.Command {
	cmd := &cobra.Command{
		Use: "user", Short: "List, disable and enable users, and move what they own",
		Example: "  nexus user list\n  nexus user disable bob\n  nexus user transfer bob alice",
	}
	cmd.AddCommand(a.listUsers(), a.standing("disable", "Keep a user and his agents out, at once", api.DisableUser),
		a.standing("enable", "Let a disabled user in again, with all he had", api.EnableUser), a.transferUser())
	return cmd
}

func (a *app) listUsers() *cobra.Command {
	p := api.ListUsersParams{Limit: 1000}
	cmd := &cobra.Command{
		Use: "list", Short: "List the users of a tenant", Args: cobra.NoArgs, Example: "  nexus user list --tenant acme",
	}
	cmd.Flags().StringVar(&p.Tenant, "tenant", "", "tenant (default: your own)")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := a.client()
		if err != nil {
			return err
		}
		all := []api.User{}
		for {
			page, err := client.Call(cmd.Context(), c, api.ListUsers, p)
			if err != nil {
				return err
			}
			all = append(all, page.Users...)
			if p.Cursor = page.NextCursor; page.Complete {
				return a.printUsers(all)
			}
		}
	}
	return cmd
}

func (a *app) printUsers(all []api.User) error {
	if a.json {
		return a.print(all)
	}
	t := tabwriter.NewWriter(a.Out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "USER\tTENANT\tSTATE\tADMIN\tKEYS\tAGENTS\tSINCE")
	for _, u := range all {
		state := "good"
		if u.Disabled {
			state = "disabled " + day(u.DisabledAt)
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%d\t%d\t%s\n", shownText(u.UserID), shownText(u.Tenant), state, yes(u.IsAdmin), u.Keys, u.Agents, day(u.Created))
	}
	return t.Flush()
}

// standing is a command that lets a user in or keeps him out.
func (a *app) standing(verb, short string, contract *op.Contract[api.UserParams, api.User]) *cobra.Command {
	var p api.UserParams
	cmd := &cobra.Command{Use: verb + " USER", Short: short, Args: cobra.ExactArgs(1), Example: "  nexus user " + verb + " bob"}
	cmd.Flags().StringVar(&p.Tenant, "tenant", "", "tenant (default: your own)")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		p.UserID = args[0]
		user, err := calling(cmd.Context(), a, contract, p)
		if err != nil {
			return err
		}
		if a.json {
			return a.print(user)
		}
		return a.printUsers([]api.User{user})
	}
	return cmd
}

func (a *app) transferUser() *cobra.Command {
	var p api.TransferUserParams
	cmd := &cobra.Command{
		Use:   "transfer FROM TO",
		Short: "Move files, groups and agents from one user to another",
		Long: `Move what a user owns to another user of the tenant, batch by batch: files and folders, groups he manages, agents. What
was shared with him stays his. A transfer that was interrupted goes on where it stopped when it is run again. Disable the user
first, or he goes on making things meanwhile.`,
		Example: "  nexus user disable bob\n  nexus user transfer bob alice",
		Args:    cobra.ExactArgs(2),
	}
	cmd.Flags().StringVar(&p.Tenant, "tenant", "", "tenant of both (default: your own)")
	cmd.Flags().BoolVar(&p.KeepKeys, "keep-agent-keys", false, "let the keys of the agents go on (default: they are revoked)")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		p.From, p.To = args[0], args[1]
		return a.transfer(cmd.Context(), p)
	}
	return cmd
}

// transfer calls until nothing is left, and tells on the error stream how far it has come.
func (a *app) transfer(ctx context.Context, p api.TransferUserParams) error {
	c, err := a.client()
	if err != nil {
		return err
	}
	for {
		t, err := client.Call(ctx, c, api.TransferUser, p)
		switch {
		case err != nil:
			return err
		case t.Complete && a.json:
			return a.print(t)
		case t.Complete:
			_, err := fmt.Fprintf(a.Out, "moved %d files and folders, %d groups, %d agents\n", t.Files, t.Groups, t.Agents)
			return err
		}
		fmt.Fprintf(a.Err, "%d moved\n", t.Files+t.Groups+t.Agents)
	}
}
