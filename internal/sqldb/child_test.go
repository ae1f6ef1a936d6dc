package sqldb

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// The test binary runs itself as another process: envChild says as what, envPath on which database.
const (
	envChild = "SQLDB_TEST_CHILD"
	envPath  = "SQLDB_TEST_PATH"
	envDieAt = "SQLDB_TEST_DIE_AT" // number of the writer's statement before which the child kills itself

	childOpens  = "opens"
	childWrites = "writes" // with eight producers
	childSteps  = "steps"  // with one, so that its statements come in a known order

	childMigrates = "migrates" // says when it begins
)

// partner is the key that a closure of the writing child writes together with k, or not at all.
const partner = 1_000_000

func child(role string) int {
	n, _ := strconv.Atoi(os.Getenv(envDieAt))
	die := func(at int, _ string) error {
		if at == n {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {} // the signal is on its way
		}
		return nil
	}
	l, err := OpenLite(context.Background(), os.Getenv(envPath), LiteOptions{BeforeStatement: die})
	if err != nil {
		fmt.Println(err)
		return 3
	}
	switch role {
	case childWrites:
		writeForEver(l, 8)
	case childSteps:
		writeForEver(l, 1)
	case childMigrates:
		fmt.Println("now")
		if err := MigrateSet(context.Background(), l, "extra", longMigration); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}
	return 0
}

// writeForEver acknowledges on standard output each pair that is written.
func writeForEver(l *Lite, producers int) {
	var wg sync.WaitGroup
	for p := range producers {
		wg.Go(func() {
			for k := p; ; k += producers {
				if err := putWithPartner(l, k); err != nil {
					fmt.Fprintln(os.Stderr, err)
					return
				}
				if _, err := os.Stdout.WriteString(strconv.Itoa(k) + "\n"); err != nil {
					return
				}
			}
		})
	}
	wg.Wait()
}

func putWithPartner(l *Lite, k int) error {
	return l.Tx(context.Background(), func(ctx context.Context, tx Tx) error {
		if err := putIn(ctx, tx, k, "x"); err != nil {
			return err
		}
		return putIn(ctx, tx, k+partner, "x")
	})
}

// spawn starts a child on path. Its output ends when it does.
func spawn(t *testing.T, role, path string, dieAt int) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), envChild+"="+role, envPath+"="+path, envDieAt+"="+strconv.Itoa(dieAt))
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

func TestOtherProcessRefused(t *testing.T) {
	l := openLite(t, LiteOptions{})
	cmd, out := spawn(t, childOpens, l.Path(), 0)
	var text strings.Builder
	for out.Scan() {
		text.WriteString(out.Text())
	}
	if err := cmd.Wait(); err == nil || !strings.Contains(text.String(), "in use") {
		t.Errorf("the second process: %v, %q; want it refused", err, text.String())
	}
}

func TestKilledProcessLosesNothingAcknowledged(t *testing.T) {
	path := newDatabase(t)
	acknowledged := map[int]bool{}
	for round := range 4 {
		cmd, out := spawn(t, childWrites, path, 0)
		for n := 0; out.Scan(); n++ {
			note(t, acknowledged, out.Text())
			if n == 100*(round+1) {
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		_ = cmd.Wait() // killed
		t.Logf("%d acknowledged, %d there", len(acknowledged), verify(t, path, acknowledged))
		path, acknowledged = newDatabase(t), map[int]bool{}
	}
}

func TestProcessThatDiesAtAnyStatementLeavesWholeClosures(t *testing.T) {
	const perBatch = 6 // BEGIN, SAVEPOINT, two inserts, RELEASE, COMMIT
	for at := 1; at <= 3*perBatch; at++ {
		path := newDatabase(t)
		acknowledged := map[int]bool{}
		cmd, out := spawn(t, childSteps, path, at)
		for out.Scan() {
			note(t, acknowledged, out.Text())
		}
		if err := cmd.Wait(); err == nil {
			t.Fatalf("the child that dies at statement %d lived", at)
		}
		there := verify(t, path, acknowledged)
		if want := (at - 1) / perBatch; there != want || len(acknowledged) != want {
			t.Errorf("dead before statement %d: %d there, %d acknowledged, want %d", at, there, len(acknowledged), want)
		}
	}
}

// newDatabase returns the path of a database that has its tables and is closed.
func newDatabase(t *testing.T) string {
	t.Helper()
	l := openLite(t, LiteOptions{})
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return l.Path()
}

func note(t *testing.T, acknowledged map[int]bool, line string) {
	t.Helper()
	k, err := strconv.Atoi(line)
	if err != nil {
		t.Fatalf("the child said %q", line)
	}
	acknowledged[k] = true
}

// verify opens what a killed process left: it must be sound, hold all that was acknowledged, and no half of a closure. It
// returns how many closures are there.
func verify(t *testing.T, path string, acknowledged map[int]bool) int {
	t.Helper()
	l, err := OpenLite(t.Context(), path, LiteOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	mustBeSound(t, l)
	there := map[int]bool{}
	for _, k := range keys(t, l) {
		there[k] = true
	}
	for k := range acknowledged {
		if !there[k] {
			t.Errorf("%d was acknowledged and is lost", k)
		}
	}
	for k := range there {
		if k < partner && !there[k+partner] || k >= partner && !there[k-partner] {
			t.Errorf("%d is there without its partner", k)
		}
	}
	return len(there) / 2
}

func mustBeSound(t *testing.T, l *Lite) {
	t.Helper()
	var answer string
	if err := l.Readers().QueryRowContext(t.Context(), "PRAGMA integrity_check").Scan(&answer); err != nil || answer != "ok" {
		t.Errorf("integrity_check = %q, %v", answer, err)
	}
}
