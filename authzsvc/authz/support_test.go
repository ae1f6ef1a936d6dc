package authz_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"nexus/authzsvc/authz"
	"nexus/authzsvc/gatetest"
	"nexus/internal/errs"
	"nexus/schema"
)

var errBroken = errors.New("broken")

// flat is a tree in which nothing stands in anything.
type flat struct{}

func (flat) Below(_ context.Context, _ string, roots, objects []authz.Ref) ([]bool, error) {
	below := make([]bool, len(objects))
	for i, o := range objects {
		below[i] = slices.Contains(roots, o)
	}
	return below, nil
}

func file(path string) schema.File {
	return schema.File{Address: schema.Address{Tenant: "acme", Path: path, Anchor: "f" + path}}
}

func dir(path string) schema.Dir {
	return schema.Dir{Address: schema.Address{Tenant: "acme", Path: path, Anchor: "f" + path, Folder: true}}
}

func check(path, permission string) authz.Check {
	return authz.Check{Type: "file", ID: "f" + path, Permission: permission}
}

// only returns relations on which the given checks hold, and no others.
func only(held ...authz.Check) func([]authz.Ref, authz.Check) bool {
	return func(_ []authz.Ref, c authz.Check) bool {
		for _, h := range held {
			if h == c {
				return true
			}
		}
		return false
	}
}

func ask[G any](gate *authz.Gate, n authz.Need[G]) (G, *authz.Decision, error) {
	return authz.Ask(context.Background(), gate, gatetest.User("acme", "ann"), authz.Act{Op: "file.test"}, n)
}

func mustAsk[G any](t *testing.T, gate *authz.Gate, n authz.Need[G]) G {
	t.Helper()
	g, _, err := ask(gate, n)
	if err != nil {
		t.Fatalf("Ask: %v", err)
	}
	return g
}

// wantKind fails unless err is of kind k.
func wantKind(t *testing.T, err error, k errs.Kind) {
	t.Helper()
	if err == nil || errs.KindOf(err) != k {
		t.Fatalf("error is %v, want kind %s", err, k)
	}
}

// wantReason fails unless err carries reason r.
func wantReason(t *testing.T, err error, r errs.Reason) {
	t.Helper()
	if err == nil || errs.From(err).Reason != r {
		t.Fatalf("error is %v, want reason %s", err, r)
	}
}

// last returns the newest record.
func last(t *testing.T, rec *gatetest.Recorder) authz.Decided {
	t.Helper()
	all := rec.Decided()
	if len(all) == 0 {
		t.Fatal("nothing was recorded")
	}
	return all[len(all)-1]
}

// used returns the path of what g grants.
func used[P authz.Permission[schema.File]](t *testing.T, g authz.Grant[P, schema.File]) string {
	t.Helper()
	f, err := g.Use()
	if err != nil {
		t.Fatalf("Use: %v", err)
	}
	return f.Path
}
