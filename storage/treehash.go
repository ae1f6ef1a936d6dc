package storage

import (
	"cmp"
	"context"
	"errors"
	"time"

	"nexus/authzsvc/authz"
	"nexus/internal/sqldb"
	"nexus/internal/treehash"
	"nexus/schema"
	"nexus/storage/internal/sqlstore"
)

// HashOptions say how much one step of hashing does. Whatever comes first ends it, but not before a folder has its hash.
type HashOptions struct {
	Folders int           // that it hashes; its transaction writes a row for each (default: 1000)
	For     time.Duration // that it reads; no transaction is open meanwhile (default: 1 s)
}

// HashTree goes a step further in making the hash of the tree of a snapshot of the granted tenant, and reports whether there is
// more to do. What it has made is kept with each step, so that the next goes on from there, whoever takes it. It returns nothing
// of the tree.
func (w *Workspaces) HashTree(ctx context.Context, may schema.ReindexTenant, o HashOptions) (more bool, err error) {
	tenant, err := may.Use()
	if err != nil {
		return false, err
	}
	id := tenant.Named().ID
	u, err := sqlstore.NextUnhashed(ctx, w.s.db, id)
	if errors.Is(err, sqldb.ErrNoRows) {
		return w.tidyHashes(ctx, may.Decision(), id)
	}
	if err != nil {
		return false, err
	}
	h := &hashing{q: w.s.db, of: u, most: cmp.Or(o.Folders, 1000), until: time.Now().Add(cmp.Or(o.For, time.Second))}
	hash, err := h.folder(ctx, u.Dir)
	if err != nil {
		return false, err
	}
	return true, w.keepHashes(ctx, may.Decision(), h, hash)
}

// keepHashes keeps what a step has made: the hash of the tree where it came to its end, and otherwise those of its folders. Of a
// snapshot that has gone meanwhile it keeps nothing.
func (w *Workspaces) keepHashes(ctx context.Context, d *authz.Decision, h *hashing, hash string) error {
	return w.s.act(ctx, d, func(ctx context.Context, tx sqldb.Tx, _ int64) (bool, error) {
		waits, err := sqlstore.IsUnhashed(ctx, tx, h.of)
		if err != nil || !waits {
			return false, err
		}
		if hash != "" {
			return true, sqlstore.SetTreeHash(ctx, tx, h.of, hash)
		}
		for _, m := range h.made {
			if err := sqlstore.InsertHash(ctx, tx, h.of, m.dir, m.hash); err != nil {
				return false, err
			}
		}
		return true, nil
	})
}

// hashesTidied is how many hashes one step removes.
const hashesTidied = 1000

// tidyHashes removes some of the hashes of folders that nothing waits for any more.
func (w *Workspaces) tidyHashes(ctx context.Context, d *authz.Decision, tenant string) (more bool, err error) {
	err = w.s.act(ctx, d, func(ctx context.Context, tx sqldb.Tx, _ int64) (bool, error) {
		n, err := sqlstore.DeleteHashes(ctx, tx, tenant, hashesTidied)
		more = n == hashesTidied
		return n > 0, err
	})
	return more, err
}

// hashing is one step on the way to the hash of a tree. It goes through the tree as it was at the snapshot's sequence, which
// never changes, and passes the folders whose hashes are kept from steps before.
type hashing struct {
	q     sqldb.Q
	of    sqlstore.Unhashed
	most  int // folders that it hashes
	until time.Time
	made  []folderHash
}

// folderHash is the hash of a folder.
type folderHash struct{ dir, hash string }

// full reports whether the step is to end.
func (h *hashing) full() bool {
	return len(h.made) >= h.most || len(h.made) > 0 && time.Now().After(h.until)
}

// folder returns the hash of a folder; empty when the step is to end before it is made. Its files are read last, so that going
// on in a folder of many files costs no more than in one of few.
func (h *hashing) folder(ctx context.Context, dir string) (string, error) {
	entries, err := h.folders(ctx, dir)
	if err != nil || h.full() {
		return "", err
	}
	files, err := sqlstore.FilesOnce(ctx, h.q, dir, h.of.Seq)
	if err != nil {
		return "", err
	}
	for _, f := range files {
		entries = append(entries, treehash.Entry{Name: f.Name, Hash: f.Etag})
	}
	hash := treehash.Of(entries)
	h.made = append(h.made, folderHash{dir, hash})
	return hash, nil
}

// folders returns the folders that stood in one, with their hashes; not all when the step is to end before these are made.
func (h *hashing) folders(ctx context.Context, dir string) ([]treehash.Entry, error) {
	inside, err := sqlstore.FoldersOnce(ctx, h.q, dir, h.of.Seq)
	if err != nil {
		return nil, err
	}
	ids := make([]string, len(inside))
	for i := range inside {
		ids[i] = inside[i].ID
	}
	kept, err := sqlstore.DirHashes(ctx, h.q, h.of, ids)
	if err != nil {
		return nil, err
	}
	entries := make([]treehash.Entry, 0, len(inside))
	for _, f := range inside {
		hash := kept[f.ID]
		if hash == "" {
			if hash, err = h.folder(ctx, f.ID); err != nil || h.full() {
				return nil, err
			}
		}
		entries = append(entries, treehash.Entry{Name: f.Name, Folder: true, Hash: hash})
	}
	return entries, nil
}
