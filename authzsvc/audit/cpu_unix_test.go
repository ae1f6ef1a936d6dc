//go:build unix

package audit

import (
	"syscall"
	"time"
)

// cpu returns the processor time that the process has used: unlike the clock it does not count the neighbours.
func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
