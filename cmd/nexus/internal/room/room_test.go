package room

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"nexus/apiserver/op"
	"nexus/internal/errs"
)

var (
	reads   = op.Decl{Name: "files.read", Access: op.Reads}
	writes  = op.Decl{Name: "files.write", Access: op.Writes}
	deletes = op.Decl{Name: "files.delete", Access: op.Writes, Essential: true}
)

const ballast = 1 << 20

// kit is a room whose disk is as full as the test says.
type kit struct {
	*Room
	t    *testing.T
	free int64
	gasp bool
	now  time.Time
}

// Now makes the kit the room's clock.
func (k *kit) Now() time.Time { return k.now }

func newKit(t *testing.T, free int64) *kit {
	t.Helper()
	k := &kit{t: t, free: free, now: time.Unix(1_700_000_000, 0)}
	r, err := New(Options{
		Dir: t.TempDir(), Reserve: 100 << 20, Ballast: ballast, Clock: k,
		LastGasp: func() bool { return k.gasp },
		free:     func(string) (int64, error) { return k.free, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	k.Room = r
	return k
}

func (k *kit) mustAdmit(want bool, all ...op.Decl) {
	k.t.Helper()
	for _, d := range all {
		err := k.Admits(d)
		if want && err != nil {
			k.t.Errorf("%s is refused: %v", d.Name, err)
		}
		if !want && (!errors.Is(err, errs.Exhausted) || errs.HTTP(err) != 507) {
			k.t.Errorf("%s: %v, want exhausted with status 507", d.Name, err)
		}
	}
}

func (k *kit) ballastThere() bool {
	at, err := os.Stat(filepath.Join(k.o.Dir, ballastName))
	return err == nil && at.Size() == ballast
}

func TestWritesAreRefusedBelowTheMarkAndAcceptedWellAboveIt(t *testing.T) {
	k := newKit(t, 1<<30)
	k.mustAdmit(true, reads, writes, deletes)
	if k.Notice() != "" {
		t.Errorf("with room there is a notice: %s", k.Notice())
	}
	k.free = 99 << 20
	k.look()
	k.mustAdmit(true, reads, deletes)
	k.mustAdmit(false, writes)
	if k.Notice() == "" || k.Free() != k.free {
		t.Errorf("below the mark: notice %q, %d free", k.Notice(), k.Free())
	}
	k.free = 101 << 20 // just above: not back and forth
	k.look()
	k.mustAdmit(false, writes)
	k.free = 113 << 20
	k.look()
	k.mustAdmit(true, writes)
}

func TestBallastIsGivenUpOnceAndMadeAgainWhenThereIsRoom(t *testing.T) {
	k := newKit(t, 1<<30)
	if !k.ballastThere() {
		t.Fatal("there is no ballast")
	}
	if k.Full() || !k.ballastThere() {
		t.Error("the ballast was given up for another disk that is full")
	}
	k.free = 0
	if !k.Full() || k.ballastThere() {
		t.Error("a full disk did not make room")
	}
	k.mustAdmit(false, writes)
	k.mustAdmit(true, reads, deletes)
	if !k.Full() {
		t.Error("one who failed at the same time is not told of the room")
	}
	k.now = k.now.Add(time.Minute)
	if k.Full() {
		t.Error("room is told of that was made a minute ago")
	}
	k.free = 0
	k.look()
	if k.ballastThere() {
		t.Error("the ballast is there on a full disk")
	}
	k.free = 1 << 30
	k.look()
	if !k.ballastThere() {
		t.Error("the ballast was not made again")
	}
	k.mustAdmit(true, writes)
}

func TestOnlyTheEssentialGoesOnWhenTheRecordLivesOnItsReserve(t *testing.T) {
	k := newKit(t, 1<<30)
	k.gasp = true
	k.mustAdmit(false, reads, writes)
	k.mustAdmit(true, deletes)
	if k.Notice() == "" {
		t.Error("there is no notice")
	}
	k.gasp = false
	k.mustAdmit(true, reads, writes)
}

func TestBallastOfAnotherSizeIsMadeAnew(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, ballastName)
	if err := os.WriteFile(name, make([]byte, 10), 0o600); err != nil {
		t.Fatal(err)
	}
	free := func(string) (int64, error) { return 1 << 30, nil }
	if _, err := New(Options{Dir: dir, Ballast: ballast, free: free}); err != nil {
		t.Fatal(err)
	}
	if at, err := os.Stat(name); err != nil || at.Size() != ballast {
		t.Errorf("the ballast is %+v, %v", at, err)
	}
	if _, err := New(Options{Dir: dir, free: free}); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(name); err == nil {
		t.Error("a ballast is kept that nobody wants")
	}
}

func TestUnknownRoomStopsNobody(t *testing.T) {
	k := newKit(t, 1<<30)
	k.o.free = func(string) (int64, error) { return 0, errors.ErrUnsupported }
	k.look()
	k.mustAdmit(true, reads, writes, deletes)
}
