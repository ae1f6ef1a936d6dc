package cli

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"nexus/apiserver/api"
)

var update = flag.Bool("update", false, "write docs/operations.md anew")

func TestDocumentOfOperationsIsCurrent(t *testing.T) {
	text, err := Operations()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join("..", "..", "..", "..", "docs", "operations.md")
	if *update {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(have) != text {
		t.Errorf("%s is not what nexus operations prints: run go test ./cmd/nexus/internal/cli -update", path)
	}
}

func TestEveryOperationIsDocumentedWithItsParameters(t *testing.T) {
	text, err := Operations()
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range api.All() {
		_, section, found := strings.Cut(text, "\n## "+d.Name+"\n")
		if !found || !strings.Contains(section, d.Summary) {
			t.Errorf("%s has no section with its summary", d.Name)
		}
	}
	_, write, _ := strings.Cut(text, "\n## files.write\n")
	if !strings.Contains(write, "| `path` (required) | string | absolute path | plain |") {
		t.Error("the section of files.write does not describe its path")
	}
}
