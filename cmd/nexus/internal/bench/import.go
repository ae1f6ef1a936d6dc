package bench

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"

	"nexus/cmd/nexus/internal/importer"
)

// importFiles is how many files of importBytes the import row copies, and how many stand in one folder.
const (
	importFiles  = 6_000
	importBytes  = 4 << 10
	importFolder = 24
)

const importRow = "import of a local tree"

func importing(ctx context.Context, o Options) (rows []Row, err error) {
	tree, err := makeTree(o.scaled(importFiles))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(tree)) }()
	w, err := newWorld(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	o.begin(importRow, o.scaled(importFiles))
	var first error
	r, err := importer.Run(ctx, importer.Options{Client: w.admin, From: tree, To: "/tree", Failed: func(path string, err error) {
		if first == nil {
			first = fmt.Errorf("%s: %w", path, err)
		}
	}})
	row := Row{Name: importRow, Measured: r.PerSecond, Budget: 3000, Unit: "files/s", AtLeast: true}
	if first != nil {
		row.Failed = fmt.Sprintf("%d failed, the first: %v", r.Failed, first)
	}
	return []Row{row}, err
}

// makeTree makes a folder of files whose contents do not repeat.
func makeTree(files int) (dir string, err error) {
	if dir, err = os.MkdirTemp("", "nexus-bench-tree-"); err != nil {
		return "", err
	}
	random := rand.NewChaCha8([32]byte{1})
	body := make([]byte, importBytes)
	for i := range files {
		folder := filepath.Join(dir, fmt.Sprintf("d%02d/e%03d", i/importFolder%50, i/importFolder))
		if i%importFolder == 0 {
			if err := os.MkdirAll(folder, 0o700); err != nil {
				return dir, err
			}
		}
		_, _ = random.Read(body) // never fails
		if err := os.WriteFile(filepath.Join(folder, fmt.Sprintf("f%d.bin", i)), body, 0o600); err != nil {
			return dir, err
		}
	}
	return dir, nil
}
