package backup

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// blobs copies the contents that have files of their own. What the database names was there before it was copied; what came
// since is copied too, and belongs to nobody in the restored directory until it is collected there.
func (t *taking) blobs(ctx context.Context, _ point) error {
	t.begin(Blobs)
	root := filepath.Join(t.s.Dir, blobsName)
	err := filepath.WalkDir(root, func(name string, e fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil // there are none at all, or this one was unfinished
		case err != nil:
			return err
		case ctx.Err() != nil:
			return ctx.Err()
		case !e.Type().IsRegular():
			return nil
		}
		below, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		return t.blob(ctx, name, path.Join(blobsName, filepath.ToSlash(below)))
	})
	return err
}

// blob copies the file called from to name: by a second link where both are on one file system, for contents under their own
// digest never change. What is not named as contents are is left: it is unfinished, or thrown away.
func (t *taking) blob(ctx context.Context, from, name string) error {
	if !ofABackup(name) || !underItsDigest(name) {
		return nil
	}
	to := t.path(filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return err
	}
	if e, there := t.earlierBlob(ctx, to, path.Base(name)); there {
		return t.blobIsThere(name, e.Size)
	}
	if os.Link(from, to) != nil { // another file system, or one without links
		return t.blobCopied(ctx, from, name)
	}
	at, err := os.Stat(to)
	if err != nil {
		return err
	}
	return t.blobIsThere(name, at.Size())
}

// earlierBlob reports whether an earlier call, which was broken off, has put the contents in place. What it left half is removed.
func (t *taking) earlierBlob(ctx context.Context, to, digest string) (e entry, there bool) {
	f, err := os.Open(to)
	if err != nil {
		return e, false
	}
	defer f.Close()
	if e, err = digestOf(ctx, f); err == nil && e.SHA256 == digest {
		return e, true
	}
	_ = os.Remove(to) // if it cannot go, what comes next fails
	return e, false
}

func (t *taking) blobIsThere(name string, size int64) error {
	t.told(size)
	return t.manifest.add(entry{name, size, path.Base(name)})
}

func (t *taking) blobCopied(ctx context.Context, from, name string) error {
	f, err := os.Open(from)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	e, err := write(t.path(filepath.FromSlash(name)), whileAlive{ctx, f})
	if err != nil {
		return err
	}
	if e.SHA256 != path.Base(name) {
		return bad("the contents of %s are not those of its name: it is damaged", from)
	}
	return t.blobIsThere(name, e.Size)
}

// underItsDigest reports whether a blob stands in the folders that its name says.
func underItsDigest(name string) bool {
	dir, digest := path.Split(name)
	return strings.HasSuffix(dir, "/"+digest[:2]+"/"+digest[2:4]+"/")
}
