package blob

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// VerifiedBelow is the size in bytes below which contents are compared with their hash each time they are opened. Longer ones
// are compared by who scrubs.
const VerifiedBelow = 1 << 20

// Errors of contents that are not as they were stored. They are wrapped with the blob's name.
var (
	ErrMissing = errors.New("blob: missing")
	ErrCorrupt = errors.New("blob: corrupt")
)

// Open opens a blob of a known size for reading, any part of it in any order. The caller closes it. It goes on being readable
// when the blob is removed meanwhile.
func (s *Store) Open(id ID, size int64) (io.ReadSeekCloser, error) {
	f, err := s.file(id, size)
	if err != nil || size >= VerifiedBelow {
		return f, err
	}
	defer f.Close()
	body := make([]byte, size)
	if _, err := io.ReadFull(f, body); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrCorrupt, id, err)
	}
	if sum := sha256.Sum256(body); hex.EncodeToString(sum[:]) != id.Hash {
		return nil, fmt.Errorf("%w: %s", ErrCorrupt, id)
	}
	return inMemory{bytes.NewReader(body)}, nil
}

// inMemory is contents that nothing has to be closed for.
type inMemory struct{ *bytes.Reader }

func (inMemory) Close() error { return nil }

// file opens the blob's file, if it is as long as it should be.
func (s *Store) file(id ID, size int64) (io.ReadSeekCloser, error) {
	if err := id.valid(); err != nil {
		return nil, err
	}
	f, err := os.Open(s.place(id))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %s", ErrMissing, id)
	}
	if err != nil {
		return nil, fmt.Errorf("blob %s: %w", id, err)
	}
	at, err := f.Stat()
	if err == nil && at.Size() != size {
		err = fmt.Errorf("%w: %s has %d bytes, not %d", ErrCorrupt, id, at.Size(), size)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// Verify reads a whole blob and compares it with its hash. pace is called with the number of bytes before each part is read,
// and may wait; an error of it ends the work and is returned. What is not as it was stored is ErrMissing or ErrCorrupt.
func (s *Store) Verify(id ID, size int64, pace func(n int) error) error {
	f, err := s.file(id, size)
	if err != nil {
		return err
	}
	defer f.Close()
	sum, part := sha256.New(), make([]byte, 256<<10)
	for {
		if err := pace(len(part)); err != nil {
			return err
		}
		n, err := f.Read(part)
		sum.Write(part[:n])
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("%w: %s: %w", ErrCorrupt, id, err)
		}
	}
	if hex.EncodeToString(sum.Sum(nil)) != id.Hash {
		return fmt.Errorf("%w: %s", ErrCorrupt, id)
	}
	return nil
}
