package ops

import (
	"context"

	"nexus/apiserver/api"
	"nexus/apiserver/op"
	"nexus/authzsvc/authz"
	"nexus/internal/cursor"
	"nexus/internal/ids"
	"nexus/storage"
)

func users(t *op.Table, d Deps) {
	u := userOps{users: d.Store.Users(), cursors: d.Cursors}
	op.Handle(t, api.ListUsers, func(_ context.Context, who authz.Principal, p *api.ListUsersParams) (authz.Need[storage.Reach], error) {
		return reach(who, p.Tenant), nil
	}, u.list)
	op.Handle(t, api.DisableUser, u.administrable, u.disable)
	op.Handle(t, api.EnableUser, u.administrable, u.enable)
	op.HandleSteps(t, api.TransferUser, func(_ context.Context, who authz.Principal, p *api.TransferUserParams) (authz.Need[storage.Reach], error) {
		return reach(who, p.Tenant), nil
	}, u.transfer)
}

type userOps struct {
	users   *storage.Users
	cursors *cursor.Sealer
}

func (u userOps) administrable(_ context.Context, who authz.Principal, p *api.UserParams) (authz.Need[storage.Reach], error) {
	return reach(who, p.Tenant), nil
}

func (u userOps) list(ctx context.Context, who authz.Principal, p *api.ListUsersParams, g storage.Reach) (api.UserList, error) {
	tenant := meant(who, p.Tenant)
	question := api.ListUsers.Name + " " + who.Base.String() + " " + tenant
	after := ""
	if p.Cursor != "" {
		if err := u.cursors.Open(question, p.Cursor, &after); err != nil {
			return api.UserList{}, err
		}
	}
	found, err := u.users.List(ctx, g, tenant, after, p.Limit+1)
	if err != nil {
		return api.UserList{}, err
	}
	out := api.UserList{Users: make([]api.User, 0, len(found)), Complete: len(found) <= p.Limit}
	for _, user := range found[:min(len(found), p.Limit)] {
		out.Users = append(out.Users, shownUser(user))
	}
	if !out.Complete {
		out.NextCursor, err = u.cursors.Seal(question, found[p.Limit-1].Name)
	}
	return out, err
}

func (u userOps) disable(ctx context.Context, who authz.Principal, p *api.UserParams, g storage.Reach) (api.User, error) {
	user, err := u.users.Disable(ctx, g, meant(who, p.Tenant), p.UserID)
	if err != nil {
		return api.User{}, err
	}
	return shownUser(user), nil
}

func (u userOps) enable(ctx context.Context, who authz.Principal, p *api.UserParams, g storage.Reach) (api.User, error) {
	user, err := u.users.Enable(ctx, g, meant(who, p.Tenant), p.UserID)
	if err != nil {
		return api.User{}, err
	}
	return shownUser(user), nil
}

// transferSteps bounds what one call does, so that it ends well before its time is over.
const transferSteps = 50

func (u userOps) transfer(ctx context.Context, who authz.Principal, p *api.TransferUserParams, step op.Step[storage.Reach]) (api.UserTransfer, error) {
	h := storage.Handover{Tenant: meant(who, p.Tenant), From: p.From, To: p.To, KeepKeys: p.KeepKeys}
	out := api.UserTransfer{From: p.From, To: p.To, Tenant: ids.Plain(h.Tenant)}
	for range transferSteps {
		err := step(ctx, func(ctx context.Context, g storage.Reach) error {
			t, err := u.users.Transfer(ctx, g, h)
			out.Complete, out.Moved = t.Complete, out.Moved+t.Moved
			out.Files, out.Groups, out.Agents = t.Files, t.Groups, t.Agents
			out.Started, out.Finished = api.Time{Time: t.Started}, api.Time{Time: t.Finished}
			return err
		})
		if err != nil || out.Complete {
			return out, err
		}
	}
	return out, nil
}

func shownUser(u storage.User) api.User {
	return api.User{
		UserID: u.Name, Tenant: ids.Plain(u.Tenant), Disabled: !u.Disabled.IsZero(), DisabledAt: api.Time{Time: u.Disabled},
		Created: api.Time{Time: u.Created}, Keys: u.Keys, Agents: u.Agents, IsAdmin: u.Admin,
	}
}
