package rego

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"nexus/internal/errs"
)

func mustInstall(t *testing.T, dir string, files map[string]string) string {
	t.Helper()
	digest, err := InstallOwn(dir, files)
	if err != nil {
		t.Fatal(err)
	}
	return digest
}

// mustOwn checks what an operator's modules in dir are.
func mustOwn(t *testing.T, dir string, want map[string]string, digest string) {
	t.Helper()
	got, installed, err := ReadOwn(dir)
	if err != nil || installed != digest || !maps.Equal(got, want) {
		t.Errorf("ReadOwn = %v, %q, %v, want %v, %q", got, installed, err, want, digest)
	}
}

func bundles(t *testing.T, dir string) int {
	t.Helper()
	all, err := os.ReadDir(filepath.Join(dir, bundlesDir))
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, e := range all {
		if e.IsDir() {
			n++
		}
	}
	return n
}

func TestInstalledBundleTakesTheOldOnesPlace(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "policies")
	one := map[string]string{"a.rego": "one", "rules/b.rego": "b", "rules/deep/c_test.rego": "c"}
	two, three := map[string]string{"a.rego": "two"}, map[string]string{}
	mustOwn(t, dir, one, mustInstall(t, dir, one))
	mustOwn(t, dir, one, mustInstall(t, dir, one))
	mustOwn(t, dir, two, mustInstall(t, dir, two))
	if n := bundles(t, dir); n != 2 {
		t.Errorf("%d bundles are kept, want the new one and the old one", n)
	}
	mustOwn(t, dir, three, mustInstall(t, dir, three))
	mustOwn(t, dir, two, mustInstall(t, dir, two))
	mustOwn(t, dir, one, mustInstall(t, dir, one))
	if n := bundles(t, dir); n != 2 {
		t.Errorf("%d bundles are kept, want the new one and the old one", n)
	}
}

func TestBundleThatWasNotWrittenWholeIsNotInForce(t *testing.T) {
	dir := t.TempDir()
	one := map[string]string{"a.rego": "one"}
	digest := mustInstall(t, dir, one)
	half := filepath.Join(dir, bundlesDir, "."+Digest(map[string]string{"a.rego": "two"}))
	if err := os.MkdirAll(half, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(half, "b.rego"), []byte("left over"), 0o600); err != nil {
		t.Fatal(err)
	}
	mustOwn(t, dir, one, digest)
	two := map[string]string{"a.rego": "two"}
	mustOwn(t, dir, two, mustInstall(t, dir, two))
}

func TestChangedBundleRefused(t *testing.T) {
	dir := t.TempDir()
	digest := mustInstall(t, dir, map[string]string{"a.rego": "one"})
	if err := os.WriteFile(filepath.Join(dir, bundlesDir, digest, "a.rego"), []byte("other"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := ReadOwn(dir); !errors.Is(err, errs.Invalid) || !strings.Contains(err.Error(), "not those that were installed") {
		t.Errorf("ReadOwn = %v", err)
	}
}

func TestDirectoryIsKeptByHandOrByTheServer(t *testing.T) {
	dir := t.TempDir()
	hand := map[string]string{"hand.rego": "by hand"}
	file := filepath.Join(dir, "hand.rego")
	if err := os.WriteFile(file, []byte("by hand"), 0o600); err != nil {
		t.Fatal(err)
	}
	mustOwn(t, dir, hand, "")
	if _, err := InstallOwn(dir, map[string]string{"a.rego": "one"}); !errors.Is(err, errs.Precondition) {
		t.Errorf("InstallOwn beside files = %v", err)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	mustInstall(t, dir, map[string]string{"a.rego": "one"})
	if err := os.WriteFile(file, []byte("by hand"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := ReadOwn(dir); !errors.Is(err, errs.Invalid) {
		t.Errorf("ReadOwn of files beside a bundle = %v", err)
	}
}

func TestFilesStayInTheirBundle(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{
		"../a.rego", "/a.rego", "a/../b.rego", "a.txt", ".hidden.rego", "a/.hidden/b.rego", "a//b.rego", "", ".rego", "a\x00.rego", "a\\b.rego",
		strings.Repeat("a/", 9) + "b.rego", strings.Repeat("a", 200) + ".rego",
	} {
		if _, err := InstallOwn(dir, map[string]string{name: "x"}); !errors.Is(err, errs.Invalid) {
			t.Errorf("InstallOwn(%q) = %v, want it refused", name, err)
		}
	}
	if err := CheckFiles(map[string]string{"a.rego": strings.Repeat("x", maxBytes+1)}); !errors.Is(err, errs.Invalid) {
		t.Errorf("too many bytes: %v", err)
	}
	many := map[string]string{}
	for i := range maxFiles + 1 {
		many[strings.Repeat("a", i%90+1)+strings.Repeat("b", i/90)+".rego"] = "x"
	}
	if err := CheckFiles(many); !errors.Is(err, errs.Invalid) {
		t.Errorf("%d files: %v", len(many), err)
	}
}
