package audit

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"
)

// tidyEvery is how often segments are looked at that only age can retire.
const tidyEvery = time.Hour

// tidyWhenKicked compresses and retires closed segments after each rotation, and once an hour.
func (l *Log) tidyWhenKicked() {
	hourly := time.NewTicker(tidyEvery)
	defer hourly.Stop()
	for {
		select {
		case <-l.quit.Done():
			return
		case <-l.kick:
		case <-hourly.C:
		}
		err := l.tidy(l.quit)
		l.mu.Lock()
		l.untidy = err
		l.mu.Unlock()
	}
}

// tidy compresses the closed segments, then deletes those that are too old or too many.
func (l *Log) tidy(ctx context.Context) error {
	l.tidying.Lock()
	defer l.tidying.Unlock()
	b, _, _ := l.growth()
	all, err := l.segments(bound{segment: b.segment - 1})
	if err != nil || b.segment == 1 {
		return err
	}
	for _, s := range all {
		if s.packed {
			continue
		}
		if err := l.pack(ctx, s.n); err != nil {
			return err
		}
	}
	return l.retire(ctx)
}

// pack replaces a closed segment by its compressed form, once that was read back and found the same.
func (l *Log) pack(ctx context.Context, n int) error {
	plain := filepath.Join(l.dir, segmentName(n))
	packed := strings.TrimSuffix(plain, openExt) + packedExt
	tmp := packed + ".tmp"
	want, err := l.compress(ctx, n, tmp)
	if err == nil {
		err = l.o.disk.Rename(tmp, packed)
	}
	if err == nil {
		err = l.o.disk.SyncDir(l.dir)
	}
	if err != nil {
		return errors.Join(err, l.forgetFile(tmp))
	}
	if got, err := digestPacked(packed); err != nil || got != want {
		return errors.Join(fmt.Errorf("segment %d reads differently when compressed", n), err, l.forgetFile(packed))
	}
	if err := l.o.disk.Remove(plain); err != nil {
		return err
	}
	l.mu.Lock()
	l.stats.Packed++
	l.mu.Unlock()
	return l.o.disk.SyncDir(l.dir)
}

// compress writes segment n to name and returns the digest of what it read.
func (l *Log) compress(ctx context.Context, n int, name string) (Hash, error) {
	var digest Hash
	r, err := openSegment(l.dir, n, 0)
	if err != nil {
		return digest, err
	}
	defer r.Close()
	f, err := fresh(l.o.disk, name)
	if err != nil {
		return digest, err
	}
	z, err := zstd.NewWriter(f, zstd.WithEncoderConcurrency(1))
	if err != nil {
		return digest, errors.Join(err, f.Close())
	}
	sha := sha256.New()
	_, err = io.Copy(z, io.TeeReader(whileAlive{ctx, r}, sha))
	err = errors.Join(err, z.Close())
	if err == nil {
		err = f.Sync()
	}
	sha.Sum(digest[:0])
	return digest, errors.Join(err, f.Close())
}

func digestPacked(name string) (Hash, error) {
	var digest Hash
	r, err := openPacked(name)
	if err != nil {
		return digest, err
	}
	defer r.Close()
	sha := sha256.New()
	_, err = io.Copy(sha, r)
	sha.Sum(digest[:0])
	return digest, err
}

// whileAlive is a reader that ends with its context.
type whileAlive struct {
	ctx context.Context
	r   io.Reader
}

func (w whileAlive) Read(p []byte) (int, error) {
	if err := w.ctx.Err(); err != nil {
		return 0, err
	}
	return w.r.Read(p)
}

// retire deletes the oldest closed segments that are beyond KeepFor or KeepBytes. It stops in front of one that an open decision
// may still need.
func (l *Log) retire(ctx context.Context) error {
	b, _, _ := l.growth()
	all, err := l.segments(b)
	if err != nil {
		return err
	}
	total := int64(0)
	for _, s := range all {
		total += s.bytes
	}
	for i, s := range all[:max(len(all)-1, 0)] {
		next, err := l.header(all[i+1].n)
		if err != nil {
			return err
		}
		if !l.isTooMuch(total, next) {
			return nil
		}
		if err := l.retireOne(ctx, s, next); err != nil {
			return err
		}
		total -= s.bytes
	}
	return nil
}

// isTooMuch reports whether the segment in front of next must go.
func (l *Log) isTooMuch(total int64, next header) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	old := l.o.KeepFor > 0 && l.now().Sub(next.at) > l.o.KeepFor
	many := l.o.KeepBytes > 0 && total > l.o.KeepBytes
	open := l.open.oldest()
	return (old || many) && (open == 0 || open >= next.seq)
}

// retireOne notes that a segment goes, and deletes it once the note is on disk.
func (l *Log) retireOne(ctx context.Context, s stored, next header) error {
	h, err := l.header(s.n)
	if err != nil {
		return err
	}
	n := Note{Kind: NoteRetired, Segment: s.n, First: h.seq, Last: next.seq - 1, Prev: next.prev.String(), Bytes: s.bytes}
	l.mu.Lock()
	if err := l.append(noteBody(&n)); err != nil {
		l.mu.Unlock()
		return err
	}
	r := l.join()
	l.mu.Unlock()
	select {
	case <-r.done:
	case <-ctx.Done():
		return ctx.Err()
	}
	if r.err != nil {
		return r.err
	}
	name := filepath.Join(l.dir, segmentName(s.n))
	if s.packed {
		name = strings.TrimSuffix(name, openExt) + packedExt
	}
	if err := l.o.disk.Remove(name); err != nil {
		return err
	}
	l.mu.Lock()
	l.stats.Retired++
	l.mu.Unlock()
	return l.o.disk.SyncDir(l.dir)
}

// forgetFile removes what an attempt left; that it was never made is no error.
func (l *Log) forgetFile(name string) error {
	return unless(fs.ErrNotExist, l.o.disk.Remove(name))
}
