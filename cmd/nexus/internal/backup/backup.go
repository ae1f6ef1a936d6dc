// Package backup copies a data directory while a server works on it, checks such a copy, and makes a data directory of it
// again. It decides nothing and opens no server.
//
// A backup is the state of one moment. In that moment, which holds the writer up no longer than a short transaction, the
// database is pinned and the end of the decision record is noted; everything else is copied afterwards, while others write:
// first the database, then the blobs (which are on disk before a row names them, and are not collected meanwhile), then the
// record up to the noted end. So a restored server finds what it would have found after a crash in that moment: a decision
// whose effect is missing is closed as not done, and record and effects agree.
//
// The manifest comes last. A directory without one, or whose manifest does not fit it, is no backup.
package backup

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"nexus/authzsvc/audit"
	"nexus/internal/clock"
	"nexus/internal/disk"
	"nexus/internal/errs"
	"nexus/internal/sqldb"
)

// maxAge is how old an unfinished backup may be to be gone on with. Nothing is collected as soon after it was last named.
const maxAge = 12 * time.Hour

// Names in a backup, which are those in a data directory.
const (
	databaseName = "nexus.db"
	recordName   = "audit"
	blobsName    = "blobs"
	manifestName = "MANIFEST"
	pointName    = "point.json" // of an unfinished one: what its database is a copy of
	partialExt   = ".partial"   // of the directory, until it is finished
)

// Source is what is copied.
type Source struct {
	Dir    string // the data directory
	DB     *sqldb.Lite
	Record *audit.Log // nil when no server runs
	// Pause keeps blobs from being collected until resume is called; nil where nothing collects any.
	Pause   func(ctx context.Context) (resume func(), err error)
	Program string // version of the program, for the manifest
	Clock   clock.Clock
}

// Phase says what is being copied.
type Phase string

// The phases, in their order.
const (
	Database Phase = "database"
	Blobs    Phase = "blobs"
	Record   Phase = "record"
	Finish   Phase = "finish"
)

// Progress tells how far a backup has come. It is called from the goroutine that copies.
type Progress func(p Phase, files, bytes, total int64)

// point is the moment that a backup is of.
type point struct {
	At     time.Time  `json:"at"`
	Mark   audit.Mark `json:"mark"`
	Oldest int        `json:"oldest"` // segment of the record
}

// Take copies s to the directory target, which must not exist. An unfinished copy that an earlier call left beside it
// (target.partial) is gone on with: its database stays the one that it is. The result appears under its name once it is whole
// and on disk.
func Take(ctx context.Context, s Source, target string, progress Progress) (Summary, error) {
	if _, err := os.Lstat(target); !errors.Is(err, fs.ErrNotExist) {
		return Summary{}, errs.New(errs.Exists, "%s exists already: name another directory", target).Because(err)
	}
	t := &taking{s: s, dir: target + partialExt, progress: progress}
	if err := os.MkdirAll(t.dir, 0o700); err != nil {
		return Summary{}, errs.New(errs.Unavailable, "%s cannot be made", t.dir).Because(err)
	}
	sum, err := t.run(ctx, filepath.Base(target))
	if err != nil {
		return Summary{}, failed(ctx, err)
	}
	if err := os.Rename(t.dir, target); err != nil {
		return Summary{}, failed(ctx, err)
	}
	return sum, failed(ctx, disk.SyncDir(filepath.Dir(target)))
}

// taking is one backup on its way.
type taking struct {
	s        Source
	dir      string
	progress Progress
	phase    Phase
	files    int64
	bytes    int64
	manifest *manifest
}

func (t *taking) run(ctx context.Context, id string) (Summary, error) {
	resume, err := t.hold(ctx)
	if err != nil {
		return Summary{}, err
	}
	defer resume()
	p, err := t.database(ctx)
	if err != nil {
		return Summary{}, err
	}
	if t.manifest, err = newManifest(t.dir, Header{Format: format, ID: id, Program: t.s.Program, At: p.At, Seq: p.Mark.Seq}); err != nil {
		return Summary{}, err
	}
	defer t.manifest.close()
	for _, step := range []func(context.Context, point) error{t.listDatabase, t.blobs, t.record} {
		if err := step(ctx, p); err != nil {
			return Summary{}, err
		}
	}
	return t.finish()
}

// hold keeps segments and blobs from being deleted.
func (t *taking) hold(ctx context.Context) (resume func(), err error) {
	release := func() {}
	if t.s.Record != nil {
		release = t.s.Record.Hold()
	}
	if t.s.Pause == nil {
		return release, nil
	}
	again, err := t.s.Pause(ctx)
	if err != nil {
		release()
		return nil, err
	}
	return func() { again(); release() }, nil
}

// database copies the database, unless an earlier call did, and returns the moment that it is of.
func (t *taking) database(ctx context.Context) (p point, err error) {
	t.begin(Database)
	if p, there, err := t.earlier(); err != nil || there {
		return p, err
	}
	if err := empty(t.dir); err != nil {
		return p, err
	}
	if p.Oldest, err = audit.Oldest(t.recordDir()); err != nil {
		return p, err
	}
	pin := func() { p.At = t.s.Clock.Now().UTC() }
	if t.s.Record != nil {
		pin = func() { p.At, p.Mark = t.s.Clock.Now().UTC(), t.s.Record.Mark() }
	}
	if err := t.s.DB.Snapshot(ctx, t.path(databaseName), pin, func(done, total int64) { t.progress(Database, 0, done, total) }); err != nil {
		return p, err
	}
	if t.s.Record == nil {
		if p.Mark, err = audit.EndOf(t.recordDir()); err != nil {
			return p, err
		}
	}
	if err := sqldb.Sound(ctx, t.path(databaseName)); err != nil {
		return p, err
	}
	text, err := json.Marshal(p)
	if err != nil {
		return p, err
	}
	return p, writeWhole(t.path(pointName), text)
}

// earlier returns the moment of an unfinished copy whose database is whole.
func (t *taking) earlier() (p point, there bool, err error) {
	text, err := os.ReadFile(t.path(pointName))
	if errors.Is(err, fs.ErrNotExist) {
		return p, false, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &p)
	}
	if err == nil && t.s.Clock.Now().Sub(p.At) > maxAge {
		err = errs.New(errs.Precondition, "%s was begun %s ago, and what it names may be gone: remove it and begin again", t.dir, maxAge)
	}
	return p, err == nil, err
}

func (t *taking) listDatabase(ctx context.Context, _ point) error {
	return t.listed(ctx, databaseName)
}

// record copies the decision record up to the moment.
func (t *taking) record(ctx context.Context, p point) error {
	t.begin(Record)
	if err := os.MkdirAll(t.path(recordName), 0o700); err != nil {
		return err
	}
	return audit.Copy(ctx, t.recordDir(), p.Oldest, p.Mark, func(name string, text io.Reader) error {
		return t.put(filepath.Join(recordName, name), text)
	})
}

// finish makes the copy durable, and only then a backup.
func (t *taking) finish() (Summary, error) {
	t.begin(Finish)
	if err := syncDirs(t.dir); err != nil {
		return Summary{}, err
	}
	if err := os.Remove(t.path(pointName)); err != nil {
		return Summary{}, err
	}
	return t.manifest.finish()
}

func (t *taking) begin(p Phase) {
	t.phase, t.files, t.bytes = p, 0, 0
	t.progress(p, 0, 0, 0)
}

// told counts a file that is in place.
func (t *taking) told(size int64) {
	t.files++
	t.bytes += size
	t.progress(t.phase, t.files, t.bytes, 0)
}

func (t *taking) path(name string) string { return filepath.Join(t.dir, name) }

func (t *taking) recordDir() string { return filepath.Join(t.s.Dir, recordName) }

// failed gives an error of the file system its kind. What was broken off says so.
func failed(ctx context.Context, err error) error {
	var known *errs.Error
	switch {
	case err == nil || errors.As(err, &known):
		return err
	case ctx.Err() != nil:
		return errs.New(errs.Canceled, "broken off").Because(err)
	}
	if full := sqldb.Translate(err); errs.From(full).Reason == errs.DiskFull {
		return full
	}
	return errs.New(errs.Unavailable, "the files cannot be read or written").Because(err)
}
