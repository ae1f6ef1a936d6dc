package cli

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"nexus/apiserver/api"
	"nexus/apiserver/client"
	"nexus/authzsvc"
	"nexus/internal/errs"
)

func (a *app) policy() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "policy",
		Short: "Show, test, rehearse and install the rules that come after relations",
		Long: `Policies are Rego rules that may refuse or oblige what relations allow. Test a directory of them without a server,
rehearse it against the decisions that a server recorded, then install it there.`,
		Example: "  nexus policy test policies/\n  nexus policy dry-run policies/\n  nexus policy put policies/",
	}
	cmd.AddCommand(a.policyShow(), a.policyTest(), a.policyDryRun(), a.policyPut())
	return cmd
}

func (a *app) policyShow() *cobra.Command {
	var files bool
	cmd := &cobra.Command{
		Use: "show", Short: "Print the digest, the rules in force, and the operations that each names", Args: cobra.NoArgs,
		Example: "  nexus policy show\n  nexus policy show --files",
	}
	cmd.Flags().BoolVar(&files, "files", false, "print the text of your own policies, too")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := a.client()
		if err != nil {
			return err
		}
		p, err := client.Call(cmd.Context(), c, api.ReadPolicy, api.Nothing{})
		if err != nil {
			return err
		}
		if a.json {
			return a.print(p)
		}
		fmt.Fprintf(a.Out, "digest %s\n", p.Digest)
		if p.Installed != "" {
			fmt.Fprintf(a.Out, "installed bundle %s\n", p.Installed)
		}
		if err := a.printRules(p.Rules); err != nil || !files {
			return err
		}
		for _, name := range slices.Sorted(maps.Keys(p.Files)) {
			fmt.Fprintf(a.Out, "\n# %s\n%s", name, p.Files[name])
		}
		return nil
	}
	return cmd
}

func (a *app) printRules(rules []api.PolicyRule) error {
	t := tabwriter.NewWriter(a.Out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "RULE\tCONCERNS\tLOOKS AT\tOBLIGES TO\tOPERATIONS")
	for _, r := range rules {
		who := "everybody"
		if len(r.Principals) > 0 {
			who = strings.Join(r.Principals, ", ")
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", r.ID, who, dash(r.LooksAt), dash(r.Obliges), strings.Join(r.Operations, ", "))
	}
	return t.Flush()
}

// dash is a list as one cell of a table.
func dash(l []string) string {
	if len(l) == 0 {
		return "-"
	}
	return strings.Join(l, ", ")
}

func (a *app) policyTest() *cobra.Command {
	var disabled []string
	cmd := &cobra.Command{
		Use:   "test [DIR]",
		Short: "Check policies, run their tests, and print what these covered",
		Long: `Check the policies in DIR beside the shipped ones, as a server would, and run the tests (*_test.rego) of both; without
DIR those of the shipped ones. The exit status is 1 when a test fails.`,
		Example: "  nexus policy test policies/",
		Args:    cobra.MaximumNArgs(1),
	}
	cmd.Flags().StringSliceVar(&disabled, "policy-disabled", nil, "ids of shipped policies that the server leaves out")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		dir := ""
		if len(args) == 1 {
			dir = args[0]
		}
		r, err := authzsvc.TestPolicies(cmd.Context(), dir, operationNames(), disabled)
		if err != nil {
			return err
		}
		if a.json {
			err = a.print(r)
		} else {
			err = printTests(a.Out, r)
		}
		if err == nil && !r.Passed {
			err = answered(errs.Internal)
		}
		return err
	}
	return cmd
}

func operationNames() []string {
	var all []string
	for _, d := range api.All() {
		all = append(all, d.Name)
	}
	return all
}

func printTests(w io.Writer, r *authzsvc.PolicyReport) error {
	passed := 0
	for _, t := range r.Tests {
		switch {
		case t.Passed:
			passed++
		case t.Skipped:
			fmt.Fprintf(w, "SKIP  %s:%d %s\n", t.File, t.Line, t.Name)
		default:
			fmt.Fprintf(w, "FAIL  %s:%d %s: %s\n", t.File, t.Line, t.Name, t.Detail)
		}
	}
	fmt.Fprintf(w, "%d of %d tests pass; they cover %.1f %% of the rules\n", passed, len(r.Tests), r.Coverage)
	for _, lines := range r.NotCovered {
		fmt.Fprintf(w, "not covered: %s\n", lines)
	}
	return nil
}

func (a *app) policyPut() *cobra.Command {
	var dry bool
	cmd := &cobra.Command{
		Use:   "put DIR",
		Short: "Install a directory of policies on a running server",
		Long: `Make the policies in DIR all of the server's own. They are checked there, their tests run, and they are in force when
the command ends; the ones before them are kept beside them. Nothing changes when anything is wrong.`,
		Example: "  nexus policy put policies/",
		Args:    cobra.ExactArgs(1),
	}
	cmd.Flags().BoolVar(&dry, "dry-run", false, "only check and test them there")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		files, err := authzsvc.ReadPolicies(args[0])
		if err != nil {
			return err
		}
		c, err := a.client()
		if err != nil {
			return err
		}
		r, err := client.Call(cmd.Context(), c, api.PutPolicy, api.PutPolicyParams{Files: files, DryRun: dry})
		if err != nil {
			return err
		}
		if a.json {
			return a.print(r)
		}
		said := "installed"
		if dry {
			said = "can be installed"
		}
		_, err = fmt.Fprintf(a.Out, "%s: digest %s, was %s; %d tests, %.1f %% covered\n", said, r.Digest, r.Previous, r.Tests, r.Coverage)
		return err
	}
	return cmd
}

func (a *app) policyDryRun() *cobra.Command {
	var last int
	cmd := &cobra.Command{
		Use:   "dry-run DIR",
		Short: "Ask a directory of policies about recorded decisions, and show which would have been others",
		Long: `Ask the policies in DIR, in place of the server's own, about the last decisions in its record that relations allowed.
A list counts as one decision. The record keeps neither addresses nor scopes: rules that may have missed something are named.`,
		Example: "  nexus policy dry-run policies/ -n 10000",
		Args:    cobra.ExactArgs(1),
	}
	cmd.Flags().IntVarP(&last, "last", "n", 1000, "how many decisions to look at, newest first")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		files, err := authzsvc.ReadPolicies(args[0])
		if err != nil {
			return err
		}
		c, err := a.client()
		if err != nil {
			return err
		}
		r, err := client.Call(cmd.Context(), c, api.RehearsePolicy, api.RehearsePolicyParams{Files: files, Last: last})
		if err != nil {
			return err
		}
		if a.json {
			return a.print(r)
		}
		return a.printRehearsal(r)
	}
	return cmd
}

func (a *app) printRehearsal(r api.Rehearsal) error {
	for _, c := range r.Changes {
		who := strings.Join(append(slices.Clone(c.Actors), c.Principal), " for ")
		fmt.Fprintf(a.Out, "%s %s %s %s: %s, would be %s\n", c.Decision, who, c.Operation, strings.Join(c.Objects, ", "), said(c.Was, nil), said(c.Would, &c))
	}
	if r.More {
		fmt.Fprintln(a.Out, "and more")
	}
	fmt.Fprintf(a.Out, "%d of %d decisions concern the rules; %d would be others", r.Asked, r.Looked, len(r.Changes))
	if r.Unknown > 0 {
		fmt.Fprintf(a.Out, "; %d could not be asked again", r.Unknown)
	}
	fmt.Fprintln(a.Out)
	if len(r.Partial) > 0 {
		fmt.Fprintf(a.Out, "look at what the record may not keep: %s\n", strings.Join(r.Partial, ", "))
	}
	return nil
}

// said is an answer, with what rules would say with it.
func said(allowed bool, c *api.Rehearsed) string {
	text := "refused"
	if allowed {
		text = "allowed"
	}
	if c == nil || len(c.Rules) == 0 {
		return text
	}
	text += " by " + strings.Join(c.Rules, ", ")
	if allowed && len(c.Obligations) > 0 {
		text = "allowed with " + strings.Join(c.Obligations, ", ") + " by " + strings.Join(c.Rules, ", ")
	}
	if len(c.Messages) > 0 {
		text += " (" + strings.Join(c.Messages, "; ") + ")"
	}
	return text
}
