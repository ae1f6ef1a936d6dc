package errs_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"

	"nexus/internal/errs"
)

var update = flag.Bool("update", false, "write the golden files anew")

// reasons are all there are. A new one is added here, and shows in the golden file.
var reasons = []errs.Reason{
	errs.FileNotFound, errs.FileExists, errs.InvalidPath, errs.NotValid, errs.MethodNotFound, errs.InvalidRequest,
	errs.ParseFailed, errs.EtagMismatch, errs.BodyTooLarge, errs.RateLimited, errs.NoRelation, errs.PolicyRefused,
	errs.OutsideMandate, errs.Undecided, errs.NotRecorded, errs.StaleDecision, errs.ScopeMissing, errs.DiskFull, errs.KeyReused, errs.MediaType, errs.CrossTenant,
	errs.ComputedRelation, errs.LastAdmin,
}

// TestCodesOnEverySurface holds the contract with clients: what a kind or a reason is as JSON-RPC code, HTTP status, gRPC code
// and exit status.
func TestCodesOnEverySurface(t *testing.T) {
	var b strings.Builder
	fmt.Fprintf(&b, "%-16s %8s %6s %-20s %5s %6s %6s\n", "kind", "json-rpc", "http", "grpc", "exit", "retry", "text")
	for _, k := range errs.Kinds() {
		text := "hidden"
		if errs.Public(errs.New(k, "x")) == "x" {
			text = "shown"
		}
		fmt.Fprintf(&b, "%-16s %8d %6d %-20s %5d %6t %6s\n", k, k.RPC(), k.HTTP(), codes.Code(k.GRPC()), k.Exit(), k.Retry(), text)
	}
	fmt.Fprintf(&b, "\n%-20s %8s %6s\n", "reason", "json-rpc", "http")
	for _, r := range reasons {
		e := errs.New(errs.Canceled, "").Marked(r)
		code := own(errs.RPC(e), errs.Canceled.RPC())
		fmt.Fprintf(&b, "%-20s %8s %6s\n", r, code, own(errs.HTTP(e), errs.Canceled.HTTP()))
	}
	golden(t, "codes.golden", b.String())
}

// own is a reason's number where it differs from its kind's.
func own(number, kinds int) string {
	if number == kinds {
		return "kind's"
	}
	return fmt.Sprint(number)
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s has changed; with -update it becomes:\n%s", name, got)
	}
}

// TestEveryReasonIsInTheGoldenFile reads the source, because constants cannot be listed.
func TestEveryReasonIsInTheGoldenFile(t *testing.T) {
	source, err := os.ReadFile("reason.go")
	if err != nil {
		t.Fatal(err)
	}
	declared, _, _ := strings.Cut(string(source), "// reasons overrides")
	if n := strings.Count(declared, ` = "`); n != len(reasons) {
		t.Errorf("%d reasons are declared and %d tested", n, len(reasons))
	}
	for _, r := range reasons {
		if !strings.Contains(declared, `"`+string(r)+`"`) {
			t.Errorf("reason %s is not declared", r)
		}
	}
}

func TestExitStatusesTellKindsApart(t *testing.T) {
	seen := map[int]errs.Kind{}
	for _, k := range errs.Kinds() {
		if other, ok := seen[k.Exit()]; ok || k.Exit() == 0 {
			t.Errorf("kinds %s and %s exit with %d", other, k, k.Exit())
		}
		seen[k.Exit()] = k
	}
}
