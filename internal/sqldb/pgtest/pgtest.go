// Package pgtest gives tests a real PostgreSQL server, which it starts itself from the installed binaries. It is never part
// of the product. To test on PostgreSQL call Start, and wrap the M of the package's TestMain so that tests share one server.
package pgtest

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	// EnvDSN names a server to use instead of starting one; its user must be allowed to create databases.
	EnvDSN = "NEXUS_TEST_POSTGRES"
	// EnvCI, set to 1, makes a missing PostgreSQL fail the test instead of skipping it.
	EnvCI = "NEXUS_CI"
)

// shared is the one server of this test process.
var shared struct {
	mu     sync.Mutex
	server *server
	users  int
	keep   bool // until the end of the process, because Wrap is in use
	number int
}

// Start returns the connection string of a new, empty database, which is dropped at the end of the test. Where there is no
// PostgreSQL the test is skipped, or fails under EnvCI.
func Start(t testing.TB) string {
	t.Helper()
	base, err := acquire(t.Context())
	if errors.Is(err, errMissing) && os.Getenv(EnvCI) != "1" {
		t.Skipf("NOT TESTED ON POSTGRES: %v; install it or set %s", err, EnvDSN)
	}
	if err != nil {
		t.Fatalf("start PostgreSQL: %v", err)
	}
	t.Cleanup(func() {
		if err := release(); err != nil {
			t.Errorf("stop PostgreSQL: %v", err)
		}
	})
	return create(t, base)
}

// M is what testing.M and Wrap's result are, and what goleak.VerifyTestMain takes.
type M interface{ Run() int }

// Wrap returns m such that one server serves all its tests and is stopped after the last. Without it the server stops
// whenever no test uses it.
func Wrap(m M) M { return wrapped{m} }

type wrapped struct{ m M }

func (w wrapped) Run() int {
	shared.mu.Lock()
	shared.keep = true
	shared.mu.Unlock()
	code := w.m.Run()
	shared.mu.Lock()
	shared.keep = false
	shared.users++
	shared.mu.Unlock()
	if err := release(); err != nil {
		fmt.Fprintln(os.Stderr, "stop PostgreSQL:", err)
		return max(code, 1)
	}
	return code
}

// acquire returns the connection string of the server and starts it when it is not running. On success release must follow.
func acquire(ctx context.Context) (base string, err error) {
	if dsn := os.Getenv(EnvDSN); dsn != "" {
		shared.mu.Lock()
		defer shared.mu.Unlock()
		shared.users++
		return dsn, nil
	}
	shared.mu.Lock()
	defer shared.mu.Unlock()
	if shared.server == nil {
		s, err := launch(ctx)
		if err != nil {
			return "", err
		}
		shared.server = s
	}
	shared.users++
	return shared.server.dsn, nil
}

// release stops the server when nobody uses it.
func release() error {
	shared.mu.Lock()
	defer shared.mu.Unlock()
	shared.users--
	if shared.users > 0 || shared.keep || shared.server == nil {
		return nil
	}
	err := shared.server.stop()
	shared.server = nil
	return err
}

// create makes a database on the server base and returns the connection string of it.
func create(t testing.TB, base string) string {
	t.Helper()
	name := newName()
	if err := run(t.Context(), base, "CREATE DATABASE "+name); err != nil {
		t.Fatalf("create a database: %v", err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		if err := run(ctx, base, "DROP DATABASE "+name+" WITH (FORCE)"); err != nil {
			t.Errorf("drop the database: %v", err)
		}
	})
	dsn, err := withDatabase(base, name)
	if err != nil {
		t.Fatalf("%s: %v", EnvDSN, err)
	}
	return dsn
}

func newName() string {
	shared.mu.Lock()
	defer shared.mu.Unlock()
	shared.number++
	return fmt.Sprintf("nexus_test_%d_%d_%d", os.Getpid(), time.Now().UnixNano(), shared.number)
}

func run(ctx context.Context, dsn, text string) error {
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	_, err = conn.Exec(ctx, text)
	return err
}

// withDatabase returns dsn, in either of its two forms, with another database.
func withDatabase(dsn, name string) (string, error) {
	if !strings.Contains(dsn, "://") {
		return dsn + " dbname=" + name, nil
	}
	u, err := url.Parse(dsn)
	if err != nil {
		return "", err
	}
	u.Path = "/" + name
	return u.String(), nil
}
