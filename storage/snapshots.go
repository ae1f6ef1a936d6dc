package storage

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

	"nexus/authzsvc/authz"
	"nexus/internal/errs"
	"nexus/internal/sqldb"
	"nexus/schema"
	"nexus/storage/internal/sqlstore"
)

func snapshotFrom(s *sqlstore.Snapshot) Snapshot {
	sum := sha256.Sum256(fmt.Appendf(nil, "nexus/snapshot/v1\n%s\n%d\n", s.Workspace, s.Seq))
	_, id, _ := strings.Cut(s.Workspace, "/")
	return Snapshot{
		ID: fmt.Sprintf("%s-%d", id, s.Number), Number: s.Number, SnapshotSpec: SnapshotSpec{Description: s.Description, Tags: s.Tags},
		Author: refOf(s.Author), Created: micros(s.Created), Files: s.Files, Bytes: s.Bytes,
		ManifestHash: hex.EncodeToString(sum[:]), TreeHash: s.TreeHash,
	}
}

// was is a file as it was at an earlier sequence.
type was struct {
	sqlstore.Once
	path    string // below the folder that was walked
	shifted bool   // for a plan: it is on its way back to its place
}

// walkOnce yields the files that were below a folder at a sequence. Names in it are those of then.
func walkOnce(ctx context.Context, q sqldb.Q, dir string, seq int64) iter.Seq2[was, error] {
	return func(yield func(was, error) bool) {
		for f, err := range walkAll(ctx, q, dir, seq) {
			if (err != nil || !f.Folder) && !yield(f, err) {
				return
			}
		}
	}
}

// walkAll is walkOnce with the folders, each before what was in it.
func walkAll(ctx context.Context, q sqldb.Q, dir string, seq int64) iter.Seq2[was, error] {
	return func(yield func(was, error) bool) { walkFrom(ctx, q, dir, "", seq, yield) }
}

func walkFrom(ctx context.Context, q sqldb.Q, dir, path string, seq int64, yield func(was, error) bool) bool {
	all, err := sqlstore.OnceIn(ctx, q, dir, seq)
	if err != nil {
		yield(was{}, err)
		return false
	}
	for _, o := range all {
		if !yield(was{Once: o, path: path + o.Name}, nil) {
			return false
		}
		if o.Folder && !walkFrom(ctx, q, o.ID, path+o.Name+"/", seq, yield) {
			return false
		}
	}
	return true
}

// snapshotAt returns a snapshot of the workspace at a; errs.NotFound for a number that it does not have.
func snapshotAt(ctx context.Context, q sqldb.Q, a schema.Address, number int64) (*sqlstore.Snapshot, error) {
	row, err := mustBeRegistered(ctx, q, a)
	if err != nil {
		return nil, err
	}
	s, err := sqlstore.SnapshotOf(ctx, q, row.ID, number)
	if errors.Is(err, sqldb.ErrNoRows) {
		return nil, errs.New(errs.NotFound, "%s has no snapshot %d", a.Path, number).Marked(errs.FileNotFound).
			With("path", a.Path).With("snapshot_number", fmt.Sprint(number))
	}
	return s, err
}

// CompareGrant is what comparing snapshots needs: to read the workspace, and the scope in which what has left it since is asked
// one by one.
type CompareGrant struct {
	Root    schema.ReadFile
	Members schema.ReadFiles
}

// Difference is what changed from one snapshot to another.
type Difference struct {
	One, Two                 Snapshot
	Added, Removed, Modified []Change
	Unchanged                int
	Hidden                   int // what the caller may not read now: counted and not named
}

// Change is a file of a difference. Path is below the workspace.
type Change struct {
	Path          string
	OldSize, Size int64
	OldEtag, Etag string
	id            string
}

// Compare returns what changed in the granted workspace from one snapshot to another, each list in order of path.
func (w *Workspaces) Compare(ctx context.Context, g CompareGrant, one, two int64) (d Difference, err error) {
	root, err := g.Root.Use(authz.MaskValues) // names, sizes and hashes show no values
	if err != nil {
		return d, err
	}
	first, err := snapshotAt(ctx, w.s.db, root.Address, one)
	if err != nil {
		return d, err
	}
	second, err := snapshotAt(ctx, w.s.db, root.Address, two)
	if err != nil {
		return d, err
	}
	d.One, d.Two = snapshotFrom(first), snapshotFrom(second)
	if err := w.compare(ctx, root.Anchor, first.Seq, second.Seq, &d); err != nil {
		return Difference{}, err
	}
	for _, list := range []*[]Change{&d.Added, &d.Removed, &d.Modified} {
		hidden, err := w.admit(ctx, g.Members, list)
		if err != nil {
			return Difference{}, err
		}
		d.Hidden += hidden
	}
	return d, g.Members.Close(ctx, true)
}

// compare fills d with the files that were below dir at one sequence and at another.
func (w *Workspaces) compare(ctx context.Context, dir string, one, two int64, d *Difference) error {
	before := map[string]was{}
	for f, err := range walkOnce(ctx, w.s.db, dir, one) {
		if err != nil {
			return err
		}
		before[f.path] = f
	}
	for f, err := range walkOnce(ctx, w.s.db, dir, two) {
		if err != nil {
			return err
		}
		old, there := before[f.path]
		delete(before, f.path)
		switch {
		case !there:
			d.Added = append(d.Added, Change{Path: f.path, Size: f.Size, Etag: f.Etag, id: f.ID})
		case old.Etag != f.Etag:
			d.Modified = append(d.Modified, Change{Path: f.path, OldSize: old.Size, Size: f.Size, OldEtag: old.Etag, Etag: f.Etag, id: f.ID})
		default:
			d.Unchanged++
		}
	}
	for _, f := range before {
		d.Removed = append(d.Removed, Change{Path: f.path, OldSize: f.Size, OldEtag: f.Etag, id: f.ID})
	}
	for _, list := range [][]Change{d.Added, d.Removed, d.Modified} {
		slices.SortFunc(list, func(a, b Change) int { return strings.Compare(a.Path, b.Path) })
	}
	return nil
}

// admit takes out of list what the scope does not admit as it stands now, and counts it: that a file was in a folder once
// gives nobody a right to it.
func (w *Workspaces) admit(ctx context.Context, s schema.ReadFiles, list *[]Change) (hidden int, err error) {
	var shown []Change
	for page := range slices.Chunk(*list, listPage) {
		members, at := make([]schema.File, 0, len(page)), map[schema.Address][]Change{}
		for _, c := range page {
			a, there, err := standsNow(ctx, w.s.db, c.id)
			if err != nil {
				return 0, err
			}
			if !there {
				continue
			}
			if len(at[a]) == 0 {
				members = append(members, schema.File{Address: a})
			}
			at[a] = append(at[a], c)
		}
		admitted, err := s.Admit(ctx, members, standsIn, noValues)
		if err != nil {
			return 0, err
		}
		for _, m := range admitted {
			shown = append(shown, at[m.Address]...)
		}
	}
	hidden = len(*list) - len(shown)
	*list = shown
	return hidden, nil
}

// standsNow returns the address of a file as it stands now: its own, or for one in the trash that of where it would come back.
func standsNow(ctx context.Context, q sqldb.Q, id string) (a schema.Address, there bool, err error) {
	f, err := sqlstore.FileByID(ctx, q, id)
	if err != nil {
		return a, false, unlessMissing(err)
	}
	dir, name := f.Dir, f.Name
	if tenant, _, _ := strings.Cut(id, "/"); dir == sqlstore.TrashOf(tenant) {
		if dir, name, err = sqlstore.LastPlace(ctx, q, id); err != nil {
			return a, false, unlessMissing(err)
		}
	}
	d, path, err := standing(ctx, q, dir, name)
	if err != nil {
		return a, false, unlessMissing(err)
	}
	if d.ID == f.Dir {
		return schema.Address{Tenant: d.Tenant, Path: path, Anchor: id, Parent: d.ID}, true, nil
	}
	return schema.Address{
		Tenant: d.Tenant, Path: path, Anchor: d.ID, Parent: d.Parent, Folder: true, Rest: strings.TrimPrefix(path, d.Path),
	}, true, nil
}

// unlessMissing is err, or nil where it says that there is no such row.
func unlessMissing(err error) error {
	if errors.Is(err, sqldb.ErrNoRows) {
		return nil
	}
	return err
}
