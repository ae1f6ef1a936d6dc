package sqlds

import (
	"bufio"
	"os"
	"os/exec"
	"strings"
	"testing"

	ctest "github.com/authzed/spicedb/pkg/consistency/test"
)

// consistencyPasses is fewer than the suite of v1.56.0 passes on any store. It finds its 73 configurations through the path
// of its own source, so where that is cut off (-trimpath) it passes over nothing; and a suite that did nothing proves nothing.
const consistencyPasses = 79_000

const roleConsistency = "consistency"

// The suite runs in a process of its own: it leaves servers and caches behind, which are SpiceDB's to stop.
func TestConsistencySuiteOfSpiceDB(t *testing.T) {
	if os.Getenv(suiteVar) == roleConsistency {
		d, err := tester().New(t, 0, 0, 0, 0)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("the datastore under test is %T", d)
		ctest.AllConsistency(t, tester())
		return
	}
	if raceDetector {
		t.Skip("the suite compares SpiceDB's answers with one another; races are looked for by the other tests")
	}
	if testing.Short() {
		t.Skip("takes a minute")
	}
	passes := runConsistency(t)
	t.Logf("%d passes", passes)
	if passes < consistencyPasses {
		t.Errorf("the consistency suite passed %d times, want at least %d", passes, consistencyPasses)
	}
}

func runConsistency(t *testing.T) (passes int) {
	t.Helper()
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.v", "-test.run=^TestConsistencySuiteOfSpiceDB$")
	child.Env = append(os.Environ(), suiteVar+"="+roleConsistency)
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	ours := false
	for lines := bufio.NewScanner(out); lines.Scan(); {
		line := strings.TrimSpace(lines.Text())
		switch {
		case strings.HasPrefix(line, "--- PASS"):
			passes++
		case strings.HasPrefix(line, "--- FAIL"):
			t.Error(line)
		case strings.Contains(line, "the datastore under test is"):
			t.Log(line)
			ours = strings.HasSuffix(line, "*sqlds.Datastore")
		}
	}
	if err := child.Wait(); err != nil {
		t.Error("the suite:", err)
	}
	if !ours {
		t.Error("the suite did not run on our datastore")
	}
	return passes
}
