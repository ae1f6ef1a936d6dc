package audit

import (
	"encoding/binary"
	"slices"
	"time"

	"nexus/authzsvc/authz"
)

const (
	maxRepeats  = 4096    // firsts a window remembers; more are written in full
	maxRefusals = 1024    // refusals before the Gate; what goes beyond is counted as "others"
	maxKept     = 4 << 10 // longest body kept for a summary, bytes
)

// repeat is a first entry that was written, and how often it was asked again since.
type repeat struct {
	key     string
	id      string // of the first decision; empty for a refusal
	until   time.Time
	n       int
	summary func(n int) []byte // the body that tells of n repeats
}

// window counts repeats. All have the same length, so they end in the order in which they began. Guarded by Log.mu.
type window struct {
	max   int
	byKey map[string]*repeat
	queue []*repeat
}

func newWindow(limit int) window { return window{max: limit, byKey: map[string]*repeat{}} }

// running returns the first entry of key, when its window has not ended.
func (w *window) running(key []byte, now time.Time) *repeat {
	r := w.byKey[string(key)]
	if r == nil || !now.Before(r.until) {
		return nil
	}
	return r
}

// full reports whether no further first can be remembered.
func (w *window) full() bool { return len(w.queue) >= w.max }

// begin remembers r, which was just written.
func (w *window) begin(r *repeat) {
	w.byKey[r.key] = r
	w.queue = append(w.queue, r)
}

// ended returns the summaries of the windows that ended before now, without forgetting them.
func (w *window) ended(now time.Time) (bodies [][]byte, n int) {
	for _, r := range w.queue {
		if now.Before(r.until) {
			break
		}
		n++
		if r.n > 0 {
			bodies = append(bodies, r.summary(r.n))
		}
	}
	return bodies, n
}

// forget drops the n oldest.
func (w *window) forget(n int) {
	for _, r := range w.queue[:n] {
		if w.byKey[r.key] == r {
			delete(w.byKey, r.key)
		}
	}
	w.queue = slices.Delete(w.queue, 0, n)
}

// next returns when the oldest window ends.
func (w *window) next() (time.Time, bool) {
	if len(w.queue) == 0 {
		return time.Time{}, false
	}
	return w.queue[0].until, true
}

// coalesces reports whether repeats of d may be counted: never an allowance that waits for the disk, which is about to have
// an effect of its own, and never a list, whose digest is a fact of its own. A refusal has no effect: who hammers at a
// closed door fills neither the record nor the disk's queue.
func coalesces(d *authz.Decided) bool {
	return (!d.Durable || !d.Allowed) && d.Listed == nil && d.Repeats == 0
}

// decidedKey appends what two decisions have in common when one is a repeat of the other. Each text has its length in front, so
// that no two different decisions share a key.
func decidedKey(b []byte, d *authz.Decided) []byte {
	b = texts(b, d.Tenant, d.Base.Type, d.Base.ID, d.Admin.ID, d.Key, d.Op, d.Reason, d.Schema, d.Policy)
	b = append(b, bit(d.Allowed), bit(d.Incomplete))
	b = count(b, len(d.Actors))
	for _, a := range d.Actors {
		b = texts(b, a.Type, a.ID)
	}
	b = count(b, len(d.Objects))
	for _, o := range d.Objects {
		b = texts(b, o.Type, o.ID, o.Name, o.Rest)
	}
	b = count(b, len(d.Checks))
	for _, c := range d.Checks {
		b = append(texts(b, c.Type, c.ID, c.Permission), bit(c.Allowed), bit(c.Incomplete))
	}
	b = texts(count(b, len(d.Rules)), d.Rules...)
	b = texts(count(b, len(d.Obligations)), d.Obligations...)
	for _, k := range sorted(d.Params, make([]string, 0, fewParams)) {
		b = texts(b, k, d.Params[k])
	}
	return b
}

func texts(b []byte, all ...string) []byte {
	for _, s := range all {
		b = append(count(b, len(s)), s...)
	}
	return b
}

func count(b []byte, n int) []byte { return binary.AppendUvarint(b, uint64(n)) }

func bit(v bool) byte {
	if v {
		return 1
	}
	return 0
}
