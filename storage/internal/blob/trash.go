package blob

import (
	"errors"
	"io/fs"
	"os"
	"strings"
	"time"
)

// Found is a blob as the file system has it.
type Found struct {
	Hash     string
	Size     int64
	Modified time.Time
}

// Buckets is in how many parts a tenant's blobs can be listed.
const Buckets = 256

// List returns the tenant's blobs whose hash begins with prefix, two hex digits, in order.
func (s *Store) List(tenant, prefix string) (all []Found, err error) {
	bucket := s.path(folderOf(tenant), prefix)
	leaves, err := readDir(bucket)
	if err != nil {
		return nil, err
	}
	for _, leaf := range leaves {
		entries, err := readDir(bucket + "/" + leaf.Name())
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			at, err := e.Info()
			if errors.Is(err, fs.ErrNotExist) {
				continue // it went meanwhile
			}
			if err != nil {
				return nil, failed(err)
			}
			id := ID{tenant, e.Name()}
			if id.valid() == nil && strings.HasPrefix(e.Name(), prefix+leaf.Name()) && at.Mode().IsRegular() {
				all = append(all, Found{e.Name(), at.Size(), at.ModTime()})
			}
		}
	}
	return all, nil
}

// readDir returns what is in a folder, in order; nothing when there is no such folder.
func readDir(name string) ([]os.DirEntry, error) {
	entries, err := os.ReadDir(name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, failed(err)
	}
	return entries, nil
}

// Trash takes a blob out of its place. It can be brought back by Restore until Purge.
func (s *Store) Trash(id ID) error {
	if err := id.valid(); err != nil {
		return err
	}
	return failed(s.disk.Rename(s.place(id), s.trashed(id)))
}

// Restore brings a blob back from the trash.
func (s *Store) Restore(id ID) error {
	if err := id.valid(); err != nil {
		return err
	}
	if err := s.folders(id); err != nil {
		return failed(err)
	}
	if err := s.disk.Rename(s.trashed(id), s.place(id)); err != nil {
		return failed(err)
	}
	return failed(s.harden(id))
}

// Purge removes a blob in the trash for good.
func (s *Store) Purge(id ID) error {
	if err := id.valid(); err != nil {
		return err
	}
	return failed(s.disk.Remove(s.trashed(id)))
}

// Trashed returns the hashes of the tenant's blobs in the trash.
func (s *Store) Trashed(tenant string) (all []string, err error) {
	entries, err := readDir(s.path(trashDir))
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		hash, ok := strings.CutPrefix(e.Name(), folderOf(tenant)+".")
		if ok && (ID{tenant, hash}).valid() == nil {
			all = append(all, hash)
		}
	}
	return all, nil
}

func (s *Store) trashed(id ID) string { return s.path(trashDir, folderOf(id.Tenant)+"."+id.Hash) }
