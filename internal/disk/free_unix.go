//go:build linux || darwin

package disk

import "syscall"

// Free returns how many bytes a user who is not root can still write where dir is.
func Free(dir string) (int64, error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return 0, err
	}
	return int64(s.Bavail) * int64(s.Bsize), nil
}
