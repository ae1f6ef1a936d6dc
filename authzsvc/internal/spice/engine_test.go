package spice_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"nexus/authzsvc/authz"
	"nexus/authzsvc/internal/spice"
	"nexus/authzsvc/internal/spice/spicetest"
	"nexus/authzsvc/internal/sqlds"
	"nexus/internal/errs"
	"nexus/schema"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, spicetest.Leaks()...)
}

var alice, bob = user("alice"), user("bob")

func user(name string) authz.Ref { return authz.Ref{Type: "user", ID: "acme/" + name} }
func file(name string) authz.Ref { return authz.Ref{Type: "file", ID: "acme/" + name} }

func may(permission string, object authz.Ref) authz.Check {
	return authz.Check{Type: object.Type, ID: object.ID, Permission: permission}
}

func open(t testing.TB) *spicetest.Fixture {
	t.Helper()
	return spicetest.Open(t, spicetest.NewDurable(t, sqlds.Options{}), schema.Text, spice.Options{})
}

// openUnchecked returns an engine over a store that takes what the product's never holds.
func openUnchecked(t testing.TB, o spice.Options) *spicetest.Fixture {
	t.Helper()
	return spicetest.Open(t, spicetest.NewMemory(t), schema.Text, o)
}

func TestProductSchemaHasNoWildcard(t *testing.T) {
	spicetest.NoWildcard(t, schema.Text)
}

func TestSchemaThatTheProductMustNotHaveRefused(t *testing.T) {
	for name, c := range map[string]struct{ text, why string }{
		"a wildcard":   {strings.Replace(schema.Text, "relation link: file", "relation link: file\nrelation everybody: user:*", 1), "everybody"},
		"a slash":      {schema.Text + "\ndefinition t0001/note {}\n", "slash"},
		"syntax":       {"definition user {", "not valid"},
		"unknown type": {"definition file {\n relation reader: ghost\n}", "ghost"},
		"unknown name": {"definition user {}\ndefinition file {\n relation reader: user\n permission see = writer\n}", "writer"},
	} {
		_, err := spice.CompileProduct(t.Context(), c.text)
		if !errors.Is(err, errs.Invalid) || !strings.Contains(err.Error(), c.why) {
			t.Errorf("%s: CompileProduct = %v, want invalid, for %q", name, err, c.why)
		}
	}
}

func TestEngineWithoutSchemaAnswersNothing(t *testing.T) {
	e, err := spice.Open(t.Context(), spicetest.NewDurable(t, sqlds.Options{}), spice.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close() })
}

func TestOpenListensNowhere(t *testing.T) {
	before := listening(t)
	f := open(t)
	f.Touch("file:acme/a#direct_viewer@user:acme/alice")
	if _, err := f.Explain(t.Context(), f.Now(), alice, may("read", file("a")), true); err != nil { // the second server too
		t.Fatal(err)
	}
	for socket := range listening(t) {
		if !before[socket] {
			t.Errorf("the engine listens on %s", socket)
		}
	}
}

// listening returns the sockets on which this process listens.
func listening(t *testing.T) map[string]bool {
	t.Helper()
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip("this system does not list a process's sockets")
	}
	mine := map[string]bool{}
	for _, fd := range fds {
		if to, err := os.Readlink(filepath.Join("/proc/self/fd", fd.Name())); err == nil {
			mine[to] = true
		}
	}
	open := map[string]bool{}
	for _, table := range []string{"tcp", "tcp6", "udp", "udp6"} {
		rows, err := os.ReadFile("/proc/self/net/" + table)
		if err != nil {
			continue
		}
		for row := range strings.Lines(string(rows)) {
			f := strings.Fields(row)
			const listen, unconnected = "0A", "07"
			if len(f) > 9 && (f[3] == listen || f[3] == unconnected) && mine["socket:["+f[9]+"]"] {
				open[table+" "+f[1]] = true
			}
		}
	}
	return open
}

func TestEngineWritesNoLog(t *testing.T) {
	out := captured(t, func() {
		f := open(t)
		f.Touch("file:acme/a#direct_viewer@user:acme/alice")
		f.Holds(alice, may("read", file("a")))
		_, _ = spice.CompileProduct(t.Context(), "definition user {")
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	if out != "" {
		t.Errorf("the engine wrote:\n%s", out)
	}
}

// captured returns what is written to standard output and error while f runs.
func captured(t *testing.T, f func()) string {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, stderr := os.Stdout, os.Stderr
	os.Stdout, os.Stderr = w, w
	defer func() { os.Stdout, os.Stderr = stdout, stderr }()
	read := make(chan string)
	go func() {
		var b bytes.Buffer
		_, _ = io.Copy(&b, r)
		read <- b.String()
	}()
	f()
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return <-read
}

func TestCloseTwiceAndAnswerNoMore(t *testing.T) {
	f := open(t)
	at := f.Now()
	for range 2 {
		if err := f.Close(); err != nil {
			t.Fatalf("Close() = %v", err)
		}
	}
	if _, err := f.Explain(t.Context(), at, alice, may("read", file("a")), true); !errors.Is(err, errs.Unavailable) {
		t.Errorf("Explain after Close = %v, want unavailable", err)
	}
}

func TestCanceledQuestionIsNotAnAnswer(t *testing.T) {
	f := open(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, n := range []int{1, 50} {
		checks := make([]authz.Check, n)
		for i := range checks {
			checks[i] = may("read", file(fmt.Sprint("f", i)))
		}
		if answers, err := f.Check(ctx, f.Now(), []authz.Ref{alice}, checks); err == nil {
			t.Errorf("Check of %d in an ended context = %v, want an error", n, answers)
		}
	}
}
