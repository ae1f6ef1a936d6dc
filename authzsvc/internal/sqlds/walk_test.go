package sqlds

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"nexus/authzsvc/authz"
	"nexus/authzsvc/relations"
	"nexus/internal/sqldb"
)

// pages reads what f selects n at a time, each page behind the last relationship of the one before.
func pages(t *testing.T, d *Datastore, f relations.Filter, n int) []string {
	t.Helper()
	at := headOf(t, d)
	var all []string
	for {
		got := 0
		err := d.Reader().Read(t.Context(), at, f, func(r relations.Relationship) bool {
			all, f.After = append(all, r.String()), r
			got++
			return got < n
		})
		if err != nil {
			t.Fatal(err)
		}
		if got < n {
			return all
		}
	}
}

func TestPagesOfAWalkJoinToTheWhole(t *testing.T) {
	d := productStore(t, Options{})
	var all []relations.Update
	for i := range 70 {
		all = append(all, touch(viewer(fmt.Sprintf("f%02d", i%35), fmt.Sprint("u", i%7))), touch(viewer("many", fmt.Sprint("v", i))),
			touch(rel(fmt.Sprintf("f%02d", i%35), "direct_viewer", "group", fmt.Sprint("g", i%5), "member")),
			touch(inGroup(fmt.Sprint("h", i%9), "member", fmt.Sprint("g", i%5))))
	}
	seed(t, d, all)
	for name, f := range map[string]relations.Filter{
		"type":                  {ResourceType: "file"},
		"object in the cache":   onFile("f01"),
		"object too big for it": onFile("many"),
		"prefix":                {ResourceType: "file", ResourcePrefix: "acme/f1"},
		"tenant":                {ResourceType: "file", ResourcePrefix: "acme/"},
		"no such tenant":        {ResourceType: "file", ResourcePrefix: "acm/"},
		"subject":               ofUser("u3"),
		"group":                 {SubjectType: "group", SubjectID: "acme/g2"},
		"group in groups":       {ResourceType: "group", SubjectType: "group", SubjectID: "acme/g2", SubjectRelation: "member"},
		"relation of subject":   {SubjectType: "user", SubjectID: "acme/u3", Relation: "direct_viewer"},
	} {
		whole := read(t, d, headOf(t, d), f)
		if want := name == "no such tenant"; (len(whole) == 0) != want {
			t.Errorf("%s: %d relationships", name, len(whole))
		}
		for _, n := range []int{1, 2, 3, 64, 1000} {
			if got := pages(t, d, f, n); !slices.Equal(got, whole) {
				t.Errorf("%s, %d a page: %d relationships, the whole has %d", name, n, len(got), len(whole))
			}
		}
	}
}

func TestPrefixOfATenantIsNotItsNeighbours(t *testing.T) {
	d := productStore(t, Options{})
	for _, tenant := range []string{"acm", "acme", "acme0", "acmf"} {
		mustWrite(t, d, touch(relations.Relationship{
			Resource: authz.Ref{Type: "file", ID: tenant + "/f"}, Relation: "direct_viewer", Subject: authz.Ref{Type: "user", ID: tenant + "/u"},
		}))
	}
	got := read(t, d, headOf(t, d), relations.Filter{ResourceType: "file", ResourcePrefix: "acme/"})
	if fmt.Sprint(got) != "[file:acme/f#direct_viewer@user:acme/u]" {
		t.Errorf("below acme/ there is %v", got)
	}
}

// Walks of one tenant, one object and one subject seek to where a page begins, however large the store is.
func TestWalksSeek(t *testing.T) {
	d := openStore(t, Options{}, sqldb.LiteOptions{})
	for _, c := range []struct {
		name, seeks string
		f           relations.Filter
		after       relations.Relationship
	}{
		{"tenant", "PRIMARY KEY (rt=? AND ro>? AND ro<?)", relations.Filter{ResourceType: "file", ResourcePrefix: "acme/"}, relations.Relationship{}},
		{"tenant, on", "PRIMARY KEY (rt=? AND (ro,rr,st,so,sr)>(?,?,?,?,?) AND ro<?)", relations.Filter{ResourceType: "file", ResourcePrefix: "acme/"}, viewer("f", "ann")},
		{"subject", "rel_reverse (st=? AND so=?", relations.Filter{SubjectType: "user", SubjectID: "acme/ann"}, relations.Relationship{}},
		{"subject, on", "rel_reverse (st=? AND so=?", relations.Filter{SubjectType: "user", SubjectID: "acme/ann"}, viewer("f", "ann")},
		{"groups of a subject", "rel_reverse (st=? AND so=? AND sr=? AND rt=? AND rr=?", relations.Filter{
			ResourceType: "group", Relation: "member", SubjectType: "user", SubjectID: "acme/ann", SubjectRelation: "...",
		}, relations.Relationship{}},
	} {
		c.f.After = c.after
		q, err := selected(c.f)
		if err != nil {
			t.Fatal(err)
		}
		text, args := q.text(1, 10)
		if plan := explain(t, d, text, args); !strings.Contains(plan, c.seeks) || strings.Contains(plan, "SCAN") || strings.Contains(plan, "TEMP B-TREE") {
			t.Errorf("%s: %s", c.name, plan)
		}
	}
}

func TestFoundIsWhatTheTransactionSees(t *testing.T) {
	clock := newHandClock()
	d := productStore(t, Options{Clock: clock})
	end := clock.Now().Add(time.Minute)
	mustWrite(t, d, touch(until(end, viewer("f", "ann"))), touch(viewer("f", "bob")))
	stands := func(ctx context.Context, tx sqldb.Tx, r relations.Relationship, want bool) error {
		now, stands, err := d.Writer().Find(ctx, tx, r)
		if stands != want || stands && now.String() != r.String() {
			t.Errorf("Find(%s) = %v, %v, want %v", r, now, stands, want)
		}
		if stands && r.Subject.ID == "acme/ann" && !now.Expires.Equal(end) {
			t.Errorf("Find(%s) ends %v, want %v", r, now.Expires, end)
		}
		return err
	}
	in := func(f func(ctx context.Context, tx sqldb.Tx) error) {
		t.Helper()
		if err := d.db.Tx(t.Context(), f); err != nil {
			t.Fatal(err)
		}
	}
	in(func(ctx context.Context, tx sqldb.Tx) error {
		return errors.Join(stands(ctx, tx, viewer("f", "ann"), true), stands(ctx, tx, viewer("f", "zoe"), false),
			d.Writer().Write(ctx, tx, remove(viewer("f", "bob")), touch(viewer("f", "zoe"))),
			stands(ctx, tx, viewer("f", "bob"), false), stands(ctx, tx, viewer("f", "zoe"), true))
	})
	clock.at.Store(end.UnixNano())
	in(func(ctx context.Context, tx sqldb.Tx) error { return stands(ctx, tx, viewer("f", "ann"), false) })
}

func TestRefusalsNameNoIDs(t *testing.T) {
	d := productStore(t, Options{})
	mustWrite(t, d, create(parent("secret-a", "secret-b")), create(inGroup("secret-a", "member", "secret-b")), create(viewer("secret-a", "secret-c")))
	foreign := viewer("secret-a", "x")
	foreign.Subject.ID = "secret-tenant/x"
	for _, u := range []relations.Update{
		create(parent("secret-b", "secret-a")), create(inGroup("secret-b", "member", "secret-a")), create(viewer("secret-a", "secret-c")),
		touch(foreign), touch(viewer("secret a", "x")),
	} {
		if err := write(d, u); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v, want a refusal without ids", u.Relationship, err)
		}
	}
}

func TestExpiredSubjectSetsDoNotCount(t *testing.T) {
	clock := newHandClock()
	d := productStore(t, Options{Clock: clock})
	end := clock.Now().Add(time.Minute)
	var all []relations.Update
	for i := range maxSets {
		all = append(all, touch(until(end, rel("f", "direct_viewer", "group", fmt.Sprint("g", i), "member"))))
	}
	seed(t, d, all)
	more := touch(rel("f", "direct_viewer", "group", "more", "member"))
	if err := write(d, more); err == nil || strings.Contains(err.Error(), "acme") {
		t.Errorf("one too many = %v, want a refusal without ids", err)
	}
	clock.at.Store(end.UnixNano())
	mustWrite(t, d, more)
}
