package disk

import (
	"os"
	"path/filepath"
	"testing"
)

func TestReserveHoldsItsRoomAndGivesItBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "reserve")
	const size = 1 << 20
	if err := Reserve(path, size); err != nil {
		t.Fatal(err)
	}
	if at, err := os.Stat(path); err != nil || at.Size() != size || at.Mode().Perm() != 0o600 {
		t.Errorf("the reserve is %+v, %v", at, err)
	}
	if err := Reserve(path, 2*size); err != nil {
		t.Fatal(err)
	}
	if at, err := os.Stat(path); err != nil || at.Size() != 2*size {
		t.Errorf("made anew it is %+v, %v", at, err)
	}
}

func TestReserveThatDoesNotFitLeavesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "reserve")
	if err := Reserve(path, 1<<50); err == nil { // longer than any file can be
		t.Fatal("Reserve() of a petabyte = nil")
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("what did not fit is there")
	}
}

func TestFreeIsToldOfWhatExists(t *testing.T) {
	dir := t.TempDir()
	if free, err := Free(dir); err != nil || free <= 0 {
		t.Errorf("Free = %d, %v", free, err)
	}
	if _, err := Free(filepath.Join(dir, "nowhere")); err == nil {
		t.Error("Free of what is not there = nil")
	}
}
