package blob

import (
	"errors"
	"os"
	"syscall"

	room "nexus/internal/disk" // disk is what the store asks of it
	"nexus/internal/errs"
)

// disk is everything the store asks of a file system when it changes something, so that a test can refuse any of it, or end
// the process there. Reading goes to the file system directly.
type disk interface {
	// Create makes a new file for writing; it fails when there is one.
	Create(name string) (file, error)
	// Mkdir makes a folder, or leaves the one that is there.
	Mkdir(name string) error
	Rename(from, to string) error
	Remove(name string) error
	// SyncDir makes creations, renames and removals in dir durable.
	SyncDir(dir string) error
	// Free returns how many bytes can still be written where dir is.
	Free(dir string) (int64, error)
}

// file is one that is being written.
type file interface {
	Write(p []byte) (int, error)
	Sync() error
	Close() error
}

type osDisk struct{}

func (osDisk) Create(name string) (file, error) {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err // not f: a nil *os.File would be a file that is not nil
	}
	return f, nil
}

func (osDisk) Mkdir(name string) error {
	err := os.Mkdir(name, 0o700)
	if errors.Is(err, os.ErrExist) {
		return nil
	}
	return err
}

func (osDisk) Rename(from, to string) error { return os.Rename(from, to) }

func (osDisk) Remove(name string) error { return os.Remove(name) }

func (osDisk) SyncDir(dir string) error { return room.SyncDir(dir) }

func (osDisk) Free(dir string) (int64, error) { return room.Free(dir) }

// failed is what a caller gets when the disk refuses: a full disk is his to know, anything else the operator's.
func failed(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return errs.New(errs.Exhausted, "the disk is full").Marked(errs.DiskFull).Because(err)
	}
	return errs.New(errs.Unavailable, "contents cannot be stored").Because(err)
}
