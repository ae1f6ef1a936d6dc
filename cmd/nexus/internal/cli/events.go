package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"nexus/apiserver/api"
	"nexus/apiserver/client"
	"nexus/internal/errs"
)

func (a *app) events() *cobra.Command {
	var after string
	cmd := &cobra.Command{
		Use:   "events [PATH]",
		Short: "Follow what changes in the files that you may read",
		Long: `Print each change at or below PATH as it happens, until interrupted. A folder's stands for all that is in it. When the
server goes, it is waited for, and nothing is missed. With --json each line has the id from which --after goes on.`,
		Example: "  nexus events /src\n  nexus events --json --after ID",
		Args:    cobra.MaximumNArgs(1),
	}
	cmd.Flags().StringVar(&after, "after", "", "id of the last event that was seen")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		p := client.Defaults(api.Follow)
		p.After = after
		if len(args) == 1 {
			p.Path = args[0]
		}
		c, err := a.client()
		if err != nil {
			return err
		}
		return a.follow(cmd.Context(), c, p)
	}
	return cmd
}

// comeBack is how long to wait for a server that went.
const comeBack = time.Second

// follow prints events until ctx ends. It comes back to a server that went.
func (a *app) follow(ctx context.Context, c *client.Client, p api.EventsParams) error {
	met := false
	for {
		err := c.Follow(ctx, p, func(e api.Event) error {
			met = true
			if e.ID != "" {
				p.After = e.ID
			}
			return a.printEvent(e)
		})
		switch {
		case ctx.Err() != nil:
			return nil
		case !met || !errors.Is(err, errs.Unavailable):
			return err
		}
		fmt.Fprintln(a.Err, "nexus: "+describe(err)+"; waiting for the server")
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(comeBack):
		}
	}
}

// eventLine is an event as JSON, with its id.
type eventLine struct {
	ID string `json:"id"`
	api.Event
}

func (a *app) printEvent(e api.Event) (err error) {
	switch {
	case a.json:
		return json.NewEncoder(a.Out).Encode(eventLine{e.ID, e})
	case e.Kind == api.EventReady || e.Kind == api.EventPing:
		return nil
	case e.Kind == api.EventReset:
		_, err = fmt.Fprintln(a.Out, "reset: "+e.Message)
	case e.OldPath != "":
		_, err = fmt.Fprintf(a.Out, "%s %-8s %s from %s\n", e.At.UTC().Format(lineTime), e.Kind, shownText(e.Path), shownText(e.OldPath))
	default:
		_, err = fmt.Fprintf(a.Out, "%s %-8s %s\n", e.At.UTC().Format(lineTime), e.Kind, shownText(e.Path))
	}
	return err
}
