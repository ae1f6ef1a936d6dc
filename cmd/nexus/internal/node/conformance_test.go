package node

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// TestMCPConformance runs the public conformance suites of the Model Context Protocol against a served node. What is expected
// to fail stands in testdata/conformance with the reason; the suite reports an expectation that no longer holds as a failure.
func TestMCPConformance(t *testing.T) {
	dir := suites(t)
	for _, c := range []struct {
		version  string
		args     []string
		baseline string
		passes   int // at least
	}{
		{"0.1.16", []string{"--suite", "active"}, "0.1.16.yml", 35},
		{"0.2.0-alpha.12", []string{"--requirements", "2025-11-25"}, "2025-11-25.yml", 78},
		{"0.2.0-alpha.12", []string{"--requirements", "2026-07-28"}, "2026-07-28.yml", 143},
	} {
		t.Run(c.version+" "+c.args[1], func(t *testing.T) {
			baseline, err := filepath.Abs(filepath.Join("testdata", "conformance", c.baseline))
			if err != nil {
				t.Fatal(err)
			}
			args := append([]string{
				filepath.Join(dir, "suite-"+c.version, "node_modules/@modelcontextprotocol/conformance/dist/index.js"),
				"server", "--url", conforming(t), "--expected-failures", baseline, "-o", t.TempDir(),
			}, c.args...)
			out, err := exec.CommandContext(t.Context(), nodeJS(t, dir), args...).CombinedOutput()
			_, summary, _ := strings.Cut(string(out), "=== SUMMARY ===")
			passed, failed := totals(summary)
			t.Logf("%d passed, %d failed%s", passed, failed, summary)
			if err != nil || passed < c.passes || passed == 0 {
				t.Errorf("%v, %d checks passed, want %d:\n%s", err, passed, c.passes, out)
			}
		})
	}
}

// suites returns the directory that scripts/conformance.sh installs the suites into, and installs them.
func suites(t *testing.T) string {
	t.Helper()
	script := exec.CommandContext(t.Context(), "../../../../scripts/conformance.sh")
	script.Stderr = os.Stderr
	out, err := script.Output()
	if err != nil {
		t.Skipf("THE MCP CONFORMANCE SUITES ARE NOT RUN: scripts/conformance.sh could not install them: %v", err)
	}
	lines := strings.Fields(string(out))
	return lines[len(lines)-1]
}

// nodeJS returns the Node.js that runs the suites.
func nodeJS(t *testing.T, dir string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, "node-*", "node_modules", "*", "bin", "node"))
	if err != nil || len(found) == 0 {
		t.Fatalf("no Node.js below %s: %v", dir, err)
	}
	return found[len(found)-1]
}

// conforming serves a node, with what the suite asks for, to who shows no key: the suite can show none, so each of its requests
// gets one on its way.
func conforming(t *testing.T) string {
	t.Helper()
	k := newKit(t, Config{Version: "test"})
	server, err := k.Server(Face{Log: slog.New(slog.DiscardHandler), MCP: &MCP{Extend: extend}})
	if err != nil {
		t.Fatal(err)
	}
	served := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Header.Set("Authorization", "Bearer "+k.root.Secret)
		server.ServeHTTP(w, r)
	}))
	served.Start()
	t.Cleanup(func() {
		server.End()
		served.Close()
	})
	return served.URL + "/mcp"
}

var totalLine = regexp.MustCompile(`Total: (\d+) passed, (\d+) failed`)

func totals(summary string) (passed, failed int) {
	if m := totalLine.FindStringSubmatch(summary); m != nil {
		passed, _ = strconv.Atoi(m[1])
		failed, _ = strconv.Atoi(m[2])
	}
	return passed, failed
}
