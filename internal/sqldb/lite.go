package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"sync"

	_ "modernc.org/sqlite" // the driver "sqlite"

	"nexus/internal/errs"
)

// LiteOptions are the settings of an embedded database. The zero value is right for a server.
type LiteOptions struct {
	// Readers bounds the connections that read; 0 means 8. Each has 2 MiB of page cache beside the shared memory map.
	Readers int
	// BeforeStatement is for crash tests alone and nil in production. It is called before each statement of the writer, COMMIT
	// included, with a number that counts from 1 and the text. An error it returns takes the place of the statement's run,
	// except for ROLLBACK, which always runs; or it may end the process.
	BeforeStatement func(n int, text string) error
}

const (
	defaultReaders = 8
	busyMillis     = 5000
	mmapBytes      = 1 << 30
	cacheKiB       = 2048
	journalBytes   = 64 << 20 // a WAL that grew larger is cut back to this at its next reset
)

// Lite is an embedded SQLite database: one file, one writer, a pool of readers. It holds a lock on the file until Close.
//
// A transaction that was acknowledged survives a crash of the process and of the machine (synchronous=FULL). No constraint
// of its schema may be deferred: COMMIT serves many closures, and the constraint of one would fail all.
//
// One that failed is rolled back. A single case is beyond SQLite: when COMMIT fails because the disk refuses to sync, and the
// process dies before the next COMMIT overwrites what that one left in the WAL, its writes can come back at the next opening.
type Lite struct {
	path     string
	readers  *sql.DB
	prepared sync.Map // *Stmt → *sql.Stmt, on readers
	writer   *writer
	unlock   func() error
	running  running
}

var _ DB = (*Lite)(nil)

// OpenLite opens the database at path and creates it when there is none. It is refused with errs.Unavailable while another
// process has it open, and while this one has.
func OpenLite(ctx context.Context, path string, o LiteOptions) (*Lite, error) {
	path, err := canonical(path)
	if err != nil {
		return nil, errs.New(errs.Unavailable, "no folder for the database %q", path).Because(err)
	}
	unlock, err := lockFile(path + ".lock")
	if err != nil {
		return nil, err
	}
	l := &Lite{path: path, unlock: unlock}
	if err := l.open(ctx, o); err != nil {
		return nil, errors.Join(Translate(err), l.shut())
	}
	return l, nil
}

func (l *Lite) open(ctx context.Context, o LiteOptions) error {
	if err := createPrivate(l.path); err != nil {
		return err
	}
	w, err := openWriter(ctx, l.path, o.BeforeStatement)
	if err != nil {
		return err
	}
	l.writer = w
	readers, err := sql.Open("sqlite", dsn(l.path, readerPragmas()))
	if err != nil {
		return err
	}
	n := o.Readers
	if n <= 0 {
		n = defaultReaders
	}
	readers.SetMaxOpenConns(n)
	readers.SetMaxIdleConns(n)
	l.readers = readers
	return readers.PingContext(ctx)
}

// Dialect returns SQLite.
func (l *Lite) Dialect() Dialect { return SQLite }

// Path returns the absolute path of the database file.
func (l *Lite) Path() string { return l.path }

// Readers returns the pool of reading connections. It is for authzsvc/internal/sqlds alone, whose statements are built from
// SpiceDB's filters; everybody else declares statements. Its connections refuse to write. A caller bounds what it runs here
// by a time, and has ended before Close.
func (l *Lite) Readers() *sql.DB { return l.readers }

// Close waits for running work, moves the WAL into the database, and gives up the lock. It is idempotent; work that begins
// after it is refused with errs.Unavailable.
func (l *Lite) Close() error {
	return l.running.close(l.shut)
}

// shut closes what is open. The writer goes last: the last connection of a database removes its WAL.
func (l *Lite) shut() error {
	var all []error
	if l.readers != nil {
		l.prepared.Range(func(_, s any) bool {
			all = append(all, s.(*sql.Stmt).Close())
			return true
		})
		all = append(all, l.readers.Close())
	}
	if l.writer != nil {
		all = append(all, l.writer.close())
	}
	all = append(all, l.unlock())
	return errors.Join(all...)
}

// canonical returns path without links, so that two names of one file meet at one lock.
func canonical(path string) (string, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return path, err
	}
	if real, err := filepath.EvalSymlinks(abs); err == nil {
		return real, nil
	}
	dir, err := filepath.EvalSymlinks(filepath.Dir(abs))
	if err != nil {
		return path, err
	}
	return filepath.Join(dir, filepath.Base(abs)), nil
}

// createPrivate makes the file readable by its owner alone; SQLite gives its companions the same mode.
func createPrivate(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return errs.New(errs.Unavailable, "cannot open the database %q", path).Because(err)
	}
	return f.Close()
}

func dsn(path string, pragmas []string) string {
	v := url.Values{"_pragma": pragmas, "_dqs": {"0"}} // a misspelt "name" is an error, not a text
	return (&url.URL{Scheme: "file", Path: path, RawQuery: v.Encode()}).String()
}

func commonPragmas() []string {
	return []string{
		pragma("busy_timeout", busyMillis),
		pragma("foreign_keys", 1),
		pragma("mmap_size", mmapBytes),
		pragma("temp_store", 2),
	}
}

func readerPragmas() []string {
	return append(commonPragmas(), pragma("cache_size", -cacheKiB), pragma("query_only", 1))
}

func writerPragmas() []string {
	return append(commonPragmas(), "journal_mode(wal)", "synchronous(full)", pragma("cache_size", -8*cacheKiB),
		pragma("journal_size_limit", journalBytes))
}

func pragma(name string, value int) string { return name + "(" + strconv.Itoa(value) + ")" }
