package bench

import (
	"context"
	"errors"
	"fmt"
	"time"

	"nexus/apiserver/api"
	"nexus/authzsvc/authz"
	"nexus/authzsvc/relations"
	"nexus/schema"
)

// Rows of the gate in process. No shipped rule concerns a person's request, or names files.get_metadata; two look at what an
// agent reads.
const (
	gateCached = "gate, cached"
	gatePolicy = "gate, with a matching policy rule"
	gateMissed = "gate, not cached, depth 6 and 4 nested groups"
	cacheHits  = "cache hits beside 500 new files a second"
)

// gateObjects is how many files the gate is asked about in turn, so that not every decision is a repeat.
const gateObjects = 2_000

func gate(ctx context.Context, o Options, w *world, files int) ([]Row, error) {
	targets, err := w.addresses(ctx, min(files, gateObjects))
	if err != nil {
		return nil, err
	}
	g := gating{ctx, o, w, targets}
	return o.measure(files, []measure{
		{Row{Name: gateCached, Budget: 5, Unit: "µs"}, func() (float64, error) { return g.cached(user("owner"), api.GetMetadata.Name) }},
		{Row{Name: gatePolicy, Budget: 50, Unit: "µs"}, g.judged},
		{Row{Name: gateMissed, Budget: 600, Unit: "µs"}, g.missed},
		{Row{Name: cacheHits, Budget: 90, Unit: "%", AtLeast: true}, g.hits},
	}), nil
}

// gating asks the gate about targets.
type gating struct {
	ctx     context.Context
	o       Options
	w       *world
	targets []schema.Address
}

func (g gating) ask(who authz.Principal, op string, a schema.Address) error {
	_, _, err := authz.Ask(g.ctx, g.w.Service.Gate(), who, authz.Act{Op: op}, schema.File{Address: a}.Read())
	return err
}

// judged asks as an agent, whom the shipped rules concern.
func (g gating) judged() (float64, error) {
	agent := principal("agent", "reader")
	top, err := g.w.Store.Names().Address(g.ctx, g.targets[0].Tenant, "/bench")
	if err != nil {
		return 0, err
	}
	err = g.w.relate(g.ctx, 1, func(int) relations.Relationship { return may(agent, "direct_viewer", top) })
	if err != nil {
		return 0, err
	}
	return g.cached(agent, api.Read.Name)
}

// cached asks about what was asked before.
func (g gating) cached(who authz.Principal, op string) (float64, error) {
	for _, a := range g.targets {
		if err := g.ask(who, op, a); err != nil {
			return 0, err
		}
	}
	d, err := timed(g.o, 100*samples, func(i int) error { return g.ask(who, op, g.targets[i%len(g.targets)]) })
	return micros(d), err
}

// strangers is how many people ask for the first time.
const strangers = 400

// missed asks as people who never asked before, and who may read the tree through four groups, one in the other.
func (g gating) missed() (float64, error) {
	top, err := g.w.Store.Names().Address(g.ctx, g.targets[0].Tenant, "/bench")
	if err != nil {
		return 0, err
	}
	chain := []relations.Relationship{
		in("g2", groupRef("g1"), "member"), in("g3", groupRef("g2"), "member"), in("g4", groupRef("g3"), "member"),
		{Resource: top.Named().Ref, Relation: "direct_viewer", Subject: groupRef("g4"), SubjectRelation: "member"},
	}
	if err := g.w.relate(g.ctx, len(chain), func(i int) relations.Relationship { return chain[i] }); err != nil {
		return 0, err
	}
	person := func(i int) authz.Principal { return user(fmt.Sprintf("stranger%d-%d", len(g.targets), i)) }
	if err := g.w.relate(g.ctx, strangers, func(i int) relations.Relationship { return in("g1", person(i).Base, "") }); err != nil {
		return 0, err
	}
	d, err := timed(g.o, strangers, func(i int) error { return g.ask(person(i), api.GetMetadata.Name, g.targets[i%len(g.targets)]) })
	return micros(d), err
}

// newFiles is how many files a second are written while the hits are counted.
const newFiles = 500

// hits asks as fast as it can while somebody writes, and returns the share of checks that the cache answered.
func (g gating) hits() (float64, error) {
	who := user("owner")
	if _, err := g.cached(who, api.GetMetadata.Name); err != nil {
		return 0, err
	}
	ctx, stop := context.WithTimeout(g.ctx, g.o.Each)
	defer stop()
	wrote := make(chan error, 1)
	go func() { wrote <- g.write(ctx, who) }()
	before := g.w.Service.Stats()
	for i := 0; ctx.Err() == nil; i++ {
		if err := g.ask(who, api.GetMetadata.Name, g.targets[i%len(g.targets)]); err != nil {
			stop()
			return 0, errors.Join(err, <-wrote)
		}
		time.Sleep(readerPause)
	}
	after := g.w.Service.Stats()
	hits, misses := float64(after.Hits-before.Hits), float64(after.Misses-before.Misses)
	return 100 * hits / max(1, hits+misses), <-wrote
}

// readerPause keeps the reader to some thousand questions a second: a share of hits among millions would be flattery.
const readerPause = 200 * time.Microsecond

// write makes new files at a steady pace until ctx ends.
func (g gating) write(ctx context.Context, who authz.Principal) error {
	tick := time.NewTicker(time.Second / newFiles)
	defer tick.Stop()
	body := make([]byte, 64)
	for i := 0; ; i++ {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		path := fmt.Sprintf("/scratch/new%d/n%d.txt", len(g.targets), time.Now().UnixNano())
		if err := g.w.invoke(g.ctx, who, api.Write.Method, writeParams(path, body)); err != nil {
			return err
		}
	}
}
