package audit

import (
	"errors"
	"syscall"
	"time"
)

// retryEvery is how long the keeper waits before it tries again what the disk refused.
const retryEvery = time.Second

// pass says why the keeper looks after the log.
type pass uint8

const (
	passDue   pass = iota // somebody waits, or something is due
	passForce             // write a checkpoint whether due or not
	passLast              // the log is closing
)

// keep does everything that waits for the disk: fsync, checkpoints, rotation, and coming back after an error. Because only one
// pass runs at a time, no fsync can take the error of another.
func (l *Log) keep() {
	for {
		select {
		case <-l.quit.Done():
			return
		case <-l.wake:
		case <-l.alarm.C:
		}
		_ = l.pass(passDue) // Healthy tells
	}
}

// pass looks after the log once and returns what it could not do.
func (l *Log) pass(p pass) error {
	l.keeping.Lock()
	defer l.keeping.Unlock()
	l.mu.Lock()
	l.armed = false
	err := l.heal()
	head, signed, checkErr := l.writeDue(p)
	f, last, r := l.f, l.seq, l.round
	l.round = nil
	dirty := last > l.synced
	l.mu.Unlock()

	if dirty {
		checkErr = errors.Join(checkErr, l.syncTo(f, last, r))
	} else {
		l.release(r, nil)
	}
	if checkErr == nil && signed != "" {
		checkErr = l.keepHead(head, signed)
	}
	if checkErr == nil {
		checkErr = l.rotate()
	}
	err = errors.Join(err, checkErr)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.chores = err
	l.rearm()
	return err
}

// heal tries again what the disk refused, so that the log is well before the next caller comes.
func (l *Log) heal() error {
	if now := l.now(); !l.reserve.held && !now.Before(l.again) {
		if l.reserve.take() != nil { // Healthy tells while it is missing because the disk was full
			l.again = now.Add(retryEvery)
		}
	}
	if l.trouble == nil {
		return nil
	}
	return l.append()
}

// writeDue writes the summaries that are due and, when due or asked for, a checkpoint.
func (l *Log) writeDue(p pass) (Signature, string, error) {
	now := l.now()
	if p == passLast {
		now = now.Add(2 * max(l.o.CoalesceFor, 0))
	}
	err := errors.Join(l.summarise(&l.seen, now), l.summarise(&l.turned, now))
	if p == passLast {
		err = errors.Join(err, l.append(noteBody(&Note{Kind: NoteStopped, Open: l.open.oldest()})))
	}
	traffic := l.seq > l.head.Seq+1 // the checkpoint itself is none
	if p == passDue && !(traffic && now.Sub(l.headed) >= l.o.CheckpointEvery) {
		return Signature{}, "", err
	}
	head, signed, checkErr := l.checkpoint()
	l.ending = p == passLast
	return head, signed, errors.Join(err, checkErr)
}

func (l *Log) summarise(w *window, now time.Time) error {
	bodies, n := w.ended(now)
	if len(bodies) > 0 {
		if err := l.append(bodies...); err != nil {
			return err // they are told of later
		}
	}
	w.forget(n)
	return nil
}

// checkpoint signs the newest entry and appends the signature. What else waits to be written comes first, so that nothing comes between the two.
func (l *Log) checkpoint() (Signature, string, error) {
	if err := l.append(); err != nil {
		return Signature{}, "", err
	}
	s := Signature{Origin: l.o.Name, Seq: l.seq, Hash: l.chain, At: l.now()}
	l.headed = s.At
	signed, err := s.sign(l.keys.signer)
	if err != nil {
		return s, "", err
	}
	c := Checkpoint{Seq: s.Seq, Hash: s.Hash.String(), Open: l.open.oldest(), Signed: signed}
	if err := l.append(checkpointBody(&c)); err != nil {
		return s, "", err
	}
	return s, signed, nil
}

// syncTo makes the entries up to last durable and tells those in r.
func (l *Log) syncTo(f file, last uint64, r *round) error {
	err := f.Sync()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stats.Syncs++
	if err != nil {
		l.fail(err)
	} else {
		l.synced = last
	}
	l.release(r, err)
	return err
}

// release tells those in r how their fsync ended.
func (l *Log) release(r *round, err error) {
	if r == nil {
		return
	}
	if err != nil {
		r.err = notRecorded(err)
	}
	close(r.done)
}

// fail gives the open segment up after its fsync failed: what the kernel still holds of it is unknown, and a second fsync could
// succeed without it. Everybody who waits is refused; the next entry goes to a new segment.
func (l *Log) fail(err error) {
	l.failed = err
	l.lost = Note{Kind: NoteUnsynced, Segment: l.segment, First: l.synced + 1, Last: l.seq, Why: reason(err)}
	l.synced = l.seq
	l.trouble = notRecorded(err)
	l.stats.Failures++
	l.release(l.round, err)
	l.round = nil
	if isFull(err) {
		l.reserve.release()
	}
}

// replaceFailed goes on in a new segment. It says first what is in doubt, and concludes the decisions whose callers were refused.
func (l *Log) replaceFailed() error {
	if err := l.smooth(); err != nil {
		return err
	}
	lost := l.lost
	refused := l.open.between(lost.First, lost.Last)
	bodies := [][]byte{noteBody(&lost)}
	for _, id := range refused {
		bodies = append(bodies, outcomeBody(nil, l.unused(id, "NOT_RECORDED")))
	}
	if err := l.begin(l.segment+1, bodies...); err != nil {
		return err
	}
	for _, id := range refused {
		l.open.remove(id)
	}
	l.failed = nil
	return nil
}

// keepHead replaces the head file and publishes the checkpoint.
func (l *Log) keepHead(s Signature, signed string) error {
	err := replace(l.o.disk, l.dir, headName, []byte(signed))
	if isFull(err) && l.giveWay() {
		err = replace(l.o.disk, l.dir, headName, []byte(signed))
	}
	if err != nil {
		return err
	}
	l.mu.Lock()
	l.head = s
	l.stats.Checkpoints++
	l.mu.Unlock()
	if l.o.Published != nil {
		l.o.Published(signed)
	}
	return nil
}

// giveWay gives the reserve back, and reports whether there was one.
func (l *Log) giveWay() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.reserve.release()
}

// rotate closes a segment that is long enough with a checkpoint, and goes on in the next.
func (l *Log) rotate() error {
	l.mu.Lock()
	if l.size < l.o.SegmentBytes || l.failed != nil || l.ending || l.now().Before(l.turnAfter) {
		l.mu.Unlock()
		return nil
	}
	head, signed, err := l.turn()
	if err != nil {
		l.turnAfter = l.now().Add(retryEvery)
	}
	l.mu.Unlock()
	if err != nil {
		return err
	}
	select {
	case l.kick <- struct{}{}:
	default:
	}
	return l.keepHead(head, signed)
}

func (l *Log) turn() (Signature, string, error) {
	head, signed, err := l.checkpoint()
	if err != nil {
		return head, "", err
	}
	l.stats.Syncs++
	if err := l.f.Sync(); err != nil {
		l.fail(err)
		return head, "", err
	}
	l.synced = l.seq
	l.release(l.round, nil)
	l.round = nil
	return head, signed, l.begin(l.segment + 1)
}

// rearm sets the alarm for whatever is due next.
func (l *Log) rearm() {
	if l.armed || l.closed {
		return
	}
	now, next := l.now(), time.Duration(1<<62)
	at := func(t time.Time) { next = min(next, max(0, t.Sub(now))) }
	if l.seq > l.synced {
		l.armed, next = true, l.o.SyncEvery
	}
	if l.seq > l.head.Seq+1 {
		at(l.headed.Add(l.o.CheckpointEvery))
	}
	for _, w := range []*window{&l.seen, &l.turned} {
		if t, waiting := w.next(); waiting {
			at(t)
		}
	}
	if l.trouble != nil || l.chores != nil || l.OnReserve() {
		at(now.Add(retryEvery))
	}
	l.alarm.Reset(next)
}

// reason is the short text of a disk error, without the path it happened at.
func reason(err error) string {
	var no syscall.Errno
	if errors.As(err, &no) {
		return no.Error()
	}
	return err.Error()
}
