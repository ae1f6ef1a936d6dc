// Package clock is where time comes from, so that a test can hold it still.
package clock

import "time"

// Clock tells the time. Implementations are safe for concurrent use.
type Clock interface{ Now() time.Time }

// System is the machine's clock.
type System struct{}

// Now returns the machine's time.
func (System) Now() time.Time { return time.Now() }
