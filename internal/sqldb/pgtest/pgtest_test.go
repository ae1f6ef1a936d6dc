package pgtest

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"testing"

	"go.uber.org/goleak"
)

// envChild makes the test binary start a server, say which, and wait to be killed.
const envChild = "PGTEST_TEST_CHILD"

func child() int {
	s, err := launch(context.Background())
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Println(s.dir)
	fmt.Println(s.cmd.Process.Pid)
	select {}
}

func TestMain(m *testing.M) {
	if os.Getenv(envChild) != "" {
		os.Exit(child())
	}
	goleak.VerifyTestMain(Wrap(m))
}

func TestDatabasesAreSeparate(t *testing.T) {
	a, b := Start(t), Start(t)
	for _, dsn := range []string{a, b} {
		if err := run(t.Context(), dsn, "CREATE TABLE only_here (x int)"); err != nil {
			t.Errorf("%s: %v", dsn, err)
		}
	}
}

func TestDatabaseGoesWithItsTest(t *testing.T) {
	var dsn string
	t.Run("inner", func(t *testing.T) { dsn = Start(t) })
	Start(t) // the server runs
	if err := run(t.Context(), dsn, "SELECT 1"); err == nil {
		t.Error("the database outlived its test")
	}
}

func TestBothFormsOfConnectionStringTakeADatabase(t *testing.T) {
	got, err := withDatabase("postgres://u:p@h:1/old?sslmode=disable", "fresh")
	if u, parseErr := url.Parse(got); err != nil || parseErr != nil || u.Path != "/fresh" || u.Query().Get("sslmode") != "disable" {
		t.Errorf("URL form: %q, %v", got, err)
	}
	if got, err := withDatabase("host=h dbname=old", "fresh"); err != nil || got != "host=h dbname=old dbname=fresh" {
		t.Errorf("keyword form: %q, %v", got, err)
	}
}
