package audit

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"nexus/internal/errs"
)

func packedCount(t testing.TB, dir string) (packed, plain int) {
	t.Helper()
	all, err := storedSegments(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range all {
		if s.packed {
			packed++
		} else {
			plain++
		}
	}
	return packed, plain
}

func TestClosedSegmentsAreCompressedAndReadable(t *testing.T) {
	dir := t.TempDir()
	o := quick()
	o.SegmentBytes = 4 << 10
	l := openLog(t, dir, o)
	first := decide(t, l, read(0))
	fillSegments(t, l, 3)
	if packed, plain := packedCount(t, dir); packed != 3 || plain != 1 {
		t.Fatalf("%d compressed and %d plain segments, want 3 and 1", packed, plain)
	}
	if got := entries(t, l.View, Query{Decision: first.ID}); len(got) != 1 {
		t.Fatalf("%d entries from the compressed segment, want 1", len(got))
	}
	closeLog(t, l)
	if r := wantWhole(t, dir); r.Segments != 4 || r.Checkpoints < 4 {
		t.Fatalf("report = %+v, want 4 segments, each with its checkpoint", r)
	}
}

func TestOldSegmentsAreDeletedAndTheDeletionIsNoted(t *testing.T) {
	for name, limit := range map[string]func(*Options){
		"by size": func(o *Options) { o.KeepBytes = 1 },
		"by age":  func(o *Options) { o.KeepFor = time.Nanosecond },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			o := quick()
			o.SegmentBytes = 4 << 10
			limit(&o)
			l := openLog(t, dir, o)
			fillSegments(t, l, 4)
			if packed, plain := packedCount(t, dir); packed+plain != 1 {
				t.Fatalf("%d segments are left, want the open one", packed+plain)
			}
			if n := len(notes(t, l.View, NoteRetired)); n == 0 {
				t.Fatal("no note about the deletion")
			}
			closeLog(t, l)
			if r := wantWhole(t, dir); r.First == 1 {
				t.Fatalf("report = %+v, want a record that begins later", r)
			}
		})
	}
}

func TestSegmentThatAnOpenDecisionNeedsIsKept(t *testing.T) {
	dir := t.TempDir()
	o := quick()
	o.SegmentBytes, o.KeepBytes = 4<<10, 1
	l := openLog(t, dir, o)
	open := decide(t, l, write(1))
	fillSegments(t, l, 2)
	if packed, _ := packedCount(t, dir); packed != 2 {
		t.Fatalf("%d closed segments, want both kept", packed)
	}
	conclude(t, l, open.ID, 1, 1)
	if err := l.tidy(ctx); err != nil {
		t.Fatal(err)
	}
	if packed, _ := packedCount(t, dir); packed != 0 {
		t.Fatalf("%d closed segments after the outcome, want none", packed)
	}
}

func TestSegmentDeletedByHandIsFoundThoughOthersWereRetired(t *testing.T) {
	dir := t.TempDir()
	o := quick()
	o.SegmentBytes = 4 << 10
	l := openLog(t, dir, o)
	fillSegments(t, l, 3)
	l.o.KeepBytes = 1
	if err := func() error {
		all, err := l.segments(bound{segment: 1})
		if err != nil {
			return err
		}
		next, err := l.header(2)
		if err != nil {
			return err
		}
		return l.retireOne(ctx, all[0], next)
	}(); err != nil {
		t.Fatal(err)
	}
	l.o.KeepBytes = 0
	closeLog(t, l)
	wantWhole(t, dir)
	if err := os.Remove(filepath.Join(dir, "000002"+packedExt)); err != nil {
		t.Fatal(err)
	}
	found, _ := verify(t, dir, VerifyOptions{})
	wantFinding(t, found, FindingSegment)
}

func TestReadersSeeEveryEntryOnceDuringRotation(t *testing.T) {
	dir := t.TempDir()
	o := quick()
	o.SegmentBytes = 4 << 10
	l := openLog(t, dir, o)
	const total = 400
	var all sync.WaitGroup
	stop, cancel := context.WithCancel(ctx)
	for range 2 {
		all.Go(func() {
			for stop.Err() == nil {
				wantGapless(t, l)
			}
		})
	}
	followed := make(chan uint64, 1)
	all.Go(func() {
		next := uint64(1)
		err := l.Tail(stop, 1, func(e Entry) bool {
			if e.Seq != next {
				t.Errorf("Tail yields entry %d, want %d", e.Seq, next)
			}
			next++
			if e.Decided != nil && e.Decided.Objects[0].Name == "/docs/399" {
				followed <- e.Seq
				return false
			}
			return true
		})
		if err != nil && !errors.Is(err, errs.Canceled) {
			t.Errorf("Tail = %v", err)
		}
	})
	for n := range total {
		decide(t, l, read(n))
		if n%20 == 0 {
			if err := errors.Join(l.pass(passDue), l.tidy(ctx)); err != nil {
				t.Error(err)
			}
		}
	}
	<-followed
	cancel()
	all.Wait()
	closeLog(t, l)
	wantWhole(t, dir)
}

func wantGapless(t *testing.T, l *Log) {
	t.Helper()
	last := uint64(0)
	err := l.Read(ctx, Query{}, func(e Entry) bool {
		if e.Seq != last+1 {
			t.Errorf("Read yields entry %d behind %d", e.Seq, last)
		}
		last = e.Seq
		return true
	})
	if err != nil {
		t.Errorf("Read = %v", err)
	}
}

func TestVerifyBesideARunningLogFindsNothing(t *testing.T) {
	dir := t.TempDir()
	o := quick()
	o.SegmentBytes = 4 << 10
	l := openLog(t, dir, o)
	var writing sync.WaitGroup
	writing.Go(func() {
		for n := range 300 {
			decide(t, l, read(n))
			if n%10 == 0 {
				if err := errors.Join(l.pass(passForce), l.tidy(ctx)); err != nil {
					t.Error(err)
				}
			}
		}
	})
	for range 20 {
		wantWhole(t, dir)
	}
	writing.Wait()
}

func TestFailedCompressionKeepsTheSegment(t *testing.T) {
	o := quick()
	o.SegmentBytes = 4 << 10
	l, d := openFaulty(t, o)
	d.set(func(_ int, op string) error {
		if op == "rename" {
			return syscall.ENOSPC
		}
		return nil
	})
	for n := 0; l.Stats().Segment < 2; n++ {
		decide(t, l, read(n))
		_ = l.pass(passDue)
	}
	if err := l.tidy(ctx); err == nil {
		t.Fatal("tidy = nil while renames are refused")
	}
	if packed, plain := packedCount(t, l.dir); packed != 0 || plain != 2 {
		t.Fatalf("%d compressed and %d plain segments, want 0 and 2", packed, plain)
	}
	d.set(nil)
	if err := l.tidy(ctx); err != nil {
		t.Fatal(err)
	}
	if packed, _ := packedCount(t, l.dir); packed != 1 {
		t.Fatalf("%d compressed segments afterwards, want 1", packed)
	}
	closeLog(t, l)
	wantWhole(t, l.dir)
}
