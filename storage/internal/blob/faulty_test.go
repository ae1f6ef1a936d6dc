package blob

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"nexus/internal/errs"
)

const faultyBody = "contents that meet a fault on their way"

// steps returns what storing and removing one blob asks of the disk, in order.
func steps(t *testing.T) []string {
	t.Helper()
	d := &fateful{}
	s := newStore(t, filepath.Join(t.TempDir(), "blobs"), d)
	id := mustPut(t, s, tenant, faultyBody)
	mustPut(t, s, tenant, faultyBody)
	if err := errors.Join(s.Trash(id), s.Restore(id), s.Trash(id), s.Purge(id)); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"create", "write", "sync", "close", "mkdir", "rename", "sync folder", "remove"} {
		if !slices.Contains(d.steps, want) {
			t.Fatalf("the steps lack %q: %q", want, d.steps)
		}
	}
	return d.steps
}

// TestRefusedAtEachStepLeavesNothingHalf refuses one step after the other, as a full disk does, and tries again when there is room.
func TestRefusedAtEachStepLeavesNothingHalf(t *testing.T) {
	for n := range steps(t) {
		t.Run(fmt.Sprint(n+1), func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "blobs")
			d := &fateful{n: n + 1, refusal: syscall.ENOSPC}
			s, err := open(dir, d)
			if err != nil {
				return // it said so
			}
			err = put(s, tenant, faultyBody, true)
			refused := len(d.steps) > n && d.steps[n] != "remove"
			if refused && (!errors.Is(err, errs.Exhausted) || errs.From(err).Reason != errs.DiskFull) {
				t.Errorf("%s refused: err = %v, want DISK_FULL", d.steps[n], err)
			}
			mustBeWhole(t, dir)
			if err := put(s, tenant, faultyBody, true); err != nil && len(d.steps) <= n {
				t.Errorf("with room again: %v", err)
			}
			mustRead(t, s, tenant, faultyBody)
		})
	}
}

// TestDeadAtEachStepIsWholeAtTheNextStart ends the process before or after each step, and opens the directory again.
func TestDeadAtEachStepIsWholeAtTheNextStart(t *testing.T) {
	for n := range steps(t) {
		for _, late := range []bool{false, true} {
			t.Run(fmt.Sprintf("%d late %t", n+1, late), func(t *testing.T) {
				dir := filepath.Join(t.TempDir(), "blobs")
				d := &fateful{n: n + 1, dead: true, late: late, refusal: errors.New("dead")}
				stored, trashed := false, false
				if s, err := open(dir, d); err == nil {
					stored = put(s, tenant, faultyBody, true) == nil
					id := idOf(tenant, faultyBody)
					trashed = stored && s.Trash(id) == nil
					_ = trashed && s.Restore(id) == nil && s.Trash(id) == nil && s.Purge(id) == nil
				}
				s := newStore(t, dir, osDisk{})
				mustBeWhole(t, dir)
				if stored && !trashed && len(mustTrashed(t, s)) == 0 {
					mustRead(t, s, tenant, faultyBody)
				}
				mustPut(t, s, tenant, faultyBody)
				mustRead(t, s, tenant, faultyBody)
			})
		}
	}
}

func mustTrashed(t *testing.T, s *Store) []string {
	t.Helper()
	all, err := s.Trashed(tenant)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// scarce is a disk with so much room.
type scarce struct {
	osDisk
	free int64
}

func (d *scarce) Free(string) (int64, error) { return d.free, nil }

func TestContentsLeaveRoomForEverythingElse(t *testing.T) {
	d := &scarce{free: spare}
	s := newStore(t, t.TempDir(), d)
	mustPut(t, s, tenant, "fits")
	temp, err := s.New()
	if err != nil {
		t.Fatal(err)
	}
	d.free = spare - 1
	if _, err := s.New(); !errors.Is(err, errs.Exhausted) || errs.From(err).Reason != errs.DiskFull {
		t.Errorf("New on a disk without room = %v, want DISK_FULL", err)
	}
	written, part := 0, make([]byte, 1<<20)
	for ; err == nil && written < 2*lookEvery; written += len(part) {
		_, err = temp.Write(part)
	}
	if errs.From(err) == nil || errs.From(err).Reason != errs.DiskFull {
		t.Errorf("%d bytes went on a disk without room: %v", written, err)
	}
	if err := temp.Discard(); err != nil {
		t.Error(err)
	}
	if n := mustBeWhole(t, s.Dir()); n != 1 {
		t.Errorf("%d blobs, want the one that fitted", n)
	}
}

// TestNameIsDurableBeforeKeepReturns: every folder from that of the blob up to the store's own is synced after the rename.
func TestNameIsDurableBeforeKeepReturns(t *testing.T) {
	d := &fateful{}
	s := newStore(t, filepath.Join(t.TempDir(), "blobs"), d)
	mustPut(t, s, tenant, faultyBody)
	renamed := slices.Index(d.steps, "rename")
	if synced := slices.Index(d.steps, "sync"); synced < 0 || synced > renamed {
		t.Errorf("the bytes are renamed before they are synced: %q", d.steps)
	}
	if after := d.steps[renamed+1:]; !slices.Equal(after, slices.Repeat([]string{"sync folder"}, 4)) {
		t.Errorf("after the rename: %q, want 4 folders synced", after)
	}
	d.steps = nil
	mustPut(t, s, tenant, faultyBody)
	if !slices.Contains(d.steps, "sync folder") {
		t.Errorf("contents that are there are taken without syncing their folder: %q", d.steps)
	}
}
