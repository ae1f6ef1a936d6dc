package audit

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"nexus/authzsvc/authz"
	"nexus/internal/errs"
	"nexus/internal/ids"
)

func TestQuerySelects(t *testing.T) {
	dir := t.TempDir()
	c := &stepClock{now: time.Date(2026, 5, 1, 8, 0, 0, 0, time.UTC)}
	o := quick()
	o.Clock, o.SegmentBytes = c, 2<<10
	l := openLog(t, dir, o)
	people := []string{"ann", "bob", "ann/1", `q"uote`}
	for n := range 24 {
		d := read(n)
		d.Base.ID = people[n%4]
		d.Allowed = n%3 != 0
		d.Checks[0].Allowed = d.Allowed
		if n%6 == 0 {
			d.Op = "files.list"
		}
		if n%8 == 0 {
			d.Actors = []authz.Ref{{Type: "agent", ID: "bot"}}
		}
		decide(t, l, d)
		c.step(time.Minute)
		if err := l.pass(passDue); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.tidy(ctx); err != nil {
		t.Fatal(err)
	}
	if l.Stats().Segment < 3 {
		t.Fatal("the sample needs several segments")
	}
	if err := l.Refused(ctx, Refusal{Kind: errs.Exhausted, Op: "files.list"}); err != nil {
		t.Fatal(err)
	}
	begin := time.Date(2026, 5, 1, 8, 0, 0, 0, time.UTC)
	only := []Type{TypeDecided}
	for name, c := range map[string]struct {
		q    Query
		want func(n int) bool
	}{
		"all":              {Query{Types: only}, func(int) bool { return true }},
		"base":             {Query{Principal: authz.Ref{Type: "user", ID: "ann"}}, func(n int) bool { return n%4 == 0 }},
		"quoted base":      {Query{Principal: authz.Ref{Type: "user", ID: `q"uote`}}, func(n int) bool { return n%4 == 3 }},
		"actor":            {Query{Principal: authz.Ref{Type: "agent", ID: "bot"}}, func(n int) bool { return n%8 == 0 }},
		"base of a type":   {Query{Principal: authz.Ref{Type: "key", ID: "ann"}}, func(int) bool { return false }},
		"op":               {Query{Op: "files.list", Types: only}, func(n int) bool { return n%6 == 0 }},
		"object":           {Query{Object: authz.Ref{Type: "file", ID: "acme/f5"}}, func(n int) bool { return n == 5 }},
		"allowed":          {Query{Answer: Allowed}, func(n int) bool { return n%3 != 0 }},
		"refused":          {Query{Answer: Refused}, func(n int) bool { return n%3 == 0 }},
		"time":             {Query{Types: only, From: begin.Add(5 * time.Minute), To: begin.Add(9 * time.Minute)}, func(n int) bool { return n >= 5 && n < 9 }},
		"time to the end":  {Query{Types: only, From: begin.Add(20 * time.Minute)}, func(n int) bool { return n >= 20 }},
		"base and refused": {Query{Principal: authz.Ref{Type: "user", ID: "bob"}, Answer: Refused}, func(n int) bool { return n%4 == 1 && n%3 == 0 }},
	} {
		t.Run(name, func(t *testing.T) { wantSelected(t, l, c.q, c.want) })
	}
	if got := entries(t, l.View, Query{Op: "files.list", Types: []Type{TypeNote}}); len(got) != 1 {
		t.Fatalf("%d refusals before the Gate of that op, want 1", len(got))
	}
}

// wantSelected reads q in both directions and with every limit.
func wantSelected(t *testing.T, l *Log, q Query, want func(n int) bool) {
	t.Helper()
	var names []string
	for n := range 24 {
		if want(n) {
			names = append(names, read(n).Objects[0].Name)
		}
	}
	for _, q.Newest = range []bool{false, true} {
		for q.Limit = 0; q.Limit <= len(names)+1; q.Limit++ {
			all := slices.Clone(names)
			if q.Newest {
				slices.Reverse(all)
			}
			if q.Limit > 0 {
				all = all[:min(q.Limit, len(all))]
			}
			var got []string
			for _, e := range entries(t, l.View, q) {
				got = append(got, e.Decided.Objects[0].Name)
			}
			if !slices.Equal(got, all) {
				t.Fatalf("newest first %v, limit %d: %v, want %v", q.Newest, q.Limit, got, all)
			}
		}
	}
}

func TestPagesBySequenceNumberJoinToTheWhole(t *testing.T) {
	dir := longRecord(t)
	v, err := OpenView(dir)
	if err != nil {
		t.Fatal(err)
	}
	whole := entries(t, v, Query{})
	var pages []Entry
	for page := entries(t, v, Query{Limit: 7}); len(page) > 0; {
		pages = append(pages, page...)
		page = entries(t, v, Query{Limit: 7, After: page[len(page)-1].Seq})
	}
	wantSameSeqs(t, pages, whole)
	pages = nil
	for page := entries(t, v, Query{Limit: 7, Newest: true}); len(page) > 0; {
		pages = append(pages, page...)
		page = nil
		if last := pages[len(pages)-1].Seq; last > 1 {
			page = entries(t, v, Query{Limit: 7, Newest: true, Before: last})
		}
	}
	slices.Reverse(pages)
	wantSameSeqs(t, pages, whole)
}

func wantSameSeqs(t *testing.T, got, want []Entry) {
	t.Helper()
	same := slices.EqualFunc(got, want, func(a, b Entry) bool { return a.Seq == b.Seq })
	if !same {
		t.Fatalf("%d entries by pages, want the %d of the whole", len(got), len(want))
	}
}

func TestFindReadsTheSegmentThatTheIDPointsTo(t *testing.T) {
	dir := t.TempDir()
	o := quick()
	o.SegmentBytes = 4 << 10
	l := openLog(t, dir, o)
	w := decide(t, l, write(1))
	conclude(t, l, w.ID, 1, 1)
	fillSegments(t, l, 2)
	found, err := l.Find(ctx, w.ID)
	if err != nil || len(found) != 2 || found[0].Decided == nil || found[1].Outcome == nil {
		t.Fatalf("Find = %+v, %v; want the decision and its outcome", found, err)
	}
	if found, err := l.Find(ctx, ids.New()); err != nil || len(found) != 0 {
		t.Fatalf("Find of another id = %+v, %v; want nothing", found, err)
	}
	if found, err := l.Find(ctx, "no id at all"); err != nil || len(found) != 0 {
		t.Fatalf("Find of no id = %+v, %v; want nothing", found, err)
	}
}

func TestFindReachesALateOutcomeAndAMisdatedID(t *testing.T) {
	c := &stepClock{now: time.Now()}
	o := quick()
	o.Clock = c
	l := openLog(t, t.TempDir(), o)
	late := decide(t, l, write(1))
	misdated := write(2)
	misdated.ID = uuid.MustParse("01000000-0000-7000-8000-000000000001").String()
	decide(t, l, misdated)
	c.step(48 * time.Hour)
	conclude(t, l, late.ID, 1, 1)
	for _, id := range []string{late.ID, misdated.ID} {
		found, err := l.Find(ctx, id)
		if err != nil || len(found) == 0 || id == late.ID && len(found) != 2 {
			t.Fatalf("Find(%s) = %+v, %v", id, found, err)
		}
	}
}

func TestTimeOfAnIDIsReadFromBothSpellings(t *testing.T) {
	u := uuid.Must(uuid.NewV7())
	sec, nsec := u.Time().UnixTime()
	want := time.Unix(sec, nsec).Truncate(time.Millisecond)
	if got, ok := madeAt(u.String()); !ok || !got.Equal(want) {
		t.Fatalf("madeAt(%s) = %v, %v; want %v", u, got, ok, want)
	}
	before := time.Now().Truncate(time.Millisecond)
	if got, ok := madeAt(ids.New()); !ok || got.Before(before) || got.After(time.Now()) {
		t.Fatalf("madeAt of a new id = %v, %v; want now", got, ok)
	}
	for _, bad := range []string{"", "x", strings.Repeat("z", 26), uuid.NewString()} {
		if got, ok := madeAt(bad); ok {
			t.Fatalf("madeAt(%q) = %v, want none", bad, got)
		}
	}
}

func TestReadShowsWhatIsWholeAndSaysWhatIsNot(t *testing.T) {
	for name, damage := range map[string]func([]string) []string{
		"changed entry": func(l []string) []string { l[6] = strings.Replace(l[6], "acme/ann", "acme/eve", 1); return l },
		"broken frame":  func(l []string) []string { l[6] = "x" + l[6][1:]; return l },
		"false length":  func(l []string) []string { l[6] = "00ffffff" + l[6][8:]; return l },
	} {
		t.Run(name, func(t *testing.T) {
			dir := sampleRecord(t)
			v, err := OpenView(dir)
			if err != nil {
				t.Fatal(err)
			}
			whole := len(entries(t, v, Query{}))
			edit(t, dir, 1, damage)
			got := 0
			err = v.Read(ctx, Query{}, func(e Entry) bool {
				if e.Seq == 7 {
					t.Error("the damaged entry is shown")
				}
				got++
				return true
			})
			if !errors.Is(err, errs.Internal) || got != whole-1 {
				t.Fatalf("Read yields %d of %d entries and %v, want all but one and an error", got, whole, err)
			}
		})
	}
}

func TestReaderWhoLeavesGetsAnError(t *testing.T) {
	l := openLog(t, t.TempDir(), quick())
	gone, leave := context.WithCancel(ctx)
	leave()
	if err := l.Read(gone, Query{}, func(Entry) bool { return true }); !errors.Is(err, errs.Canceled) {
		t.Fatalf("Read = %v, want canceled", err)
	}
}

func TestTailFollowsAnotherProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		o := quick()
		o.SegmentBytes, o.CoalesceFor = 2<<10, -1
		l := openLog(t, dir, o)
		v, err := OpenView(dir)
		if err != nil {
			t.Fatal(err)
		}
		seen := make(chan Entry)
		ended := make(chan error, 1)
		stop, cancel := context.WithCancel(ctx)
		go func() { ended <- v.Tail(stop, 3, func(e Entry) bool { seen <- e; return true }) }()
		if e := <-seen; e.Seq != 3 {
			t.Fatalf("the first entry is %d, want 3", e.Seq)
		}
		for n := range 20 {
			d := decide(t, l, read(n))
			if err := l.pass(passDue); err != nil {
				t.Fatal(err)
			}
			for e := <-seen; e.Decided == nil || e.Decided.ID != d.ID; e = <-seen {
			}
		}
		if l.Stats().Segment < 3 {
			t.Fatal("the sample needs several segments")
		}
		cancel()
		go func() {
			for range seen {
			}
		}()
		if err := <-ended; !errors.Is(err, errs.Canceled) {
			t.Fatalf("Tail = %v, want canceled", err)
		}
		close(seen)
		closeLog(t, l)
	})
}

func TestTailEndsWhenTheLogIsClosed(t *testing.T) {
	l := openLog(t, t.TempDir(), quick())
	ended := make(chan error, 1)
	begun := make(chan struct{})
	var last Entry
	go func() {
		first := true
		ended <- l.Tail(ctx, 1, func(e Entry) bool {
			if first {
				close(begun)
				first = false
			}
			last = e
			return true
		})
	}()
	<-begun
	closeLog(t, l)
	if err := <-ended; err != nil || last.Type != TypeCheckpoint {
		t.Fatalf("Tail = %v, last %+v; want nil and the last checkpoint", err, last)
	}
}

func TestViewOfNothingIsNotFound(t *testing.T) {
	if _, err := OpenView(filepath.Join(t.TempDir(), "none")); !errors.Is(err, errs.NotFound) {
		t.Fatalf("OpenView = %v, want not found", err)
	}
}

func TestStraysInTheDirectoryAreNoSegments(t *testing.T) {
	dir := sampleRecord(t)
	for _, name := range []string{"1.seg", "000000.seg", "-00001.seg", "000001.seg.bak", "x.seg", ".seg.zst"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	all, err := storedSegments(dir)
	if err != nil || len(all) != 1 || all[0].n != 1 {
		t.Fatalf("segments = %+v, %v; want the one", all, err)
	}
}
