package storage

import (
	"context"
	"strings"

	"nexus/authzsvc/authz"
	"nexus/authzsvc/relations"
	"nexus/internal/errs"
	"nexus/internal/ids"
	"nexus/internal/paths"
	"nexus/internal/sqldb"
	"nexus/schema"
	"nexus/storage/internal/sqlstore"
)

// Condition is what must be true of a file for a write to be accepted. It is compared in the transaction that writes.
// The zero Condition accepts any state.
type Condition struct {
	Match   string // only over this etag
	Present bool   // only over a file, whatever its etag
	Absent  bool   // only where there is no file
}

// Write makes a new version of the granted file, or the first one where a grant only reserved its name.
func (f *Files) Write(ctx context.Context, over schema.WriteFile, body []byte, c Condition) (Entry, error) {
	file, err := over.Use()
	if err != nil {
		return Entry{}, err
	}
	st, err := f.s.stageBytes(ctx, file.Tenant, body)
	if err != nil {
		return Entry{}, err
	}
	defer st.Discard()
	w, err := f.WriteStaged(ctx, over, st, WriteOptions{Condition: c})
	return w.Entry, err
}

// Create makes the file that the granted folder's address names, with the folders that are missing on the way. When another
// creates it first, nothing is written and the error's reason is StaleDecision: the right to write it is another question.
func (f *Files) Create(ctx context.Context, into schema.WriteDir, body []byte, c Condition) (Entry, error) {
	dir, err := into.Use()
	if err != nil {
		return Entry{}, err
	}
	st, err := f.s.stageBytes(ctx, dir.Tenant, body)
	if err != nil {
		return Entry{}, err
	}
	defer st.Discard()
	w, err := f.CreateStaged(ctx, into, st, WriteOptions{Condition: c})
	return w.Entry, err
}

// WriteOptions say how staged contents are written.
type WriteOptions struct {
	Condition
	// Key makes a request that is sent again within AnswersKept be answered as before, and not be carried out again. Another
	// request with the same key of the same principal is refused with reason KeyReused. Empty: no key.
	Key string
	// Append puts the contents behind those that are there. Of several who append at once each comes behind the one before.
	Append bool
}

// Written is what a write made.
type Written struct {
	Entry
	Made   bool // there was no file before
	Before bool `json:"-"` // it was made by an earlier request with the same key
}

// WriteStaged is Write with contents that have arrived before.
func (f *Files) WriteStaged(ctx context.Context, over schema.WriteFile, st *Staged, o WriteOptions) (Written, error) {
	file, err := over.Use()
	if err != nil {
		return Written{}, err
	}
	if o.Append {
		return f.append(ctx, over.Decision(), file.Address, st, o)
	}
	return f.put(ctx, over.Decision(), file.Address, st, order{WriteOptions: o, asked: st})
}

// CreateStaged is Create with contents that have arrived before.
func (f *Files) CreateStaged(ctx context.Context, into schema.WriteDir, st *Staged, o WriteOptions) (Written, error) {
	dir, err := into.Use()
	if err != nil {
		return Written{}, err
	}
	return f.put(ctx, into.Decision(), dir.Address, st, order{WriteOptions: o, asked: st})
}

// order is what a write was asked to do.
type order struct {
	WriteOptions
	asked *Staged // the contents as they were sent
	onto  int64   // the version that they were put behind; 0: none
}

func (f *Files) put(ctx context.Context, d *authz.Decision, a schema.Address, st *Staged, o order) (out Written, err error) {
	t := f.s.ticket(d, a, o)
	if out, found, err := t.redeem(ctx, f.s.db); found || err != nil {
		return out, err
	}
	if err := st.settle(ctx); err != nil {
		return Written{}, err
	}
	err = f.s.act(ctx, d, func(ctx context.Context, tx sqldb.Tx, seq int64) (changed bool, err error) {
		var found bool
		if out, found, err = t.redeem(ctx, tx); found || err != nil {
			return false, err
		}
		w := &writing{s: f.s, tx: tx, d: d, at: f.s.now(), seq: seq}
		if out, err = w.put(ctx, a, st, o); err != nil {
			return false, err
		}
		return true, t.keep(ctx, tx, out)
	})
	if err == nil && !out.Before {
		st.written()
	}
	return out, err
}

// put makes the version that o asks for at a.
func (w *writing) put(ctx context.Context, a schema.Address, st *Staged, o order) (Written, error) {
	place, err := same(ctx, w.tx, a)
	if err != nil {
		return Written{}, err
	}
	if err := o.check(place, a); err != nil {
		return Written{}, err
	}
	row, err := w.file(ctx, place, a)
	if err != nil {
		return Written{}, err
	}
	if o.onto != 0 && row.Version != o.onto {
		return Written{}, errGrown
	}
	grown := st.size - row.Size
	row.Version++
	row.Seq, row.Etag, row.Size, row.Type = w.seq, st.etag, st.size, st.typ
	row.Modified = max(w.at, row.Modified)
	if err := w.version(ctx, row, st); err != nil {
		return Written{}, err
	}
	if err := w.count(ctx, a.Tenant, folderOf(a.Path), came(row.Version), grown); err != nil {
		return Written{}, err
	}
	out := Written{Entry: fileEntry(a.Tenant, a.Path, row), Made: row.Version == 1}
	return out, w.done(ctx, change(row.Version), row.ID, a.Path)
}

// same returns what stands at a now, when that still is what the decision was about.
func same(ctx context.Context, tx sqldb.Tx, a schema.Address) (sqlstore.Place, error) {
	place, err := sqlstore.Locate(ctx, tx, a.Tenant, a.Path)
	if err != nil {
		return place, err
	}
	if address(place, a.Tenant, a.Path) != a {
		return place, stale()
	}
	return place, nil
}

func (c Condition) check(p sqlstore.Place, a schema.Address) error {
	exists := a.Exists() && p.File != nil
	current := ""
	if exists {
		current = p.File.Etag
	}
	switch {
	case c.Absent && exists:
		return taken(a.Path)
	case c.Present && !exists:
		return errs.New(errs.Conflict, "conflict: there is no file %s", a.Path).Marked(errs.EtagMismatch).With("path", a.Path)
	case c.Match != "" && c.Match != current:
		return errs.New(errs.Conflict, "conflict: %s has another etag than expected", a.Path).Marked(errs.EtagMismatch).
			With("path", a.Path).With("expected_etag", c.Match).With("current_etag", current)
	}
	return nil
}

// writing is one change of the tree: the rows are written as it goes, their relationships in one go at its end.
type writing struct {
	s       *Store
	tx      sqldb.Tx
	d       *authz.Decision
	at      int64 // microseconds
	seq     int64 // of the change in its tenant
	updates []relations.Update
	fresh   bool // the file's row is not in the table yet
}

// file returns the row to write a version of: the one that is there, or a new one below the folders it needs.
func (w *writing) file(ctx context.Context, place sqlstore.Place, a schema.Address) (*sqlstore.File, error) {
	switch {
	case place.File != nil && place.Rest == "":
		if place.File.Version > 0 {
			return place.File, nil // so its folder is real, too
		}
		w.own(place.File.ID)
		return place.File, w.materialise(ctx, place.File.Dir)
	case place.File != nil:
		return w.belowFile(ctx, place.File, a)
	case place.Rest == "":
		return nil, errs.New(errs.Invalid, "%s is a folder", a.Path).Marked(errs.NotValid)
	}
	if place.Dir.State == sqlstore.Reserved {
		if err := w.materialise(ctx, place.Dir.ID); err != nil {
			return nil, err
		}
	}
	return w.newFile(ctx, place.Dir, place.Rest, a)
}

// newFile returns a row for rest below dir, making the folders on the way.
func (w *writing) newFile(ctx context.Context, dir *sqlstore.Dir, rest string, a schema.Address) (*sqlstore.File, error) {
	folder, name := paths.Split(paths.Root + rest)
	dir, err := w.folders(ctx, dir, folder, sqlstore.Implicit)
	if err != nil {
		return nil, err
	}
	w.fresh = true
	row := &sqlstore.File{ID: newID(a.Tenant), Dir: dir.ID, Name: name, Created: w.at}
	w.parent(row.ID, dir.ID)
	w.own(row.ID)
	return row, nil
}

// belowFile makes a folder of a reserved name, because something is to stand below it; a real file cannot be a folder.
func (w *writing) belowFile(ctx context.Context, f *sqlstore.File, a schema.Address) (*sqlstore.File, error) {
	dir, err := w.toFolder(ctx, f, a, sqlstore.Implicit)
	if err != nil {
		return nil, err
	}
	return w.newFile(ctx, dir, a.Rest, a)
}

// toFolder turns a reserved name into a folder with the same id, so that it keeps its grants.
func (w *writing) toFolder(ctx context.Context, f *sqlstore.File, a schema.Address, s sqlstore.State) (*sqlstore.Dir, error) {
	path := strings.TrimSuffix(strings.TrimSuffix(a.Path, a.Rest), "/")
	if f.Version > 0 {
		return nil, errs.New(errs.Invalid, "%s is a file, not a folder", path).Marked(errs.NotValid)
	}
	if s != sqlstore.Reserved {
		if err := w.materialise(ctx, f.Dir); err != nil {
			return nil, err
		}
	}
	if err := sqlstore.DeleteFile(ctx, w.tx, f.ID); err != nil {
		return nil, err
	}
	dir := &sqlstore.Dir{ID: f.ID, Tenant: a.Tenant, Parent: f.Dir, Path: path + "/", State: s, Created: w.at, Modified: w.at, Since: w.seq}
	return dir, sqlstore.InsertDir(ctx, w.tx, dir)
}

// folders makes every folder of path, which is clean, below dir, and returns the last one. Made on the way they are
// implicit and owned by nobody in particular; the last one gets state s.
func (w *writing) folders(ctx context.Context, dir *sqlstore.Dir, path string, s sqlstore.State) (*sqlstore.Dir, error) {
	if path == paths.Root {
		return dir, nil
	}
	names := strings.Split(path[1:], "/")
	for i, name := range names {
		state := sqlstore.Implicit
		if i == len(names)-1 || s == sqlstore.Reserved {
			state = s
		}
		made := &sqlstore.Dir{
			ID: newID(dir.Tenant), Tenant: dir.Tenant, Parent: dir.ID, Path: dir.Path + name + "/",
			State: state, Created: w.at, Modified: w.at, Since: w.seq,
		}
		if err := sqlstore.InsertDir(ctx, w.tx, made); err != nil {
			return nil, err
		}
		w.parent(made.ID, dir.ID)
		dir = made
	}
	return dir, nil
}

// materialise makes real the reserved folders from dir upwards, because something real comes to stand in them.
func (w *writing) materialise(ctx context.Context, dir string) error {
	for dir != "" {
		d, err := sqlstore.DirByID(ctx, w.tx, dir)
		if err != nil {
			return err
		}
		if d.State != sqlstore.Reserved {
			return nil
		}
		if err := sqlstore.SetState(ctx, w.tx, d.ID, sqlstore.Implicit, w.at, w.seq); err != nil {
			return err
		}
		dir = d.Parent
	}
	return nil
}

// version writes row as the current state of its file, and the staged contents as its newest version.
func (w *writing) version(ctx context.Context, row *sqlstore.File, st *Staged) error {
	if err := w.state(ctx, row); err != nil {
		return err
	}
	if err := st.named(ctx, w.tx, w.at); err != nil {
		return err
	}
	v := w.versionOf(row)
	v.Kept, v.Body = st.kept(), append([]byte{}, st.body...) // not nil: the column takes no NULL
	return sqlstore.InsertVersion(ctx, w.tx, v)
}

// state writes row as the current state of its file.
func (w *writing) state(ctx context.Context, row *sqlstore.File) error {
	if row.Version == 1 {
		row.Created = w.at
	}
	if w.fresh {
		w.fresh = false
		return sqlstore.InsertFile(ctx, w.tx, row)
	}
	return sqlstore.UpdateFile(ctx, w.tx, row)
}

// versionOf returns the version that row is at, without its contents.
func (w *writing) versionOf(row *sqlstore.File) *sqlstore.Version {
	return &sqlstore.Version{
		File: row.ID, Number: row.Version, Seq: row.Seq, Etag: row.Etag, Type: row.Type, Size: row.Size,
		Author: w.d.Principal().Base.String(), Created: w.at,
	}
}

func (w *writing) parent(child, folder string) {
	w.updates = append(w.updates, relations.Update{Kind: relations.Create, Relationship: relations.Relationship{
		Resource: fileRef(child), Relation: "parent", Subject: fileRef(folder),
	}})
}

// own makes the principal the owner of what he creates: the base and, for an agent, the user it belongs to. Who administers
// the deployment and works in the tree of a tenant that he is not of owns nothing there: no relationship crosses tenants.
func (w *writing) own(file string) {
	who := w.d.Principal()
	kind := relations.Touch // it may be his already
	if w.fresh {
		kind = relations.Create // which need not look for one first
	}
	for _, owner := range []authz.Ref{who.Base, who.Owner} {
		if owner.IsZero() || schema.TenantOf(owner) != who.Tenant {
			continue
		}
		w.updates = append(w.updates, relations.Update{Kind: kind, Relationship: relations.Relationship{
			Resource: fileRef(file), Relation: "direct_owner", Subject: owner,
		}})
	}
}

// change is what a write that made this version did to the tree.
func change(version int64) sqlstore.ChangeKind {
	if version == 1 {
		return sqlstore.Created
	}
	return sqlstore.Written
}

// came is how many files a write that made this version added.
func came(version int64) int64 {
	if version == 1 {
		return 1
	}
	return 0
}

// done ends a change of what stands at path: its relationships, and its row for those who follow.
func (w *writing) done(ctx context.Context, kind sqlstore.ChangeKind, id, path string) error {
	return w.note(ctx, sqlstore.Change{Kind: kind, ID: id, Path: path})
}

// doneFrom is done for something that stood at old before.
func (w *writing) doneFrom(ctx context.Context, id, path, old string) error {
	return w.note(ctx, sqlstore.Change{Kind: sqlstore.Moved, ID: id, Path: path, Old: old})
}

func (w *writing) note(ctx context.Context, c sqlstore.Change) error {
	if err := w.relate(ctx); err != nil {
		return err
	}
	c.Tenant, c.Seq, c.At = w.d.Principal().Tenant, w.seq, w.at
	w.tx.OnEnd(func(committed bool) {
		if committed {
			w.s.bell.ring(c.Tenant)
		}
	})
	return sqlstore.InsertChange(ctx, w.tx, &c)
}

// relate writes the relationships that have gathered.
func (w *writing) relate(ctx context.Context) error {
	if len(w.updates) == 0 {
		return nil
	}
	updates := w.updates
	w.updates = nil
	return w.s.writer.Write(ctx, w.tx, updates...)
}

func fileRef(id string) authz.Ref { return authz.Ref{Type: "file", ID: id} }

func newID(tenant string) string { return tenant + "/" + ids.New() }
