package ops

import (
	"context"
	"encoding/json"
	"slices"

	"nexus/apiserver/api"
	"nexus/apiserver/op"
	"nexus/authzsvc/authz"
	"nexus/schema"
	"nexus/storage"
)

func namespaces(t *op.Table, d Deps) {
	n := namespaceOps{namespaces: d.Store.Namespaces(d.Definer), names: d.Store.Names()}
	op.Handle(t, api.CreateNamespace, administering[api.CreateNamespaceParams], n.create)
	op.Handle(t, api.DeleteNamespace, administering[api.NamespaceParams], n.delete)
	op.Handle(t, api.WriteSchema, administering[api.WriteSchemaParams], n.write)
	op.Handle(t, api.GetNamespace, entering[api.NamespaceParams], n.get)
	op.Handle(t, api.ListNamespaces, entering[api.Nothing], n.list)
	op.Handle(t, api.AvailableNamespaces, entering[api.Nothing], n.available)
	op.Handle(t, api.ReadSchema, entering[api.Nothing], n.read)
}

type namespaceOps struct {
	namespaces *storage.Namespaces
	names      storage.Names
}

// administering is the need to administer one's own tenant.
func administering[P any](_ context.Context, who authz.Principal, _ *P) (authz.Need[schema.AdministerTenant], error) {
	return schema.Home(who).Administer(), nil
}

// entering is the need for access to one's own tenant.
func entering[P any](_ context.Context, who authz.Principal, _ *P) (authz.Need[schema.AccessTenant], error) {
	return schema.Home(who).Access(), nil
}

func (n namespaceOps) create(ctx context.Context, _ authz.Principal, p *api.CreateNamespaceParams, g schema.AdministerTenant) (api.Success, error) {
	err := n.namespaces.Put(ctx, g, p.ObjectType, json.RawMessage(p.Config))
	return api.Success{Success: err == nil}, err
}

func (n namespaceOps) delete(ctx context.Context, _ authz.Principal, p *api.NamespaceParams, g schema.AdministerTenant) (bool, error) {
	return n.namespaces.Drop(ctx, g, p.ObjectType)
}

func (n namespaceOps) write(ctx context.Context, _ authz.Principal, p *api.WriteSchemaParams, g schema.AdministerTenant) (api.Success, error) {
	write := n.namespaces.Replace
	if p.DryRun {
		write = n.namespaces.Try
	}
	err := write(ctx, g, p.Schema)
	return api.Success{Success: err == nil}, err
}

func (n namespaceOps) get(ctx context.Context, _ authz.Principal, p *api.NamespaceParams, g schema.AccessTenant) (*api.Namespace, error) {
	found, err := n.namespaces.Get(ctx, g, p.ObjectType)
	if err != nil || found == nil {
		return nil, err
	}
	out := namespace(*found)
	return &out, nil
}

func (n namespaceOps) list(ctx context.Context, _ authz.Principal, _ *api.Nothing, g schema.AccessTenant) ([]api.Namespace, error) {
	found, err := n.namespaces.List(ctx, g)
	all := []api.Namespace{}
	for _, one := range found {
		all = append(all, namespace(one))
	}
	return all, err
}

func namespace(n storage.Namespace) api.Namespace {
	return api.Namespace{
		ID: n.ID, ObjectType: n.Type, Config: api.Object(n.Config), Created: api.Time{Time: n.Created}, Updated: api.Time{Time: n.Updated},
	}
}

// known are the namespaces of nexus-rpc.txt, and those of paths that its original server has.
var known = []string{"agent", "archives", "external", "file", "memory", "shared", "workspace"}

func (n namespaceOps) available(ctx context.Context, _ authz.Principal, _ *api.Nothing, g schema.AccessTenant) (api.Available, error) {
	own, err := n.namespaces.List(ctx, g)
	all := slices.Clone(known)
	for _, one := range own {
		all = append(all, one.Type)
	}
	return api.Available{Namespaces: all}, err
}

func (n namespaceOps) read(ctx context.Context, _ authz.Principal, _ *api.Nothing, g schema.AccessTenant) (api.Schema, error) {
	own, err := n.namespaces.Text(ctx, g)
	return api.Schema{Schema: own, Product: schema.Text, Digest: schema.Digest()}, err
}
