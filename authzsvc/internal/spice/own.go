package spice

import (
	"context"
	"encoding/json"
	"regexp"
	"slices"
	"strings"

	caveattypes "github.com/authzed/spicedb/pkg/caveats/types"
	core "github.com/authzed/spicedb/pkg/proto/core/v1"
	typesystem "github.com/authzed/spicedb/pkg/schema"
	"github.com/authzed/spicedb/pkg/schemadsl/compiler"
	"github.com/authzed/spicedb/pkg/schemadsl/generator"

	"nexus/internal/errs"
	"nexus/schema"
)

// Limits of what one tenant defines.
const (
	MaxTypes     = 50
	MaxRelations = 200      // stored ones, of all types
	MaxText      = 64 << 10 // bytes
	maxWeight    = 1000     // stored relations and arrows that one permission looks at on one object
	header       = "use expiration\nuse self\n\n"
)

// OwnRules say what tenants may define beyond types.
type OwnRules struct {
	Caveats bool // conditions on relationships
}

// Own is what a tenant defines, compiled and checked: nothing in it reaches beyond the tenant and the product's people. Names
// are the tenant's own.
type Own struct {
	Types   []OwnType
	Caveats []OwnCaveat
}

// OwnType is one type of a tenant.
type OwnType struct {
	Name        string
	Text        string
	Relations   []string // stored
	Permissions []string // computed
	Config      json.RawMessage
	def         *core.NamespaceDefinition
}

// OwnCaveat is one caveat of a tenant.
type OwnCaveat struct {
	Name, Text string
	def        *core.CaveatDefinition
}

// CompileOwn compiles the definitions of a tenant, all there are to be, and refuses with errs.Invalid, for the author to
// read, what no tenant may define: a name of the product's, a reference to another tenant, a wildcard, a subject that is
// neither the tenant's own nor one of schema.Admitted, a permission that is defined by itself, what goes over a limit.
func (p *Product) CompileOwn(ctx context.Context, text string, rules OwnRules) (*Own, error) {
	if len(text) > MaxText {
		return nil, wrong("a tenant's definitions take at most %d bytes, these take %d", MaxText, len(text))
	}
	compiled, err := compile(text)
	if err != nil {
		return nil, err
	}
	c := ownCheck{product: p.compiled, compiled: compiled, rules: rules}
	if err := c.check(ctx); err != nil {
		return nil, err
	}
	return c.own()
}

func wrong(format string, args ...any) error {
	return errs.New(errs.Invalid, format, args...).Marked(errs.NotValid)
}

// ownCheck looks at the definitions of one tenant.
type ownCheck struct {
	product  *compiler.CompiledSchema
	compiled *compiler.CompiledSchema
	rules    OwnRules
}

func (c *ownCheck) check(ctx context.Context) error {
	if n := len(c.compiled.ObjectDefinitions); n > MaxTypes {
		return wrong("a tenant defines at most %d types, not %d", MaxTypes, n)
	}
	if len(c.compiled.CaveatDefinitions) > 0 && !c.rules.Caveats {
		return wrong("caveats are not allowed on this server")
	}
	for _, rule := range c.compiled.CaveatDefinitions {
		if err := c.mayBeCalled(rule.GetName()); err != nil {
			return err
		}
	}
	stored := 0
	for _, def := range c.compiled.ObjectDefinitions {
		if err := c.mayBeCalled(def.GetName()); err != nil {
			return err
		}
		n, err := c.relations(def)
		if err != nil {
			return err
		}
		stored += n
	}
	if stored > MaxRelations {
		return wrong("a tenant's types have at most %d relations, not %d", MaxRelations, stored)
	}
	return c.typeCheck(ctx)
}

// nameForm is what names of types, relations, permissions and caveats look like.
var nameForm = regexp.MustCompile(`^[a-z][a-z0-9_]{1,61}[a-z0-9]$`)

// words are those of the language, which name nothing.
var words = []string{"definition", "caveat", "relation", "permission", "nil", "with", "use", "self", "expiration", "partial", "import", "any", "all", "and"}

func called(what, name string) error {
	if !nameForm.MatchString(name) {
		return wrong("%s %q: a name has 3 to 63 of a-z, 0-9 and _, and begins with a letter", what, name)
	}
	if slices.Contains(words, name) {
		return wrong("%s %q: the language has that word for itself", what, name)
	}
	return nil
}

func (c *ownCheck) mayBeCalled(name string) error {
	if strings.Contains(name, "/") {
		return wrong("%q: a tenant's names have no slash", name)
	}
	if err := called("definition", name); err != nil {
		return err
	}
	if schema.Reserved(name) {
		return wrong("%q is a type of the product and cannot be defined by a tenant", name)
	}
	return nil
}

// relations checks the relations and permissions of def, and returns how many are stored.
func (c *ownCheck) relations(def *core.NamespaceDefinition) (stored int, err error) {
	for _, r := range def.GetRelation() {
		if err := called(def.GetName(), r.GetName()); err != nil {
			return 0, err
		}
		if r.GetUsersetRewrite() != nil {
			continue
		}
		stored++
		for _, a := range r.GetTypeInformation().GetAllowedDirectRelations() {
			if err := c.mayAdmit(a); err != nil {
				return 0, wrong("%s#%s: %s", def.GetName(), r.GetName(), errs.From(err).Text)
			}
		}
	}
	w := weights{def: def, known: map[string]int{}}
	return stored, w.check()
}

// mayAdmit refuses a kind of subject that no relation of a tenant's may admit.
func (c *ownCheck) mayAdmit(a *core.AllowedRelation) error {
	typ := a.GetNamespace()
	if a.GetPublicWildcard() != nil {
		return wrong("%s:* would be everybody; name [group, NAME, member] instead", typ)
	}
	if rule := a.GetRequiredCaveat().GetCaveatName(); rule != "" && !c.hasCaveat(rule) {
		return wrong("there is no caveat %q", rule)
	}
	if c.has(typ) {
		return nil
	}
	subject := typ
	if set := a.GetRelation(); set != "..." {
		subject += "#" + set
	}
	if slices.Contains(schema.Admitted, subject) {
		return nil
	}
	if strings.Contains(typ, "/") {
		return wrong("%q: a tenant's names have no slash", typ)
	}
	return wrong("%s is neither a type that you define nor one of %s", subject, strings.Join(schema.Admitted, ", "))
}

func (c *ownCheck) has(typ string) bool {
	return slices.ContainsFunc(c.compiled.ObjectDefinitions, func(d *core.NamespaceDefinition) bool { return d.GetName() == typ })
}

func (c *ownCheck) hasCaveat(name string) bool {
	return slices.ContainsFunc(c.compiled.CaveatDefinitions, func(d *core.CaveatDefinition) bool { return d.GetName() == name })
}

// typeCheck holds the definitions against each other and against the product's.
func (c *ownCheck) typeCheck(ctx context.Context) error {
	both := &compiler.CompiledSchema{
		ObjectDefinitions: slices.Concat(c.product.ObjectDefinitions, c.compiled.ObjectDefinitions),
		CaveatDefinitions: slices.Concat(c.product.CaveatDefinitions, c.compiled.CaveatDefinitions),
	}
	ts := typesystem.NewTypeSystem(typesystem.ResolverForCompiledSchema(both))
	for _, def := range c.compiled.ObjectDefinitions {
		if _, err := ts.GetValidatedDefinition(ctx, def.GetName()); err != nil {
			return invalidSchema(err)
		}
	}
	return nil
}

func (c *ownCheck) own() (*Own, error) {
	o := &Own{}
	for _, def := range c.compiled.ObjectDefinitions {
		t := OwnType{Name: def.GetName(), def: def, Config: configOf(def)}
		for _, r := range def.GetRelation() {
			if r.GetUsersetRewrite() == nil {
				t.Relations = append(t.Relations, r.GetName())
			} else {
				t.Permissions = append(t.Permissions, r.GetName())
			}
		}
		var err error
		if t.Text, _, err = generator.GenerateSource(def, caveattypes.Default.TypeSet); err != nil {
			return nil, invalidSchema(err)
		}
		o.Types = append(o.Types, t)
	}
	for _, rule := range c.compiled.CaveatDefinitions {
		text, _, err := generator.GenerateCaveatSource(rule, caveattypes.Default.TypeSet)
		if err != nil {
			return nil, invalidSchema(err)
		}
		o.Caveats = append(o.Caveats, OwnCaveat{rule.GetName(), text, rule})
	}
	slices.SortFunc(o.Types, func(a, b OwnType) int { return strings.Compare(a.Name, b.Name) })
	slices.SortFunc(o.Caveats, func(a, b OwnCaveat) int { return strings.Compare(a.Name, b.Name) })
	return o, nil
}

// Join returns the text of several definitions together.
func Join(texts []string) string {
	if len(texts) == 0 {
		return ""
	}
	return header + strings.Join(texts, "\n\n") + "\n"
}

// Behind returns the definitions by their names in the engine, which stand behind prefix.
func (o *Own) Behind(prefix string) ([]*core.NamespaceDefinition, []*core.CaveatDefinition) {
	mine := map[string]bool{}
	for _, t := range o.Types {
		mine[t.Name] = true
	}
	full := func(name string) string {
		if mine[name] {
			return prefix + "/" + name
		}
		return name
	}
	var objects []*core.NamespaceDefinition
	for _, t := range o.Types {
		def := aliased(t.def.CloneVT())
		def.Name = full(def.GetName())
		for _, r := range def.GetRelation() {
			for _, a := range r.GetTypeInformation().GetAllowedDirectRelations() {
				a.Namespace = full(a.GetNamespace())
				if a.GetRequiredCaveat() != nil {
					a.RequiredCaveat.CaveatName = prefix + "/" + a.GetRequiredCaveat().GetCaveatName()
				}
			}
		}
		objects = append(objects, def)
	}
	var caveats []*core.CaveatDefinition
	for _, c := range o.Caveats {
		rule := c.def.CloneVT()
		rule.Name = prefix + "/" + rule.GetName()
		caveats = append(caveats, rule)
	}
	return objects, caveats
}

// weights finds out how much a permission makes the engine look at, and whether one is defined by itself.
type weights struct {
	def   *core.NamespaceDefinition
	known map[string]int // -1 while it is being found out
}

func (w *weights) check() error {
	for _, r := range w.def.GetRelation() {
		if _, err := w.of(r.GetName()); err != nil {
			return err
		}
	}
	return nil
}

func (w *weights) of(name string) (int, error) {
	if n, ok := w.known[name]; ok {
		if n < 0 {
			return 0, wrong("%s#%s is defined by itself", w.def.GetName(), name)
		}
		return n, nil
	}
	i := slices.IndexFunc(w.def.GetRelation(), func(r *core.Relation) bool { return r.GetName() == name })
	if i < 0 || w.def.GetRelation()[i].GetUsersetRewrite() == nil {
		return 1, nil
	}
	w.known[name] = -1
	n, err := w.sum(w.def.GetRelation()[i].GetUsersetRewrite())
	if err != nil {
		return 0, err
	}
	if n > maxWeight {
		return 0, wrong("%s#%s makes the engine look at more than %d relations", w.def.GetName(), name, maxWeight)
	}
	w.known[name] = n
	return n, nil
}

func (w *weights) sum(rewrite *core.UsersetRewrite) (total int, err error) {
	for _, child := range children(rewrite) {
		n := 1
		switch c := child.GetChildType().(type) {
		case *core.SetOperation_Child_ComputedUserset:
			n, err = w.of(c.ComputedUserset.GetRelation())
		case *core.SetOperation_Child_UsersetRewrite:
			n, err = w.sum(c.UsersetRewrite)
		}
		if err != nil {
			return 0, err
		}
		total += n
	}
	return total, nil
}
