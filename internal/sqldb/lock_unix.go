//go:build unix

package sqldb

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"

	"nexus/internal/errs"
)

// lockFile takes the lock that keeps a second process, and a second opening in this one, away from a database. The kernel
// drops it when the process ends, however it ends; the file stays, because removing it would let two owners lock two files.
func lockFile(path string) (unlock func() error, err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, errs.New(errs.Unavailable, "cannot open the lock file %q", path).Because(err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		defer f.Close()
		return nil, lockRefused(f, err)
	}
	if err := writeOwner(f); err != nil {
		f.Close()
		return nil, errs.New(errs.Unavailable, "cannot write the lock file %q", path).Because(err)
	}
	return f.Close, nil
}

func lockRefused(f *os.File, err error) error {
	if !errors.Is(err, syscall.EWOULDBLOCK) {
		return errs.New(errs.Unavailable, "cannot lock %q", f.Name()).Because(err)
	}
	owner, _ := io.ReadAll(io.LimitReader(f, 64))
	return errs.New(errs.Unavailable, "the database is in use: %q is locked by process %s", f.Name(), strings.TrimSpace(string(owner)))
}

// writeOwner leaves the process id for the one who is refused, and for nothing else.
func writeOwner(f *os.File) error {
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err := f.WriteAt([]byte(fmt.Sprintln(os.Getpid())), 0)
	if errors.Is(err, syscall.ENOSPC) {
		return nil // a full disk must not keep a database from being opened for reading
	}
	return err
}
