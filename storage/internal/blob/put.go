package blob

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"syscall"

	"nexus/internal/errs"
	"nexus/internal/ids"
)

// Temp is contents on their way in. It belongs to one goroutine, which ends it with Keep or Discard.
type Temp struct {
	s    *Store
	name string // in .tmp; empty once it is a blob, or nothing
	f    file   // nil once closed
	sum  hash.Hash
	size int64
}

// spare is what contents leave of the disk: room for the database and the record, which everything else depends on. It is looked
// at each time so many bytes have come.
const (
	spare     = 128 << 20
	lookEvery = 16 << 20
)

// room refuses contents when the disk has none to spare. Where that cannot be told, the disk itself will refuse.
func (s *Store) room() error {
	if free, err := s.disk.Free(s.dir); err == nil && free < spare {
		return failed(fmt.Errorf("%d bytes are free, %d are kept free: %w", free, spare, syscall.ENOSPC))
	}
	return nil
}

// New begins contents.
func (s *Store) New() (*Temp, error) {
	if err := s.room(); err != nil {
		return nil, err
	}
	t := &Temp{s: s, name: ids.New(), sum: sha256.New()}
	s.mu.Lock()
	s.temps[t.name] = struct{}{}
	s.mu.Unlock()
	f, err := s.disk.Create(s.path(tempDir, t.name))
	if err != nil {
		t.forget()
		return nil, failed(err)
	}
	t.f = f
	return t, nil
}

// Write adds p.
func (t *Temp) Write(p []byte) (int, error) {
	if t.f == nil {
		return 0, errs.Bug("contents are written after their end")
	}
	if t.size/lookEvery != (t.size+int64(len(p)))/lookEvery {
		if err := t.s.room(); err != nil {
			return 0, err
		}
	}
	n, err := t.f.Write(p)
	t.sum.Write(p[:n])
	t.size += int64(n)
	return n, failed(err)
}

// Open opens what was written so far for reading.
func (t *Temp) Open() (io.ReadCloser, error) {
	f, err := os.Open(t.s.path(tempDir, t.name))
	if err != nil {
		return nil, failed(err)
	}
	return f, nil
}

// Hash returns the SHA-256 of what was written so far, as 64 lower-case hex digits.
func (t *Temp) Hash() string { return hex.EncodeToString(t.sum.Sum(nil)) }

// Size returns how many bytes were written so far.
func (t *Temp) Size() int64 { return t.size }

// Keep makes the contents a blob of the tenant. Once it has returned nil they survive a power loss. One of that name and size
// which is there already is taken instead, if the caller trusts it: he then keeps it from being removed. After an error the
// contents may be there, or not; nothing of them is left in .tmp.
func (t *Temp) Keep(tenant string, trust bool) error {
	id := ID{tenant, t.Hash()}
	if err := id.valid(); err != nil {
		return errors.Join(err, t.Discard())
	}
	if size, err := t.s.Size(id); trust && err == nil && size == t.size {
		_ = t.Discard() // what stays in .tmp is tidied up later
		return failed(t.s.harden(id))
	}
	if err := t.move(id); err != nil {
		return errors.Join(failed(err), t.Discard())
	}
	return failed(t.s.harden(id))
}

// move syncs the bytes and gives them their name.
func (t *Temp) move(id ID) error {
	if err := t.f.Sync(); err != nil {
		return err
	}
	if err := t.close(); err != nil {
		return err
	}
	if err := t.s.folders(id); err != nil {
		return err
	}
	if err := t.s.disk.Rename(t.s.path(tempDir, t.name), t.s.place(id)); err != nil {
		return err
	}
	t.forget()
	return nil
}

// folders makes the folders of a blob.
func (s *Store) folders(id ID) error {
	leaf := filepath.Dir(s.place(id))
	if s.isDurable(leaf) {
		return nil
	}
	for _, dir := range []string{filepath.Dir(filepath.Dir(leaf)), filepath.Dir(leaf), leaf} {
		if err := s.disk.Mkdir(dir); err != nil {
			return err
		}
	}
	return nil
}

// harden makes a blob's name durable: its folder always, because another writer of the same contents may not have come so far;
// those above once in the life of the process.
func (s *Store) harden(id ID) error {
	leaf := filepath.Dir(s.place(id))
	if err := s.disk.SyncDir(leaf); err != nil {
		return err
	}
	if s.isDurable(leaf) {
		return nil
	}
	for dir := filepath.Dir(leaf); len(dir) >= len(s.dir); dir = filepath.Dir(dir) {
		if err := s.disk.SyncDir(dir); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.durable) >= maxDurable {
		clear(s.durable)
	}
	s.durable[leaf] = struct{}{}
	return nil
}

// maxDurable bounds how many folders are remembered.
const maxDurable = 1 << 16

func (s *Store) isDurable(leaf string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.durable[leaf]
	return ok
}

// Discard gives the contents up. It does nothing after Keep has made a blob of them.
func (t *Temp) Discard() error {
	if t.name == "" {
		return nil
	}
	err := t.close()
	err = errors.Join(err, t.s.disk.Remove(t.s.path(tempDir, t.name)))
	t.forget()
	return failed(err)
}

func (t *Temp) close() error {
	if t.f == nil {
		return nil
	}
	f := t.f
	t.f = nil
	return f.Close()
}

func (t *Temp) forget() {
	t.s.mu.Lock()
	defer t.s.mu.Unlock()
	delete(t.s.temps, t.name)
	t.name = ""
}
