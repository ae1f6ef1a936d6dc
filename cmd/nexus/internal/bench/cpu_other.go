//go:build !unix

package bench

import (
	"time"

	"nexus/internal/errs"
)

func cpu(Options, func(i int) error) (time.Duration, error) {
	return 0, errs.New(errs.Unsupported, "CPU time is not measured on this system")
}
