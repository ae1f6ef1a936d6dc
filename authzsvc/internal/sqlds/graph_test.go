package sqlds

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"nexus/authzsvc/authz"
	"nexus/authzsvc/relations"
	"nexus/internal/errs"
	"nexus/internal/sqldb"
)

func link(child, folder string) relations.Relationship { return rel(child, "link", "file", folder, "") }

// inGroup makes the members of group sub members of group.
func inGroup(group, relation, sub string) relations.Relationship {
	return relations.Relationship{
		Resource: authz.Ref{Type: "group", ID: "acme/" + group}, Relation: relation,
		Subject: authz.Ref{Type: "group", ID: "acme/" + sub}, SubjectRelation: "member",
	}
}

func TestCyclesAreRefused(t *testing.T) {
	for _, c := range []struct {
		name string
		rels []relations.Relationship // the last closes the cycle
	}{
		{"itself", []relations.Relationship{parent("a", "a")}},
		{"two folders", []relations.Relationship{parent("a", "b"), parent("b", "a")}},
		{"by a link", []relations.Relationship{parent("a", "b"), parent("b", "c"), link("c", "a")}},
		{"through a second link", []relations.Relationship{parent("a", "r"), link("a", "b"), link("b", "c"), parent("c", "a")}},
		{"group of itself", []relations.Relationship{inGroup("a", "member", "a")}},
		{"groups", []relations.Relationship{inGroup("a", "member", "b"), inGroup("b", "manager", "c"), inGroup("c", "member", "a")}},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := productStore(t, Options{})
			last := len(c.rels) - 1
			var all []relations.Update
			for _, r := range c.rels {
				all = append(all, create(r))
			}
			refused(t, write(d, all...), errs.NotValid)
			for _, u := range all[:last] {
				mustWrite(t, d, u)
			}
			refused(t, write(d, all[last]), errs.NotValid)
		})
	}
}

func TestSharedAncestorIsNoCycle(t *testing.T) {
	d := productStore(t, Options{})
	mustWrite(t, d, create(parent("a", "root")), create(parent("b", "root")), create(parent("x", "a")), create(link("x", "b")), create(link("a", "b")))
	mustWrite(t, d, remove(link("a", "b")))
	mustWrite(t, d, create(link("b", "a")))
}

// chain makes n edges: name0 lies in name1, and so on up to name(n).
func chain(name string, n int, edge func(a, b string) relations.Relationship) []relations.Update {
	var all []relations.Update
	for i := n; i > 0; i-- {
		all = append(all, create(edge(fmt.Sprint(name, i-1), fmt.Sprint(name, i))))
	}
	return all
}

func TestDepthCountsAboveAndBelow(t *testing.T) {
	for _, c := range []struct {
		name  string
		limit int
		edge  func(a, b string) relations.Relationship
	}{
		{"files", 100, parent},
		{"groups", 16, func(a, b string) relations.Relationship { return inGroup(a, "member", b) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := productStore(t, Options{})
			up, down := c.limit/2, c.limit-c.limit/2-1
			mustWrite(t, d, chain("u", up, c.edge)...)
			mustWrite(t, d, chain("d", down, c.edge)...)
			top := fmt.Sprint("d", down)
			refused(t, write(d, create(c.edge("e", "d0")), create(c.edge(top, "u0"))), errs.NotValid)
			mustWrite(t, d, create(c.edge(top, "u0"))) // up + 1 + down = limit
			refused(t, write(d, create(c.edge("more", "d0"))), errs.NotValid)
			refused(t, write(d, create(c.edge(fmt.Sprint("u", up), "more"))), errs.NotValid)
			mustWrite(t, d, remove(c.edge(top, "u0")))
			mustWrite(t, d, create(c.edge("more", "d0")))
		})
	}
}

// What the writer remembers of depths must not outlive a move, nor a rollback.
func TestDepthIsRightAfterMovesAndRollbacks(t *testing.T) {
	d := productStore(t, Options{})
	mustWrite(t, d, chain("deep", 98, parent)...)
	mustWrite(t, d, create(parent("dir", "deep98")))
	mustWrite(t, d, create(parent("sub", "dir")), create(parent("f1", "sub")))
	rolledBack := errors.New("no")
	err := d.db.Tx(context.Background(), func(ctx context.Context, tx sqldb.Tx) error {
		w := d.Writer()
		if err := w.Write(ctx, tx, remove(parent("dir", "deep98"))); err != nil {
			return err
		}
		refused(t, w.Write(ctx, tx, create(parent("dir", "deep0"))), errs.NotValid) // 98 + 1 + 2
		return rolledBack
	})
	if !errors.Is(err, rolledBack) {
		t.Fatal(err)
	}
	mustWrite(t, d, create(parent("f2", "sub")))
	mustWrite(t, d, remove(parent("f1", "sub")), remove(parent("f2", "sub"))) // heights stay as upper bounds
	mustWrite(t, d, remove(parent("dir", "deep98")), create(parent("dir", "deep0")))
	refused(t, write(d, create(parent("f3", "sub"))), errs.NotValid)
	mustWrite(t, d, create(parent("f3", "dir")))
}

func TestSubjectSetsOfARelationAreLimited(t *testing.T) {
	d := productStore(t, Options{})
	set := func(i int) relations.Update {
		return touch(rel("f", "direct_viewer", "group", fmt.Sprint("g", i), "member"))
	}
	var all []relations.Update
	for i := range maxSets {
		all = append(all, set(i))
	}
	seed(t, d, all)
	refused(t, write(d, set(maxSets)), errs.NotValid)
	mustWrite(t, d, set(0), touch(viewer("f", "ann")))
	mustWrite(t, d, remove(set(7).Relationship), set(maxSets))
}

// seed writes what is known to be right, without the walks.
func seed(tb testing.TB, d *Datastore, updates []relations.Update) {
	tb.Helper()
	for len(updates) > 0 {
		n := min(2000, len(updates))
		err := d.db.Tx(context.Background(), func(ctx context.Context, tx sqldb.Tx) error {
			j, err := d.join(tx)
			if err != nil {
				return err
			}
			changes := make([]change, n)
			for i := range n {
				changes[i] = changeOf(updates[i])
			}
			return j.apply(ctx, changes, nil)
		})
		if err != nil {
			tb.Fatal(err)
		}
		updates = updates[n:]
	}
}
