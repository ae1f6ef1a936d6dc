package backup

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"

	"nexus/apiserver/api"
	"nexus/authzsvc/authz"
	"nexus/internal/errs"
	"nexus/internal/ids"
	"nexus/schema"
)

// Keeper makes backups of a running server, one at a time, in the one directory that its operator named. It is safe for
// concurrent use.
type Keeper struct {
	dir    string // empty: the server makes none
	source Source
	log    *slog.Logger
	alive  context.Context
	stop   context.CancelFunc
	work   sync.WaitGroup

	mu     sync.Mutex // guards what follows
	closed bool
	last   api.Backup // the newest of this process; its ID is empty before the first
}

// NewKeeper returns a Keeper of backups in dir. Close ends it before what source names is closed.
func NewKeeper(dir string, source Source, log *slog.Logger) *Keeper {
	k := &Keeper{dir: dir, source: source, log: log}
	k.alive, k.stop = context.WithCancel(context.Background())
	return k
}

// Close breaks a running backup off, and waits until it has ended. It can be gone on with by the next server.
func (k *Keeper) Close() {
	k.mu.Lock()
	k.closed = true
	k.mu.Unlock()
	k.stop()
	k.work.Wait()
}

// Start begins a backup, or goes on with the unfinished one of that id, and returns at once.
func (k *Keeper) Start(_ context.Context, may schema.AdministerPlatform, id string) (api.Backup, error) {
	if err := authz.Ready(may); err != nil {
		return api.Backup{}, err
	}
	if err := k.named(id); err != nil {
		return api.Backup{}, err
	}
	if id == "" {
		return k.start(k.newID())
	}
	b, err := k.stored(id)
	if err != nil {
		return api.Backup{}, err
	}
	if b.State != api.BackupInterrupted {
		return api.Backup{}, errs.New(errs.Precondition, "backup %s is %s: there is nothing to go on with", id, b.State)
	}
	return k.start(id)
}

func (k *Keeper) start(id string) (api.Backup, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case k.closed:
		return api.Backup{}, errs.New(errs.Unavailable, "the server stops")
	case k.last.State == api.BackupRunning:
		return api.Backup{}, errs.New(errs.Conflict, "backup %s is being made: one at a time", k.last.ID).With("backup_id", k.last.ID)
	}
	k.last = api.Backup{ID: id, State: api.BackupRunning, Path: filepath.Join(k.dir, id)}
	k.work.Go(func() { k.take(id) })
	return k.last, nil
}

// take makes the backup and keeps what became of it.
func (k *Keeper) take(id string) {
	s, err := Take(k.alive, k.source, filepath.Join(k.dir, id), k.progress)
	k.mu.Lock()
	defer k.mu.Unlock()
	if err != nil {
		k.last.State, k.last.Error = api.BackupFailed, errs.Public(err)
		k.log.Error("backup failed", "backup", id, "error", err)
		return
	}
	k.last = finished(s, k.last.Path)
	k.log.Info("backup made", "backup", id, "files", s.Files, "bytes", s.Bytes)
}

func (k *Keeper) progress(p Phase, files, bytes, total int64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.last.Phase, k.last.Files, k.last.Bytes, k.last.Total = string(p), files, bytes, total
}

// Status returns how far a backup has come; without an id, the newest of this process.
func (k *Keeper) Status(_ context.Context, may schema.AdministerPlatform, id string) (api.Backup, error) {
	if err := authz.Ready(may); err != nil {
		return api.Backup{}, err
	}
	if err := k.named(id); err != nil {
		return api.Backup{}, err
	}
	k.mu.Lock()
	last := k.last
	k.mu.Unlock()
	switch {
	case id == "" && last.ID == "":
		return api.Backup{}, errs.New(errs.NotFound, "this server has made no backup since it started: name one")
	case id == "" || id == last.ID:
		return last, nil
	}
	return k.stored(id)
}

// stored returns what the directory shows of a backup.
func (k *Keeper) stored(id string) (api.Backup, error) {
	path := filepath.Join(k.dir, id)
	root, err := openBackup(path)
	if err == nil {
		defer root.Close()
		s, err := readManifest(root, func(entry) error { return nil })
		if err != nil {
			return api.Backup{}, failed(context.Background(), err)
		}
		return finished(s, path), nil
	}
	if _, err := os.Stat(path + partialExt); errors.Is(err, fs.ErrNotExist) {
		return api.Backup{}, errs.New(errs.NotFound, "there is no backup %s", id)
	}
	return api.Backup{ID: id, State: api.BackupInterrupted, Path: path}, nil
}

func finished(s Summary, path string) api.Backup {
	return api.Backup{ID: s.ID, State: api.BackupDone, Path: path, Files: s.Files, Bytes: s.Bytes, Total: s.Bytes, At: api.Time{Time: s.At}}
}

// ofABackupID is the form of ids. Nothing that could lead out of the directory has it.
var ofABackupID = regexp.MustCompile(`^[0-9]{8}T[0-9]{6}Z-[0-9a-z]{12}$`)

// named refuses ids that no backup has, and everything where no backups are made.
func (k *Keeper) named(id string) error {
	if k.dir == "" {
		return errs.New(errs.Precondition, "this server makes no backups: start it with --backup-dir")
	}
	if id != "" && !ofABackupID.MatchString(id) {
		return errs.New(errs.NotFound, "there is no backup %q", id)
	}
	return nil
}

func (k *Keeper) newID() string {
	unique := strings.ReplaceAll(ids.New(), "-", "")
	return k.source.Clock.Now().UTC().Format("20060102T150405Z") + "-" + unique[len(unique)-12:]
}
