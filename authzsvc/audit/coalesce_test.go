package audit

import (
	"bytes"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"nexus/authzsvc/authz"
	"nexus/internal/errs"
	"nexus/internal/ids"
)

func decisions(t testing.TB, l *Log) []Entry {
	t.Helper()
	return entries(t, l.View, Query{Types: []Type{TypeDecided}})
}

func TestRepeatsWithinASecondAreCountedIntoTheFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := openLog(t, t.TempDir(), Options{ReserveBytes: -1})
		first := decide(t, l, read(1))
		for range 41 {
			if again := decide(t, l, read(1)); again.ID != first.ID {
				t.Fatalf("repeat has id %s, want the first's %s", again.ID, first.ID)
			}
		}
		if got := decisions(t, l); len(got) != 1 {
			t.Fatalf("%d decisions within the second, want the first alone", len(got))
		}
		time.Sleep(time.Second + time.Millisecond) // virtual
		synctest.Wait()
		got := decisions(t, l)
		if len(got) != 2 || got[1].Decided.ID != first.ID || got[1].Decided.Repeats != 41 {
			t.Fatalf("decisions = %+v, want the first and a count of 41", got)
		}
		next := read(1)
		if id := next.ID; decide(t, l, next).ID != id {
			t.Fatal("a decision after the second was counted into the first")
		}
		closeLog(t, l)
	})
}

func TestCountsAreWrittenAtClose(t *testing.T) {
	dir := t.TempDir()
	l := openLog(t, dir, quick())
	decide(t, l, read(1))
	decide(t, l, read(1))
	closeLog(t, l)
	v, err := OpenView(dir)
	if err != nil {
		t.Fatal(err)
	}
	got := entries(t, v, Query{Types: []Type{TypeDecided}})
	if len(got) != 2 || got[1].Decided.Repeats != 1 {
		t.Fatalf("decisions = %+v, want the first and a count of 1", got)
	}
}

func TestConcurrentEqualDecisionsWriteOneFirst(t *testing.T) {
	l := openLog(t, t.TempDir(), quick())
	var all sync.WaitGroup
	for range 32 {
		all.Go(func() { decide(t, l, read(1)) })
	}
	all.Wait()
	if got := decisions(t, l); len(got) != 1 {
		t.Fatalf("%d firsts, want 1", len(got))
	}
	if n := l.Stats().Repeats; n != 31 {
		t.Fatalf("%d repeats, want 31", n)
	}
}

func TestEveryDifferenceMakesADecisionOfItsOwn(t *testing.T) {
	differences := map[string]func(*authz.Decided){
		"tenant": func(d *authz.Decided) { d.Tenant = "x" }, "base": func(d *authz.Decided) { d.Base.ID = "x" },
		"base type": func(d *authz.Decided) { d.Base.Type = "x" }, "key": func(d *authz.Decided) { d.Key = "x" },
		"actor": func(d *authz.Decided) { d.Actors = []authz.Ref{{Type: "agent", ID: "x"}} }, "op": func(d *authz.Decided) { d.Op = "x" },
		"object": func(d *authz.Decided) { d.Objects[0].ID = "x" }, "name": func(d *authz.Decided) { d.Objects[0].Name = "x" },
		"rest": func(d *authz.Decided) { d.Objects[0].Rest = "x" }, "check": func(d *authz.Decided) { d.Checks[0].Permission = "x" },
		"answer": func(d *authz.Decided) { d.Checks[0].Allowed = false }, "allowed": func(d *authz.Decided) { d.Allowed = false },
		"reason": func(d *authz.Decided) { d.Reason = "x" }, "incomplete": func(d *authz.Decided) { d.Incomplete = true },
		"schema": func(d *authz.Decided) { d.Schema = "x" }, "policy": func(d *authz.Decided) { d.Policy = "x" },
		"rule": func(d *authz.Decided) { d.Rules = []string{"x"} }, "obligation": func(d *authz.Decided) { d.Obligations = []string{"x"} },
		"param": func(d *authz.Decided) { d.Params = map[string]string{"a": "x"} },
	}
	plain := decidedKey(nil, read(1))
	for name, change := range differences {
		d := read(1)
		change(d)
		if bytes.Equal(decidedKey(nil, d), plain) {
			t.Errorf("another %s is counted as a repeat", name)
		}
	}
	same := read(1)
	same.ID, same.At, same.Request, same.Revision, same.Micros, same.Checks[0].Cached = ids.New(), time.Now(), "r", "9", 99, true
	if !bytes.Equal(decidedKey(nil, same), plain) {
		t.Error("another id, time, request, revision or cache answer is not counted as a repeat")
	}
	moved := read(1)
	moved.Rules, moved.Obligations = []string{"a", "b"}, nil
	other := read(1)
	other.Rules, other.Obligations = []string{"a"}, []string{"b"}
	if bytes.Equal(decidedKey(nil, moved), decidedKey(nil, other)) {
		t.Error("a rule and an obligation of one name are taken for another")
	}
}

func TestDurableDecisionsAndListsAreNeverCounted(t *testing.T) {
	l := openLog(t, t.TempDir(), quick())
	for range 2 {
		decide(t, l, write(1))
		list := read(1)
		list.Listed = &authz.Listed{Count: 1}
		decide(t, l, list)
	}
	if got := decisions(t, l); len(got) != 4 {
		t.Fatalf("%d decisions, want 4", len(got))
	}
}

func TestRepeatIsRefusedWhileTheDiskRefuses(t *testing.T) {
	l, d := openFaulty(t, quick())
	decide(t, l, read(1))
	d.set(refusing(5, "write"))
	wantNotRecorded(t, l.Decide(ctx, read(2)))
	wantNotRecorded(t, l.Decide(ctx, read(1)))
	d.set(nil)
	decide(t, l, read(1))
}

func TestMemoryOfRepeatsIsBounded(t *testing.T) {
	l := openLog(t, t.TempDir(), quick())
	for n := range maxRepeats + 100 {
		decide(t, l, read(n))
	}
	if got := len(l.seen.queue); got != maxRepeats || len(l.seen.byKey) != maxRepeats {
		t.Fatalf("%d firsts remembered, want %d", got, maxRepeats)
	}
	decide(t, l, read(maxRepeats+50))
	if n := l.Stats().Repeats; n != 0 {
		t.Fatalf("%d repeats counted beyond the bound, want them written in full", n)
	}
}

func TestRefusalsBeforeTheGateAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := openLog(t, t.TempDir(), Options{ReserveBytes: -1})
		for range 7 {
			if err := l.Refused(ctx, Refusal{Kind: errs.Exhausted, Reason: errs.RateLimited, Address: "203.0.113.9", Op: "files.read", Key: "k1"}); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(2 * time.Second) // virtual
		synctest.Wait()
		got := notes(t, l.View, NoteRefused)
		if len(got) != 2 || got[0].Count != 1 || got[1].Count != 6 || got[1].Address != "203.0.113.9" || got[1].Why != "exhausted RATE_LIMITED" {
			t.Fatalf("notes = %+v, want one and a count of 6", got)
		}
		closeLog(t, l)
	})
}

func TestFloodFromManyAddressesWritesABoundedNumberOfEntries(t *testing.T) {
	l := openLog(t, t.TempDir(), quick())
	for n := range 5 * maxRefusals {
		if err := l.Refused(ctx, Refusal{Kind: errs.Unauthenticated, Address: fmt.Sprint("2001:db8::", n)}); err != nil {
			t.Fatal(err)
		}
	}
	got := notes(t, l.View, NoteRefused)
	if len(got) != maxRefusals+1 || got[maxRefusals].Why != "others" {
		t.Fatalf("%d notes, the last %+v; want %d and one for the others", len(got), got[len(got)-1], maxRefusals)
	}
}

func TestRepeatedRefusalsShareOneEntryAndOneFsync(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := openLog(t, t.TempDir(), Options{ReserveBytes: -1})
		refused := func() *authz.Decided {
			d := read(1)
			d.Allowed, d.Durable, d.Reason = false, true, "NO_RELATION"
			return d
		}
		first := decide(t, l, refused())
		waits := l.Stats().Waits
		for range 41 {
			if again := decide(t, l, refused()); again.ID != first.ID {
				t.Fatalf("repeat has id %s, want the first's %s", again.ID, first.ID)
			}
		}
		if got := l.Stats().Waits; got != waits {
			t.Errorf("%d repeats waited for the disk", got-waits)
		}
		allowed := refused()
		allowed.Allowed, allowed.Reason = true, ""
		if id := allowed.ID; decide(t, l, allowed).ID != id {
			t.Error("an allowance was counted into a refusal")
		}
		closeLog(t, l)
	})
}
