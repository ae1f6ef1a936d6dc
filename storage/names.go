package storage

import (
	"context"
	"errors"

	"nexus/authzsvc/authz"
	"nexus/authzsvc/relations"
	"nexus/internal/errs"
	"nexus/internal/paths"
	"nexus/internal/sqldb"
	"nexus/schema"
	"nexus/storage/internal/sqlstore"
)

// Names turns what requests call things into what decisions are about. It gives ids, kinds and places, and nothing that a
// decision should guard; what it returns must not reach a caller before a decision did.
type Names struct{ s *Store }

// Names returns the resolver.
func (s *Store) Names() Names { return Names{s} }

// Address returns where path, which is clean, leads in a tenant's tree. A tenant without a tree is errs.Denied: it cannot be
// told from one that the caller may not enter.
func (n Names) Address(ctx context.Context, tenant, path string) (schema.Address, error) {
	spot, err := sqlstore.Find(ctx, n.s.db, tenant, path)
	if errors.Is(err, sqldb.ErrNoRows) {
		return schema.Address{}, errs.New(errs.Denied, "permission denied: %s", path)
	}
	if err != nil {
		return schema.Address{}, err
	}
	return addressOf(spot, tenant, path), nil
}

func address(p sqlstore.Place, tenant, path string) schema.Address {
	return addressOf(p.Spot(), tenant, path)
}

func addressOf(s sqlstore.Spot, tenant, path string) schema.Address {
	return schema.Address{
		Tenant: tenant, Path: path, Anchor: s.ID, Parent: s.Parent, Folder: s.Folder, Rest: s.Rest, Reserved: s.Reserved,
	}
}

// Folder returns the address of the folder above a, which must have one: what is new in it needs rights there.
func (n Names) Folder(ctx context.Context, a schema.Address) (schema.Address, error) {
	folder, _ := paths.Split(a.Path)
	return n.Address(ctx, a.Tenant, folder)
}

// Path returns the path of a file or folder by its id, for explanations; errs.NotFound when it is gone.
func (n Names) Path(ctx context.Context, file authz.Ref) (string, error) {
	path, err := sqlstore.PathOf(ctx, n.s.db, file.ID)
	if errors.Is(err, sqldb.ErrNoRows) || err == nil && path[0] != '/' { // what was deleted has no path
		return "", errs.New(errs.NotFound, "no such file")
	}
	return path, err
}

// Tuple returns the relationship known by id in the tenant, and whether there is one.
func (n Names) Tuple(ctx context.Context, tenant, id string) (r relations.Relationship, found bool, err error) {
	t, err := sqlstore.TupleByID(ctx, n.s.db, id)
	if errors.Is(err, sqldb.ErrNoRows) || err == nil && t.Tenant != tenant {
		return relations.Relationship{}, false, nil
	}
	if err != nil {
		return relations.Relationship{}, false, err
	}
	return t.Relationship, true, nil
}

// AddressOf returns the address of a file or folder by its id; errs.NotFound when it is gone.
func (n Names) AddressOf(ctx context.Context, file authz.Ref) (schema.Address, error) {
	path, err := n.Path(ctx, file)
	if err != nil {
		return schema.Address{}, err
	}
	return n.Address(ctx, schema.TenantOf(file), path)
}

// Kind returns the type of that name that a tenant defined, and whether it defined one.
func (n Names) Kind(ctx context.Context, tenant, name string) (schema.Kind, bool, error) {
	k, err := sqlstore.KindBy(ctx, n.s.db, tenant, name)
	if errors.Is(err, sqldb.ErrNoRows) {
		return schema.Kind{}, false, nil
	}
	return k, err == nil, err
}

// Kinds returns the types that a tenant defined, by name.
func (n Names) Kinds(ctx context.Context, tenant string) ([]schema.Kind, error) {
	return sqlstore.Kinds(ctx, n.s.db, tenant)
}
