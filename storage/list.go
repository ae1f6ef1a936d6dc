package storage

import (
	"context"
	"slices"
	"strings"

	"nexus/authzsvc/authz"
	"nexus/internal/errs"
	"nexus/internal/paths"
	"nexus/schema"
	"nexus/storage/internal/sqlstore"
)

// noValues is the obligation that a list meets by what it is: it shows metadata, and no values.
const noValues = authz.MaskValues

const (
	listPage = 1000    // rows examined at a time
	MaxList  = 100_000 // entries one list returns at the most
)

// ListOptions narrow a list.
type ListOptions struct {
	Recursive bool
	Prefix    string // only paths that begin so
}

// List returns what the scope admits at and below the folder at a, in order of path. A folder is shown when it, or anything
// below it, is readable. a need not be readable itself: the list shows what is.
func (f *Files) List(ctx context.Context, s schema.ReadFiles, a schema.Address, o ListOptions) ([]Entry, error) {
	tenant, err := s.Tenant()
	if err != nil {
		return nil, err
	}
	if tenant != a.Tenant {
		return nil, errs.Bug("a list of tenant %s in the scope of tenant %s", a.Tenant, tenant)
	}
	if !a.Exists() || !a.Folder {
		return f.listOne(ctx, s, a)
	}
	l := &listing{f: f, scope: s, root: a, o: o, shown: map[string]bool{}}
	if err := l.files(ctx); err != nil {
		return nil, err
	}
	if err := l.folders(ctx); err != nil {
		return nil, err
	}
	slices.SortFunc(l.entries, func(a, b Entry) int { return strings.Compare(a.Path, b.Path) })
	return l.entries, s.Close(ctx, true)
}

// listOne is the list of a path that is no folder: the file itself, for who may read it, or nothing.
func (f *Files) listOne(ctx context.Context, s schema.ReadFiles, a schema.Address) ([]Entry, error) {
	if !a.Exists() {
		return nil, s.Close(ctx, true)
	}
	admitted, err := s.Admit(ctx, []schema.File{{Address: a}}, standsIn, noValues)
	if err != nil || len(admitted) == 0 {
		return nil, firstErr(err, s.Close(ctx, true))
	}
	entry, err := f.stat(ctx, a)
	if err != nil {
		return nil, err
	}
	return []Entry{entry}, s.Close(ctx, true)
}

// Visible reports whether the scope admits the file or folder at a, or anything below it.
func (f *Files) Visible(ctx context.Context, s schema.ReadFiles, a schema.Address) (bool, error) {
	if !a.Exists() {
		return false, s.Close(ctx, true)
	}
	l := &listing{f: f, scope: s, root: a, shown: map[string]bool{}}
	seen, err := l.admits(ctx, a)
	if err == nil && !seen && a.Folder {
		seen, err = l.below(ctx, sqlstore.Slashed(a.Path))
	}
	return seen, firstErr(err, s.Close(ctx, true))
}

// listing is one walk through a folder.
type listing struct {
	f       *Files
	scope   schema.ReadFiles
	root    schema.Address
	o       ListOptions
	entries []Entry
	shown   map[string]bool // folders that something admitted stands in, with a slash at their end
}

// files walks the files page by page, and notes the folders that the admitted ones stand in.
func (l *listing) files(ctx context.Context) error {
	folder := sqlstore.Slashed(l.root.Path)
	after, name := folder, ""
	for {
		page, err := l.page(ctx, folder, after, name)
		if err != nil || len(page) == 0 {
			return err
		}
		last := page[len(page)-1]
		after, name = last.Folder, last.Name
		if err := l.admitFiles(ctx, page); err != nil {
			return err
		}
		if len(page) < listPage {
			return nil
		}
	}
}

func (l *listing) page(ctx context.Context, folder, after, name string) ([]sqlstore.Listed, error) {
	if l.o.Recursive {
		return sqlstore.FilesBelow(ctx, l.f.s.db, l.root.Tenant, folder, after, name, listPage)
	}
	return sqlstore.FilesIn(ctx, l.f.s.db, l.root.Tenant, folder, name, listPage)
}

func (l *listing) admitFiles(ctx context.Context, page []sqlstore.Listed) error {
	members, rows := make([]schema.File, 0, len(page)), make(map[string]*sqlstore.File, len(page))
	for i := range page {
		m := l.member(&page[i])
		if strings.HasPrefix(m.Path, l.o.Prefix) {
			members, rows[m.Anchor] = append(members, m), &page[i].File
		}
	}
	admitted, err := l.scope.Admit(ctx, members, standsIn, noValues)
	if err != nil {
		return err
	}
	for _, m := range admitted {
		if err := l.add(fileEntry(m.Tenant, m.Path, rows[m.Anchor])); err != nil {
			return err
		}
		l.show(m.Path)
	}
	return nil
}

// show notes the folders above path, up to the root of the list.
func (l *listing) show(path string) {
	for path != l.root.Path && path != paths.Root {
		path, _ = paths.Split(path)
		if l.shown[path] {
			return
		}
		l.shown[path] = true
	}
}

// folders walks the folders, and adds each that is admitted or has something admitted below it.
func (l *listing) folders(ctx context.Context) error {
	var met []sqlstore.Dir
	readable := map[string]bool{}
	for after := sqlstore.Slashed(l.root.Path); ; {
		page, err := l.folderPage(ctx, after)
		if err != nil {
			return err
		}
		admitted, err := l.scope.Admit(ctx, addresses(page), standsIn, noValues)
		if err != nil {
			return err
		}
		for _, m := range admitted {
			readable[m.Path] = true
			l.show(m.Path)
		}
		met = append(met, page...)
		if len(page) < listPage {
			break
		}
		after = page[len(page)-1].Path
	}
	for _, d := range met {
		path := sqlstore.Unslashed(d.Path)
		shown := readable[path] || l.shown[path]
		if !shown && !l.o.Recursive { // a walk through the whole tree has met everything below already
			var err error
			if shown, err = l.below(ctx, d.Path); err != nil {
				return err
			}
		}
		if !shown || !strings.HasPrefix(path, l.o.Prefix) {
			continue
		}
		if err := l.add(dirEntry(&d)); err != nil {
			return err
		}
	}
	return nil
}

func (l *listing) folderPage(ctx context.Context, after string) ([]sqlstore.Dir, error) {
	if l.o.Recursive {
		return sqlstore.DirsBelow(ctx, l.f.s.db, l.root.Tenant, sqlstore.Slashed(l.root.Path), after, listPage)
	}
	return sqlstore.DirsIn(ctx, l.f.s.db, l.root.Anchor, after, listPage)
}

func (l *listing) add(e Entry) error {
	if len(l.entries) == MaxList {
		return errs.New(errs.Exhausted, "more than %d entries: list a folder further down, or give a prefix", MaxList).Marked(errs.NotValid)
	}
	l.entries = append(l.entries, e)
	return nil
}

// admits asks about one address.
func (l *listing) admits(ctx context.Context, a schema.Address) (bool, error) {
	admitted, err := l.scope.Admit(ctx, []schema.File{{Address: a}}, standsIn, noValues)
	return len(admitted) > 0, err
}

// below reports whether anything below folder is admitted, and stops at the first that is.
func (l *listing) below(ctx context.Context, folder string) (bool, error) {
	for after := folder; ; {
		page, err := sqlstore.DirsBelow(ctx, l.f.s.db, l.root.Tenant, folder, after, listPage)
		if err != nil {
			return false, err
		}
		admitted, err := l.scope.Admit(ctx, addresses(page), standsIn, noValues)
		if err != nil || len(admitted) > 0 {
			return len(admitted) > 0, err
		}
		if len(page) < listPage {
			return l.filesBelow(ctx, folder)
		}
		after = page[len(page)-1].Path
	}
}

func (l *listing) filesBelow(ctx context.Context, folder string) (bool, error) {
	for after, name := folder, ""; ; {
		page, err := sqlstore.FilesBelow(ctx, l.f.s.db, l.root.Tenant, folder, after, name, listPage)
		if err != nil {
			return false, err
		}
		members := make([]schema.File, len(page))
		for i := range page {
			members[i] = l.member(&page[i])
		}
		admitted, err := l.scope.Admit(ctx, members, standsIn, noValues)
		if err != nil || len(admitted) > 0 || len(page) < listPage {
			return len(admitted) > 0, err
		}
		after, name = page[len(page)-1].Folder, page[len(page)-1].Name
	}
}

func (l *listing) member(row *sqlstore.Listed) schema.File {
	return schema.File{Address: schema.Address{
		Tenant: l.root.Tenant, Path: row.Folder + row.Name, Anchor: row.ID, Parent: row.Dir,
	}}
}

func addresses(page []sqlstore.Dir) []schema.File {
	members := make([]schema.File, len(page))
	for i := range page {
		members[i] = schema.File{Address: folderAddress(&page[i])}
	}
	return members
}

func folderAddress(d *sqlstore.Dir) schema.Address {
	return schema.Address{Tenant: d.Tenant, Path: sqlstore.Unslashed(d.Path), Anchor: d.ID, Parent: d.Parent, Folder: true}
}

// standsIn names the folder that a member of a list stands in.
func standsIn(f schema.File) authz.Ref { return fileRef(f.Parent) }

func firstErr(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
