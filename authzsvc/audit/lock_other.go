//go:build !unix

package audit

import (
	"errors"
	"os"
)

// flock refuses: two writers would break the chain, and this system offers no lock that ends with its process.
func flock(*os.File) error { return errors.ErrUnsupported }
