package audit

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	room "nexus/internal/disk" // disk is what the log asks of it
	"nexus/internal/errs"
)

// disk is everything the log asks of a file system when it writes, so that a test can refuse any of it. Reading goes to the
// file system directly.
type disk interface {
	// Create makes a new file for appending; it fails when there is one.
	Create(name string) (file, error)
	// Append opens a file that exists for appending.
	Append(name string) (file, error)
	Rename(from, to string) error
	Remove(name string) error
	// SyncDir makes creations, renames and removals in dir durable.
	SyncDir(dir string) error
	// Reserve makes a file that holds size bytes of the disk. It needs twice the room for a moment, so that it never takes the last byte.
	Reserve(name string, size int64) error
}

// file is one that is appended to.
type file interface {
	Write(p []byte) (int, error)
	Sync() error
	Truncate(size int64) error
	Close() error
}

type osDisk struct{}

func (osDisk) Create(name string) (file, error) {
	return open(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY|os.O_APPEND)
}

func (osDisk) Append(name string) (file, error) { return open(name, os.O_WRONLY|os.O_APPEND) }

func (osDisk) Rename(from, to string) error { return os.Rename(from, to) }

func (osDisk) Remove(name string) error { return os.Remove(name) }

func (osDisk) SyncDir(dir string) error { return room.SyncDir(dir) }

func (osDisk) Reserve(name string, size int64) error { return room.Reserve(name, size) }

// open keeps a nil *os.File from becoming a file that is not nil.
func open(name string, flags int) (file, error) {
	f, err := os.OpenFile(name, flags, 0o600)
	if err != nil {
		return nil, err
	}
	return f, nil
}

// replace writes text to dir/name so that after a crash the file holds the old or the new text, whole.
func replace(d disk, dir, name string, text []byte) error {
	tmp := filepath.Join(dir, name+".tmp")
	f, err := fresh(d, tmp)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, d.Remove(tmp))
	}
	if err := d.Rename(tmp, filepath.Join(dir, name)); err != nil {
		return err
	}
	return d.SyncDir(dir)
}

// fresh creates name anew, whatever an earlier attempt left there.
func fresh(d disk, name string) (file, error) {
	if err := d.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return d.Create(name)
}

// isFull reports whether err says that there is no room.
func isFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// notRecorded is what a caller gets when cause kept its entry from being written.
func notRecorded(cause error) error {
	if isFull(cause) {
		cause = errs.New(errs.Unavailable, "disk is full").Marked(errs.DiskFull).Because(cause)
	}
	return errs.New(errs.Unavailable, "the decision could not be recorded").Marked(errs.NotRecorded).Because(cause)
}
