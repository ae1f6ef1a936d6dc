// Package room watches how full the disk of a data directory is, and says what a server still does. It keeps a file as
// ballast, which it gives up when the disk refuses a write, so that there is room to delete. It deletes nothing else.
//
// There are three states. With room, everything is done. When less is free than the operator's reserve, or the ballast is
// gone, what adds is refused: reads, deletes, administration and the record go on. When the record lives on its own reserve,
// only what is essential goes on.
package room

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"nexus/apiserver/op"
	"nexus/internal/clock"
	"nexus/internal/disk"
	"nexus/internal/errs"
)

const (
	ballastName = "ballast"
	lookEvery   = time.Second
	justMade    = 5 * time.Second // for so long room that was made counts as new for those who failed before
)

// Options say what is watched. Only Dir is required.
type Options struct {
	Dir      string
	Reserve  int64       // bytes that must be free for what adds; 0: it may use them all
	Ballast  int64       // bytes; 0: none is kept
	LastGasp func() bool // whether the record lives on its reserve; nil: never
	Clock    clock.Clock // nil: the machine's
	Log      *slog.Logger

	free func(dir string) (int64, error) // tests say how much is free
}

// Room says what is done. It is an op.Room, safe for concurrent use.
type Room struct {
	o Options

	mu    sync.Mutex // guards what follows
	tight bool
	held  bool      // the ballast is there
	gave  time.Time // when the ballast was given up
	free  int64     // as of the last look
}

var _ op.Room = (*Room)(nil)

// New returns the Room, once it has looked and, where there is room for it, made the ballast.
func New(o Options) (*Room, error) {
	if o.LastGasp == nil {
		o.LastGasp = func() bool { return false }
	}
	if o.Clock == nil {
		o.Clock = clock.System{}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.free == nil {
		o.free = disk.Free
	}
	r := &Room{o: o}
	at, err := os.Stat(r.ballast())
	r.held = err == nil && at.Size() == o.Ballast && o.Ballast > 0
	if err == nil && !r.held { // of another size than is wanted now, or half made
		if err := os.Remove(r.ballast()); err != nil {
			return nil, errs.New(errs.Unavailable, "the ballast %s cannot be removed", r.ballast()).Because(err)
		}
	}
	r.look()
	return r, nil
}

// Run looks again and again until ctx ends.
func (r *Room) Run(ctx context.Context) error {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			r.look()
		case <-ctx.Done():
			return nil
		}
	}
}

// Admits refuses with errs.Exhausted, reason DiskFull, what the disk has no room for now.
func (r *Room) Admits(d op.Decl) error {
	switch {
	case d.Essential:
		return nil
	case r.o.LastGasp():
		return refusal("only administration, the record and deletes go on")
	case d.Access == op.Writes && r.isTight():
		return refusal("writes are refused until there is room again")
	}
	return nil
}

func refusal(what string) error {
	return errs.New(errs.Exhausted, "the server's disk is full: %s", what).Marked(errs.DiskFull)
}

// Full gives the ballast up if that makes room where it lacks, and reports whether there is room that was not there a moment
// ago. Where there is plenty, the disk that refused is another one, such as the record's.
func (r *Room) Full() bool {
	free, err := r.o.free(r.o.Dir)
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.o.Clock.Now()
	short := err != nil || free < r.o.Ballast
	if short && r.held && os.Remove(r.ballast()) == nil {
		r.held, r.gave = false, now
		r.o.Log.Error("the disk is full: the ballast was given up, and writes are refused until there is room again", "ballast", r.o.Ballast)
		r.tighten(true)
	}
	return !r.gave.IsZero() && now.Sub(r.gave) < justMade
}

// Notice says for people what is not done; empty when everything is.
func (r *Room) Notice() string {
	switch {
	case r.o.LastGasp():
		return "the disk is full: only administration, the record and deletes go on"
	case r.isTight():
		return "the disk is nearly full: writes are refused"
	}
	return ""
}

// Free returns how many bytes were free at the last look.
func (r *Room) Free() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.free
}

func (r *Room) isTight() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.tight
}

// look sees what is free, and takes or makes room for the ballast again.
func (r *Room) look() {
	free, err := r.o.free(r.o.Dir)
	r.mu.Lock()
	defer r.mu.Unlock()
	if errors.Is(err, errors.ErrUnsupported) {
		return // a full disk is found when it refuses
	}
	if err != nil {
		r.o.Log.Warn("free space cannot be told", "dir", r.o.Dir, "error", err)
		return
	}
	r.free = free
	enough := r.o.Reserve
	if r.tight {
		enough += enough / 8 // not back and forth at the mark
	}
	if !r.held && r.o.Ballast > 0 && free >= enough+2*r.o.Ballast {
		r.take()
	}
	r.tighten(free < enough || !r.held && r.o.Ballast > 0)
}

// take makes the ballast. Callers hold mu.
func (r *Room) take() {
	err := disk.Reserve(r.ballast(), r.o.Ballast)
	if err == nil {
		err = disk.SyncDir(r.o.Dir)
	}
	if err != nil {
		r.o.Log.Warn("the ballast cannot be made", "bytes", r.o.Ballast, "error", err)
		return
	}
	r.held = true
}

// tighten notes whether there is room. Callers hold mu.
func (r *Room) tighten(tight bool) {
	if tight == r.tight {
		return
	}
	r.tight = tight
	if tight {
		r.o.Log.Error("the disk is nearly full: writes are refused", "free", r.free, "reserve", r.o.Reserve)
		return
	}
	r.o.Log.Info("there is room again: writes are accepted", "free", r.free)
}

func (r *Room) ballast() string { return filepath.Join(r.o.Dir, ballastName) }
