package ops

import (
	"context"

	"nexus/apiserver/api"
	"nexus/apiserver/op"
	"nexus/authzsvc/authz"
	"nexus/schema"
)

// Policies are the rules beside the relations. Each method takes the grant of who administers the platform.
type Policies interface {
	Read(ctx context.Context, g schema.AdministerPlatform) (api.Policy, error)
	Put(ctx context.Context, g schema.AdministerPlatform, p *api.PutPolicyParams) (api.PutPolicyResult, error)
	Rehearse(ctx context.Context, g schema.AdministerPlatform, p *api.RehearsePolicyParams) (api.Rehearsal, error)
}

func policies(t *op.Table, d Deps) {
	op.Handle(t, api.ReadPolicy, governing[api.Nothing], func(ctx context.Context, _ authz.Principal, _ *api.Nothing, g schema.AdministerPlatform) (api.Policy, error) {
		return d.Policies.Read(ctx, g)
	})
	op.Handle(t, api.PutPolicy, governing[api.PutPolicyParams], func(ctx context.Context, _ authz.Principal, p *api.PutPolicyParams, g schema.AdministerPlatform) (api.PutPolicyResult, error) {
		return d.Policies.Put(ctx, g, p)
	})
	op.Handle(t, api.RehearsePolicy, governing[api.RehearsePolicyParams], func(ctx context.Context, _ authz.Principal, p *api.RehearsePolicyParams, g schema.AdministerPlatform) (api.Rehearsal, error) {
		return d.Policies.Rehearse(ctx, g, p)
	})
}

// governing is the need to administer the platform.
func governing[P any](context.Context, authz.Principal, *P) (authz.Need[schema.AdministerPlatform], error) {
	return schema.ThePlatform.Administer(), nil
}
