//go:build !unix

package sqldb

import "nexus/internal/errs"

// lockFile refuses: without a lock that dies with its owner two servers could open one database.
func lockFile(path string) (unlock func() error, err error) {
	return nil, errs.New(errs.Unsupported, "an embedded database needs a system with flock, for %q", path)
}
