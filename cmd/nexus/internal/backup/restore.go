package backup

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"nexus/authzsvc/audit"
	"nexus/internal/disk"
	"nexus/internal/errs"
	"nexus/internal/sqldb"
	"nexus/storage"
)

// restoringName is a file that stands in a data directory until it is restored whole.
const restoringName = "RESTORING"

// Unfinished refuses a data directory that a restore has not finished.
func Unfinished(data string) error {
	_, err := os.Lstat(filepath.Join(data, restoringName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return errs.New(errs.Unavailable, "%s cannot be looked at", data).Because(err)
	}
	return errs.New(errs.Precondition, "%s holds half a restored backup: empty it and restore again", data)
}

// Restore makes a data directory of a backup, which is compared with its manifest on the way. data must be empty or missing;
// nobody can serve it before it is whole and on disk. On an error what was written is removed again.
func Restore(ctx context.Context, from, data string, progress Progress) (s Summary, err error) {
	root, err := openBackup(from)
	if err != nil {
		return s, err
	}
	defer root.Close()
	if err := prepare(data); err != nil {
		return s, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(failed(ctx, err), giveUp(data))
		}
	}()
	r := &restoring{root: root, data: data, progress: progress}
	if s, err = readManifest(root, func(e entry) error { return r.file(ctx, e) }); err != nil {
		return s, err
	}
	if err := nothingElse(root, s.Files); err != nil {
		return s, err
	}
	return s, r.finish(ctx, s)
}

// prepare makes data, which must be empty, a directory that is being restored.
func prepare(data string) error {
	if err := os.MkdirAll(data, 0o700); err != nil {
		return errs.New(errs.Unavailable, "%s cannot be made", data).Because(err)
	}
	if err := Unfinished(data); err != nil {
		return err
	}
	all, err := os.ReadDir(data)
	if err != nil {
		return errs.New(errs.Unavailable, "%s cannot be read", data).Because(err)
	}
	if len(all) > 0 {
		return errs.New(errs.Exists, "%s is not empty: a backup is restored into an empty directory alone", data)
	}
	if err := writeWhole(filepath.Join(data, restoringName), nil); err != nil {
		return errs.New(errs.Unavailable, "%s cannot be written", data).Because(err)
	}
	return nil
}

// giveUp empties data, what says that it is unfinished last.
func giveUp(data string) error {
	all, err := os.ReadDir(data)
	if err != nil {
		return err
	}
	for _, e := range all {
		if e.Name() == restoringName {
			continue
		}
		if err := os.RemoveAll(filepath.Join(data, e.Name())); err != nil {
			return err
		}
	}
	return os.Remove(filepath.Join(data, restoringName))
}

type restoring struct {
	root         *os.Root
	data         string
	progress     Progress
	files, bytes int64
}

// file copies one file. Never by a link: who works with the directory must not change the backup.
func (r *restoring) file(ctx context.Context, e entry) error {
	to := filepath.Join(r.data, filepath.FromSlash(e.Path))
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return err
	}
	err := check(r.root, e, func(f io.Reader) (entry, error) { return write(to, whileAlive{ctx, f}) })
	if err != nil {
		return err
	}
	r.files, r.bytes = r.files+1, r.bytes+e.Size
	r.progress(Finish, r.files, r.bytes, 0)
	return nil
}

// finish looks at what was restored as a server would, and makes it one's.
func (r *restoring) finish(ctx context.Context, s Summary) error {
	if err := openable(ctx, filepath.Join(r.data, databaseName)); err != nil {
		return err
	}
	of := "backup " + s.ID + " of " + s.At.Format("2006-01-02T15:04:05Z07:00")
	if err := audit.MarkRestored(filepath.Join(r.data, recordName), of); err != nil {
		return err
	}
	if err := syncDirs(r.data); err != nil {
		return err
	}
	if err := os.Remove(filepath.Join(r.data, restoringName)); err != nil {
		return err
	}
	return disk.SyncDir(r.data)
}

// openable refuses a database that this program could not serve.
func openable(ctx context.Context, path string) (err error) {
	if err := sqldb.Sound(ctx, path); err != nil {
		return err
	}
	db, err := sqldb.OpenLite(ctx, path, sqldb.LiteOptions{Readers: 1})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	return storage.CheckVersion(ctx, db)
}
