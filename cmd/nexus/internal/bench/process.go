package bench

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// Rows about a server in a process of its own.
const (
	startRow = "start to the first answer"
	idleRow  = "memory of an idle server"
)

// settleFor is how long a server is left alone before its memory is read.
const settleFor = time.Second

func process(ctx context.Context, o Options) (rows []Row, err error) {
	dir, err := os.MkdirTemp("", "nexus-bench-process-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	first, err := startChild(ctx, o.Program, dir) // the tables and the first key are made once, not at each start
	if err != nil {
		return nil, err
	}
	if err := first.end(); err != nil {
		return nil, err
	}
	again, err := startChild(ctx, o.Program, dir)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, again.end()) }()
	rows = []Row{{Name: startRow, Measured: again.took.Seconds(), Budget: 1, Unit: "s"}}
	time.Sleep(settleFor)
	resident, err := residentBytes(again.cmd.Process.Pid)
	if errors.Is(err, errors.ErrUnsupported) {
		return rows, nil
	}
	return append(rows, Row{Name: idleRow, Measured: float64(resident) / 1e6, Budget: 150, Unit: "MB"}), err
}

// child is a running nexus serve.
type child struct {
	cmd  *exec.Cmd
	out  io.Closer
	took time.Duration // until it answered
}

func startChild(ctx context.Context, program, dir string) (*child, error) {
	began := time.Now()
	cmd := exec.CommandContext(ctx, program, "serve", "--data", dir, "--listen", "127.0.0.1:0", "--log-level", "error")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	c := &child{cmd: cmd, out: out}
	url, err := announced(out)
	if err == nil {
		err = answers(ctx, url)
	}
	if err != nil {
		return nil, errors.Join(err, c.end())
	}
	c.took = time.Since(began)
	return c, nil
}

// announced reads the address from what the server prints.
func announced(out io.Reader) (string, error) {
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if at := strings.Index(lines.Text(), "http://"); at >= 0 {
			return strings.TrimSpace(lines.Text()[at:]), nil
		}
	}
	return "", errors.Join(errors.New("the server did not say where it listens"), lines.Err())
}

func answers(ctx context.Context, url string) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/readyz", nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("the server answered %s", resp.Status)
	}
	return errors.Join(err, resp.Body.Close())
}

// end asks the server to stop and waits for it.
func (c *child) end() error {
	http.DefaultClient.CloseIdleConnections()
	err := c.cmd.Process.Signal(syscall.SIGTERM)
	return errors.Join(err, c.cmd.Wait())
}

// residentBytes returns the memory that a process occupies, where the system tells.
func residentBytes(pid int) (int64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, errors.ErrUnsupported
	}
	for line := range strings.Lines(string(text)) {
		var kib int64
		if n, _ := fmt.Sscanf(line, "VmRSS: %d kB", &kib); n == 1 {
			return kib << 10, nil
		}
	}
	return 0, errors.ErrUnsupported
}
