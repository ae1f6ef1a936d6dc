package ops

import (
	"context"

	"nexus/apiserver/api"
	"nexus/apiserver/op"
	"nexus/authzsvc/authz"
	"nexus/schema"
)

func backups(t *op.Table, d Deps) {
	op.Handle(t, api.StartBackup, overPlatform[api.BackupParams], func(ctx context.Context, _ authz.Principal, p *api.BackupParams, g schema.AdministerPlatform) (api.Backup, error) {
		return d.Backups.Start(ctx, g, p.ID)
	})
	op.Handle(t, api.BackupStatus, overPlatform[api.BackupParams], func(ctx context.Context, _ authz.Principal, p *api.BackupParams, g schema.AdministerPlatform) (api.Backup, error) {
		return d.Backups.Status(ctx, g, p.ID)
	})
}

// overPlatform is the need of what concerns the whole server.
func overPlatform[P any](context.Context, authz.Principal, *P) (authz.Need[schema.AdministerPlatform], error) {
	return schema.ThePlatform.Administer(), nil
}
