package storage

import (
	"context"

	"nexus/internal/sqldb"
	"nexus/schema"
	"nexus/storage/internal/sqlstore"
)

// CopyGrant is what copying needs: to read what is copied, and to write the folder that the copy is made in.
type CopyGrant struct {
	From schema.ReadFile
	Into schema.WriteDir
}

// Copy makes a file with the contents that the granted one has now, where the granted folder's address says. The copy is a
// file of its own: it has neither the relationships nor the earlier versions of what it was made from. The contents are named
// once more, and not read.
func (f *Files) Copy(ctx context.Context, g CopyGrant) (entry Entry, err error) {
	from, err := g.From.Use()
	if err != nil {
		return Entry{}, err
	}
	into, err := g.Into.Use()
	if err != nil {
		return Entry{}, err
	}
	if err := isFile(from.Address); err != nil {
		return Entry{}, err
	}
	if into.HasRow() {
		return Entry{}, Occupied(into.Address)
	}
	d := g.Into.Decision()
	err = f.s.act(ctx, d, func(ctx context.Context, tx sqldb.Tx, seq int64) (bool, error) {
		w := &writing{s: f.s, tx: tx, d: d, at: f.s.now(), seq: seq}
		entry, err = w.copyFile(ctx, from.Address, into.Address)
		return err == nil, err
	})
	return entry, err
}

// copyFile makes a file at to with the contents of the one at from.
func (w *writing) copyFile(ctx context.Context, from, to schema.Address) (Entry, error) {
	source, err := same(ctx, w.tx, from)
	if err != nil {
		return Entry{}, err
	}
	place, err := same(ctx, w.tx, to)
	if err != nil {
		return Entry{}, err
	}
	row, err := w.file(ctx, place, to)
	if err != nil {
		return Entry{}, err
	}
	row.Type = source.File.Type
	if err := w.again(ctx, row, to, source.File.ID, source.File.Version); err != nil {
		return Entry{}, err
	}
	return fileEntry(to.Tenant, to.Path, row), w.done(ctx, sqlstore.Created, row.ID, to.Path)
}
