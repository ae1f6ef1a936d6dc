// Package trial runs schemas in memory: against the relationships and expectations of a file, or against one another. It reads
// no store, and nothing that it says is a decision. To try something new, make a bench with the schema and the relationships
// and ask that.
package trial

import (
	"context"
	"regexp"
	"slices"
	"strings"

	"github.com/authzed/spicedb/pkg/development"
	devinterface "github.com/authzed/spicedb/pkg/proto/developer/v1"
	"github.com/authzed/spicedb/pkg/tuple"
	"github.com/authzed/spicedb/pkg/validationfile"
	"github.com/authzed/spicedb/pkg/validationfile/blocks"

	"nexus/authzsvc/internal/spice"
	"nexus/internal/errs"
	"nexus/schema"
)

// Report is what became of a file's expectations.
type Report struct {
	Asserted int       // checks
	Expected int       // lists of who has a permission
	Failures []Failure // in order of lines
}

// Failure is an expectation that does not hold.
type Failure struct {
	Line int // in the file; 0: unknown
	Text string
}

// Run holds a schema against the expectations of a file in SpiceDB's validation format: the one that stands in the file or in
// the file that it names, which open reads. A schema that defines no type of the product's is a tenant's: it is held against
// the rules for those first, and then runs beside the product's. errs.Invalid says what keeps the file from being run.
func Run(ctx context.Context, product *spice.Product, file []byte, open func(name string) ([]byte, error)) (*Report, error) {
	f, err := validationfile.DecodeValidationFile(file)
	if err != nil {
		return nil, errs.New(errs.Invalid, "not a validation file: %s", firstLine(err))
	}
	text := f.Schema.Schema
	if f.SchemaFile != "" {
		read, err := open(f.SchemaFile)
		if err != nil {
			return nil, errs.New(errs.Invalid, "schemaFile %s cannot be read", f.SchemaFile).Because(err)
		}
		text = string(read)
	}
	if text, err = Whole(ctx, product, text); err != nil {
		return nil, err
	}
	f.Schema.Schema, f.SchemaFile = text, ""
	b, wrong, err := newBench(ctx, f)
	if err != nil {
		return nil, err
	}
	if len(wrong) > 0 {
		return nil, errs.New(errs.Invalid, "%s", joined(wrong))
	}
	defer b.DevContext.Dispose()
	return b.judge(f)
}

// uses are the lines that turn on parts of the language.
var uses = regexp.MustCompile(`(?m)^[ \t]*use [a-z]+[ \t]*\r?\n`)

// Whole returns the schema that text is a part of: itself where it defines types of the product's, else the product's with
// text beside it. errs.Invalid says what is wrong with it.
func Whole(ctx context.Context, product *spice.Product, text string) (string, error) {
	kinds, err := spice.Vocabulary(text)
	if err != nil {
		return "", err
	}
	if slices.ContainsFunc(kinds, func(k schema.Kind) bool { return slices.Contains(schema.Definitions(), k.Type) }) {
		_, err := spice.CompileProduct(ctx, text)
		return text, err
	}
	if _, err := product.CompileOwn(ctx, text, spice.OwnRules{Caveats: true}); err != nil {
		return "", err
	}
	return spice.Join([]string{uses.ReplaceAllString(text, ""), uses.ReplaceAllString(product.Text, "")}), nil
}

// bench is a schema with relationships, in memory.
type bench struct{ *development.YAMLDevContext }

// newBench returns a bench of what f holds, or why there can be none.
func newBench(ctx context.Context, f *validationfile.ValidationFile) (*bench, []Failure, error) {
	made, wrong, err := development.NewDevContextForValidationFile(ctx, f, development.WithDisableImports())
	if err != nil {
		return nil, nil, errs.New(errs.Invalid, "the schema cannot be tried: %s", firstLine(err))
	}
	if wrong != nil {
		return nil, failures(wrong.GetInputErrors()), nil
	}
	return &bench{made}, nil, nil
}

func (b *bench) judge(f *validationfile.ValidationFile) (*Report, error) {
	r := &Report{
		Asserted: len(f.Assertions.AssertTrue) + len(f.Assertions.AssertFalse) + len(f.Assertions.AssertCaveated),
		Expected: len(f.ExpectedRelations.ValidationMap),
	}
	asserted, err := development.RunAllAssertions(b.DevContext, &b.Assertions)
	if err != nil {
		return nil, errs.New(errs.Internal, "assertions cannot be run").Because(err)
	}
	_, expanded, err := development.RunValidation(b.DevContext, &b.ExpectedRelations)
	if err != nil {
		return nil, errs.New(errs.Internal, "expectations cannot be run").Because(err)
	}
	r.Failures = failures(append(asserted, expanded...))
	slices.SortStableFunc(r.Failures, func(a, b Failure) int { return a.Line - b.Line })
	return r, nil
}

func failures(found []*devinterface.DeveloperError) []Failure {
	all := make([]Failure, len(found))
	for i, e := range found {
		text := strings.TrimSpace(e.GetMessage())
		if c := e.GetContext(); c != "" && !strings.Contains(text, c) {
			text = c + ": " + text
		}
		all[i] = Failure{int(e.GetLine()), text}
	}
	return all
}

func joined(all []Failure) string {
	texts := make([]string, len(all))
	for i, f := range all {
		texts[i] = f.Text
	}
	return strings.Join(texts, "; ")
}

func firstLine(err error) string {
	text, _, _ := strings.Cut(err.Error(), "\n")
	return text
}

// relationships reads relationships from their text.
func relationships(texts []string) ([]tuple.Relationship, error) {
	all := make([]tuple.Relationship, 0, len(texts))
	for _, text := range texts {
		r, err := tuple.Parse(text)
		if err != nil {
			return nil, errs.New(errs.Invalid, "%q is not a relationship", text).Because(err)
		}
		all = append(all, r)
	}
	return all, nil
}

func fileOf(text string, rels []tuple.Relationship) *validationfile.ValidationFile {
	return &validationfile.ValidationFile{
		Schema: blocks.SchemaWithPosition{Schema: text}, Relationships: blocks.ParsedRelationships{Relationships: rels},
	}
}
