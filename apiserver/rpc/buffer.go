package rpc

import (
	"bytes"
	"errors"
	"io"
	"sync"
)

// kept is the largest buffer that waits for its next use.
const kept = 1 << 20

// bufferPool lends buffers.
type bufferPool struct{ pool sync.Pool }

var buffers = bufferPool{sync.Pool{New: func() any { return new(bytes.Buffer) }}}

func (p *bufferPool) get() *bytes.Buffer { return p.pool.Get().(*bytes.Buffer) }

func (p *bufferPool) put(b *bytes.Buffer) {
	if b.Cap() > kept {
		return
	}
	b.Reset()
	p.pool.Put(b)
}

var errTooLong = errors.New("longer than the limit")

// fill reads all of r into b, or errTooLong when it is longer than limit. announced is what the sender says of the length; it
// is believed up to the size that is kept anyway.
func fill(b *bytes.Buffer, r io.Reader, limit, announced int64) error {
	if r == nil {
		return nil
	}
	if announced > 0 {
		b.Grow(int(min(announced+bytes.MinRead, kept)))
	}
	n, err := b.ReadFrom(io.LimitReader(r, limit+1))
	if err == nil && n > limit {
		return errTooLong
	}
	return err
}
