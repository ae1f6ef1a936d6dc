package ops

import (
	"context"

	"nexus/apiserver/api"
	"nexus/apiserver/op"
	"nexus/authzsvc/authz"
	"nexus/internal/ids"
	"nexus/schema"
)

func server(t *op.Table, d Deps) {
	op.Handle(t, api.Whoami,
		func(_ context.Context, who authz.Principal, _ *api.Nothing) (authz.Need[schema.AccessTenant], error) {
			return schema.Home(who).Access(), nil
		},
		func(_ context.Context, who authz.Principal, _ *api.Nothing, _ schema.AccessTenant) (api.WhoamiResult, error) {
			return api.WhoamiResult{
				Authenticated: true, SubjectType: who.Base.Type, SubjectID: schema.NameOf(who.Base),
				Tenant: ids.Plain(who.Tenant), IsAdmin: !who.Admin.IsZero(), User: user(who),
			}, nil
		})
	op.Handle(t, api.Health, public[api.Nothing], func(context.Context, authz.Principal, *api.Nothing, authz.None) (api.HealthResult, error) {
		return api.HealthResult{Status: "healthy", Service: "nexus-rpc"}, nil
	})
	op.Handle(t, api.Status, public[api.Nothing], func(context.Context, authz.Principal, *api.Nothing, authz.None) (api.StatusResult, error) {
		return api.StatusResult{
			Status: "running", Service: "nexus-rpc", Version: d.Info.Version, Methods: methods(t),
			Backend: d.Info.Backend, MetadataStore: d.Info.Metadata, Metadata: d.Info.Metadata,
		}, nil
	})
}

func public[P any](context.Context, authz.Principal, *P) (authz.Need[authz.None], error) {
	return authz.Public(), nil
}

// user names the person behind a principal: the base, or the owner of an agent.
func user(who authz.Principal) string {
	if who.Owner.IsZero() {
		return schema.NameOf(who.Base)
	}
	return schema.NameOf(who.Owner)
}

func methods(t *op.Table) []string {
	var all []string
	for _, o := range t.All() {
		if o.Method != "" {
			all = append(all, o.Method)
		}
		all = append(all, o.Aliases...)
	}
	return all
}
