//go:build linux || darwin

package cli

import "syscall"

// freeBytes returns how much a user who is not root can still write where dir is.
func freeBytes(dir string) (int64, error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return 0, err
	}
	return int64(s.Bavail) * int64(s.Bsize), nil
}
