package audit

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"hash"
	"io"
	"io/fs"
	"slices"
	"sync"
	"time"

	"nexus/internal/errs"
)

// pollEvery is how often a View looks for new entries of another process.
const pollEvery = 200 * time.Millisecond

// View reads a record, also one that another process is writing. It checks the chain hash of each entry it shows, and shows
// none whose hash does not hold; only the first one behind bytes that are no entry cannot be checked so. It is safe for concurrent use and holds no resources between calls.
type View struct {
	dir    string
	growth func() (bound, <-chan struct{}, bool)

	mu      sync.Mutex
	headers map[int]header // they never change
}

// bound is how far the record goes: all before segment, and size bytes of it. Segment 0 means: as far as there is something.
type bound struct {
	segment int
	size    int64
}

// OpenView returns a View of the record in dir.
func OpenView(dir string) (*View, error) {
	if _, err := storedSegments(dir); err != nil {
		return nil, errs.New(errs.NotFound, "no record in %s", dir).Because(err)
	}
	v := newView(dir)
	v.growth = func() (bound, <-chan struct{}, bool) {
		looked := make(chan struct{})
		time.AfterFunc(pollEvery, func() { close(looked) })
		return bound{}, looked, true
	}
	return v, nil
}

func newView(dir string) *View { return &View{dir: dir, headers: map[int]header{}} }

// growth returns how far the log has come, and a channel that is closed when it has come further; false once it is closed.
func (l *Log) growth() (bound, <-chan struct{}, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.follow == nil {
		l.follow = make(chan struct{})
	}
	return bound{l.segment, l.size}, l.follow, !l.closed
}

func (v *View) header(n int) (header, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if h, known := v.headers[n]; known {
		return h, nil
	}
	h, err := readHeader(v.dir, n)
	if err == nil {
		v.headers[n] = h
	}
	return h, err
}

// segments returns those that begin within b, oldest first.
func (v *View) segments(b bound) ([]stored, error) {
	all, err := storedSegments(v.dir)
	if err != nil {
		return nil, err
	}
	if b.segment > 0 {
		all = slices.DeleteFunc(all, func(s stored) bool { return s.n > b.segment })
	}
	return all, nil
}

// place is a position in the record.
type place struct {
	segment int
	off     int64
	prev    Hash // chain hash in front of off; the header's own word for it at the beginning
	astray  bool // prev is not known: bytes in front of off are no entry
}

// walker reads entries from a place on, and keeps the place.
type walker struct {
	v       *View
	ctx     context.Context
	sha     hash.Hash
	skipped int64 // bytes that were no entries, or entries whose hash did not hold
	firstAt place // the first of them
}

// walk calls f for the entries of the segment at p up to size bytes, 0 for all, until f returns false. The entry is valid
// until f returns, and whole reports whether its hash holds. Behind damage it goes on with the next line.
func (w *walker) walk(p *place, size int64, f func(entry []byte, whole func() bool) bool) (bool, error) {
	r, err := openSegment(w.v.dir, p.segment, p.off)
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil // retired since it was listed
	}
	if err != nil {
		return false, err
	}
	defer r.Close()
	in := newFrames(r, p.off)
	bad := int64(0) // bytes in front of in.off that are no entry
	for n := 0; size == 0 || in.off < size; n++ {
		if n%1024 == 0 && w.ctx.Err() != nil {
			return false, gone(w.ctx)
		}
		fr, err := in.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if errors.Is(err, errTorn) && size == 0 {
			return true, nil // perhaps an entry that is being written
		}
		if errors.Is(err, errFrame) || errors.Is(err, errTorn) {
			bad += fr.size
			continue
		}
		if err != nil {
			return false, err
		}
		w.pass(p, &bad, fr)
		more := f(fr.entry, func() bool { return w.holds(p, fr) })
		p.off, p.prev, p.astray = in.off, fr.sum, false
		if !more {
			return false, nil
		}
	}
	w.note(*p, bad)
	return true, nil
}

// pass moves p to fr, over bad bytes in front of it.
func (w *walker) pass(p *place, bad *int64, fr frame) {
	if *bad > 0 {
		w.note(*p, *bad)
		*bad, p.astray = 0, true
	}
	p.off = fr.off
	if fr.off > 0 {
		return
	}
	if h, err := parseHeader(fr.entry, p.segment); err == nil {
		p.prev = h.prev
	}
}

// holds reports whether the chain hash of f is right; behind damage nothing is known against it.
func (w *walker) holds(p *place, f frame) bool {
	if p.astray || link(w.sha, p.prev, f.entry) == f.sum {
		return true
	}
	w.note(*p, f.size)
	return false
}

func (w *walker) note(p place, n int64) {
	if w.skipped == 0 && n > 0 {
		w.firstAt = p
	}
	w.skipped += n
}

// damage is the error for what could not be shown.
func (w *walker) damage() error {
	if w.skipped == 0 {
		return nil
	}
	return errs.New(errs.Internal, "record damaged").Because(errs.New(errs.Internal, "%d bytes are not shown, the first at byte %d of segment %d: verify the record", w.skipped, w.firstAt.off, w.firstAt.segment))
}

func unless(target, err error) error {
	if errors.Is(err, target) {
		return nil
	}
	return err
}

func gone(ctx context.Context) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return errs.New(errs.Deadline, "time ran out while reading the record").Because(ctx.Err())
	}
	return errs.New(errs.Canceled, "the reader of the record left").Because(ctx.Err())
}

func (v *View) walker(ctx context.Context) *walker {
	return &walker{v: v, ctx: ctx, sha: sha256.New()}
}

// Tail yields the entries from sequence number from on, and then each new one as it is written, until yield returns false, ctx
// ends, or the log is closed.
func (v *View) Tail(ctx context.Context, from uint64, yield func(Entry) bool) error {
	w := v.walker(ctx)
	at, err := v.placeOf(from)
	if err != nil {
		return err
	}
	for {
		b, grown, alive := v.growth()
		more, err := v.follow(w, &at, b, from, yield)
		if err != nil || !more {
			return errors.Join(err, w.damage())
		}
		if !alive {
			return w.damage()
		}
		select {
		case <-grown:
		case <-ctx.Done():
			return errors.Join(gone(ctx), w.damage())
		}
	}
}

// placeOf returns the beginning of the segment that holds entry seq.
func (v *View) placeOf(seq uint64) (place, error) {
	all, err := v.segments(bound{})
	if err != nil {
		return place{}, err
	}
	var at place
	for _, s := range all {
		h, err := v.header(s.n)
		if err == nil && h.seq > seq && at.segment > 0 {
			break
		}
		at.segment = s.n
	}
	return at, nil
}

func (v *View) follow(w *walker, at *place, b bound, from uint64, yield func(Entry) bool) (bool, error) {
	all, err := v.segments(b)
	if err != nil {
		return false, err
	}
	for _, s := range all {
		if s.n < at.segment {
			continue
		}
		if s.n > at.segment {
			*at = place{segment: s.n}
		}
		size := int64(0)
		if s.n == b.segment {
			size = b.size
		}
		more, err := w.walk(at, size, func(entry []byte, whole func() bool) bool {
			p, ok := peek(entry)
			if ok && p.seq < from {
				return true
			}
			var e Entry
			if json.Unmarshal(entry, &e) != nil || !whole() {
				return true
			}
			return yield(e)
		})
		if err != nil || !more {
			return false, err
		}
	}
	return true, nil
}
