package ops

import (
	"context"

	"nexus/apiserver/api"
	"nexus/apiserver/op"
	"nexus/authzsvc/authz"
	"nexus/internal/cursor"
	"nexus/schema"
	"nexus/storage"
)

func sharing(t *op.Table, d Deps) {
	s := sharingOps{
		questionOps: questionOps{words: words{d.Store.Names()}, inquiry: d.Inquiry},
		shares:      d.Store.Shares(), gate: t.Gate(), cursors: d.Cursors,
	}
	op.Handle(t, api.ListAccess, s.knowable, s.access)
	op.Handle(t, api.SharedWithMe, s.sharable, s.withMe)
}

type sharingOps struct {
	questionOps
	shares  *storage.Shares
	gate    *authz.Gate
	cursors *cursor.Sealer
}

func (s sharingOps) knowable(ctx context.Context, who authz.Principal, p *api.AccessParams) (authz.Need[askGrant], error) {
	return s.expandable(ctx, who, &api.ExpandParams{Permission: p.Permission, Object: p.Object})
}

func (s sharingOps) access(ctx context.Context, who authz.Principal, p *api.AccessParams, g askGrant) (api.AccessList, error) {
	pages, after := about(s.cursors, api.ListAccess.Name, who, p.Permission, p.Object.String()), storage.Subject{}
	if err := pages.resume(&p.PageParams, &after); err != nil {
		return api.AccessList{}, err
	}
	object, _, err := s.askedOn(ctx, who, p.Object, p.Permission)
	if err != nil {
		return api.AccessList{}, err
	}
	found, more, err := s.inquiry.Access(ctx, g.proof, object, p.Permission, after, p.Size())
	if err != nil {
		return api.AccessList{}, err
	}
	out := api.AccessList{Subjects: make([]api.Accessor, len(found))}
	for i, f := range found {
		out.Subjects[i] = f.Accessor
		out.Subjects[i].Subject = s.setOf(ctx, f.Subject)
		after = f.Subject
	}
	out.Page, err = pages.page(&p.PageParams, after, more)
	return out, err
}

// sharedGrant is the right to see of what is shared that on which one has a permission: exactly one of its sides was decided.
type sharedGrant struct {
	Read  schema.ReadFiles
	Write schema.WriteFiles
	Share schema.ShareFiles
}

func (s sharingOps) sharable(_ context.Context, who authz.Principal, p *api.SharedParams) (authz.Need[sharedGrant], error) {
	access := schema.Home(who).Access()
	switch p.Permission {
	case "write":
		n := schema.WriteFilesWithin(s.gate, access, api.Write.Name)
		return authz.Map(n, func(in schema.WriteFiles) sharedGrant { return sharedGrant{Write: in} }), nil
	case "share":
		n := schema.ShareFilesWithin(s.gate, access, api.Relate.Name)
		return authz.Map(n, func(in schema.ShareFiles) sharedGrant { return sharedGrant{Share: in} }), nil
	}
	n := schema.ReadFilesWithin(s.gate, access, api.Read.Name)
	return authz.Map(n, func(in schema.ReadFiles) sharedGrant { return sharedGrant{Read: in} }), nil
}

func (s sharingOps) withMe(ctx context.Context, who authz.Principal, p *api.SharedParams, g sharedGrant) (api.SharedList, error) {
	pages, from := about(s.cursors, api.SharedWithMe.Name, who, p.Permission), storage.SharedPlace{}
	if err := pages.resume(&p.PageParams, &from); err != nil {
		return api.SharedList{}, err
	}
	found, next, more, err := s.shared(ctx, p, g, from)
	if err != nil {
		return api.SharedList{}, err
	}
	out := api.SharedList{Files: make([]api.SharedFile, len(found))}
	for i, f := range found {
		out.Files[i] = api.SharedFile{
			TupleID: f.ID, Path: f.Path, IsDirectory: f.Folder, Relation: f.Grant, With: s.setOf(ctx, f.With),
			Since: api.Time{Time: f.Since}, Expires: api.Time{Time: f.Expires},
		}
		if !f.By.IsZero() {
			out.Files[i].By = s.wire(ctx, f.By)
		}
	}
	out.Page, err = pages.page(&p.PageParams, next, more)
	return out, err
}

func (s sharingOps) shared(ctx context.Context, p *api.SharedParams, g sharedGrant, from storage.SharedPlace) ([]storage.Shared, storage.SharedPlace, bool, error) {
	switch p.Permission {
	case "write":
		return storage.SharedWith(ctx, s.shares, g.Write, from, p.Size())
	case "share":
		return storage.SharedWith(ctx, s.shares, g.Share, from, p.Size())
	}
	return storage.SharedWith(ctx, s.shares, g.Read, from, p.Size())
}
