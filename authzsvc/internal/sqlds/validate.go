package sqlds

import (
	"context"

	"github.com/authzed/spicedb/pkg/tuple"

	"nexus/authzsvc/authz"
	"nexus/authzsvc/relations"
	"nexus/internal/errs"
	"nexus/internal/ids"
	"nexus/schema"
)

// valid refuses a change that must not be, whatever else is stored: by the schema, by tenants, by the form of its ids.
// What it takes to delete is only a form, so that left-overs of an earlier schema can go.
func (j *join) valid(ctx context.Context, c *change, caveat string) error {
	if c.kind != relations.Touch && c.kind != relations.Create && c.kind != relations.Delete {
		return errs.New(errs.Invalid, "an update that neither writes nor deletes").Marked(errs.NotValid)
	}
	if err := formed(&c.key); err != nil || c.kind == relations.Delete {
		return err
	}
	m, err := j.schemaModel(ctx)
	if err != nil {
		return err
	}
	if err := m.check(c, caveat); err != nil {
		return err
	}
	if c.expiry <= j.rev {
		return errs.New(errs.Invalid, "the relationship would have expired already").Marked(errs.NotValid)
	}
	return withinTenant(&c.key)
}

func formed(k *key) error {
	for _, name := range []string{k.rt, k.rr, k.st, k.sr} {
		if name == "" {
			return errs.New(errs.Invalid, "a relationship lacks a type or a relation").Marked(errs.NotValid)
		}
	}
	for _, id := range []string{k.ro, k.so} {
		if err := formedID(id); err != nil {
			return err
		}
	}
	return nil
}

func formedID(id string) error {
	if id == "" || len(id) > ids.MaxQuoted {
		return errs.New(errs.Invalid, "an object id has 1 to %d bytes, not %d", ids.MaxQuoted, len(id)).Marked(errs.NotValid)
	}
	for i := range len(id) {
		if !inID(id[i]) {
			return errs.New(errs.Invalid, "an object id holds a byte that must be quoted").Marked(errs.NotValid)
		}
	}
	return nil
}

// inID reports whether SpiceDB takes c in an object id. The wildcard is not among them.
func inID(c byte) bool {
	switch c {
	case '/', '_', '|', '-', '=', '+':
		return true
	}
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

// withinTenant refuses a relationship between two tenants, which would let one see into the other. Only the deployment
// itself stands above a tenant, as its platform.
func withinTenant(k *key) error {
	resource := schema.TenantOf(authz.Ref{Type: k.rt, ID: k.ro})
	subject := schema.TenantOf(authz.Ref{Type: k.st, ID: k.so})
	if resource == subject || subject == "" && k.rr == "platform" {
		return nil
	}
	return errs.New(errs.Invalid, "the subject and the object belong to different tenants").Marked(errs.CrossTenant)
}

// changeOf returns u in the words of the tables.
func changeOf(u relations.Update) change {
	c := change{kind: u.Kind, expiry: never, key: *keyOfEdge(u.Relationship)}
	if !u.Expires.IsZero() {
		c.expiry = nanos(u.Expires)
	}
	return c
}

// keyOfEdge returns the key of r's rows.
func keyOfEdge(r relations.Relationship) *key {
	k := key{r.Resource.Type, r.Resource.ID, r.Relation, r.Subject.Type, r.Subject.ID, r.SubjectRelation}
	if k.sr == "" {
		k.sr = tuple.Ellipsis
	}
	return &k
}
