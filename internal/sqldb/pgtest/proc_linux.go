package pgtest

import (
	"fmt"
	"os"
	"os/user"
	"strconv"
	"syscall"
)

// unprivileged returns how to start a process that ends with this one, and how to give it a folder. PostgreSQL refuses to
// run as root, so root hands over to postgres or nobody.
func unprivileged() (attr func() *syscall.SysProcAttr, own func(path string) error, err error) {
	attr = func() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGQUIT} }
	own = func(string) error { return nil }
	if os.Geteuid() != 0 {
		return attr, own, nil
	}
	uid, gid, err := otherUser()
	if err != nil {
		return nil, nil, err
	}
	attr = func() *syscall.SysProcAttr {
		return &syscall.SysProcAttr{
			Pdeathsig:  syscall.SIGQUIT,
			Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)},
		}
	}
	return attr, func(path string) error { return os.Chown(path, uid, gid) }, nil
}

func otherUser() (uid, gid int, err error) {
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.Atoi(u.Uid)
		gid, err2 := strconv.Atoi(u.Gid)
		if err1 == nil && err2 == nil {
			return uid, gid, nil
		}
	}
	return 0, 0, fmt.Errorf("%w that root could start: no user postgres or nobody", errMissing)
}
