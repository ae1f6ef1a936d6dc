package sqlds

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"nexus/authzsvc/relations"
	"nexus/internal/errs"
	"nexus/internal/sqldb"
)

// history is the model: for each relationship the spans in which it is visible.
type history map[string][]span

type span struct{ from, to, expiry int64 }

func (h history) apply(rev int64, u relations.Update) {
	name := u.String()
	spans := h[name]
	last := len(spans) - 1
	live := last >= 0 && spans[last].to == never
	expiry := changeOf(u).expiry
	if live && u.Kind != relations.Delete && spans[last].expiry == expiry {
		return
	}
	if live {
		spans[last].to = rev
	}
	if u.Kind != relations.Delete {
		spans = append(spans, span{rev, never, expiry})
	}
	h[name] = spans
}

func (h history) at(rev int64, part string) string {
	var all []string
	for name, spans := range h {
		seen := slices.ContainsFunc(spans, func(s span) bool { return s.from <= rev && rev < min(s.to, s.expiry) })
		if seen && strings.Contains(name, part) {
			all = append(all, name)
		}
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

// look returns what is visible at a revision, for a file or for a user.
func look(tb testing.TB, d *Datastore, at int64, part string) string {
	tb.Helper()
	f := onFile(strings.TrimPrefix(part, "file:acme/"))
	if user, ok := strings.CutPrefix(part, "user:acme/"); ok {
		f = ofUser(user)
	}
	all := read(tb, d, relations.Revision(at), f)
	slices.Sort(all)
	return strings.Join(all, " ")
}

var errRollback = errors.New("rolled back by the test")

func TestRandomHistoriesReadAsTheModelSays(t *testing.T) {
	clock := newHandClock()
	d := productStore(t, Options{Clock: clock})
	round := 0
	rapid.Check(t, func(t *rapid.T) {
		round++
		h := history{}
		past := []int64{int64(headIn(t, d))}
		step := func(t *rapid.T) {
			updates := rapid.SliceOfN(anyUpdate(clock, round), 1, 4).Draw(t, "updates")
			back := rapid.IntRange(0, 4).Draw(t, "fate") == 0
			rev, err := tryWrite(d, back, updates)
			if err != nil && !errors.Is(err, errRollback) {
				t.Fatal(err)
			}
			if err == nil {
				for _, u := range updates {
					h.apply(rev, u)
				}
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"write": step,
			"wait":  func(t *rapid.T) { clock.add(time.Duration(rapid.IntRange(1, 40).Draw(t, "ns"))) },
			"": func(t *rapid.T) {
				past = append(past, int64(headIn(t, d)))
				rev := past[len(past)-1]
				if rapid.Bool().Draw(t, "earlier") {
					rev = rapid.SampledFrom(past).Draw(t, "revision")
				}
				for _, part := range parts(round) {
					if got, want := lookIn(t, d, rev, part), h.at(rev, part); got != want {
						t.Fatalf("%s at %d: %q, want %q", part, rev, got, want)
					}
				}
			},
		})
	})
}

// Each round has names of its own, so that one store serves all.
func anyUpdate(clock *handClock, round int) *rapid.Generator[relations.Update] {
	return rapid.Custom(func(t *rapid.T) relations.Update {
		r := viewer(fmt.Sprint("f", round, "x", rapid.IntRange(0, 2).Draw(t, "file")), fmt.Sprint("u", round, "x", rapid.IntRange(0, 2).Draw(t, "user")))
		if rapid.Bool().Draw(t, "expires") {
			r.Expires = clock.Now().Add(time.Duration(rapid.IntRange(20, 100).Draw(t, "ns")))
		}
		if rapid.IntRange(0, 2).Draw(t, "kind") == 0 {
			return remove(r)
		}
		return touch(r)
	})
}

func parts(round int) (all []string) {
	for i := range 3 {
		all = append(all, fmt.Sprintf("file:acme/f%dx%d", round, i), fmt.Sprintf("user:acme/u%dx%d", round, i))
	}
	return all
}

func tryWrite(d *Datastore, back bool, updates []relations.Update) (rev int64, err error) {
	err = d.db.Tx(context.Background(), func(ctx context.Context, tx sqldb.Tx) error {
		if err := d.Writer().Write(ctx, tx, updates...); err != nil {
			return err
		}
		rev = d.batch.running.rev
		if back {
			return errRollback
		}
		return nil
	})
	return rev, err
}

func headIn(t *rapid.T, d *Datastore) relations.Revision {
	r, err := d.Reader().Head(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func lookIn(t *rapid.T, d *Datastore, at int64, part string) string {
	f := onFile(strings.TrimPrefix(part, "file:acme/"))
	if user, ok := strings.CutPrefix(part, "user:acme/"); ok {
		f = ofUser(user)
	}
	var all []string
	err := d.Reader().Read(context.Background(), relations.Revision(at), f, func(r relations.Relationship) bool {
		all = append(all, r.String())
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

// observation is what a reader saw at a revision.
type observation struct {
	rev        int64
	part, seen string
}

// Everything that is read while others write, roll back and let expire is held against the history that came of it: it
// finds an object cache that keeps rows from before a commit, and a head that moves into one.
func TestWhatReadersSawIsWhatHistorySays(t *testing.T) {
	d := productStore(t, Options{Objects: 64}) // small, so that entries come and go
	type write struct {
		rev     int64
		updates []relations.Update
	}
	var mu sync.Mutex
	var writes []write
	var seen []observation
	done := make(chan struct{})
	var writers, readers sync.WaitGroup
	for w := range 4 {
		writers.Go(func() {
			rnd := rand.New(rand.NewPCG(uint64(w), 1))
			for range 300 {
				updates := randomUpdates(rnd)
				rev, err := tryWrite(d, rnd.IntN(5) == 0, updates)
				if errors.Is(err, errRollback) || errors.Is(err, errs.Invalid) { // waited so long that it would have expired
					continue
				}
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				writes = append(writes, write{rev, updates})
				mu.Unlock()
			}
		})
	}
	for r := range 8 {
		readers.Go(func() {
			rnd := rand.New(rand.NewPCG(uint64(r), 2))
			var own []observation
			for {
				select {
				case <-done:
					mu.Lock()
					seen = append(seen, own...)
					mu.Unlock()
					return
				default:
				}
				part := parts(0)[rnd.IntN(6)]
				rev := int64(headOf(t, d))
				if len(own) > 0 && rnd.IntN(4) == 0 {
					rev = own[rnd.IntN(len(own))].rev
				}
				own = append(own, observation{rev, part, look(t, d, rev, part)})
			}
		})
	}
	writers.Wait()
	close(done)
	readers.Wait()
	slices.SortFunc(writes, func(a, b write) int { return int(a.rev - b.rev) })
	h := history{}
	for _, w := range writes {
		for _, u := range w.updates {
			h.apply(w.rev, u)
		}
	}
	for _, o := range seen {
		if want := h.at(o.rev, o.part); o.seen != want {
			t.Fatalf("%s at %d was seen as %q, history says %q", o.part, o.rev, o.seen, want)
		}
	}
	t.Logf("%d writes, %d observations", len(writes), len(seen))
}

func randomUpdates(rnd *rand.Rand) []relations.Update {
	var all []relations.Update
	for range 1 + rnd.IntN(3) {
		r := viewer(fmt.Sprint("f0x", rnd.IntN(3)), fmt.Sprint("u0x", rnd.IntN(3)))
		if rnd.IntN(2) == 0 {
			r.Expires = time.Now().Add(time.Duration(1+rnd.IntN(50)) * 10 * time.Millisecond)
		}
		if rnd.IntN(3) == 0 {
			all = append(all, remove(r))
		} else {
			all = append(all, touch(r))
		}
	}
	return all
}

// Each writer grants and revokes a right of its own, while readers keep the caches and the head busy.
func TestOwnWritesAreSeenAtOnce(t *testing.T) {
	d := productStore(t, Options{})
	done := make(chan struct{})
	var writers, readers sync.WaitGroup
	for r := range 64 {
		readers.Go(func() {
			for i := r; ; i++ {
				select {
				case <-done:
					return
				default:
				}
				look(t, d, int64(headOf(t, d)), fmt.Sprint("file:acme/f", i%8))
			}
		})
	}
	for w := range 8 {
		writers.Go(func() {
			file := fmt.Sprint("f", w)
			for i := range 100 {
				right := viewer(file, fmt.Sprint("u", w))
				want := right.String()
				if err := write(d, create(right)); err != nil {
					t.Error(err)
					return
				}
				if got := look(t, d, int64(headOf(t, d)), "file:acme/"+file); got != want {
					t.Errorf("round %d: after the grant %q", i, got)
				}
				if err := write(d, remove(right)); err != nil {
					t.Error(err)
					return
				}
				if got := look(t, d, int64(headOf(t, d)), "file:acme/"+file); got != "" {
					t.Errorf("round %d: after the completed revocation %q", i, got)
				}
			}
		})
	}
	writers.Wait()
	close(done)
	readers.Wait()
}
