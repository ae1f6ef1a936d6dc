package audit

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"nexus/authzsvc/authz"
	"nexus/internal/errs"
)

func openFaulty(t testing.TB, o Options) (*Log, *faulty) {
	t.Helper()
	d := newFaulty()
	o.disk = d
	return openLog(t, t.TempDir(), o), d
}

func TestFullDiskRefusesAndComesBack(t *testing.T) {
	l, d := openFaulty(t, quick())
	decide(t, l, read(1))
	d.set(refusing(syscall.ENOSPC, "write"))
	for n := range 3 {
		err := l.Decide(ctx, read(10+n))
		wantNotRecorded(t, err)
		var cause *errs.Error
		if !errors.As(errors.Unwrap(err), &cause) || cause.Reason != errs.DiskFull {
			t.Fatalf("cause = %v, want DISK_FULL", errors.Unwrap(err))
		}
	}
	wantNotRecorded(t, l.Decide(ctx, write(1)))
	if l.Healthy() == nil {
		t.Fatal("healthy while the disk refuses")
	}
	d.set(nil)
	after := decide(t, l, read(2))
	if err := l.Healthy(); err != nil {
		t.Fatalf("Healthy = %v after the disk accepts again", err)
	}
	gaps := notes(t, l.View, NoteGap)
	if len(gaps) != 1 || gaps[0].Count != 4 || gaps[0].Why != syscall.ENOSPC.Error() {
		t.Fatalf("gaps = %+v, want one of 4 entries", gaps)
	}
	if len(entries(t, l.View, Query{Decision: after.ID})) != 1 {
		t.Fatal("the decision after the gap is not in the record")
	}
	closeLog(t, l)
	wantWhole(t, l.dir)
}

func TestHealthComesBackWithoutTraffic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, d := openFaulty(t, Options{ReserveBytes: -1})
		d.set(refusing(syscall.EIO, "write"))
		wantNotRecorded(t, l.Decide(ctx, read(1)))
		d.set(nil)
		time.Sleep(2 * time.Second) // virtual
		synctest.Wait()
		if err := l.Healthy(); err != nil {
			t.Fatalf("Healthy = %v two seconds after the disk accepts again", err)
		}
		closeLog(t, l)
	})
}

func TestFailedFsyncIsNeverTriedAgain(t *testing.T) {
	l, d := openFaulty(t, quick())
	decide(t, l, read(1))
	d.set(refusing(syscall.EIO, "sync"))
	lost := write(1)
	wantNotRecorded(t, l.Decide(ctx, lost))
	if n := d.count("sync"); n != 1 {
		t.Fatalf("%d fsyncs, want one and no second", n)
	}
	if l.Healthy() == nil {
		t.Fatal("healthy after a failed fsync")
	}
	d.set(nil)
	decide(t, l, write(2))
	if s := l.Stats(); s.Segment != 2 || s.Open != 1 {
		t.Fatalf("segment %d with %d open, want a new segment and only the second write open", s.Segment, s.Open)
	}
	got := notes(t, l.View, NoteUnsynced)
	if len(got) != 1 || got[0].Segment != 1 || got[0].Last < got[0].First {
		t.Fatalf("notes = %+v, want one about segment 1", got)
	}
	about := entries(t, l.View, Query{Decision: lost.ID})
	if len(about) != 2 || about[1].Outcome.State != authz.Failed || about[1].Outcome.Why != "NOT_RECORDED" {
		t.Fatalf("entries = %+v, want the decision and that it was not used", about)
	}
	closeLog(t, l)
	if r := wantWhole(t, l.dir); r.Unsynced != 1 {
		t.Fatalf("report = %+v, want one failed fsync", r)
	}
}

func TestReserveCarriesTheRecordOverAFullDisk(t *testing.T) {
	o := quick()
	o.ReserveBytes = 64 << 10
	l, d := openFaulty(t, o)
	reserve := filepath.Join(l.dir, reserveName)
	if info, err := os.Stat(reserve); err != nil || info.Size() != o.ReserveBytes {
		t.Fatalf("reserve = %v, %v; want %d bytes", info, err, o.ReserveBytes)
	}
	d.set(func(_ int, op string) error { // full until the reserve is gone
		if _, err := os.Stat(reserve); err == nil && op == "write" || op == "reserve" {
			return syscall.ENOSPC
		}
		return nil
	})
	decide(t, l, read(1))
	decide(t, l, write(2))
	if _, err := os.Stat(reserve); err == nil {
		t.Fatal("the reserve is still held on a full disk")
	}
	if err := errs.From(l.Healthy()); err == nil || err.Reason != errs.DiskFull {
		t.Fatalf("Healthy = %v on the reserve, want DISK_FULL", err)
	}
	d.set(nil)
	l.mu.Lock()
	l.again = time.Time{}
	l.mu.Unlock()
	if err := l.pass(passDue); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(reserve); err != nil || l.Healthy() != nil {
		t.Fatalf("reserve = %v, Healthy = %v after there is room again", err, l.Healthy())
	}
	closeLog(t, l)
	wantWhole(t, l.dir)
}

func TestLogOpensOnAFullDiskWithTheHelpOfTheReserve(t *testing.T) {
	o := quick()
	o.ReserveBytes = 64 << 10
	l, d := openFaulty(t, o)
	closeLog(t, l)
	reserve := filepath.Join(l.dir, reserveName)
	for _, op := range []string{"write", "create"} {
		d.set(func(_ int, asked string) error {
			if _, err := os.Stat(reserve); err == nil && asked == op || asked == "reserve" {
				return syscall.ENOSPC
			}
			return nil
		})
		o.disk = d
		again := openLog(t, l.dir, o)
		decide(t, again, write(1))
		if _, err := os.Stat(reserve); err == nil {
			t.Fatalf("the reserve is still held when %s is refused", op)
		}
		d.set(nil)
		closeLog(t, again)
		closeLog(t, openLog(t, l.dir, o)) // takes the reserve again
	}
	wantWhole(t, l.dir)
}

func TestWaitersShareAnFsync(t *testing.T) {
	l, d := openFaulty(t, quick())
	const waiters = 64
	// The first fsync waits until everybody else is written, as a slow disk would.
	first := true
	d.set(func(_ int, op string) error {
		if op == "sync" && first {
			first = false
			d.mu.Unlock()
			for l.Stats().Waits < waiters {
				runtime.Gosched()
			}
			d.mu.Lock()
		}
		return nil
	})
	var all sync.WaitGroup
	for n := range waiters {
		all.Go(func() { decide(t, l, write(n)) })
	}
	all.Wait()
	if n := d.count("sync"); n > 2 {
		t.Fatalf("%d fsyncs for %d waiters, want the first and one for all others", n, waiters)
	}
	if s := l.Stats(); s.Synced != s.Seq {
		t.Fatalf("synced to %d of %d when all returned", s.Synced, s.Seq)
	}
}

func TestLoneWaiterCostsOneFsync(t *testing.T) {
	l, d := openFaulty(t, quick())
	d.set(nil)
	for n := range 5 {
		decide(t, l, write(n))
		if got := d.count("sync"); got != n+1 {
			t.Fatalf("%d fsyncs after %d lone writes", got, n+1)
		}
	}
}

// TestRefusalAtAnyCall lets each single call to the disk in the life of a log fail in turn, once and for a while. Whatever
// fails: who got no error is in the record, who got one knows that it is for want of a record, and the log comes back.
func TestRefusalAtAnyCall(t *testing.T) {
	for _, errno := range []syscall.Errno{syscall.ENOSPC, syscall.EIO} {
		for _, width := range []int{1, 4} {
			for call := 1; ; call++ {
				if !liveThrough(t, errno, call, width) {
					break
				}
			}
		}
	}
}

// liveThrough reports whether the log got as far as the call that is to fail.
func liveThrough(t *testing.T, errno syscall.Errno, call, width int) bool {
	t.Helper()
	at := fmt.Sprintf("%v at call %d, %d wide", errno, call, width)
	d, dir, reached := newFaulty(), t.TempDir(), false
	o := quick()
	o.SegmentBytes, o.ReserveBytes, o.disk, o.CoalesceFor = 2<<10, 4<<10, d, -1
	d.set(func(n int, _ string) error {
		if n >= call && n < call+width {
			reached = true
			return errno
		}
		return nil
	})
	var kept []string
	if l, err := Open(dir, o); err == nil {
		kept = live(t, l, at)
	} else {
		wantNotRecorded(t, err)
	}
	d.set(nil)
	l, err := Open(dir, o)
	if err != nil {
		t.Fatalf("%s: Open afterwards = %v", at, err)
	}
	kept = append(kept, live(t, l, at)...)
	there := map[string]bool{}
	v, err := OpenView(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries(t, v, Query{Types: []Type{TypeDecided}}) {
		there[e.Decided.ID] = true
	}
	for _, id := range kept {
		if !there[id] {
			t.Fatalf("%s: decision %s was acknowledged and is not there", at, id)
		}
	}
	if found, _ := verify(t, dir, VerifyOptions{}); len(found) > 0 {
		t.Fatalf("%s: Verify found %+v", at, found)
	}
	return reached
}

// live records, rotates, compresses and closes, and returns what was acknowledged.
func live(t *testing.T, l *Log, at string) []string {
	t.Helper()
	var kept []string
	for n := range 8 {
		d := read(n)
		d.Durable = n%4 == 0
		if err := l.Decide(ctx, d); err == nil {
			kept = append(kept, d.ID)
		} else {
			wantNotRecorded(t, err)
		}
		if n%3 == 0 {
			_ = l.pass(passForce)
		}
	}
	_ = l.tidy(ctx)
	d := read(99)
	if err := l.Decide(ctx, d); err != nil {
		if err = l.Decide(ctx, d); err != nil {
			_ = l.pass(passForce)
			err = l.Decide(ctx, d)
		}
		if err != nil {
			wantNotRecorded(t, err)
		}
	}
	_ = l.Close()
	return kept
}

func TestPowerCutTakesNoDurableEntry(t *testing.T) {
	for _, keep := range []int64{0, 1, 100, 700, 1 << 20} {
		t.Run(fmt.Sprint(keep), func(t *testing.T) {
			o := quick()
			o.SegmentBytes = 4 << 10
			l, d := openFaulty(t, o)
			var durable []string
			for n := range 40 {
				decide(t, l, read(n))
				if n%3 == 0 {
					durable = append(durable, decide(t, l, write(n)).ID)
				}
			}
			decide(t, l, read(100)) // not on disk yet
			dir := l.dir
			l.halt()
			d.powerCut(t, keep)
			l = openLog(t, dir, quick())
			for _, id := range durable {
				if len(entries(t, l.View, Query{Decision: id})) == 0 {
					t.Fatalf("durable decision %s is gone", id)
				}
			}
			wantUnresolved(t, l, durable...)
			closeLog(t, l)
			wantWhole(t, dir)
		})
	}
}
