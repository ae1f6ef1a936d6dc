// Command gotest runs go test and shows less of it: a line for each package, and everything about what failed. With
// NEXUS_CI=1 in the environment a test that skips is a failure, because a claim that nobody checked does not hold.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
)

// event is a line of go test -json.
type event struct {
	Action, Package, Test, Output string
	ImportPath                    string
}

// report collects what the events say.
type report struct {
	out     io.Writer
	output  map[string][]string // of tests that run
	skipped []string
	passed  int
	failed  int
}

func main() {
	r := &report{out: os.Stdout, output: map[string][]string{}}
	err := r.run(os.Args[1:])
	os.Exit(r.status(err, os.Getenv("NEXUS_CI") == "1"))
}

func (r *report) run(args []string) error {
	cmd := exec.Command("go", append([]string{"test", "-json"}, args...)...)
	cmd.Stderr = os.Stderr
	lines, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	r.read(lines)
	return cmd.Wait()
}

func (r *report) read(lines io.Reader) {
	scanner := bufio.NewScanner(lines)
	scanner.Buffer(nil, 64<<20)
	for scanner.Scan() {
		var e event
		if err := json.Unmarshal(scanner.Bytes(), &e); err != nil {
			fmt.Fprintln(r.out, scanner.Text())
			continue
		}
		r.take(e)
	}
}

func (r *report) take(e event) {
	name := e.Package + " " + e.Test
	switch e.Action {
	case "output", "build-output":
		if e.Test == "" {
			r.line(e.Output)
			return
		}
		r.output[name] = append(r.output[name], e.Output)
		return
	case "pass":
		if e.Test != "" {
			r.passed++
		}
	case "fail":
		if e.Test != "" {
			r.failed++
		}
		fmt.Fprint(r.out, strings.Join(r.output[name], ""))
	case "skip":
		if e.Test != "" {
			r.skipped = append(r.skipped, name)
		}
	}
	if e.Action == "pass" || e.Action == "fail" || e.Action == "skip" {
		delete(r.output, name)
	}
}

// line shows a package's own line, without the noise of those that have no tests.
func (r *report) line(text string) {
	if strings.HasSuffix(text, "[no test files]\n") || text == "PASS\n" || strings.HasPrefix(text, "testing: warning") {
		return
	}
	fmt.Fprint(r.out, text)
}

// status closes the report and returns the exit status.
func (r *report) status(err error, ci bool) int {
	for _, name := range r.skipped {
		fmt.Fprintf(r.out, "SKIPPED %s\n", name)
	}
	fmt.Fprintf(r.out, "%d passed, %d failed, %d skipped\n", r.passed, r.failed, len(r.skipped))
	if err != nil || ci && len(r.skipped) > 0 {
		return 1
	}
	return 0
}
