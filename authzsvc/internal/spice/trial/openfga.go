package trial

import (
	"bytes"
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/authzed/spicedb/pkg/tuple"
	"github.com/authzed/spicedb/pkg/validationfile"
	"github.com/authzed/spicedb/pkg/validationfile/blocks"
	"go.yaml.in/yaml/v3"

	"nexus/authzsvc/internal/spice"
	"nexus/internal/errs"
	"nexus/internal/ids"
)

// fgaFile is what is read of an OpenFGA test file. Its model is not: the tests are of the schema at hand. A member that is not
// here is refused, so that no expectation is passed over.
type fgaFile struct {
	Name      string     `yaml:"name"`
	Model     yaml.Node  `yaml:"model"`
	ModelFile string     `yaml:"model_file"`
	Tuples    []fgaTuple `yaml:"tuples"`
	Tests     []fgaTest  `yaml:"tests"`
}

type fgaTuple struct {
	User     string `yaml:"user"`
	Relation string `yaml:"relation"`
	Object   string `yaml:"object"`
}

type fgaTest struct {
	Name        string     `yaml:"name"`
	Description string     `yaml:"description"`
	Tuples      []fgaTuple `yaml:"tuples"`
	Check       []fgaCheck `yaml:"check"`
	ListObjects []fgaList  `yaml:"list_objects"`
}

type fgaCheck struct {
	User       string          `yaml:"user"`
	Object     string          `yaml:"object"`
	Assertions map[string]bool `yaml:"assertions"`
}

type fgaList struct {
	User       string              `yaml:"user"`
	Type       string              `yaml:"type"`
	Assertions map[string][]string `yaml:"assertions"`
}

// RunOpenFGA holds a schema against the tuples, checks and list_objects of an OpenFGA test file. Types and relations must have
// the same names in both; a tuple of a relation that the schema computes goes to the one called direct_ and that name.
// Conditions, wildcards, contextual tuples and list_users are refused with errs.Invalid, and so is what the schema has no
// place for. A list counts only objects that the file's tuples name.
func RunOpenFGA(ctx context.Context, product *spice.Product, text string, file []byte) (*Report, error) {
	var f fgaFile
	dec := yaml.NewDecoder(bytes.NewReader(file))
	dec.KnownFields(true)
	if err := dec.Decode(&f); err != nil {
		return nil, errs.New(errs.Invalid, "not an OpenFGA test file that can be run: %s", strings.ReplaceAll(err.Error(), "\n", " "))
	}
	whole, err := Whole(ctx, product, text)
	if err != nil {
		return nil, err
	}
	all := &Report{}
	for _, t := range f.Tests {
		r, err := runFGA(ctx, whole, slices.Concat(f.Tuples, t.Tuples), t)
		if err != nil {
			return nil, err
		}
		all.Asserted += r.Asserted
		for _, failed := range r.Failures {
			all.Failures = append(all.Failures, Failure{Text: t.Name + ": " + failed.Text})
		}
	}
	return all, nil
}

func runFGA(ctx context.Context, whole string, tuples []fgaTuple, t fgaTest) (*Report, error) {
	stored, err := storedIn(whole)
	if err != nil {
		return nil, err
	}
	var rels []tuple.Relationship
	for _, one := range tuples {
		r, err := fgaRelationship(one.Object, one.Relation, one.User, stored)
		if err != nil {
			return nil, err
		}
		rels = append(rels, r)
	}
	f := fileOf(whole, rels)
	if err := expectFGA(f, t, tuples); err != nil {
		return nil, err
	}
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

// expectFGA gives f what a test expects.
func expectFGA(f *validationfile.ValidationFile, t fgaTest, tuples []fgaTuple) error {
	expect := func(object, relation, user string, held bool) error {
		r, err := fgaRelationship(object, relation, user, nil)
		if err != nil {
			return err
		}
		a := blocks.Assertion{RelationshipWithContextString: tuple.StringWithoutCaveatOrExpiration(r), Relationship: r}
		if held {
			f.Assertions.AssertTrue = append(f.Assertions.AssertTrue, a)
		} else {
			f.Assertions.AssertFalse = append(f.Assertions.AssertFalse, a)
		}
		return nil
	}
	for _, c := range t.Check {
		for _, relation := range slices.Sorted(maps.Keys(c.Assertions)) {
			if err := expect(c.Object, relation, c.User, c.Assertions[relation]); err != nil {
				return err
			}
		}
	}
	for _, l := range t.ListObjects {
		for _, relation := range slices.Sorted(maps.Keys(l.Assertions)) {
			for _, object := range objectsIn(l.Type, l.Assertions[relation], tuples) {
				if err := expect(object, relation, l.User, slices.Contains(l.Assertions[relation], object)); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// objectsIn returns the objects of a type that a list or tuples name.
func objectsIn(typ string, listed []string, tuples []fgaTuple) []string {
	all := slices.Clone(listed)
	for _, t := range tuples {
		if strings.HasPrefix(t.Object, typ+":") {
			all = append(all, t.Object)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// storedIn returns the relations that are stored, as type#relation.
func storedIn(whole string) (map[string]bool, error) {
	kinds, err := spice.Vocabulary(whole)
	if err != nil {
		return nil, err
	}
	stored := map[string]bool{}
	for _, k := range kinds {
		for _, r := range k.Relations {
			stored[k.Type+"#"+r] = true
		}
	}
	return stored, nil
}

// fgaRelationship returns a tuple, or a question, as a relationship. stored says where tuples can go; nil for a question.
func fgaRelationship(object, relation, user string, stored map[string]bool) (r tuple.Relationship, err error) {
	resource, set, err := fgaObject(object)
	if err == nil && set != "" {
		err = errs.New(errs.Invalid, "%q is not an object", object)
	}
	if err != nil {
		return r, err
	}
	if typ := resource.ObjectType; stored != nil && !stored[typ+"#"+relation] && stored[typ+"#direct_"+relation] {
		relation = "direct_" + relation
	}
	subject, set, err := fgaObject(user)
	if err != nil {
		return r, err
	}
	resource.Relation, subject.Relation = relation, tuple.Ellipsis
	if set != "" {
		subject.Relation = set
	}
	return tuple.Relationship{RelationshipReference: tuple.RelationshipReference{Resource: resource, Subject: subject}}, nil
}

// fgaObject reads type:id, or type:id#relation.
func fgaObject(text string) (o tuple.ObjectAndRelation, set string, err error) {
	typ, id, ok := strings.Cut(text, ":")
	id, set, _ = strings.Cut(id, "#")
	if !ok || typ == "" || id == "" {
		return o, "", errs.New(errs.Invalid, "%q is not type:id", text)
	}
	if id == "*" {
		return o, "", errs.New(errs.Invalid, "%s would be everybody; there are no wildcards", text)
	}
	return tuple.ObjectAndRelation{ObjectType: typ, ObjectID: ids.Quote(id)}, set, nil
}
