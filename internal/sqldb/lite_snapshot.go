package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"net/url"
	"os"
	"path/filepath"

	"modernc.org/sqlite"

	"nexus/internal/errs"
)

const (
	snapshotPages = 256     // copied between two looks at the context
	snapshotDirty = 8 << 20 // bytes that the copy leaves to the kernel before it waits for the disk
)

// Snapshot writes the whole database as it is committed at one moment to a new file at path, while others read and write.
// pin is called in that moment, with the writer's turn: all that was committed before is in the copy, and nothing else. It
// must be quick and must not call the database. progress is told now and then how many bytes of how many are copied.
//
// Writers wait for the moment alone, which takes no longer than a short transaction. While the copy is made the WAL keeps
// what is written, and is cut back afterwards. On an error there is no file at path.
func (l *Lite) Snapshot(ctx context.Context, path string, pin func(), progress func(done, total int64)) (err error) {
	leave, err := l.running.enter()
	if err != nil {
		return err
	}
	defer leave()
	if path, err = absent(path); err != nil {
		return err
	}
	conns, err := sql.Open("sqlite", dsn(l.path, readerPragmas()))
	if err != nil {
		return Translate(err)
	}
	defer func() { err = errors.Join(err, Translate(conns.Close())) }()
	conn, err := conns.Conn(ctx)
	if err != nil {
		return Translate(err)
	}
	defer conn.Close()
	err = l.Tx(ctx, func(ctx context.Context, _ Tx) error {
		if err := stand(ctx, conn); err != nil {
			return err
		}
		pin()
		return nil
	})
	if err != nil {
		return err
	}
	if err := copyPages(ctx, conn, path, progress); err != nil {
		return errors.Join(Translate(err), discard(path))
	}
	return nil
}

// stand begins a read transaction on conn: from here on it sees what is committed now.
func stand(ctx context.Context, conn *sql.Conn) error {
	if _, err := conn.ExecContext(ctx, "BEGIN"); err != nil {
		return err
	}
	var n int
	return conn.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_schema").Scan(&n) // BEGIN alone reads nothing
}

// backuper is what the driver's connection offers.
type backuper interface {
	NewBackup(uri string) (*sqlite.Backup, error)
}

// copyPages copies the database that conn sees to path, and waits for the disk.
func copyPages(ctx context.Context, conn *sql.Conn, path string, progress func(done, total int64)) error {
	var pageSize int64
	if err := conn.QueryRowContext(ctx, "PRAGMA page_size").Scan(&pageSize); err != nil {
		return err
	}
	if err := createPrivate(path); err != nil {
		return err
	}
	return conn.Raw(func(driver any) error {
		b, err := driver.(backuper).NewBackup((&url.URL{Scheme: "file", Path: path}).String())
		if err != nil {
			return err
		}
		return errors.Join(copySteps(ctx, b, path, pageSize, progress), b.Finish())
	})
}

// copySteps copies page after page. It waits for the disk as it goes: what the kernel had to write all at once would hold up
// the fsyncs of those who commit meanwhile.
func copySteps(ctx context.Context, b *sqlite.Backup, path string, pageSize int64, progress func(done, total int64)) error {
	written, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer written.Close()
	synced := int64(0)
	for more := true; more; {
		if err := ctx.Err(); err != nil {
			return err
		}
		if more, err = b.Step(snapshotPages); err != nil {
			return err
		}
		total := int64(b.PageCount()) * pageSize
		done := total - int64(b.Remaining())*pageSize
		progress(done, total)
		if !more || done-synced >= snapshotDirty {
			synced = done
			if err := written.Sync(); err != nil {
				return err
			}
		}
	}
	return nil
}

// Sound checks that the file at path is a whole database, without writing anything beside it. No program may have it open.
func Sound(ctx context.Context, path string) (err error) {
	full, err := filepath.Abs(path)
	if err != nil {
		return errs.New(errs.Unavailable, "%s cannot be looked at", path).Because(err)
	}
	u := url.URL{Scheme: "file", Path: full, RawQuery: url.Values{"mode": {"ro"}, "immutable": {"1"}}.Encode()}
	conns, err := sql.Open("sqlite", u.String())
	if err != nil {
		return Translate(err)
	}
	defer func() { err = errors.Join(err, Translate(conns.Close())) }()
	var answer string
	if err := conns.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&answer); err != nil {
		return Translate(err)
	}
	if answer != "ok" {
		return errs.New(errs.Internal, "the database %s is damaged", path).Because(errors.New(answer))
	}
	return nil
}

// absent returns path in full, where nothing may be.
func absent(path string) (string, error) {
	full, err := filepath.Abs(path)
	if err == nil {
		_, err = os.Lstat(full)
	}
	switch {
	case errors.Is(err, os.ErrNotExist):
		return full, nil
	case err == nil:
		return "", errs.New(errs.Exists, "%s exists already", path)
	}
	return "", errs.New(errs.Unavailable, "%s cannot be looked at", path).Because(err)
}

// discard removes an unfinished copy with the journal that the engine may have left beside it.
func discard(path string) error {
	var all []error
	for _, name := range []string{path, path + "-journal"} {
		if err := os.Remove(name); err != nil && !errors.Is(err, os.ErrNotExist) {
			all = append(all, err)
		}
	}
	return errors.Join(all...)
}
