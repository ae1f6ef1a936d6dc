//go:build unix

package audit

import (
	"os"
	"syscall"
)

// flock takes f for this process alone, without waiting.
func flock(f *os.File) error { return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) }
