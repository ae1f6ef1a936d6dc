package ops

import (
	"context"
	"encoding/json"

	"nexus/apiserver/api"
	"nexus/apiserver/op"
	"nexus/authzsvc/authz"
	"nexus/schema"
)

func record(t *op.Table, d Deps) {
	op.Handle(t, api.Decisions,
		func(_ context.Context, who authz.Principal, _ *api.DecisionsParams) (authz.Need[schema.ReadAuditTenant], error) {
			return schema.Home(who).ReadAudit(), nil
		},
		func(ctx context.Context, who authz.Principal, p *api.DecisionsParams, g schema.ReadAuditTenant) (api.DecisionsResult, error) {
			found, err := d.Record.Decisions(ctx, g, who.Tenant, *p)
			if found == nil {
				found = []json.RawMessage{}
			}
			return api.DecisionsResult{Decisions: found}, err
		})
	op.Handle(t, api.ExplainDecision,
		func(_ context.Context, who authz.Principal, _ *api.ExplainDecisionParams) (authz.Need[schema.ReadAuditTenant], error) {
			return schema.Home(who).ReadAudit(), nil
		},
		func(ctx context.Context, who authz.Principal, p *api.ExplainDecisionParams, g schema.ReadAuditTenant) (*api.DecisionExplained, error) {
			return d.Record.Explain(ctx, g, who.Tenant, p.ID)
		})
}
