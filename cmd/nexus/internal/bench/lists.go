package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"nexus/apiserver/api"
	"nexus/authzsvc/authz"
	"nexus/authzsvc/relations"
	"nexus/schema"
)

// Rows of lists: of a tree, by people who never asked before. A page has 1,000 entries, and a row is the time of the first. One
// that ended early, because it had taken long enough, counts with those behind it, for as much as 1,000 entries take.
const (
	listSome  = "list page of 1,000, the caller sees 1 in 10 files"
	listOwns  = "list page of 1,000, the caller owns 1 in 5 files one by one"
	listNone  = "list page of 1,000, the caller sees none"
	listWhole = "list, all pages, the caller sees 1 in 10 files"
)

const (
	pageEntries = 1_000
	pageBudget  = 30 // ms
)

// askers is how many people list for the first time; the median of them is the row.
const askers = 9

func lists(ctx context.Context, o Options, w *world, files int) ([]Row, error) {
	targets, err := w.addresses(ctx, files)
	if err != nil {
		return nil, err
	}
	l := listing{ctx, o, w, targets}
	row := func(name string, budget float64, every int, relation string, people int, took func(*walk) time.Duration) measure {
		return measure{Row{Name: name, Budget: budget, Unit: "ms"}, func() (float64, error) {
			d, err := l.walks(name, every, relation, people, took)
			return millis(d), err
		}}
	}
	return o.measure(files, []measure{
		row(listSome, pageBudget, 10, "direct_viewer", askers, (*walk).first),
		row(listOwns, pageBudget, 5, "direct_owner", 3, (*walk).first),
		row(listNone, pageBudget, 0, "", askers, (*walk).first),
		row(listWhole, 0, 10, "direct_viewer", 3, (*walk).all),
	}), nil
}

// walk is how long each page of one person's list took, and how many entries it had.
type walk struct {
	pages   []time.Duration
	entries []int
}

func (w *walk) first() (took time.Duration) {
	seen := 0
	for i, page := range w.pages {
		took, seen = took+page, seen+w.entries[i]
		if seen >= pageEntries {
			return took * pageEntries / time.Duration(seen)
		}
	}
	return took
}

func (w *walk) all() (sum time.Duration) {
	for _, page := range w.pages {
		sum += page
	}
	return sum
}

// listing lists the tree, whose files are targets.
type listing struct {
	ctx     context.Context
	o       Options
	w       *world
	targets []schema.Address
}

// walks lets people list who have a direct relation to every n-th file (0: to none), each for the first time, and returns the
// median of what took says of each.
func (l listing) walks(row string, every int, relation string, people int, took func(*walk) time.Duration) (time.Duration, error) {
	person := func(i int) authz.Principal { return user(fmt.Sprintf("%s %d %d", row, len(l.targets), i)) }
	want := 0
	if every > 0 {
		want = len(l.targets) / every
	}
	var all []time.Duration
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
	for i := range people {
		w, err := l.list(person(i), want)
		if err != nil {
			return 0, err
		}
		all = append(all, took(w))
	}
	slices.Sort(all)
	return all[len(all)/2], nil
}

// list lists the tree page by page and compares the number of files with what the caller should see.
func (l listing) list(who authz.Principal, want int) (*walk, error) {
	w, got := &walk{}, 0
	p := api.ListParams{Path: "/bench", Recursive: true, Details: true, Limit: pageEntries}
	for {
		raw, err := json.Marshal(p)
		if err != nil {
			return nil, err
		}
		began := time.Now()
		r, err := l.w.Table.Method(api.List.Method).Invoke(l.ctx, who, raw)
		if err != nil {
			return nil, err
		}
		w.pages = append(w.pages, time.Since(began))
		page := r.(api.ListResult)
		w.entries = append(w.entries, len(page.Entries))
		for _, e := range page.Entries {
			if !e.IsDirectory {
				got++
			}
		}
		if page.Complete {
			break
		}
		p.Cursor = page.Next
	}
	if got != want {
		return nil, fmt.Errorf("%s sees %d files of the tree, want %d", who.Base.ID, got, want)
	}
	return w, nil
}
