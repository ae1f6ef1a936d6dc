package audit

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"testing"
)

const childDir = "NEXUS_AUDIT_TEST_CHILD"

// recordUntilKilled is the child: it records from eight goroutines, and says each id once it was acknowledged.
func recordUntilKilled(dir string) {
	l, err := Open(dir, Options{SegmentBytes: 256 << 10, ReserveBytes: -1})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	var mu sync.Mutex
	for g := range 8 {
		go func() {
			for n := g; ; n += 8 {
				d := read(n)
				d.Durable = n%5 == 0
				if err := l.Decide(ctx, d); err != nil {
					fmt.Fprintln(os.Stderr, err)
					os.Exit(1)
				}
				mu.Lock()
				fmt.Fprintln(os.Stdout, d.ID)
				mu.Unlock()
			}
		}()
	}
	select {}
}

func TestKilledProcessLosesNoAcknowledgedEntry(t *testing.T) {
	for _, after := range []int{1, 500, 3000} {
		t.Run(fmt.Sprint(after), func(t *testing.T) {
			dir := t.TempDir()
			acknowledged := killAfter(t, dir, after)
			l := openLog(t, dir, quick())
			there := map[string]bool{}
			for _, e := range entries(t, l.View, Query{Types: []Type{TypeDecided}}) {
				there[e.Decided.ID] = true
			}
			for _, id := range acknowledged {
				if !there[id] {
					t.Fatalf("decision %s was acknowledged and is not in the record of %d", id, len(there))
				}
			}
			closeLog(t, l)
			wantWhole(t, dir)
		})
	}
}

// killAfter runs the child until it acknowledged so many entries, kills it, and returns all that it acknowledged.
func killAfter(t *testing.T, dir string, n int) []string {
	t.Helper()
	child := exec.Command(os.Args[0], "-test.run=^$")
	child.Env = append(os.Environ(), childDir+"="+dir)
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	var acknowledged []string
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if len(lines.Text()) == 26 {
			acknowledged = append(acknowledged, lines.Text())
		}
		if len(acknowledged) == n {
			if err := child.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	_ = child.Wait()
	if len(acknowledged) < n {
		t.Fatalf("the child acknowledged %d entries, want at least %d", len(acknowledged), n)
	}
	return acknowledged
}
