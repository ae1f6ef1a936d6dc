package audit

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"time"

	"nexus/authzsvc/authz"
	"nexus/internal/errs"
)

var scratch = sync.Pool{New: func() any { b := make([]byte, 0, 2<<10); return &b }}

// Decide writes d before the caller goes on; with d.Durable it returns only after an fsync, which it shares with everybody who
// waits at the time. A prompt decision or a refusal that repeats another is counted into it and takes over its id in d, so that
// the id a caller is shown can be looked up. An error means that there must be no access. A caller who leaves while waiting for the disk
// gets an error, and the decision an outcome that says so.
func (l *Log) Decide(ctx context.Context, d *authz.Decided) error {
	if err := ended(ctx); err != nil {
		return err
	}
	if d.ID == "" {
		return errs.New(errs.Internal, "decision without an id").Marked(errs.NotRecorded)
	}
	buf := scratch.Get().(*[]byte)
	defer scratch.Put(buf)
	if l.o.CoalesceFor < 0 || !coalesces(d) {
		*buf = decidedBody((*buf)[:0], d)
		return l.decideAlone(ctx, d, *buf)
	}
	*buf = decidedKey((*buf)[:0], d)
	if l.repeats(*buf, d) {
		return nil
	}
	key := string(*buf)
	*buf = decidedBody((*buf)[:0], d)
	return l.decideFirst(ctx, key, d, *buf)
}

func (l *Log) decideAlone(ctx context.Context, d *authz.Decided, body []byte) error {
	if d.Durable {
		return l.decideDurable(ctx, d, body)
	}
	return l.appendOne(body)
}

// Conclude writes what became of a decision. A plain read that ends well needs no outcome. It does not heed ctx: the effect has
// happened, and the record must hear of it.
func (l *Log) Conclude(_ context.Context, o *authz.Outcome) error {
	buf := scratch.Get().(*[]byte)
	defer scratch.Put(buf)
	*buf = outcomeBody((*buf)[:0], o)
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.append(*buf); err != nil {
		return err
	}
	l.open.remove(o.ID)
	return nil
}

// Refusal is a request that was turned away before the Gate: no credential, a rate limit, a malformed call.
type Refusal struct {
	Kind    errs.Kind
	Reason  errs.Reason
	Address string // where it came from
	Op      string // what it asked for, when that is known
	Key     string // id of the key it showed, never the key
}

// Refused writes r, or counts it into an equal one of the last second. When more different ones come than are remembered, the rest
// is counted together, so a flood cannot fill the disk.
func (l *Log) Refused(_ context.Context, r Refusal) error {
	why := r.Kind.String()
	if r.Reason != "" {
		why += " " + string(r.Reason)
	}
	n := Note{Kind: NoteRefused, Count: 1, Why: why, Address: r.Address, Op: r.Op, Key: r.Key}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.countRefusal(n) {
		return nil
	}
	if l.turned.full() {
		n = Note{Kind: NoteRefused, Count: 1, Why: "others"}
		if l.countRefusal(n) {
			return nil
		}
	}
	return l.firstRefusal(n)
}

func refusalKey(n Note) []byte { return texts(nil, n.Why, n.Address, n.Op, n.Key) }

func (l *Log) countRefusal(n Note) bool {
	r := l.turned.running(refusalKey(n), l.now())
	if r == nil || l.trouble != nil {
		return false
	}
	r.n++
	l.stats.Repeats++
	return true
}

func (l *Log) firstRefusal(n Note) error {
	if err := l.append(noteBody(&n)); err != nil {
		return err
	}
	if l.o.CoalesceFor > 0 {
		l.turned.begin(&repeat{key: string(refusalKey(n)), until: l.at.Add(l.o.CoalesceFor), summary: func(count int) []byte {
			n.Count = int64(count)
			return noteBody(&n)
		}})
	}
	return nil
}

func (l *Log) appendOne(body []byte) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.append(body)
}

// repeats counts d when it repeats a decision that was written. While the disk refuses nothing is counted: what cannot be
// written must not pass.
func (l *Log) repeats(key []byte, d *authz.Decided) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.count(key, d)
}

func (l *Log) count(key []byte, d *authz.Decided) bool {
	r := l.seen.running(key, l.now())
	if r == nil || l.trouble != nil || l.closed {
		return false
	}
	r.n++
	d.ID = r.id
	l.stats.Repeats++
	return true
}

// decideFirst writes d and remembers it, unless somebody was faster.
func (l *Log) decideFirst(ctx context.Context, key string, d *authz.Decided, body []byte) error {
	if d.Durable { // a refusal: two that come at once are both written, and the first one is remembered
		if err := l.decideDurable(ctx, d, body); err != nil {
			return err
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		l.remember(key, d, body)
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.count([]byte(key), d) {
		return nil
	}
	if err := l.append(body); err != nil {
		return err
	}
	l.remember(key, d, body)
	return nil
}

// remember begins a window of repeats of d, which was just written.
func (l *Log) remember(key string, d *authz.Decided, body []byte) {
	if l.seen.full() || len(body) > maxKept || l.seen.running([]byte(key), l.now()) != nil {
		return
	}
	kept := append([]byte(nil), body...)
	l.seen.begin(&repeat{key: key, id: d.ID, until: l.at.Add(l.o.CoalesceFor), summary: func(n int) []byte { return withRepeats(kept, n) }})
}

func (l *Log) decideDurable(ctx context.Context, d *authz.Decided, body []byte) error {
	l.mu.Lock()
	if err := l.append(body); err != nil {
		l.mu.Unlock()
		return err
	}
	if d.Allowed {
		l.open.add(d.ID, l.seq)
	}
	r := l.join()
	l.mu.Unlock()
	select {
	case <-r.done:
		return r.err
	case <-ctx.Done():
		return l.abandon(ctx, d)
	}
}

// abandon concludes a decision whose caller left while waiting for the disk.
func (l *Log) abandon(ctx context.Context, d *authz.Decided) error {
	err := ended(ctx)
	if !d.Allowed {
		return err
	}
	return errors.Join(err, l.Conclude(ctx, l.unused(d.ID, errs.KindOf(err).String())))
}

func (l *Log) unused(id, why string) *authz.Outcome {
	return &authz.Outcome{ID: id, At: l.o.Clock.Now(), State: authz.Failed, Why: why}
}

// join adds the caller to those who wait for the next fsync.
func (l *Log) join() *round {
	if l.round == nil {
		l.round = &round{done: make(chan struct{})}
	}
	l.stats.Waits++
	select {
	case l.wake <- struct{}{}:
	default: // it is awake already
	}
	return l.round
}

// now returns the time of the next entry. Time never runs backwards in the record.
func (l *Log) now() time.Time {
	if now := l.o.Clock.Now(); now.After(l.at) {
		return now
	}
	return l.at
}

// append writes entries with these bodies in one write, or none of them; in front of them how many were refused before.
func (l *Log) append(bodies ...[]byte) error {
	if err := l.ready(); err != nil {
		return l.refuse(err)
	}
	b := l.stage()
	if l.refused.Count > 0 {
		b.add(noteBody(&l.refused))
	}
	for _, body := range bodies {
		if len(body) > maxEntry-128 {
			return errs.New(errs.Exhausted, "decision of %s bytes is too long to record", strconv.Itoa(len(body))).Marked(errs.NotRecorded)
		}
		b.add(body)
	}
	if len(b.buf) == 0 {
		return nil
	}
	if err := l.put(b.buf); err != nil {
		return l.refuse(err)
	}
	l.commit()
	return nil
}

// ready makes the open segment fit for the next entry.
func (l *Log) ready() error {
	if l.closed || l.ending {
		return errClosed
	}
	if err := l.withdraw(); err != nil {
		return err
	}
	if l.failed != nil {
		return l.replaceFailed()
	}
	return l.smooth()
}

// smooth cuts an unfinished entry off.
func (l *Log) smooth() error {
	if !l.ragged {
		return nil
	}
	if err := l.f.Truncate(l.size); err != nil {
		return err
	}
	l.ragged = false
	return nil
}

// stage returns an empty batch behind the newest entry.
func (l *Log) stage() *batch {
	b := &l.batch
	if cap(b.buf) > 1<<20 {
		b.buf = nil
	}
	b.buf, b.seq, b.chain, b.at = b.buf[:0], l.seq, l.chain, l.now()
	return b
}

// put writes p behind the newest entry; when the disk is full, with the help of the reserve.
func (l *Log) put(p []byte) error {
	err := l.write(p)
	if err == nil || !isFull(err) || !l.reserve.release() {
		return err
	}
	if err := l.smooth(); err != nil {
		return err
	}
	return l.write(p)
}

func (l *Log) write(p []byte) error {
	_, err := l.f.Write(p)
	l.ragged = err != nil
	return err
}

// commit makes the batch that was written the newest entries.
func (l *Log) commit() {
	b := &l.batch
	l.stats.Entries += b.seq - l.seq
	l.stats.Bytes += uint64(len(b.buf))
	l.size += int64(len(b.buf))
	l.seq, l.chain, l.at = b.seq, b.chain, b.at
	l.refused, l.trouble = Note{}, nil
	l.announce()
	if !l.armed {
		l.armed = true
		l.alarm.Reset(l.o.SyncEvery)
	}
}

// refuse counts an entry that could not be written and returns what its caller gets.
func (l *Log) refuse(cause error) error {
	err := notRecorded(cause)
	if errors.Is(cause, errClosed) {
		return err
	}
	l.stats.Failures++
	if l.refused.Count == 0 {
		now := l.now().UTC()
		l.refused = Note{Kind: NoteGap, Since: &now, Why: reason(cause)}
	}
	l.refused.Count++
	l.trouble = err
	l.rearm()
	return err
}

// announce tells followers that the record grew or ended.
func (l *Log) announce() {
	if l.follow != nil {
		close(l.follow)
		l.follow = nil
	}
}
