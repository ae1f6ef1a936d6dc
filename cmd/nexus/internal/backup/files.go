package backup

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"nexus/internal/disk"
)

// names are the paths that a backup can hold. What else a manifest lists is not restored.
var names = regexp.MustCompile(`^(nexus\.db|audit/(head|audit\.pub|[0-9]{6,}\.seg(\.zst)?)|blobs/[A-Za-z0-9_=-]+/[0-9a-f]{2}/[0-9a-f]{2}/[0-9a-f]{64})$`)

func ofABackup(path string) bool { return names.MatchString(path) && filepath.IsLocal(path) }

// put writes text to the file of that name and lists it.
func (t *taking) put(name string, text io.Reader) error {
	e, err := write(t.path(name), text)
	if err != nil {
		return err
	}
	e.Path = filepath.ToSlash(name)
	t.told(e.Size)
	return t.manifest.add(e)
}

// listed lists a file that is in place already.
func (t *taking) listed(ctx context.Context, name string) error {
	f, err := os.Open(t.path(name))
	if err != nil {
		return err
	}
	defer f.Close()
	e, err := digestOf(ctx, f)
	if err != nil {
		return err
	}
	e.Path = filepath.ToSlash(name)
	return t.manifest.add(e)
}

// digestOf reads f to its end.
func digestOf(ctx context.Context, f io.Reader) (e entry, err error) {
	sha := sha256.New()
	e.Size, err = io.Copy(sha, whileAlive{ctx, f})
	e.SHA256 = hex.EncodeToString(sha.Sum(nil))
	return e, err
}

// write makes the file at path, whatever stood there, and waits for the disk.
func write(path string, text io.Reader) (e entry, err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return e, err
	}
	sha := sha256.New()
	e.Size, err = io.Copy(io.MultiWriter(f, sha), text)
	if err == nil {
		err = f.Sync()
	}
	e.SHA256 = hex.EncodeToString(sha.Sum(nil))
	return e, errors.Join(err, f.Close())
}

// writeWhole makes a small file that is there whole or not at all.
func writeWhole(path string, text []byte) error {
	if _, err := write(path+".tmp", strings.NewReader(string(text))); err != nil {
		return err
	}
	if err := os.Rename(path+".tmp", path); err != nil {
		return err
	}
	return disk.SyncDir(filepath.Dir(path))
}

// empty removes everything in dir.
func empty(dir string) error {
	all, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	var failures []error
	for _, e := range all {
		failures = append(failures, os.RemoveAll(filepath.Join(dir, e.Name())))
	}
	return errors.Join(failures...)
}

// syncDirs makes what was created in dir and below durable.
func syncDirs(dir string) error {
	return filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.IsDir() {
			return err
		}
		return disk.SyncDir(path)
	})
}

// whileAlive is a reader that ends with its context.
type whileAlive struct {
	ctx context.Context
	r   io.Reader
}

func (w whileAlive) Read(p []byte) (int, error) {
	if err := w.ctx.Err(); err != nil {
		return 0, err
	}
	return w.r.Read(p)
}
