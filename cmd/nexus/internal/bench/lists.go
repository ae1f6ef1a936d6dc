package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"nexus/apiserver/api"
	"nexus/authzsvc/authz"
	"nexus/authzsvc/relations"
	"nexus/schema"
)

// Rows of lists: of the whole tree, by people who never asked before.
const (
	listSome = "list, the caller sees 1 in 10 files"
	listOwns = "list, the caller owns 1 in 5 files one by one"
	listNone = "list, the caller sees none"
)

// pageFiles is how many files the budget of a page is for.
const (
	pageFiles  = 10_000
	pageBudget = 30 // ms
)

// askers is how many people list for the first time; the median of them is the row.
const askers = 5

func lists(ctx context.Context, o Options, w *world, files int) ([]Row, error) {
	targets, err := w.addresses(ctx, files)
	if err != nil {
		return nil, err
	}
	l := listing{ctx, o, w, targets}
	budget := float64(max(1, (files+pageFiles-1)/pageFiles) * pageBudget)
	row := func(name string, every int, relation string, people int) measure {
		return measure{Row{Name: name, Budget: budget, Unit: "ms"}, func() (float64, error) {
			d, err := l.first(every, relation, people)
			return millis(d), err
		}}
	}
	return o.measure(files, []measure{
		row(listSome, 10, "direct_viewer", askers),
		row(listOwns, 5, "direct_owner", 2),
		row(listNone, 0, "", askers),
	}), nil
}

// listing lists the tree, whose files are targets.
type listing struct {
	ctx     context.Context
	o       Options
	w       *world
	targets []schema.Address
}

// first lets people list who have a direct relation to every n-th file (0: to none), each for the first time.
func (l listing) first(every int, relation string, people int) (time.Duration, error) {
	person := func(i int) authz.Principal { return user(fmt.Sprintf("lister%d-%d-%d", len(l.targets), every, i)) }
	want := 0
	if every > 0 {
		want = len(l.targets) / every
	}
	for i := range people {
		err := l.w.relate(l.ctx, want, func(n int) relations.Relationship { return may(person(i), relation, l.targets[n*every]) })
		if err != nil {
			return 0, err
		}
		tenant := relations.Relationship{Resource: authz.Ref{Type: "tenant", ID: person(i).Tenant}, Relation: "member", Subject: person(i).Base}
		if err := l.w.relate(l.ctx, 1, func(int) relations.Relationship { return tenant }); err != nil {
			return 0, err
		}
	}
	return timed(l.o, people, func(i int) error { return l.list(person(i), want) })
}

// list lists the tree and compares the number of files with what the caller should see.
func (l listing) list(who authz.Principal, want int) error {
	raw, err := json.Marshal(api.ListParams{Path: "/bench", Recursive: true, Details: true})
	if err != nil {
		return err
	}
	r, err := l.w.Table.Method(api.List.Method).Invoke(l.ctx, who, raw)
	if err != nil {
		return err
	}
	got := 0
	for _, e := range r.(api.ListResult).Entries {
		if !e.IsDirectory {
			got++
		}
	}
	if got != want {
		return fmt.Errorf("%s sees %d files of the tree, want %d", who.Base.ID, got, want)
	}
	return nil
}
