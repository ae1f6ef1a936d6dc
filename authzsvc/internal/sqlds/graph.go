package sqlds

import (
	"context"
	"errors"

	"github.com/authzed/spicedb/pkg/tuple"

	"nexus/authzsvc/authz"
	"nexus/authzsvc/relations"
	"nexus/internal/errs"
	"nexus/internal/sqldb"
)

// tree says along which relations objects of one type form chains that a check walks. A cycle, or a chain that is too
// long, makes checks of other people fail, so both are refused when they are written.
type tree struct {
	typ       string
	relations [2]string
	subject   string // the subject's relation in such an edge
	limit     int    // edges of the longest chain
	one, many string // what people call such objects
}

var trees = map[string]tree{
	"file":  {"file", [2]string{"parent", "link"}, tuple.Ellipsis, 100, "folder", "folders"},
	"group": {"group", [2]string{"manager", "member"}, "member", 16, "group", "groups"},
}

const (
	maxSets  = 10_000 // subject sets of one relation
	maxWalk  = 50_000 // edges that one check of a chain looks at
	maxKnown = 1 << 17
)

// treeOf returns the tree of which k is an edge, from its resource up to its subject.
func treeOf(k *key) (tree, bool) {
	t, ok := trees[k.rt]
	return t, ok && k.st == k.rt && (k.rr == t.relations[0] || k.rr == t.relations[1])
}

// graph remembers, for the writer alone, what walks have found out about objects with something below them, so that a new
// file costs no walk. It forgets all once an edge of an object with something below it has changed.
type graph struct {
	above  map[authz.Ref]int // edges of the longest chain that begins here
	height map[authz.Ref]int // rel_node has at least this
	stale  bool              // such an edge has changed in the running batch
}

func (g *graph) learn(above, height map[authz.Ref]int) {
	if g.above == nil || len(g.above)+len(g.height) > maxKnown {
		g.above, g.height = map[authz.Ref]int{}, map[authz.Ref]int{}
	}
	for r, n := range above {
		g.above[r] = n
	}
	for r, n := range height {
		if n > 0 { // zero would soon be wrong, and is what every new file has
			g.height[r] = max(n, g.height[r])
		}
	}
}

func (g *graph) endBatch() {
	if g.stale {
		*g = graph{}
	}
}

const edgeColumns = `rr IN ($3, $4) AND deleted = 9223372036854775807 AND expiry > $5`

var (
	sqlHeight    = sqldb.OnlySQLite(`SELECT height FROM rel_node WHERE type = $1 AND id = $2`)
	sqlSetHeight = sqldb.OnlySQLite(`INSERT INTO rel_node (type, id, height) VALUES ($1, $2, $3)
		ON CONFLICT (type, id) DO UPDATE SET height = excluded.height`)
	sqlNoHeight = sqldb.OnlySQLite(`DELETE FROM rel_node WHERE type = $1 AND id = $2`)
	// The plus keeps the planner from walking the whole reverse index for the sake of its order.
	sqlUp   = sqldb.OnlySQLite(`SELECT DISTINCT so FROM rel WHERE rt = $1 AND ro = $2 AND +st = $1 AND ` + edgeColumns)
	sqlDown = sqldb.OnlySQLite(`SELECT DISTINCT ro FROM rel INDEXED BY rel_reverse
		WHERE st = $1 AND so = $2 AND sr = $6 AND rt = $1 AND ` + edgeColumns)
	sqlSets = sqldb.OnlySQLite(`SELECT count(*) FROM (SELECT 1 FROM rel WHERE rt = $1 AND ro = $2 AND rr = $3 AND st = $4
		AND sr <> '...' AND deleted = 9223372036854775807 AND expiry > $6 LIMIT $5)`)
)

// mayHold refuses a change that would close a cycle or go over a limit.
func (j *join) mayHold(ctx context.Context, c *change) error {
	if c.kind == relations.Delete {
		return nil
	}
	if c.sr != tuple.Ellipsis {
		if err := j.fewSets(ctx, c); err != nil {
			return err
		}
	}
	if t, ok := treeOf(&c.key); ok {
		return j.mayLink(ctx, t, c)
	}
	return nil
}

// fewSets keeps a relation below its limit of subject sets: a check looks into each.
func (j *join) fewSets(ctx context.Context, c *change) error {
	m, err := j.schemaModel(ctx)
	if err != nil {
		return err
	}
	n := 0
	for _, st := range m.setTypes(c.rt, c.rr) {
		var more int
		if err := j.tx.Row(ctx, sqlSets, c.rt, c.ro, c.rr, st, maxSets, j.rev).Scan(&more); err != nil {
			return err
		}
		n += more
	}
	if n < maxSets {
		return nil
	}
	if old, err := j.live(ctx, &c.key); err != nil || old != nil {
		return err
	}
	return errs.New(errs.Invalid, "relation %s has %d groups on this %s already", c.rr, n, c.rt).Marked(errs.NotValid)
}

// mayLink refuses an edge that closes a cycle or makes a chain too long. An object with nothing below it can close none.
func (j *join) mayLink(ctx context.Context, t tree, c *change) error {
	height, err := j.height(ctx, c.resource())
	if err != nil {
		return err
	}
	up := authz.Ref{Type: c.st, ID: c.so}
	w := &walk{j: j, t: t, found: map[string]int{}}
	if height > 0 {
		w.target = c.ro
	}
	above, err := 0, errCycle
	if c.ro != c.so {
		above, err = w.above(ctx, up)
	}
	switch {
	case errors.Is(err, errCycle):
		return errs.New(errs.Invalid, "the %s would contain itself", t.one).Marked(errs.NotValid)
	case err != nil:
		return err
	case above+1+height <= t.limit:
		return nil
	}
	if height > 0 {
		if height, err = w.below(ctx, c.ro, t.limit-above); err != nil {
			return err
		}
	}
	if above+1+height <= t.limit {
		return nil
	}
	return errs.New(errs.Invalid, "more than %d %s would lie within one another", t.limit, t.many).Marked(errs.NotValid)
}

// linked keeps the heights right after an edge was written, whoever wrote it.
func (j *join) linked(ctx context.Context, c *change) error {
	t, ok := treeOf(&c.key)
	if !ok {
		return nil
	}
	height, err := j.moved(ctx, c.resource())
	if err != nil {
		return err
	}
	return j.raiseHeight(ctx, t, authz.Ref{Type: c.st, ID: c.so}, height+1)
}

// cut forgets what is no longer known after an edge was deleted. Heights stay: they are upper bounds.
func (j *join) cut(ctx context.Context, c *change) error {
	if _, ok := treeOf(&c.key); !ok {
		return nil
	}
	_, err := j.moved(ctx, c.resource())
	return err
}

// moved forgets how far r lies from its top, and all that is known when something lies below r, whose height it returns.
func (j *join) moved(ctx context.Context, r authz.Ref) (int, error) {
	delete(j.learned, r)
	delete(j.d.batch.learned, r)
	delete(j.d.graph.above, r)
	height, err := j.height(ctx, r)
	if height > 0 {
		j.d.graph.stale = true
		clear(j.learned)
		clear(j.d.batch.learned)
	}
	return height, err
}

// height returns an upper bound of the longest chain that ends at r. Zero is exact.
func (j *join) height(ctx context.Context, r authz.Ref) (int, error) {
	if n, ok := j.heights[r]; ok {
		return n, nil
	}
	n := 0
	err := j.tx.Row(ctx, sqlHeight, r.Type, r.ID).Scan(&n)
	if err != nil && !errors.Is(err, sqldb.ErrNoRows) {
		return 0, err
	}
	j.heights[r] = n
	return n, nil
}

// raiseHeight makes r at least h high, and what lies above it higher accordingly. One above the limit stands for all that
// is too high, so it ends in a cycle too.
func (j *join) raiseHeight(ctx context.Context, t tree, r authz.Ref, h int) error {
	h = min(h, t.limit+1)
	if !j.d.graph.stale && j.d.graph.height[r] >= h {
		return nil
	}
	if now, err := j.height(ctx, r); err != nil || now >= h {
		return err
	}
	if _, err := j.tx.Exec(ctx, sqlSetHeight, r.Type, r.ID, h); err != nil {
		return err
	}
	j.heights[r] = h
	ups, err := j.neighbours(ctx, sqlUp, r.ID, t)
	if err != nil {
		return err
	}
	for _, up := range ups {
		if err := j.raiseHeight(ctx, t, authz.Ref{Type: r.Type, ID: up}, h+1); err != nil {
			return err
		}
	}
	return nil
}

// neighbours returns the ids at the other end of an object's edges, up or down.
func (j *join) neighbours(ctx context.Context, s *sqldb.Stmt, id string, t tree) ([]string, error) {
	args := []any{t.typ, id, t.relations[0], t.relations[1], j.rev}
	if s == sqlDown {
		args = append(args, t.subject)
	}
	var ids []string
	err := j.tx.Each(ctx, s, args, func(r sqldb.Row) error {
		var one string
		err := r.Scan(&one)
		ids = append(ids, one)
		return err
	})
	return ids, err
}

var errCycle = errors.New("a cycle")

// walk looks at the chains of one tree.
type walk struct {
	j      *join
	t      tree
	target string // meeting it is a cycle; "" when nothing can be one
	found  map[string]int
	edges  int
}

// above returns the edges of the longest chain that begins at r.
func (w *walk) above(ctx context.Context, r authz.Ref) (int, error) {
	if r.ID == w.target {
		return 0, errCycle
	}
	if n, ok := w.known(r); ok {
		return n, nil
	}
	ups, err := w.step(ctx, sqlUp, r.ID)
	if err != nil {
		return 0, err
	}
	w.found[r.ID] = w.t.limit // until it is known: a cycle from before the rules counts as too long
	longest := 0
	for _, up := range ups {
		n, err := w.above(ctx, authz.Ref{Type: r.Type, ID: up})
		if err != nil {
			return 0, err
		}
		longest = max(longest, n+1)
	}
	w.found[r.ID] = longest
	w.j.learned[r] = longest
	return longest, nil
}

// known returns what need not be walked. A walk that looks for a cycle has to see for itself.
func (w *walk) known(r authz.Ref) (int, bool) {
	if n, ok := w.found[r.ID]; ok {
		return n, true
	}
	if w.target != "" {
		return 0, false
	}
	if n, ok := w.j.learned[r]; ok {
		return n, true
	}
	if w.j.d.graph.stale {
		return 0, false
	}
	if n, ok := w.j.d.batch.learned[r]; ok {
		return n, true
	}
	n, ok := w.j.d.graph.above[r]
	return n, ok
}

// below returns the edges of the longest chain that ends at id, or most when it has at least that many.
func (w *walk) below(ctx context.Context, id string, most int) (int, error) {
	level := map[string]struct{}{id: {}}
	for n := 0; ; n++ {
		next := map[string]struct{}{}
		for one := range level {
			downs, err := w.step(ctx, sqlDown, one)
			if err != nil {
				return 0, err
			}
			for _, down := range downs {
				next[down] = struct{}{}
			}
		}
		if len(next) == 0 || n >= most {
			return n, nil
		}
		level = next
	}
}

func (w *walk) step(ctx context.Context, s *sqldb.Stmt, id string) ([]string, error) {
	ids, err := w.j.neighbours(ctx, s, id, w.t)
	if w.edges += len(ids); err == nil && w.edges > maxWalk {
		return nil, errs.New(errs.Invalid, "too many %s lie around this one to look at", w.t.many).Marked(errs.NotValid)
	}
	return ids, err
}
