package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"nexus/apiserver/api"
	"nexus/apiserver/client"
	"nexus/authzsvc"
	"nexus/internal/errs"
	"nexus/internal/ids"
	"nexus/schema"
)

func (a *app) schema() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "schema",
		Short: "Show, test, compare and write the types that your tenant defines",
		Long: `A tenant defines types of its own beside those of the product, in SpiceDB's language. Test a schema before it is
written: nexus schema test runs files in SpiceDB's validation format, without a server.`,
		Example: "  nexus schema show > mine.zed\n  nexus schema test --schema mine.zed tests/*.yaml\n  nexus schema diff mine.zed --effects\n  nexus schema write mine.zed",
	}
	cmd.AddCommand(a.schemaShow(), a.schemaTest(), a.schemaDiff(), a.schemaWrite())
	return cmd
}

func (a *app) schemaShow() *cobra.Command {
	var product bool
	cmd := &cobra.Command{
		Use: "show", Short: "Print the definitions of your tenant", Args: cobra.NoArgs,
		Example: "  nexus schema show > mine.zed\n  nexus schema show --product",
	}
	cmd.Flags().BoolVar(&product, "product", false, "print the product's instead")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		s, err := a.readSchema(cmd.Context())
		if err != nil {
			return err
		}
		if a.json {
			return a.print(s)
		}
		text := s.Schema
		if product {
			text = s.Product
		}
		_, err = io.WriteString(a.Out, text)
		return err
	}
	return cmd
}

func (a *app) readSchema(ctx context.Context) (s api.Schema, err error) {
	c, err := a.client()
	if err != nil {
		return s, err
	}
	return client.Call(ctx, c, api.ReadSchema, api.Nothing{})
}

// source returns the text of a file, or of the input for "-".
func (a *app) source(path string) (string, error) {
	if path == "-" {
		text, err := io.ReadAll(a.In)
		return string(text), err
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return "", errs.New(errs.Invalid, "%s cannot be read", path).Because(err)
	}
	return string(text), nil
}

func (a *app) schemaWrite() *cobra.Command {
	var dry bool
	cmd := &cobra.Command{
		Use:   "write FILE",
		Short: "Make a file all that your tenant defines",
		Long: `Make FILE, or the input for -, all that your tenant defines: what it does not define is deleted. What would leave
relationships behind is refused.`,
		Example: "  nexus schema write mine.zed --dry-run\n  nexus schema write mine.zed",
		Args:    cobra.ExactArgs(1),
	}
	cmd.Flags().BoolVar(&dry, "dry-run", false, "only tell whether it could be written")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		text, err := a.source(args[0])
		if err != nil {
			return err
		}
		c, err := a.client()
		if err != nil {
			return err
		}
		r, err := client.Call(cmd.Context(), c, api.WriteSchema, api.WriteSchemaParams{Schema: text, DryRun: dry})
		if err != nil {
			return err
		}
		if a.json {
			return a.print(r)
		}
		said := "written"
		if dry {
			said = "can be written"
		}
		_, err = fmt.Fprintln(a.Out, said)
		return err
	}
	return cmd
}

func (a *app) schemaTest() *cobra.Command {
	var against string
	cmd := &cobra.Command{
		Use:   "test FILE…",
		Short: "Run validation files: a schema, relationships, and what must follow from them",
		Long: `Run files in SpiceDB's validation format (schema or schemaFile, relationships, assertions, validation), without a
server. A schema that defines no type of the product's is a tenant's: it is held against the rules for those, and runs
beside the product's.

Files called *.fga.yaml are OpenFGA tests: their tuples, checks and list_objects are held against --schema, whose types and
relations must have the same names; a tuple of a relation that the schema computes goes to direct_ and that name. Their model
is not looked at, and conditions, wildcards and list_users are refused.

The exit status is 1 when anything does not hold.`,
		Example: "  nexus schema test tests/*.yaml\n  nexus schema test --schema mine.zed store.fga.yaml",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			all := make([]tested, len(args))
			failed := false
			for i, path := range args {
				all[i] = a.testSchema(cmd.Context(), path, against)
				failed = failed || len(all[i].Failures) > 0
			}
			if err := a.printTested(all); err != nil {
				return err
			}
			if failed {
				return answered(errs.Internal)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&against, "schema", "", "schema that OpenFGA tests are held against")
	return cmd
}

// tested is what became of one validation file.
type tested struct {
	File     string    `json:"file"`
	Checks   int       `json:"checks"`
	Lists    int       `json:"lists"`
	Failures []failure `json:"failures"`
}

type failure struct {
	Line int    `json:"line,omitempty"`
	Text string `json:"text"`
}

func (a *app) testSchema(ctx context.Context, path, against string) tested {
	t := tested{File: path, Failures: []failure{}}
	r, err := a.runSchemaTest(ctx, path, against)
	if err != nil {
		t.Failures = append(t.Failures, failure{Text: describe(err)})
		return t
	}
	t.Checks, t.Lists = r.Asserted, r.Expected
	for _, f := range r.Failures {
		t.Failures = append(t.Failures, failure{f.Line, f.Text})
	}
	if t.Checks+t.Lists == 0 {
		t.Failures = append(t.Failures, failure{Text: "the file expects nothing"})
	}
	return t
}

func (a *app) runSchemaTest(ctx context.Context, path, against string) (*authzsvc.SchemaReport, error) {
	file, err := a.source(path)
	if err != nil {
		return nil, err
	}
	if !strings.HasSuffix(path, ".fga.yaml") {
		return authzsvc.TestSchema(ctx, []byte(file), func(name string) ([]byte, error) {
			return os.ReadFile(filepath.Join(filepath.Dir(path), name))
		})
	}
	if against == "" {
		return nil, errs.New(errs.Invalid, "an OpenFGA test needs --schema: its own model is not looked at")
	}
	text, err := a.source(against)
	if err != nil {
		return nil, err
	}
	return authzsvc.TestOpenFGA(ctx, text, []byte(file))
}

func (a *app) printTested(all []tested) error {
	if a.json {
		return a.print(all)
	}
	for _, t := range all {
		if len(t.Failures) == 0 {
			fmt.Fprintf(a.Out, "ok    %s: %d checks, %d lists\n", t.File, t.Checks, t.Lists)
			continue
		}
		fmt.Fprintf(a.Out, "FAIL  %s\n", t.File)
		for _, f := range t.Failures {
			at := ""
			if f.Line > 0 {
				at = fmt.Sprintf("line %d: ", f.Line)
			}
			fmt.Fprintf(a.Out, "      %s%s\n", at, f.Text)
		}
	}
	return nil
}

func (a *app) schemaDiff() *cobra.Command {
	var effects bool
	cmd := &cobra.Command{
		Use:   "diff FILE",
		Short: "Show what would change if a file were written",
		Long: `Compare FILE, or the input for -, with what your tenant defines: definitions, relations and permissions that would
come (+), go (-) or change (~). With --effects also who would gain and who would lose what, over the relationships that
are stored; that needs the right to list them all. The exit status is 0, differences or not.`,
		Example: "  nexus schema diff mine.zed --effects",
		Args:    cobra.ExactArgs(1),
	}
	cmd.Flags().BoolVar(&effects, "effects", false, "show who would gain and lose what")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		text, err := a.source(args[0])
		if err != nil {
			return err
		}
		now, err := a.readSchema(cmd.Context())
		if err != nil {
			return err
		}
		d := difference{}
		if d.Changes, err = authzsvc.DiffSchemas(cmd.Context(), now.Schema, text); err != nil {
			return err
		}
		if effects {
			if err := a.effects(cmd.Context(), now.Schema, text, &d); err != nil {
				return err
			}
		}
		return a.printDifference(d)
	}
	return cmd
}

// difference is what would change.
type difference struct {
	Changes []authzsvc.SchemaChange `json:"changes"`
	Effects []authzsvc.SchemaEffect `json:"effects,omitempty"`
	Orphans []string                `json:"orphans,omitempty"`
	// Conditional is how many relationships were left out, because nobody can say whether their condition holds.
	Conditional int `json:"conditional,omitempty"`
}

func (a *app) printDifference(d difference) error {
	if a.json {
		return a.print(d)
	}
	for _, c := range d.Changes {
		fmt.Fprintln(a.Out, c)
	}
	for _, e := range d.Effects {
		verb := "loses"
		if e.Gained {
			verb = "gains"
		}
		fmt.Fprintf(a.Out, "%s %s %s of %s\n", plainly(e.Subject), verb, e.Permission, plainly(e.Object))
	}
	for _, o := range d.Orphans {
		fmt.Fprintf(a.Out, "%s is stored and would have no place: the file cannot be written while it is\n", o)
	}
	if d.Conditional > 0 {
		fmt.Fprintf(a.Out, "%d relationships hold under a condition and were left out\n", d.Conditional)
	}
	return nil
}

// plainly returns the name behind a quoted one, as type:name.
func plainly(quoted string) string {
	typ, id, _ := strings.Cut(quoted, ":")
	return typ + ":" + ids.Plain(id)
}

// effects finds out who would gain and who would lose what over the relationships that are stored.
func (a *app) effects(ctx context.Context, before, after string, d *difference) (err error) {
	c, err := a.client()
	if err != nil {
		return err
	}
	var all []string
	p := api.TuplesParams{PageParams: api.PageParams{Limit: api.MaxPage}}
	for {
		list, err := client.Call(ctx, c, api.Tuples, p)
		if err != nil {
			return err
		}
		for _, t := range list.Tuples {
			switch {
			case t.ObjectType != "group" && slices.Contains(schema.Definitions(), t.ObjectType):
				// nothing that a tenant defines leads there
			case t.Caveat != "":
				d.Conditional++
			default:
				all = append(all, tupleText(t))
			}
		}
		if p.Cursor = list.Next; list.Complete {
			break
		}
	}
	d.Effects, d.Orphans, err = authzsvc.SchemaEffects(ctx, before, after, all)
	return err
}

// tupleText writes a relationship as SpiceDB does, its names quoted as ids are.
func tupleText(t api.Tuple) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s:%s#%s@%s:%s", t.ObjectType, ids.Quote(t.ObjectID), t.Relation, t.SubjectType, ids.Quote(t.SubjectID))
	if set := t.Subject.Relation(); set != "" {
		b.WriteString("#" + set)
	}
	if !t.Expires.IsZero() {
		fmt.Fprintf(&b, "[expiration:%s]", t.Expires.UTC().Format(time.RFC3339))
	}
	return b.String()
}
