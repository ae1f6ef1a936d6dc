package authn

import (
	"math"
	"strconv"
	"sync"
	"time"

	"nexus/internal/errs"
)

// Rate is a window: so many a second, and so many at once after a rest. A negative PerSecond means no limit.
type Rate struct {
	PerSecond float64
	Burst     int
}

// Rates bound what clients can do. A zero Rate is its default. The defaults stop clients that run away, and are no quota:
// they lie above what a small server can answer.
type Rates struct {
	Key        Rate // operations of a key; a batch counts each of its items (default: 20,000, burst 40,000)
	Address    Rate // requests of a client address (default: 20,000, burst 40,000)
	Failures   Rate // failed authentications of a client address (default: 10, burst 20)
	Remembered int  // how many keys, and how many addresses, windows are kept for at least (default: 16,384)
}

func (r Rates) withDefaults() Rates {
	r.Key = r.Key.or(Rate{20_000, 40_000})
	r.Address = r.Address.or(Rate{20_000, 40_000})
	r.Failures = r.Failures.or(Rate{10, 20})
	if r.Remembered <= 0 {
		r.Remembered = 16_384
	}
	return r
}

func (r Rate) or(otherwise Rate) Rate {
	if r.PerSecond == 0 {
		return otherwise
	}
	r.Burst = max(r.Burst, 1) // a bucket that holds nothing refuses everything
	return r
}

// windows keeps a token bucket for each key. It is safe for concurrent use.
type windows[K comparable] struct {
	rate    Rate
	mu      sync.Mutex // guards the buckets
	buckets *recent[K, *bucket]
}

// bucket held tokens at a time; fewer than none when it is overdrawn.
type bucket struct {
	tokens float64
	at     time.Time
}

func newWindows[K comparable](r Rate, remembered int) *windows[K] {
	return &windows[K]{rate: r, buckets: newRecent[K, *bucket](remembered)}
}

// take takes one token of k. Without one it is errs.Exhausted, and says when there is one again.
func (w *windows[K]) take(k K, now time.Time) error { return w.draw(k, now, 1) }

// look is take without taking.
func (w *windows[K]) look(k K, now time.Time) error { return w.draw(k, now, 0) }

// charge takes one token of k whether or not there is one.
func (w *windows[K]) charge(k K, now time.Time) {
	if w.rate.PerSecond < 0 {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.filled(k, now).tokens--
}

func (w *windows[K]) draw(k K, now time.Time, tokens float64) error {
	if w.rate.PerSecond < 0 {
		return nil
	}
	wait := w.wait(k, now, tokens)
	if wait == 0 {
		return nil
	}
	seconds := strconv.Itoa(int(math.Ceil(wait.Seconds())))
	return errs.New(errs.Exhausted, "too many requests: try again in %s s", seconds).
		Marked(errs.RateLimited).With("retry_after", seconds)
}

// wait takes so many tokens of k when there is one, or returns how long it takes until there is.
func (w *windows[K]) wait(k K, now time.Time, tokens float64) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	b := w.filled(k, now)
	if b.tokens < 1 {
		return max(time.Duration((1-b.tokens)/w.rate.PerSecond*float64(time.Second)), 1)
	}
	b.tokens -= tokens
	return 0
}

// filled returns the bucket of k with what has run into it until now. Callers hold mu.
func (w *windows[K]) filled(k K, now time.Time) *bucket {
	b, ok := w.buckets.get(k)
	if !ok {
		b = &bucket{tokens: float64(w.rate.Burst), at: now}
		w.buckets.put(k, b)
	}
	if passed := now.Sub(b.at); passed > 0 {
		b.tokens = min(b.tokens+passed.Seconds()*w.rate.PerSecond, float64(w.rate.Burst))
		b.at = now
	}
	return b
}

// recent remembers at least the last n entries used, and never more than twice as many: when the young ones reach n they
// become the old ones, and the old ones are forgotten. It is safe for concurrent use.
type recent[K comparable, V any] struct {
	n          int
	mu         sync.Mutex // guards what follows
	young, old map[K]V
}

func newRecent[K comparable, V any](n int) *recent[K, V] {
	return &recent[K, V]{n: n, young: map[K]V{}}
}

func (r *recent[K, V]) get(k K) (V, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if v, ok := r.young[k]; ok {
		return v, true
	}
	v, ok := r.old[k]
	if ok {
		r.add(k, v)
	}
	return v, ok
}

func (r *recent[K, V]) put(k K, v V) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.add(k, v)
}

func (r *recent[K, V]) forget(k K) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.young, k)
	delete(r.old, k)
}

// add makes k one of the young. Callers hold mu.
func (r *recent[K, V]) add(k K, v V) {
	if _, ok := r.young[k]; !ok && len(r.young) >= r.n {
		r.old, r.young = r.young, make(map[K]V, r.n)
	}
	r.young[k] = v
}

// size returns how many entries are remembered.
func (r *recent[K, V]) size() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.young) + len(r.old)
}
