package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// follow flag... runs nexus audit tail --follow, makes decisions until it prints one, interrupts it, and prints that line.
func follow(ts *testscript.TestScript, _ bool, args []string) {
	cmd := exec.Command("nexus", append([]string{"audit", "tail", "-n", "0", "--follow"}, args...)...)
	cmd.Dir, cmd.Stderr = ts.MkAbs("."), ts.Stderr()
	cmd.Env = append(environ(ts), "NEXUS_URL="+ts.Getenv("NEXUS_URL"), "NEXUS_API_KEY="+ts.Getenv("NEXUS_API_KEY"))
	out, err := cmd.StdoutPipe()
	ts.Check(err)
	ts.Check(cmd.Start())
	first := make(chan string, 1)
	read := make(chan struct{})
	go func() {
		defer close(read)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			select {
			case first <- lines.Text():
			default:
			}
		}
	}()
	line := decideUntil(ts, first)
	ts.Check(cmd.Process.Signal(os.Interrupt))
	<-read
	ts.Check(cmd.Wait())
	fmt.Fprintln(ts.Stdout(), line)
}

// decideUntil makes decisions until a line arrives.
func decideUntil(ts *testscript.TestScript, first <-chan string) string {
	deadline := time.After(patience)
	for {
		_ = ts.Exec("nexus", "check", "user:nobody", "read", "/tree/a.txt") // denied, which is a decision
		select {
		case line := <-first:
			return line
		case <-deadline:
			ts.Fatalf("nothing was printed")
		default:
		}
	}
}
