package authzsvc

import (
	"context"
	"encoding/json"
	"slices"

	"nexus/authzsvc/authz"
	"nexus/authzsvc/internal/spice"
	"nexus/authzsvc/internal/sqlds"
	"nexus/authzsvc/relations"
	"nexus/internal/errs"
	"nexus/internal/sqldb"
	"nexus/schema"
)

// putProduct puts text in force as the product's schema, unless it is already: then nothing is written and the head stays
// where it is. Tenants' definitions stay as they are; none is compiled here, so none can keep the server from starting. It
// refuses with errs.Precondition a text without something that relationships use.
func (s *Service) putProduct(ctx context.Context, text string) (err error) {
	if s.product, err = spice.CompileProduct(ctx, text); err != nil {
		return err
	}
	objects, caveats := s.product.Definitions()
	defs := sqlds.Definitions{Objects: objects, Caveats: caveats, Text: text}
	if same, err := s.store.InForce(ctx, sqlds.Owner{}, defs); same || err != nil {
		return err
	}
	return s.config.Database.Tx(ctx, func(ctx context.Context, tx sqldb.Tx) error {
		return s.store.Define(ctx, tx, sqlds.Owner{}, defs)
	})
}

// defined tells the cache which tenant's definitions change.
func (s *Service) defined(rev relations.Revision, tenant string) {
	if s.cache != nil {
		s.cache.Defined(rev, tenant)
	}
}

// Definer returns the compiler of tenants' definitions.
func (s *Service) Definer() relations.Definer { return definer{s} }

type definer struct{ s *Service }

func (definer) Translate(objectType string, config json.RawMessage) (string, error) {
	return spice.Translate(objectType, config)
}

func (definer) Join(texts []string) string { return spice.Join(texts) }

func (d definer) Compile(ctx context.Context, text string) (relations.Draft, error) {
	own, err := d.s.product.CompileOwn(ctx, text, spice.OwnRules{Caveats: d.s.config.Caveats})
	if err != nil {
		return nil, err
	}
	return draft{own}, nil
}

func (d definer) Define(ctx context.Context, tx sqldb.Tx, tenant string, number int64, made relations.Draft) error {
	own, ok := made.(draft)
	if !ok {
		return errs.Bug("a draft that was not compiled here")
	}
	prefix := schema.Prefix(number)
	objects, caveats := own.Behind(prefix)
	return d.s.store.Define(ctx, tx, sqlds.Owner{Prefix: prefix, Tenant: tenant}, sqlds.Definitions{Objects: objects, Caveats: caveats})
}

// draft is a tenant's definitions in the words of package relations.
type draft struct{ *spice.Own }

func (d draft) Definitions() []relations.Definition {
	var all []relations.Definition
	for _, c := range d.Caveats {
		all = append(all, relations.Definition{Name: c.Name, Caveat: true, Text: c.Text})
	}
	for _, t := range d.Types {
		all = append(all, relations.Definition{
			Name: t.Name, Text: t.Text, Config: t.Config,
			Kind: schema.Kind{Type: t.Name, Relations: t.Relations, Permissions: t.Permissions},
		})
	}
	return all
}

// Lacks returns what a product's schema lacks of what operations need: errs.Precondition, naming the first operation that
// asks for what is not there. needs holds the checks of each operation.
func Lacks(ctx context.Context, text string, operations []string, needs map[string][]authz.Check) error {
	product, err := spice.CompileProduct(ctx, text)
	if err != nil {
		return err
	}
	slices.Sort(operations)
	for _, operation := range operations {
		for _, c := range needs[operation] {
			if !product.Has(c.Type, c.Permission) {
				return errs.New(errs.Precondition, "operation %s needs permission %s of %s, which the schema does not have", operation, c.Permission, c.Type)
			}
		}
	}
	return nil
}
