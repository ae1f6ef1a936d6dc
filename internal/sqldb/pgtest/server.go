package pgtest

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// errMissing says that this machine has no PostgreSQL that could be started.
var errMissing = errors.New("no PostgreSQL server is installed")

const (
	role      = "nexus"
	startTime = 60 * time.Second
)

// server is a running PostgreSQL in a folder of its own, reachable through a socket in that folder alone.
type server struct {
	dsn   string
	dir   string
	cmd   *exec.Cmd
	ended chan error
}

// launch makes a cluster and starts a server on it. Its durability is off: the data is worthless after the test.
func launch(ctx context.Context) (*server, error) {
	bin, err := findBinaries()
	if err != nil {
		return nil, err
	}
	attr, own, err := unprivileged()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "pgtest-")
	if err != nil {
		return nil, err
	}
	s := &server{dir: dir, dsn: socketDSN(dir), ended: make(chan error, 1)}
	if err := s.start(ctx, bin, attr, own); err != nil {
		return nil, errors.Join(err, s.discard())
	}
	if err := s.ready(ctx); err != nil {
		return nil, errors.Join(err, s.log(), s.stop())
	}
	return s, nil
}

func (s *server) start(ctx context.Context, bin string, attr func() *syscall.SysProcAttr, own func(path string) error) error {
	if err := own(s.dir); err != nil {
		return err
	}
	data := filepath.Join(s.dir, "data")
	if err := initialise(ctx, bin, data, s.dir, attr()); err != nil {
		return err
	}
	log, err := os.Create(filepath.Join(s.dir, "log"))
	if err != nil {
		return err
	}
	defer log.Close()
	s.cmd = exec.Command(filepath.Join(bin, "postgres"), "-D", data, "-k", s.dir,
		"-c", "listen_addresses=", "-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off",
		"-c", "max_connections=200", "-c", "track_commit_timestamp=on")
	s.cmd.Dir, s.cmd.Stdout, s.cmd.Stderr, s.cmd.SysProcAttr = s.dir, log, log, attr()
	started := make(chan error, 1)
	go func() {
		// The kernel ends the server with the thread that started it, so that thread stays here as long as it runs.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := s.cmd.Start()
		started <- err
		if err == nil {
			s.ended <- s.cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		s.cmd = nil
		return err
	}
	return nil
}

// initialise makes the cluster. Its collation is a linguistic one where the server can do that, so that a forgotten
// COLLATE "C" is noticed.
func initialise(ctx context.Context, bin, data, dir string, attr *syscall.SysProcAttr) error {
	common := []string{"-D", data, "-U", role, "--auth=trust", "--encoding=UTF8", "--no-sync", "--no-instructions"}
	linguistic := append(slices.Clone(common), "--locale-provider=icu", "--icu-locale=en", "--locale=C.UTF-8")
	var first []byte
	for _, args := range [][]string{linguistic, append(common, "--locale=C.UTF-8")} {
		cmd := exec.CommandContext(ctx, filepath.Join(bin, "initdb"), args...)
		cmd.Dir, cmd.SysProcAttr = dir, attr
		out, err := cmd.CombinedOutput()
		if err == nil {
			return nil
		}
		first = append(first, out...)
		if err := os.RemoveAll(data); err != nil {
			return err
		}
	}
	return fmt.Errorf("initdb: %s", first)
}

// ready waits until the server answers.
func (s *server) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		conn, err := pgx.Connect(ctx, s.dsn)
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return err
		case ended := <-s.ended:
			s.ended <- ended
			return fmt.Errorf("the server ended: %w", ended)
		}
	}
}

// stop ends the server without ceremony and removes its folder.
func (s *server) stop() error {
	if err := s.cmd.Process.Signal(syscall.SIGINT); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	<-s.ended
	return s.discard()
}

func (s *server) discard() error { return os.RemoveAll(s.dir) }

// log returns what the server wrote, as an error, to be read where its start failed.
func (s *server) log() error {
	text, err := os.ReadFile(filepath.Join(s.dir, "log"))
	if err != nil {
		return err
	}
	return fmt.Errorf("server log: %s", text)
}

func socketDSN(dir string) string {
	q := url.Values{"host": {dir}, "sslmode": {"disable"}}
	return (&url.URL{Scheme: "postgres", User: url.User(role), Path: "/postgres", RawQuery: q.Encode()}).String()
}

// findBinaries returns the folder with initdb and postgres: the newest under /usr/lib/postgresql, else the one in PATH.
func findBinaries() (string, error) {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	slices.SortFunc(found, func(a, b string) int { return version(b) - version(a) })
	if path, err := exec.LookPath("initdb"); err == nil {
		found = append(found, filepath.Dir(path))
	}
	for _, dir := range found {
		if executable(dir, "initdb") && executable(dir, "postgres") {
			return dir, nil
		}
	}
	return "", errMissing
}

func version(bin string) int {
	n, _ := strconv.Atoi(filepath.Base(filepath.Dir(bin)))
	return n
}

func executable(dir, name string) bool {
	info, err := os.Stat(filepath.Join(dir, name))
	return err == nil && info.Mode()&0o111 != 0
}
