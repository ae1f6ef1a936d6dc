package authzsvc

import (
	"context"

	"nexus/authzsvc/authz"
)

// Administers reports whether a subject administers a quoted tenant by its relationships: directly, through groups, or as
// who administers the platform. It is for authentication, which asks before there is a principal to decide about: the answer
// must not reach a caller.
func (s *Service) Administers(ctx context.Context, subject authz.Ref, tenant string) (bool, error) {
	check := authz.Check{Type: "tenant", ID: tenant, Permission: "administer"}
	finding, err := s.relations().Ask(ctx, []authz.Ref{subject}, []authz.Check{check})
	if err != nil {
		return false, err
	}
	return finding.Answers[0].Allowed, nil
}
