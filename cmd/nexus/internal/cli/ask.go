package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"nexus/apiserver/api"
	"nexus/apiserver/client"
	"nexus/internal/errs"
)

// parseRef reads user:alice, group:eng#member, file:/a/b, or a path alone, which is a file.
func parseRef(text string) (api.Ref, error) {
	if strings.HasPrefix(text, "/") {
		return api.Ref{"file", text}, nil
	}
	typ, id, ok := strings.Cut(text, ":")
	if !ok || typ == "" || id == "" {
		return nil, wrong("%q is not type:id, such as user:alice, group:eng or file:/a/b", text)
	}
	if typ == "file" {
		return api.Ref{typ, id}, nil
	}
	id, relation, has := strings.Cut(id, "#")
	if has {
		return api.Ref{typ, id, relation}, nil
	}
	return api.Ref{typ, id}, nil
}

func parseAsk(args []string) (p api.AskParams, err error) {
	if p.Subject, err = parseRef(args[0]); err != nil {
		return p, err
	}
	p.Permission = args[1]
	p.Object, err = parseRef(args[2])
	return p, err
}

func (a *app) check() *cobra.Command {
	return &cobra.Command{
		Use:     "check SUBJECT PERMISSION OBJECT",
		Short:   "Tell whether a subject has a permission on an object",
		Long:    "Print allowed or denied. The exit status is 0 for allowed and 4 for denied.",
		Example: "  nexus check user:alice read /src/net/http/server.go",
		Args:    cobra.ExactArgs(3),
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := parseAsk(args)
			if err != nil {
				return err
			}
			c, err := a.client()
			if err != nil {
				return err
			}
			r, err := client.Call(cmd.Context(), c, api.Check, p)
			if err != nil {
				return err
			}
			if err := a.printAllowed(r); err != nil {
				return err
			}
			return denial(r)
		},
	}
}

func (a *app) printAllowed(r api.Allowed) error {
	if a.json {
		return a.print(r)
	}
	text := "denied"
	if r.Allowed {
		text = "allowed"
	}
	_, err := fmt.Fprintln(a.Out, text)
	return err
}

// denial is the answer no as an exit status.
func denial(r api.Allowed) error {
	if r.Allowed {
		return nil
	}
	return answered(errs.Denied)
}

func (a *app) explain() *cobra.Command {
	var at string
	var full bool
	cmd := &cobra.Command{
		Use:   "explain SUBJECT PERMISSION OBJECT | explain DECISION",
		Short: "Show why a subject has a permission, or what is missing; or the reasons of a recorded decision",
		Example: "  nexus explain user:alice read /src/net/http/server.go\n" +
			"  nexus explain user:alice read /src/net --at 2026-11-01T12:00:00Z\n" +
			"  nexus explain 06gvvn1kolsvde0plfo3jjn934",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 && len(args) != 3 {
				return wrong("explain takes SUBJECT PERMISSION OBJECT, or the id of a decision")
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&at, "at", "", "as of this time (RFC 3339)")
	cmd.Flags().BoolVar(&full, "full", true, "trace past every cache, so that each step shows")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 1 {
			return a.explainDecision(cmd, args[0])
		}
		p := api.ExplainParams{Full: full}
		var err error
		if p.AskParams, err = parseAsk(args); err != nil {
			return err
		}
		if at != "" {
			when, err := time.Parse(time.RFC3339, at)
			if err != nil {
				return wrong("--at: %q is not a time such as 2026-11-01T12:00:00Z", at)
			}
			p.At = api.Time{Time: when}
		}
		c, err := a.client()
		if err != nil {
			return err
		}
		e, err := client.Call(cmd.Context(), c, api.Explain, p)
		if err != nil {
			return err
		}
		if a.json {
			return a.print(e)
		}
		_, err = io.WriteString(a.Out, e.Text)
		return err
	}
	return cmd
}

func (a *app) explainDecision(cmd *cobra.Command, id string) error {
	c, err := a.client()
	if err != nil {
		return err
	}
	d, err := client.Call(cmd.Context(), c, api.ExplainDecision, api.ExplainDecisionParams{ID: id})
	if err != nil {
		return err
	}
	if d == nil {
		return notFound("no decision %s in your tenant's record", id)
	}
	if a.json {
		return a.print(d)
	}
	var entry json.RawMessage = d.Decision
	line, err := decisionLine(entry)
	if err != nil {
		return err
	}
	again := "asking again as of that revision answers the same"
	if !d.SameAnswer {
		again = "asking again as of that revision answers OTHERWISE"
	}
	_, err = fmt.Fprintf(a.Out, "%s\n%s%s\n", line, d.Explanation, again)
	return err
}

func (a *app) expand() *cobra.Command {
	return &cobra.Command{
		Use:     "expand PERMISSION OBJECT",
		Short:   "List every subject that has a permission on an object",
		Example: "  nexus expand read /src/net",
		Args:    cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			object, err := parseRef(args[1])
			if err != nil {
				return err
			}
			c, err := a.client()
			if err != nil {
				return err
			}
			r, err := client.Call(cmd.Context(), c, api.Expand, api.ExpandParams{Permission: args[0], Object: object})
			if err != nil {
				return err
			}
			if a.json {
				return a.print(r)
			}
			for _, s := range r.Subjects {
				fmt.Fprintln(a.Out, s)
			}
			return nil
		},
	}
}

func (a *app) share() *cobra.Command {
	var until time.Duration
	cmd := &cobra.Command{
		Use:     "share SUBJECT RELATION OBJECT",
		Short:   "Relate a subject to an object, and print the relationship's id",
		Example: "  nexus share user:alice member group:eng\n  nexus share group:eng direct_viewer /src/net --for 24h",
		Args:    cobra.ExactArgs(3),
	}
	cmd.Flags().DurationVar(&until, "for", 0, "end it after this long (default: never)")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		p := api.RelateParams{Relation: args[1]}
		var err error
		if p.Subject, err = parseRef(args[0]); err != nil {
			return err
		}
		if p.Object, err = parseRef(args[2]); err != nil {
			return err
		}
		if until > 0 {
			p.Expires = api.Time{Time: time.Now().Add(until)}
		}
		c, err := a.client()
		if err != nil {
			return err
		}
		id, err := client.Call(cmd.Context(), c, api.Relate, p)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(a.Out, id)
		return err
	}
	return cmd
}

func (a *app) unshare() *cobra.Command {
	return &cobra.Command{
		Use:     "unshare ID",
		Short:   "End a relationship by the id that share printed",
		Example: "  nexus unshare 4594a9be-7a75-44c6-b96d-605c399ce8f7",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			ended, err := client.Call(cmd.Context(), c, api.Unrelate, api.UnrelateParams{ID: args[0]})
			if err != nil {
				return err
			}
			if !ended {
				return notFound("no relationship %s that you could end", args[0])
			}
			return nil
		},
	}
}
