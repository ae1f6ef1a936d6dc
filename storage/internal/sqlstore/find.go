package sqlstore

import (
	"context"

	"nexus/internal/paths"
	"nexus/internal/sqldb"
)

// Spot is of the nearest row at or above a path what decisions need to know, and the rest of the path. Every request looks
// for one, and the driver's work grows with each column: so it is asked for these alone.
type Spot struct {
	ID, Parent string
	Folder     bool
	Reserved   bool // a grant reserved the name; nothing stands there yet
	Rest       string
}

// Spot returns what an address is made of.
func (p Place) Spot() Spot {
	if p.File != nil {
		return Spot{ID: p.File.ID, Parent: p.File.Dir, Reserved: p.File.Version == 0, Rest: p.Rest}
	}
	return Spot{ID: p.Dir.ID, Parent: p.Dir.Parent, Folder: true, Reserved: p.Dir.State == Reserved, Rest: p.Rest}
}

var spotAt = sqldb.SQL(`SELECT d.id, d.parent, d.state, COALESCE(f.id, ''), COALESCE(f.version, 0), COALESCE(s.id, ''), COALESCE(s.state, 0)
	FROM dirs d
	LEFT JOIN files f ON f.dir = d.id AND f.name = $3
	LEFT JOIN dirs s ON s.tenant = $1 AND s.path = $4
	WHERE d.tenant = $1 AND d.path = $2`)

// Find returns where path, which is clean, leads in the tree of tenant, as Locate does, with what an address is made of.
func Find(ctx context.Context, q sqldb.Q, tenant, path string) (spot Spot, err error) {
	if path == paths.Root {
		root, err := Locate(ctx, q, tenant, path)
		if err != nil {
			return Spot{}, err
		}
		return root.Spot(), nil
	}
	rest, err := climb(path, func(folder, name string) (string, error) {
		spot, err = glance(ctx, q, tenant, folder, name)
		return spot.Rest, err
	})
	spot.Rest = rest
	return spot, err
}

// glance is look for a Spot.
func glance(ctx context.Context, q sqldb.Q, tenant, folder, name string) (Spot, error) {
	var row struct { // one variable: each that the driver writes to is an allocation
		dir, parent, file, sub string
		state, subState        State
		version                int64
	}
	err := q.Row(ctx, spotAt, tenant, folder, name, folder+name+"/").Scan(
		&row.dir, &row.parent, &row.state, &row.file, &row.version, &row.sub, &row.subState)
	switch {
	case err != nil:
		return Spot{}, err
	case row.file != "":
		return Spot{ID: row.file, Parent: row.dir, Reserved: row.version == 0}, nil
	case row.sub != "":
		return Spot{ID: row.sub, Parent: row.dir, Folder: true, Reserved: row.subState == Reserved}, nil
	}
	return Spot{ID: row.dir, Parent: row.parent, Folder: true, Reserved: row.state == Reserved, Rest: name}, nil
}
