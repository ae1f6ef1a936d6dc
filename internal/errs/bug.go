package errs

import (
	"fmt"
	"testing"
)

// Bug reports a broken invariant: it panics under test and is an Internal error in production.
func Bug(format string, args ...any) error {
	text := fmt.Sprintf(format, args...)
	if testing.Testing() {
		panic("bug: " + text)
	}
	return &Error{Kind: Internal, Err: fmt.Errorf("bug: %s", text)}
}
