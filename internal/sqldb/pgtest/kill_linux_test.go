package pgtest

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

func TestServerEndsWithAKilledTest(t *testing.T) {
	if _, err := findBinaries(); err != nil && os.Getenv(EnvCI) != "1" {
		t.Skip(err)
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), envChild+"=1")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	said := bufio.NewScanner(out)
	said.Scan()
	dir := said.Text()
	said.Scan()
	pid := said.Text()
	if !runs(pid) {
		t.Fatalf("no server %q in %q", pid, dir)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	adopt(t)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // killed
	n, err := strconv.Atoi(pid)
	if err != nil {
		t.Fatal(err)
	}
	// Returns when the server has ended; where it never does, the time limit of the test run shows this line.
	if _, err := syscall.Wait4(n, nil, 0, nil); err != nil {
		t.Errorf("wait for the server: %v", err)
	}
}

// adopt makes orphans of this process's children its own children until the test ends, so that it can wait for them.
func adopt(t *testing.T) {
	t.Helper()
	const setChildSubreaper = 36
	set := func(on uintptr) {
		if _, _, errno := syscall.RawSyscall(syscall.SYS_PRCTL, setChildSubreaper, on, 0); errno != 0 {
			t.Fatalf("prctl: %v", errno)
		}
	}
	set(1)
	t.Cleanup(func() { set(0) })
}

// runs reports whether pid is a PostgreSQL server.
func runs(pid string) bool {
	stat, err := os.ReadFile(filepath.Join("/proc", pid, "stat"))
	return err == nil && strings.Contains(string(stat), "(postgres)")
}
