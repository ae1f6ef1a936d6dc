package node

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"nexus/internal/sqldb"
)

// The test binary runs itself as another server: envChild says as what, envDir on which directory.
const (
	envChild = "NODE_TEST_CHILD"
	envDir   = "NODE_TEST_DIR"
	envDieAt = "NODE_TEST_DIE_AT" // number of the writer's statement, from the write on, before which the child kills itself
	envRound = "NODE_TEST_ROUND"  // tells the paths of one child from those of the next

	envTarget = "NODE_TEST_TARGET" // of a backup; named after the phase in which the child waits

	childOpens   = "opens"
	childSteps   = "steps" // writes one file
	childLoads   = "loads" // writes without end
	childBacksUp = "backs up"
)

// child does what its role says on a directory that a kit has founded.
func child(role string) int {
	if role == childBacksUp {
		return backUpAndSay(os.Getenv(envDir), os.Getenv(envTarget))
	}
	dieAt, _ := strconv.Atoi(os.Getenv(envDieAt))
	var armed atomic.Int64
	die := func(int, string) error {
		if n := armed.Load(); n > 0 && armed.Add(1) == int64(dieAt)+1 {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {} // the signal is on its way
		}
		return nil
	}
	n, err := Open(context.Background(), Config{DataDir: os.Getenv(envDir), Lite: sqldb.LiteOptions{BeforeStatement: die}})
	if err != nil {
		fmt.Println(err)
		return 3
	}
	switch role {
	case childSteps:
		armed.Store(1)
		if _, err := n.Table.Method("write").Invoke(context.Background(), user("writer"), []byte(writeParams(stepsPath, "whole"))); err != nil {
			fmt.Println(err)
			return 3
		}
		fmt.Println("written")
	case childLoads:
		load(n, os.Getenv(envRound))
	case childIndexes:
		fmt.Fprintln(os.Stderr, index(n, os.Getenv(envRound)))
	}
	return 0
}

// load writes with sixteen writers and tells on standard output each path that was acknowledged, with its version.
func load(n *Node, round string) {
	var writers sync.WaitGroup
	for w := range loadWriters {
		writers.Go(func() {
			for i := 0; ; i++ {
				path, version := loadPath(round, w, i), i/loadFiles+1
				if _, err := n.Table.Method("write").Invoke(context.Background(), user("writer"), []byte(writeParams(path, loadText(path, version)))); err != nil {
					fmt.Fprintln(os.Stderr, err)
					return
				}
				if _, err := os.Stdout.WriteString(path + " " + strconv.Itoa(version) + "\n"); err != nil {
					return
				}
			}
		})
	}
	writers.Wait()
}

const (
	loadWriters = 16
	loadFiles   = 4 // of each writer, written in turn
	stepsPath   = "/load/steps/new.txt"
)

func loadPath(round string, writer, i int) string {
	return fmt.Sprintf("/load/r%s/w%d/f%d", round, writer, i%loadFiles)
}

func loadText(path string, version int) string { return fmt.Sprintf("%s in version %d", path, version) }

// spawn starts a child on dir. Its output ends when it does.
func spawn(t *testing.T, role, dir string, more ...string) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), append([]string{envChild + "=" + role, envDir + "=" + dir}, more...)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, bufio.NewScanner(out)
}

// loadKit is a node on which a user may write below /load, without owning it.
func loadKit(t *testing.T) *kit {
	t.Helper()
	k := newKit(t, Config{})
	k.member("writer")
	k.do(k.admin, "mkdir", `{"path":"/load"}`)
	k.share("writer", "direct_editor", "/load")
	return k
}
