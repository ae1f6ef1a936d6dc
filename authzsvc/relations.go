package authzsvc

import (
	"context"
	"errors"
	"slices"
	"strconv"

	"nexus/authzsvc/authz"
	"nexus/authzsvc/internal/cache"
	"nexus/authzsvc/internal/sqlds"
	"nexus/internal/errs"
	"nexus/schema"
)

// settledRelations is the decision cache with one care more. A row of the domain can be seen a moment before the revision of
// its relationships is published; a denial in that moment would be no answer that ever was right. So a denial holds only
// when nothing was about to be published.
type settledRelations struct {
	*cache.Cache
	store *sqlds.Datastore
}

func (r settledRelations) Ask(ctx context.Context, subjects []authz.Ref, checks []authz.Check) (authz.Finding, error) {
	finding, err := r.Cache.Ask(ctx, subjects, checks)
	if errors.Is(err, errs.Invalid) && slices.ContainsFunc(checks, func(c authz.Check) bool { return schema.IsOwn(c.Type) }) {
		// The type may be as new as its row: then the head does not know it yet.
		if _, err := r.store.Settled(ctx); err != nil {
			return authz.Finding{}, err
		}
		return r.Cache.Ask(ctx, subjects, checks)
	}
	if err != nil || !slices.ContainsFunc(finding.Answers, func(a authz.Answer) bool { return !a.Allowed }) {
		return finding, err
	}
	settled, err := r.store.Settled(ctx)
	if err != nil {
		return authz.Finding{}, err
	}
	if finding.Revision == strconv.FormatInt(int64(settled), 10) {
		return finding, nil
	}
	return r.Cache.Ask(ctx, subjects, checks)
}
