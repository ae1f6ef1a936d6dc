// Package blob keeps contents as files that are named by the SHA-256 of their bytes, apart for each tenant: equal contents are
// kept once in a tenant, and no tenant can tell what another one has. It decides nothing and knows no rows; that nothing is
// collected which a row still names is the business of package storage.
//
// A blob comes to be in steps, each of which may be the last one before a crash: bytes go to a file in .tmp, which is synced,
// renamed to its name, and the folders above are synced. So a file with the name of a blob is whole, or the disk has failed. A
// blob goes by a rename to .trash; whoever removed it says when it is gone for good.
//
//	blobs/<tenant>/ab/cd/abcd…   a blob
//	blobs/.tmp/<id>              bytes on their way in
//	blobs/.trash/<tenant>.<hash> a blob on its way out
package blob

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"nexus/internal/errs"
)

// ID names a blob: a quoted tenant, and the SHA-256 of the contents as 64 lower-case hex digits.
type ID struct{ Tenant, Hash string }

// String returns the name for the operator's log.
func (id ID) String() string { return id.Tenant + "/" + id.Hash }

// valid refuses what is no digest, before it becomes part of a path.
func (id ID) valid() error {
	if len(id.Hash) != 2*sha256.Size || strings.Trim(id.Hash, "0123456789abcdef") != "" || id.Tenant == "" {
		return errs.New(errs.Internal, "%q is no blob", id)
	}
	return nil
}

// Folders beside those of the tenants. No tenant's name begins with a dot.
const (
	tempDir  = ".tmp"
	trashDir = ".trash"
)

// Store is a directory of blobs. It is safe for concurrent use, by one process.
type Store struct {
	dir  string
	disk disk

	mu      sync.Mutex          // guards what follows
	temps   map[string]struct{} // bytes on their way in, by name
	durable map[string]struct{} // folders of blobs that survive a power loss with all above them
}

// Open opens the store in dir, which it makes when missing, and removes what an earlier process left half received. The caller
// makes sure that no other process has dir open.
func Open(dir string) (*Store, error) { return open(dir, osDisk{}) }

// At returns the store in dir without changing anything there: for looking at it, while another process may have it open.
func At(dir string) *Store { return at(dir, osDisk{}) }

func at(dir string, d disk) *Store {
	return &Store{dir: dir, disk: d, temps: map[string]struct{}{}, durable: map[string]struct{}{}}
}

func open(dir string, d disk) (*Store, error) {
	s := at(dir, d)
	for _, folder := range []string{dir, s.path(tempDir), s.path(trashDir)} {
		if err := d.Mkdir(folder); err != nil {
			return nil, errs.New(errs.Unavailable, "no folder for blobs at %s", dir).Because(err)
		}
	}
	if err := errors.Join(d.SyncDir(filepath.Dir(dir)), d.SyncDir(dir)); err != nil {
		return nil, failed(err)
	}
	_, err := s.Tidy(time.Now())
	return s, err
}

// Dir returns the directory.
func (s *Store) Dir() string { return s.dir }

// Size returns how long the blob is; fs.ErrNotExist when there is none.
func (s *Store) Size(id ID) (int64, error) {
	if err := id.valid(); err != nil {
		return 0, err
	}
	at, err := os.Stat(s.place(id))
	if err != nil {
		return 0, err
	}
	return at.Size(), nil
}

// Tidy removes what was left half received before a time and is not on its way any more. It returns how many.
func (s *Store) Tidy(before time.Time) (removed int, err error) {
	entries, err := os.ReadDir(s.path(tempDir))
	if err != nil {
		return 0, failed(err)
	}
	for _, e := range entries {
		at, err := e.Info()
		if err != nil || at.ModTime().After(before) || s.arriving(e.Name()) {
			continue // what has gone meanwhile was not left behind
		}
		if err := s.disk.Remove(s.path(tempDir, e.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return removed, failed(err)
		}
		removed++
	}
	return removed, nil
}

func (s *Store) arriving(temp string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.temps[temp]
	return ok
}

func (s *Store) path(parts ...string) string {
	return filepath.Join(append([]string{s.dir}, parts...)...)
}

// place returns where the blob is.
func (s *Store) place(id ID) string {
	return s.path(folderOf(id.Tenant), id.Hash[:2], id.Hash[2:4], id.Hash)
}

// folderOf returns the folder of a tenant: its quoted name where every file system keeps that apart from all others, or else a
// digest of it. File systems that fold case would join two tenants, and most refuse long names.
func folderOf(tenant string) string {
	if len(tenant) <= 64 && strings.Trim(tenant, "abcdefghijklmnopqrstuvwxyz0123456789_-") == "" {
		return tenant
	}
	sum := sha256.Sum256([]byte(tenant))
	return "=" + hex.EncodeToString(sum[:])
}
