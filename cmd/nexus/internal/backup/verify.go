package backup

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"nexus/internal/errs"
	"nexus/internal/sqldb"
)

// Verify reads a whole backup and compares it with its manifest. The first fault it finds is errs.Precondition; what is
// there beside what the manifest lists is a fault, too.
func Verify(ctx context.Context, dir string, progress Progress) (Summary, error) {
	root, err := openBackup(dir)
	if err != nil {
		return Summary{}, err
	}
	defer root.Close()
	var files, bytes int64
	s, err := readManifest(root, func(e entry) error {
		files, bytes = files+1, bytes+e.Size
		progress(Finish, files, bytes, 0)
		return check(root, e, func(f io.Reader) (entry, error) { return digestOf(ctx, f) })
	})
	if err != nil {
		return s, failed(ctx, err)
	}
	if err := nothingElse(root, s.Files); err != nil {
		return s, failed(ctx, err)
	}
	return s, sqldb.Sound(ctx, filepath.Join(root.Name(), databaseName))
}

func openBackup(dir string) (*os.Root, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, errs.New(errs.Invalid, "%s is no directory", dir).Because(err)
	}
	root, err := os.OpenRoot(abs)
	if err != nil {
		return nil, errs.New(errs.NotFound, "there is no backup %s", dir).Because(err)
	}
	return root, nil
}

// check compares a file with its line of the manifest. read reads it to its end and says what it was.
func check(root *os.Root, e entry, read func(io.Reader) (entry, error)) error {
	at, err := root.Lstat(filepath.FromSlash(e.Path))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return bad("%s is missing", e.Path)
	case err != nil:
		return err
	case !at.Mode().IsRegular():
		return bad("%s is no file", e.Path)
	case at.Size() != e.Size:
		return bad("%s has %d bytes, not the %d that it was written with", e.Path, at.Size(), e.Size)
	}
	f, err := root.Open(filepath.FromSlash(e.Path))
	if err != nil {
		return err
	}
	defer f.Close()
	got, err := read(f)
	if err != nil {
		return err
	}
	if got.SHA256 != e.SHA256 || got.Size != e.Size {
		return bad("%s is not what was written", e.Path)
	}
	return nil
}

// nothingElse checks that the backup holds so many files beside its manifest.
func nothingElse(root *os.Root, want int64) error {
	found := int64(-1) // the manifest
	err := fs.WalkDir(root.FS(), ".", func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		if path != manifestName && !ofABackup(path) {
			return bad("%s does not belong to a backup", path)
		}
		found++
		return nil
	})
	if err == nil && found != want {
		return bad("there are %d files, the manifest lists %d", found, want)
	}
	return err
}
