package audit

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"nexus/authzsvc/authz"
	"nexus/internal/errs"
)

func TestEntryIsInTheFileWhenDecideReturns(t *testing.T) {
	dir := t.TempDir()
	l := openLog(t, dir, quick())
	d := decide(t, l, read(1))
	text, err := os.ReadFile(filepath.Join(dir, segmentName(1)))
	if err != nil || !strings.Contains(string(text), d.ID) {
		t.Fatalf("segment holds %q, %v; want decision %s in it", text, err, d.ID)
	}
}

func TestDecisionIsReadBackAsItWasWritten(t *testing.T) {
	l := openLog(t, t.TempDir(), quick())
	want := decide(t, l, typical())
	got := entries(t, l.View, Query{Decision: want.ID})
	if len(got) != 1 || string(standard(t, got[0].Decided)) != string(standard(t, want)) {
		t.Fatalf("read back %+v, want %+v", got, want)
	}
}

func TestSecondProcessRefused(t *testing.T) {
	dir := t.TempDir()
	l := openLog(t, dir, quick())
	if _, err := Open(dir, quick()); !errors.Is(err, errs.Unavailable) {
		t.Fatalf("second Open = %v, want unavailable", err)
	}
	closeLog(t, l)
	closeLog(t, openLog(t, dir, quick()))
}

func TestClosedLogRefuses(t *testing.T) {
	l := openLog(t, t.TempDir(), quick())
	closeLog(t, l)
	wantNotRecorded(t, l.Decide(ctx, read(1)))
	wantNotRecorded(t, l.Decide(ctx, write(1)))
	wantNotRecorded(t, l.Conclude(ctx, &authz.Outcome{ID: "x"}))
	wantNotRecorded(t, l.Refused(ctx, Refusal{Kind: errs.Unauthenticated}))
	wantNotRecorded(t, l.Healthy())
	closeLog(t, l)
}

func wantNotRecorded(t *testing.T, err error) {
	t.Helper()
	if e := errs.From(err); err == nil || e.Kind != errs.Unavailable || e.Reason != errs.NotRecorded {
		t.Fatalf("error = %v, want unavailable with reason NOT_RECORDED", err)
	}
}

func TestCallerWhoLeftIsNotRecorded(t *testing.T) {
	l := openLog(t, t.TempDir(), quick())
	gone, leave := context.WithCancel(ctx)
	leave()
	before := l.Stats().Entries
	if err := l.Decide(gone, read(1)); !errors.Is(err, errs.Canceled) {
		t.Fatalf("Decide = %v, want canceled", err)
	}
	if after := l.Stats().Entries; after != before {
		t.Fatalf("entries = %d, want %d", after, before)
	}
}

func TestDecisionWithoutIDRefused(t *testing.T) {
	l := openLog(t, t.TempDir(), quick())
	if err := l.Decide(ctx, &authz.Decided{}); err == nil {
		t.Fatal("Decide without id = nil, want an error")
	}
}

func TestCallerWhoLeavesWhileWaitingGetsAnOutcome(t *testing.T) {
	d := newFaulty()
	o := quick()
	o.disk = d
	dir := t.TempDir()
	l := openLog(t, dir, o)
	waiting, release := make(chan struct{}), make(chan struct{})
	var once sync.Once
	d.set(func(_ int, op string) error {
		if op == "sync" {
			once.Do(func() { close(waiting); d.mu.Unlock(); <-release; d.mu.Lock() })
		}
		return nil
	})
	leaving, leave := context.WithCancel(ctx)
	go func() { <-waiting; leave() }()
	w := write(1)
	if err := l.Decide(leaving, w); !errors.Is(err, errs.Canceled) {
		t.Fatalf("Decide = %v, want canceled", err)
	}
	close(release)
	got := entries(t, l.View, Query{Decision: w.ID})
	if len(got) != 2 || got[1].Outcome.State != authz.Failed {
		t.Fatalf("entries = %+v, want the decision and a failed outcome", got)
	}
	if open := l.Stats().Open; open != 0 {
		t.Fatalf("%d decisions open, want none", open)
	}
}

func TestTimeNeverRunsBackwardsInTheRecord(t *testing.T) {
	c := &stepClock{now: time.Now()}
	o := quick()
	o.Clock = c
	l := openLog(t, t.TempDir(), o)
	for n, step := range []time.Duration{time.Second, -time.Hour, time.Millisecond} {
		c.step(step)
		decide(t, l, read(n))
	}
	var last time.Time
	for _, e := range entries(t, l.View, Query{}) {
		if e.At.Before(last) {
			t.Fatalf("entry %d at %v, behind one at %v", e.Seq, e.At, last)
		}
		last = e.At
	}
}

type stepClock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *stepClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *stepClock) step(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func TestPromptEntryIsSyncedByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := openLog(t, t.TempDir(), Options{ReserveBytes: -1})
		decide(t, l, read(1))
		if s := l.Stats(); s.Synced == s.Seq {
			t.Fatal("a prompt entry waited for its fsync")
		}
		time.Sleep(21 * time.Millisecond) // virtual
		synctest.Wait()
		if s := l.Stats(); s.Synced != s.Seq {
			t.Fatalf("synced to %d of %d after 21 ms", s.Synced, s.Seq)
		}
		closeLog(t, l)
	})
}

func TestTrafficIsSignedWithinTheInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var published []string
		l := openLog(t, t.TempDir(), Options{ReserveBytes: -1, CoalesceFor: -1, Published: func(s string) { published = append(published, s) }})
		for n := range 100 {
			decide(t, l, read(n))
			time.Sleep(250 * time.Millisecond) // virtual: 25 s in all
		}
		time.Sleep(10 * time.Second)
		synctest.Wait()
		s := l.Stats()
		if s.Head != s.Seq-1 {
			t.Fatalf("signed to %d of %d", s.Head, s.Seq)
		}
		if n := len(published); n < 4 || n > 6 {
			t.Fatalf("%d checkpoints in 35 s, want one at open and one in ten seconds", n)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if idle := l.Stats(); idle.Seq != s.Seq {
			t.Fatalf("%d entries were written while nothing happened", idle.Seq-s.Seq)
		}
		closeLog(t, l)
	})
}

func TestUnresolvedAreTheWritesOfEarlierProcessesWithoutOutcome(t *testing.T) {
	dir := t.TempDir()
	l := openLog(t, dir, quick())
	lost := decide(t, l, write(1))
	if err := l.pass(passForce); err != nil { // the checkpoint names it as the oldest open one
		t.Fatal(err)
	}
	conclude(t, l, decide(t, l, write(2)).ID, 1, 1)
	lost2 := decide(t, l, write(3))
	denied := write(4)
	denied.Allowed = false
	decide(t, l, denied)
	decide(t, l, read(5))
	if got, err := l.Unresolved(ctx); err != nil || len(got) != 0 {
		t.Fatalf("Unresolved = %v, %v while the process lives, want none", got, err)
	}
	l.halt()

	l = openLog(t, dir, quick())
	wantUnresolved(t, l, lost.ID, lost2.ID)
	l.halt() // again before they were closed

	l = openLog(t, dir, quick())
	wantUnresolved(t, l, lost.ID, lost2.ID)
	conclude(t, l, lost.ID, 0, 0)
	wantUnresolved(t, l, lost2.ID)
	conclude(t, l, lost2.ID, 0, 0)
	closeLog(t, l)

	l = openLog(t, dir, quick())
	wantUnresolved(t, l)
	closeLog(t, l)
	wantWhole(t, dir)
}

func wantUnresolved(t *testing.T, l *Log, ids ...string) {
	t.Helper()
	all, err := l.Unresolved(ctx)
	if err != nil || len(all) != len(ids) {
		t.Fatalf("Unresolved = %v, %v; want %v", all, err, ids)
	}
	for i, d := range all {
		if d.ID != ids[i] || !d.Durable {
			t.Fatalf("Unresolved[%d] = %+v, want durable %s", i, d, ids[i])
		}
	}
}

func TestUnresolvedReachesBackOverSegments(t *testing.T) {
	dir := t.TempDir()
	o := quick()
	o.SegmentBytes = 4 << 10
	l := openLog(t, dir, o)
	lost := decide(t, l, write(0))
	fillSegments(t, l, 3)
	l.halt()
	l = openLog(t, dir, o)
	wantUnresolved(t, l, lost.ID)
}

// fillSegments records until so many more segments were begun, and compresses what is closed.
func fillSegments(t testing.TB, l *Log, n int) {
	t.Helper()
	until := l.Stats().Segment + n
	for i := 0; l.Stats().Segment < until; i++ {
		decide(t, l, read(1000+i))
		if err := l.pass(passDue); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.tidy(ctx); err != nil {
		t.Fatal(err)
	}
}

func TestOpenDecisionsBeyondTheBoundPinTheirPlace(t *testing.T) {
	s := newOpenSet()
	for n := range uint64(maxOpen + 2) {
		s.add(read(int(n)).ID, n+10)
	}
	if len(s.seqs) != maxOpen {
		t.Fatalf("%d remembered, want %d", len(s.seqs), maxOpen)
	}
	clear(s.seqs)
	if got, want := s.oldest(), uint64(maxOpen+10); got != want {
		t.Fatalf("oldest = %d, want the first that was let go, %d", got, want)
	}
}
