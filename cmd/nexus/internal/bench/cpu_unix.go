//go:build unix

package bench

import (
	"syscall"
	"time"
)

// cpuCalls is how many calls are made between looking at the time.
const cpuCalls = 200

// cpu returns the CPU time of the whole process for one call of f, garbage collection included.
func cpu(o Options, f func(i int) error) (time.Duration, error) {
	for i := range warmups {
		if err := f(i); err != nil {
			return 0, err
		}
	}
	calls, before := 0, used()
	for end := time.Now().Add(o.Each); calls == 0 || time.Now().Before(end); calls += cpuCalls {
		for i := range cpuCalls {
			if err := f(i); err != nil {
				return 0, err
			}
		}
	}
	return (used() - before) / time.Duration(calls), nil
}

func used() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
