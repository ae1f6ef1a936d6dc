package audit

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"time"

	"nexus/authzsvc/authz"
	"nexus/internal/clock"
	"nexus/internal/errs"
)

// Options tune a Log. The zero value is what a server wants.
type Options struct {
	Clock           clock.Clock             // default the machine's
	Name            string                  // of the signing key, as signatures show it; default "nexus/audit"
	KeyFile         string                  // holds the signing key, made when missing; default key in the record's directory
	SegmentBytes    int64                   // a segment is closed at this size; default 64 MiB
	SyncEvery       time.Duration           // longest time until a prompt entry is on disk; default 20 ms
	CheckpointEvery time.Duration           // longest time until an entry is signed; default 10 s
	CoalesceFor     time.Duration           // equal prompt decisions within it are counted; default 1 s, negative: written one by one
	KeepFor         time.Duration           // closed segments older than this are deleted; default 0, never
	KeepBytes       int64                   // oldest closed segments beyond this total are deleted; default 0, never
	ReserveBytes    int64                   // room given back when the disk is full; default 64 MiB, negative: none
	Published       func(checkpoint string) // gets each signed checkpoint once it is on disk, one at a time; must not block for long

	disk disk // tests make it refuse
}

func (o Options) withDefaults(dir string) Options {
	if o.Clock == nil {
		o.Clock = clock.System{}
	}
	if o.disk == nil {
		o.disk = osDisk{}
	}
	o.Name = cmp.Or(o.Name, "nexus/audit")
	o.KeyFile = cmp.Or(o.KeyFile, filepath.Join(dir, keyName))
	o.SegmentBytes = cmp.Or(o.SegmentBytes, 64<<20)
	o.SyncEvery = cmp.Or(o.SyncEvery, 20*time.Millisecond)
	o.CheckpointEvery = cmp.Or(o.CheckpointEvery, 10*time.Second)
	o.CoalesceFor = cmp.Or(o.CoalesceFor, time.Second)
	o.ReserveBytes = cmp.Or(o.ReserveBytes, 64<<20)
	return o
}

// Log is the decision record of one server. It is an authz.Recorder, safe for concurrent use.
type Log struct {
	*View
	o        Options
	keys     keys
	lock     *os.File
	running  sync.WaitGroup
	closing  sync.Once
	closeErr error           // written once, by closing
	quit     context.Context // ends when Close begins
	stop     context.CancelFunc
	wake     chan struct{} // somebody waits for the disk
	kick     chan struct{} // a segment was closed
	alarm    *time.Timer   // next thing to do without being asked
	keeping  sync.Mutex    // one pass of the keeper at a time; taken before mu
	tidying  sync.Mutex    // one tidy at a time; taken before mu

	mu sync.Mutex // guards everything below

	f          file   // the open segment
	segment    int    // its number
	size       int64  // bytes of whole entries in it
	ragged     bool   // bytes of an unfinished entry stand behind size
	failed     error  // its fsync failed: nothing more goes into it
	lost       Note   // what that fsync left in doubt
	falseStart string // a segment that was begun in vain and could not be removed yet

	batch  batch     // scratch of the next write
	seq    uint64    // of the newest entry
	chain  Hash      // of the newest entry
	at     time.Time // of the newest entry
	synced uint64    // newest entry on disk
	head   Signature // newest checkpoint on disk
	headed time.Time // when the last checkpoint was made
	round  *round    // who waits for the next fsync
	seen   window    // repeats of decisions
	turned window    // repeats of refusals before the Gate
	open   openSet
	follow chan struct{} // closed when the record grows; nil when nobody follows
	stats  Stats
	armed  bool // alarm is set for the next fsync
	ending bool // the last entry was written
	closed bool

	reserve   reserve
	again     time.Time // not before then is the reserve taken again
	turnAfter time.Time // not before then is a rotation that was refused tried again
	refused   Note      // what the disk has refused since the newest entry
	trouble   error     // why the last write or fsync did not succeed
	chores    error     // why the last checkpoint or rotation did not succeed
	untidy    error     // why the last compression or deletion did not succeed
}

// round is a group of callers who wait for one fsync.
type round struct {
	done chan struct{}
	err  error
}

var _ authz.Recorder = (*Log)(nil)

// Open opens the record in dir, which it makes when missing, for this process alone. It verifies the newest segment; an unfinished
// tail is cut and noted. A record that ends before its own head was damaged by somebody else: it is left as it is, and the log
// goes on in a new segment that begins with a note about it.
func Open(dir string, o Options) (*Log, error) {
	o = o.withDefaults(dir)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, notRecorded(err)
	}
	lock, err := takeLock(dir)
	if err != nil {
		return nil, err
	}
	l := newLog(dir, o, lock)
	if err := l.start(); err != nil {
		return nil, errors.Join(notRecorded(err), l.halt())
	}
	return l, nil
}

func takeLock(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, notRecorded(err)
	}
	if err := flock(f); err != nil {
		return nil, errs.New(errs.Unavailable, "the record in %s belongs to another process", dir).Marked(errs.NotRecorded).Because(errors.Join(err, f.Close()))
	}
	return f, nil
}

func newLog(dir string, o Options, lock *os.File) *Log {
	l := &Log{
		View: newView(dir), o: o, lock: lock,
		wake: make(chan struct{}, 1), kick: make(chan struct{}, 1), alarm: time.NewTimer(time.Hour),
		batch: batch{sha: sha256.New()}, seen: newWindow(maxRepeats), turned: newWindow(maxRefusals), open: newOpenSet(),
		reserve: newReserve(o.disk, dir, o.ReserveBytes),
	}
	l.View.growth = l.growth
	l.alarm.Stop()
	l.quit, l.stop = context.WithCancel(context.Background())
	return l
}

func (l *Log) start() error {
	var err error
	if l.keys, err = loadKeys(l.o.disk, l.dir, l.o.KeyFile, l.o.Name); err != nil {
		return err
	}
	if err := l.recover(); err != nil {
		return err
	}
	if err := l.reserve.take(); err != nil && !isFull(err) {
		return err
	}
	if err := l.pass(passForce); err != nil {
		return err
	}
	l.running.Go(l.keep)
	l.running.Go(l.tidyWhenKicked)
	l.kick <- struct{}{}
	return nil
}

// Close writes what is counted but not yet written, a note and a checkpoint, and waits for the disk. It is idempotent; entries
// that come later are refused.
func (l *Log) Close() error {
	l.closing.Do(func() {
		l.stop()
		l.running.Wait()
		l.closeErr = errors.Join(l.pass(passLast), l.halt())
	})
	return l.closeErr
}

// halt stops without another word, as a crash would, but waits for what it started.
func (l *Log) halt() error {
	l.stop()
	l.running.Wait()
	l.alarm.Stop()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil
	}
	l.closed = true
	l.announce()
	var err error
	if l.f != nil {
		err = l.f.Close()
	}
	l.release(l.round, errClosed)
	l.round = nil
	return errors.Join(err, l.lock.Close())
}

var errClosed = errors.New("the record is closed")

// Unresolved returns the decisions that earlier processes allowed with Durable and left without outcome, oldest first: the server
// compares them with the effects that were committed and concludes each before it listens. The search was done by Open: every
// segment header and checkpoint names the oldest open decision, so it reads from there on and no further back.
func (l *Log) Unresolved(ctx context.Context) ([]authz.Decided, error) {
	if err := ended(ctx); err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.open.unresolved(), nil
}

// Healthy returns nil, or why decisions are refused or at risk: the disk refuses entries, it was so full that the reserve was
// given back, or checkpoints cannot be kept.
func (l *Log) Healthy() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	var full error
	if l.OnReserve() {
		full = errs.New(errs.Unavailable, "disk is full: the record lives on its reserve").Marked(errs.DiskFull)
	}
	if l.closed {
		return notRecorded(errClosed)
	}
	return errors.Join(l.trouble, full, l.chores, l.untidy)
}

func ended(ctx context.Context) error {
	switch err := ctx.Err(); {
	case errors.Is(err, context.DeadlineExceeded):
		return errs.New(errs.Deadline, "time ran out before the decision was recorded").Marked(errs.NotRecorded).Because(err)
	case err != nil:
		return errs.New(errs.Canceled, "the caller left before the decision was recorded").Marked(errs.NotRecorded).Because(err)
	}
	return nil
}
