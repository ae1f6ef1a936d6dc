package storage

import (
	"context"

	"nexus/schema"
)

// CopyGrant is what copying needs: to read what is copied, and to write the folder that the copy is made in.
type CopyGrant struct {
	From schema.ReadFile
	Into schema.WriteDir
}

// Copy makes a file with the contents that the granted one has now, where the granted folder's address says. The copy is a
// file of its own: it has neither the relationships nor the earlier versions of what it was made from.
func (f *Files) Copy(ctx context.Context, g CopyGrant) (Entry, error) {
	_, body, err := f.Read(ctx, g.From)
	if err != nil {
		return Entry{}, err
	}
	into, err := g.Into.Use()
	if err != nil {
		return Entry{}, err
	}
	if into.HasRow() {
		return Entry{}, Occupied(into.Address)
	}
	return f.Create(ctx, g.Into, body, Condition{Absent: true})
}
