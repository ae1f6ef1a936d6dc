//go:build !linux

package pgtest

import "syscall"

// unprivileged starts processes as the user who runs the tests. Only Linux ends them when the tests are killed.
func unprivileged() (attr func() *syscall.SysProcAttr, own func(path string) error, err error) {
	return func() *syscall.SysProcAttr { return nil }, func(string) error { return nil }, nil
}
