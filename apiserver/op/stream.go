package op

import (
	"context"
	"io"
	"sync"
	"time"

	"nexus/internal/errs"
)

// Sink takes what a stream sends. Write blocks while the receiver is slow; an error ends the stream.
type Sink interface {
	io.Writer
	// Event sends one value as an event.
	Event(v any) error
	// Content offers bytes of a known length, of which the receiver takes what he wants. It returns when he has taken it. An
	// error says that he has not got all of it.
	Content(c Content) error
}

// Content is bytes of a known length with what a receiver may want to know before he takes them.
type Content struct {
	Type     string // media type
	Etag     string // names the bytes; without quotes
	Weak     bool   // the etag names where the bytes come from, and not the bytes themselves
	Modified time.Time
	Body     io.ReadSeeker // not used after Content has returned
}

// meter is the sink that a deed gets: it counts the bytes that leave, and lets those of a Content leave only while still says so.
// It is a wall, so it has each method of a Sink by name.
type meter struct {
	ctx   context.Context // of the stream: a Read has none of its own
	out   Sink
	still func(context.Context) error

	mu    sync.Mutex // guards what follows: a sink may read a Content in another goroutine
	bytes int64
	ended error // why no more may be read
}

func (m *meter) Write(p []byte) (int, error) {
	n, err := m.out.Write(p)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.bytes += int64(n)
	return n, err
}

func (m *meter) Event(v any) error { return m.out.Event(v) }

func (m *meter) Content(c Content) error {
	c.Body = &metered{m, c.Body}
	err := m.out.Content(c)
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.ended != nil {
		return m.ended
	}
	m.ended = errs.New(errs.Internal, "contents are read after their stream has ended")
	return err
}

// sent returns how many bytes have left.
func (m *meter) sent() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.bytes
}

// metered is the body of a Content, as the sink gets it.
type metered struct {
	m    *meter
	body io.ReadSeeker
}

func (r *metered) Seek(offset int64, whence int) (int64, error) {
	r.m.mu.Lock()
	defer r.m.mu.Unlock()
	if r.m.ended != nil {
		return 0, r.m.ended
	}
	return r.body.Seek(offset, whence)
}

func (r *metered) Read(p []byte) (int, error) {
	r.m.mu.Lock()
	defer r.m.mu.Unlock()
	if r.m.ended == nil {
		r.m.ended = r.m.still(r.m.ctx)
	}
	if r.m.ended != nil {
		return 0, r.m.ended
	}
	n, err := r.body.Read(p)
	r.m.bytes += int64(n)
	return n, err
}
