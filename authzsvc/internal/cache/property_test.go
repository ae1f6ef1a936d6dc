package cache_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"nexus/authzsvc/authz"
	"nexus/authzsvc/internal/cache"
	"nexus/authzsvc/relations"
	"nexus/internal/errs"
	"nexus/internal/sqldb"
)

// A property test over the real store and engine: goroutines write, roll back, let grants expire, move folders and link
// them, while they ask. Every answer is compared with the engine's at the revision that the answer names.

const (
	worldUsers   = 5
	worldGroups  = 4
	worldFolders = 24
	worldFiles   = 24
)

type world struct {
	*house
	fresh atomic.Int64
	held  atomic.Int64 // decisions that held under the writer's lock
	fell  atomic.Int64 // and those that did not
	hits  atomic.Int64
	lists atomic.Int64
}

func newWorld(t *testing.T, o cache.Options) *world {
	w := &world{house: open(t, o)}
	texts := []string{
		"tenant:acme#platform@platform:nexus", "platform:nexus#admin@user:operator", "tenant:acme#admin@user:acme/u0",
		"file:acme/d0#direct_owner@tenant:acme#administer",
	}
	for i := 1; i < worldFolders; i++ {
		texts = append(texts, fmt.Sprintf("file:acme/d%d#parent@file:acme/d%d", i, (i-1)/2))
	}
	for i := range worldFiles {
		texts = append(texts, fmt.Sprintf("file:acme/f%d#parent@file:acme/d%d", i, i%worldFolders))
	}
	for i := range 600 { // so much that his lists are decided from the rows, not from what he was granted
		texts = append(texts, fmt.Sprintf("file:acme/e%d#direct_viewer@user:acme/u1", i))
	}
	w.write(texts...)
	return w
}

func (w *world) subject(r *rand.Rand) authz.Ref {
	if r.IntN(12) == 0 {
		return ref("user:operator")
	}
	return ref(fmt.Sprintf("user:acme/u%d", r.IntN(worldUsers)))
}

func object(r *rand.Rand) string {
	if r.IntN(3) == 0 {
		return fmt.Sprintf("file:acme/d%d", r.IntN(worldFolders))
	}
	return fmt.Sprintf("file:acme/f%d", r.IntN(worldFiles))
}

var permissions = []string{"read", "write", "share", "delete", "execute", "viewer"}

func question(r *rand.Rand) authz.Check {
	switch r.IntN(10) {
	case 0:
		return check("tenant:acme#" + []string{"access", "administer"}[r.IntN(2)])
	case 1:
		return check(fmt.Sprintf("group:acme/g%d#manage", r.IntN(worldGroups)))
	}
	return check(object(r) + "#" + permissions[r.IntN(len(permissions))])
}

// change returns one random write.
func (w *world) change(r *rand.Rand) []string {
	sign := []string{"", "", "-"}[r.IntN(3)]
	user := fmt.Sprintf("user:acme/u%d", r.IntN(worldUsers))
	group := r.IntN(worldGroups)
	role := []string{"direct_owner", "direct_editor", "direct_viewer"}[r.IntN(3)]
	life := ""
	if sign == "" && r.IntN(3) == 0 {
		life = fmt.Sprintf("!%dms", 1+r.IntN(30))
	}
	switch r.IntN(24) {
	case 0:
		return []string{fmt.Sprintf("%sgroup:acme/g%d#member@%s%s", sign, group, user, life)}
	case 1:
		return []string{fmt.Sprintf("%sgroup:acme/g%d#member@group:acme/g%d#member", sign, group, (group+1+r.IntN(2))%worldGroups)}
	case 2:
		return []string{sign + "tenant:acme#member@" + user}
	case 3:
		return []string{fmt.Sprintf("%s%s#%s@group:acme/g%d#member%s", sign, object(r), role, group, life)}
	case 4:
		return []string{sign + object(r) + "#direct_viewer@tenant:acme#access" + life}
	case 5:
		i := r.IntN(worldFiles)
		return []string{fmt.Sprintf("%sfile:acme/f%d#link@file:acme/d%d", sign, i, r.IntN(worldFolders))}
	case 6:
		return w.move(r)
	case 7, 8, 9, 10:
		n := w.fresh.Add(1)
		return []string{
			fmt.Sprintf("file:acme/n%d#parent@file:acme/d%d", n, r.IntN(worldFolders)),
			fmt.Sprintf("file:acme/n%d#direct_owner@%s", n, user),
		}
	}
	return []string{sign + object(r) + "#" + role + "@" + user + life}
}

// move hangs a folder or a file below another folder, the old parent being read at the head.
func (w *world) move(r *rand.Rand) []string {
	child, to := fmt.Sprintf("acme/f%d", r.IntN(worldFiles)), r.IntN(worldFolders)
	if r.IntN(3) == 0 {
		i := 1 + r.IntN(worldFolders-1)
		child, to = fmt.Sprintf("acme/d%d", i), r.IntN(i) // always below a smaller number: no cycle
	}
	texts := []string{fmt.Sprintf("file:%s#parent@file:acme/d%d", child, to)}
	for _, was := range w.parents(child) {
		if was != fmt.Sprintf("acme/d%d", to) {
			texts = append(texts, fmt.Sprintf("-file:%s#parent@file:%s", child, was))
		}
	}
	return texts
}

func (w *world) parents(id string) []string {
	head, err := w.reader.Head(context.Background())
	must(w, err)
	var all []string
	f := relations.Filter{ResourceType: "file", ResourceID: id, Relation: "parent"}
	must(w, w.reader.Read(context.Background(), head, f, func(r relations.Relationship) bool {
		all = append(all, r.Subject.ID)
		return true
	}))
	return all
}

// expected asks the engine, past the cache.
func (w *world) expected(at relations.Revision, who []authz.Ref, checks []authz.Check) []bool {
	answers, err := w.engine.Engine.Check(context.Background(), at, who, checks)
	if err != nil {
		w.Errorf("engine at %d: %v", at, err)
		return make([]bool, len(checks))
	}
	all := make([]bool, len(answers))
	for i, a := range answers {
		all[i] = a.Allowed
	}
	return all
}

func (w *world) askOnce(r *rand.Rand) {
	who := []authz.Ref{w.subject(r)}
	if r.IntN(6) == 0 {
		who = append(who, w.subject(r))
	}
	checks := make([]authz.Check, 1+r.IntN(4))
	for i := range checks {
		checks[i] = question(r)
	}
	f, err := w.cache.Ask(context.Background(), who, checks)
	if err != nil {
		w.Errorf("Ask: %v", err)
		return
	}
	want := w.expected(revision(w, f.Revision), who, checks)
	for i, a := range f.Answers {
		if a.Cached {
			w.hits.Add(1)
		}
		if a.Allowed != want[i] {
			w.Errorf("%v for %v at %s: %v from memory %v, the engine says %v", a.Check, who, f.Revision, a.Allowed, a.Cached, want[i])
		}
	}
}

func revision(tb testing.TB, text string) relations.Revision {
	n, err := strconv.ParseInt(text, 10, 64)
	must(tb, err)
	return relations.Revision(n)
}

func (w *world) writeOnce(r *rand.Rand) {
	err := ignoreRefused(w.tryWrite(r.IntN(4) == 0, w.change(r)...))
	if err != nil && !errors.Is(err, errRollback) {
		w.Errorf("write: %v", err)
	}
}

// holdOnce decides, then looks under the writer's lock whether the decision still holds. When it does, the answer must be
// that at the revision of the write which it is for.
func (w *world) holdOnce(r *rand.Rand) {
	ctx := context.Background()
	who, checks := []authz.Ref{w.subject(r)}, []authz.Check{question(r)}
	f, err := w.cache.Ask(ctx, who, checks)
	must(w, err)
	if r.IntN(2) == 0 {
		w.writeOnce(r)
	}
	id := fmt.Sprintf("acme/h%d", w.fresh.Add(1))
	held := false
	must(w, w.db.Tx(ctx, func(ctx context.Context, tx sqldb.Tx) error {
		held = f.Stamps.Hold()
		return w.store.Writer().Write(ctx, tx, update(w, "file:"+id+"#direct_owner@user:acme/u0"))
	}))
	if !held {
		w.fell.Add(1)
		return
	}
	w.held.Add(1)
	at := w.revisionOf(id)
	if want := w.expected(at, who, checks); f.Answers[0].Allowed != want[0] {
		w.Errorf("%v for %v held, decided %v at %s, but at %d it is %v", checks[0], who, f.Answers[0].Allowed, f.Revision, at, want[0])
	}
}

// listOnce sifts all files, whose folders were read before, and looks for one revision at which the engine agrees on every row.
func (w *world) listOnce(r *rand.Rand) {
	ctx := context.Background()
	who := []authz.Ref{w.subject(r)}
	permission := permissions[r.IntN(len(permissions))]
	read := w.head()
	members, checks := w.members(permission)
	before, err := w.reader.Head(ctx)
	must(w, err)
	got, err := w.cache.Sift(ctx, who, permission, read, members)
	if err != nil {
		w.Errorf("Sift: %v", err)
		return
	}
	after, err := w.reader.Head(ctx)
	must(w, err)
	w.lists.Add(1)
	for _, at := range w.between(before, after) {
		if slices.Equal(got, w.expected(at, who, checks)) {
			return
		}
	}
	want := w.expected(before, who, checks)
	for i := range got {
		if got[i] != want[i] {
			w.Errorf("Sift of %s for %v between %d and %d: %v is %v", permission, who, before, after, checks[i].Object(), got[i])
		}
	}
}

// members reads files and folders with what they stand in, as storage would.
func (w *world) members(permission string) ([]authz.Member, []authz.Check) {
	var members []authz.Member
	var checks []authz.Check
	add := func(id string) {
		m := authz.Member{Object: authz.Ref{Type: "file", ID: id}}
		if up := w.parents(id); len(up) == 1 {
			m.In = authz.Ref{Type: "file", ID: up[0]}
		}
		members = append(members, m)
		checks = append(checks, authz.Check{Type: "file", ID: id, Permission: permission})
	}
	for i := range worldFolders {
		add(fmt.Sprintf("acme/d%d", i))
	}
	for i := range worldFiles {
		add(fmt.Sprintf("acme/f%d", i))
	}
	return members, checks
}

// between returns before, after and every revision in between.
func (w *world) between(before, after relations.Revision) []relations.Revision {
	revs := []relations.Revision{before}
	for _, rev := range w.revisions() {
		if before < rev && rev <= after {
			revs = append(revs, rev)
		}
	}
	return append(revs, after)
}

func TestEveryAnswerIsTheEnginesAtItsRevision(t *testing.T) {
	cases := map[string]cache.Options{
		"roomy": {},
		"tight": {MaxEntries: 64, Journal: 16}, // evicts, forgets nodes and overruns the journal all the time
	}
	rounds := 250
	if testing.Short() {
		rounds = 60
	}
	for name, o := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, o)
			var all sync.WaitGroup
			for g := range 8 {
				all.Go(func() {
					r := rand.New(rand.NewPCG(uint64(g), 7))
					for i := range rounds {
						w.once(r)
						if g == 0 && i%16 == 0 {
							runtime.GC() // lets forgotten nodes go
						}
					}
				})
			}
			all.Wait()
			s := w.cache.Stats()
			t.Logf("%d hits compared, %d lists, %d decisions held and %d fell; %+v", w.hits.Load(), w.lists.Load(), w.held.Load(), w.fell.Load(), s)
			if w.hits.Load() == 0 || w.lists.Load() == 0 || w.held.Load() == 0 || w.fell.Load() == 0 {
				t.Error("some of these never happened, so nothing was compared")
			}
		})
	}
}

func (w *world) once(r *rand.Rand) {
	switch n := r.IntN(100); {
	case n < 60:
		w.askOnce(r)
	case n < 80:
		w.writeOnce(r)
	case n < 90:
		w.holdOnce(r)
	default:
		w.listOnce(r)
	}
}

// ignoreRefused forgives a write that the rules of relationships refuse.
func ignoreRefused(err error) error {
	if errors.Is(err, errs.Precondition) || errors.Is(err, errs.Invalid) {
		return nil
	}
	return err
}
