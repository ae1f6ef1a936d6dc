package authzsvc

import (
	"context"

	"nexus/authzsvc/authz"
	"nexus/authzsvc/explain"
	"nexus/authzsvc/internal/spice"
)

// Accessor is one who has a permission, and how he comes to it as far as the asker may see it.
type Accessor struct {
	Subject explain.Subject
	explain.Reach
}

// maxAccess bounds a page of Access: each subject's way is asked for anew.
const maxAccess = 200

// Access returns up to limit of those who have a permission on object, in order of type, id and relation behind after (zero:
// from the start), and whether others follow. The page is of one revision. may proves that the asker may know about the
// object; of what he may not read on a way, nothing is shown.
func (s *Service) Access(ctx context.Context, may authz.Proof, object authz.Ref, permission string, after explain.Subject, limit int, names Names) (page []Accessor, more bool, err error) {
	if err := authz.Ready(may); err != nil {
		return nil, false, err
	}
	head, err := s.store.Reader().Head(ctx)
	if err != nil {
		return nil, false, err
	}
	all, err := s.expand(ctx, head, object, permission)
	if err != nil {
		return nil, false, err
	}
	some, more := spice.Page(all, after, min(limit, maxAccess))
	asker := explain.Asker{Visible: s.sight(ctx, may.Decision().Principal()), Names: names}
	check := authz.Check{Type: object.Type, ID: object.ID, Permission: permission}
	for _, one := range some {
		var trace explain.Trace
		err := s.own.within(ctx, object, func(ctx context.Context) (err error) {
			trace, err = s.engine.ExplainSet(ctx, head, one, check, true)
			return err
		})
		if err != nil {
			return nil, false, err
		}
		page = append(page, Accessor{Subject: one, Reach: asker.Reach(ctx, trace)})
	}
	return page, more, nil
}

// sight is what the asker sees, remembered: ways to one object have most of their nodes in common.
func (s *Service) sight(ctx context.Context, asker authz.Principal) func(authz.Ref) bool {
	known := map[authz.Ref]bool{}
	return func(r authz.Ref) bool {
		seen, met := known[r]
		if !met {
			seen = s.sees(ctx, asker, r)
			known[r] = seen
		}
		return seen
	}
}
