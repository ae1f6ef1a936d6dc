package cache

import (
	"context"
	"strconv"

	"nexus/authzsvc/authz"
	"nexus/authzsvc/relations"
)

// Disguise spends on a denial about rest, which has no row and was decided on the object above it, what a denial about a row
// costs: the engine is asked the first time, and memory from then on. Otherwise the time of a refusal would tell names that
// exist, each of which is asked about for itself, from names that do not, for all of which one answer is remembered.
func (c *Cache) Disguise(ctx context.Context, subjects []authz.Ref, check authz.Check, rest string) error {
	m := c.model.Load()
	head, err := c.head(ctx)
	if err != nil {
		return err
	}
	a := c.asking(m, head, whoever(subjects))
	k := newKey(a.who, check.Object(), check.Permission+nameless+strconv.FormatUint(c.entries.hash(rest), 36))
	if c.entries.find(&k, m, head) != nil || !c.flights.first(ctx, k) {
		return nil
	}
	defer c.flights.landed(k)
	// What has a row is read for where it stands, and the engine looks at it before it goes on to what is above it.
	missing := check
	missing.ID += noID
	ignore := func(relations.Relationship) bool { return true }
	if err := c.readMany(ctx, head, m.shape.Tree, []string{missing.ID}, m.shape.Up, nil, ignore); err != nil {
		return err
	}
	deps, err := a.dependencies(ctx, []authz.Check{check})
	if err != nil {
		return err
	}
	if _, err := c.engine.Check(ctx, relations.Revision(head), a.who.all, []authz.Check{missing, check}); err != nil {
		return err
	}
	if deps[0].sound && unchanged(deps[0].nodes, head) {
		c.entries.put(&entry{key: k, model: m, rev: head, deps: deps[0].nodes})
	}
	return nil
}

// noID ends the id of an object that there is not.
const noID = "|"

// nameless begins what is kept about names without a row. No permission has it in its name.
const nameless = "\x00nameless\x00"
