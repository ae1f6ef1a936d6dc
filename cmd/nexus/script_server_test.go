package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// servers is the key of a script's running servers, by data directory.
type servers struct{}

// server is a child process that serves.
type server struct {
	cmd  *exec.Cmd
	done chan struct{} // its output has been read to the end
}

// patience is how long a server may take to start or to end on a busy machine.
const patience = 60 * time.Second

// serve DIR [flag...] starts a server on a free port, waits until it is ready and sets NEXUS_URL. On a new directory it
// sets NEXUS_API_KEY to the first admin key, which goes to DIR.key.
func serve(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: serve DIR [flag...]")
	}
	dir := ts.MkAbs(args[0])
	keyFile := dir + ".key"
	command := append([]string{"serve", "--data", dir, "--listen", "127.0.0.1:0", "--admin-key-file", keyFile}, args[1:]...)
	cmd := exec.Command("nexus", command...)
	cmd.Dir, cmd.Env, cmd.Stderr = ts.MkAbs("."), environ(ts), ts.Stderr()
	out, err := cmd.StdoutPipe()
	ts.Check(err)
	ts.Check(cmd.Start())
	s := &server{cmd: cmd, done: make(chan struct{})}
	running(ts)[args[0]] = s
	ts.Defer(func() { s.kill() })

	address := make(chan string, 1)
	go s.listen(out, address)
	select {
	case url := <-address:
		if url == "" {
			ts.Fatalf("the server ended before it listened")
		}
		ts.Setenv("NEXUS_URL", url)
		ts.Check(ready(url))
	case <-time.After(patience):
		ts.Fatalf("the server did not say where it listens")
	}
	if key, err := os.ReadFile(keyFile); err == nil && ts.Getenv("NEXUS_API_KEY") == "" {
		ts.Setenv("NEXUS_API_KEY", strings.TrimSpace(string(key)))
	}
}

// environ is the script's environment without the variables of a client, which are none of the server's.
func environ(ts *testscript.TestScript) []string {
	all := []string{"NEXUS_CI=1"}
	for _, name := range []string{"PATH", "HOME", "TMPDIR", "WORK"} {
		all = append(all, name+"="+ts.Getenv(name))
	}
	return all
}

func running(ts *testscript.TestScript) map[string]*server {
	return ts.Value(servers{}).(map[string]*server)
}

// listen reads the server's output to the end and sends the address that it announces, or "".
func (s *server) listen(out io.Reader, address chan<- string) {
	defer close(s.done)
	defer close(address)
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if at := strings.Index(lines.Text(), "http://"); at >= 0 {
			address <- lines.Text()[at:]
		}
	}
}

func ready(url string) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/readyz", nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return errors.New("the server is not ready: " + resp.Status)
	}
	return nil
}

// end signals the server and waits until it is gone.
func (s *server) end(signal os.Signal) error {
	if err := s.cmd.Process.Signal(signal); err != nil {
		return err
	}
	<-s.done
	return s.cmd.Wait()
}

// kill ends what is left of the server when its script is over.
func (s *server) kill() {
	if s.cmd.ProcessState == nil {
		_ = s.end(os.Kill) // it was told to go, and how it went is nobody's business any more
	}
}

// end DIR asks the server to end, which must succeed.
func end(ts *testscript.TestScript, neg bool, args []string) {
	s := taken(ts, neg, args)
	ts.Check(s.end(syscall.SIGTERM))
}

// kill9 DIR ends the server without a chance to clean up.
func kill9(ts *testscript.TestScript, neg bool, args []string) {
	s := taken(ts, neg, args)
	var exit *exec.ExitError
	if err := s.end(os.Kill); !errors.As(err, &exit) {
		ts.Fatalf("kill9: %v, want a killed process", err)
	}
}

func taken(ts *testscript.TestScript, neg bool, args []string) *server {
	if neg || len(args) != 1 || running(ts)[args[0]] == nil {
		ts.Fatalf("usage: end DIR | kill9 DIR, of a running server")
	}
	s := running(ts)[args[0]]
	delete(running(ts), args[0])
	return s
}
