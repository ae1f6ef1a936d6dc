package storage

import (
	"context"
	"strings"
	"unicode"
	"unicode/utf8"

	"nexus/authzsvc/authz"
	"nexus/internal/errs"
	"nexus/schema"
	"nexus/storage/internal/sqlstore"
)

// noValues is the obligation that a list meets by what it is: it shows metadata, and no values.
const noValues = authz.MaskValues

// MaxList is how many entries one list returns at the most.
const MaxList = 100_000

// ListOptions narrow a list, and say which part of it is wanted.
type ListOptions struct {
	Recursive bool
	Prefix    string    // only paths that begin so
	Details   bool      // all that is known of an entry; otherwise its path, tenant and kind alone
	Limit     int       // entries of a page; 0: the whole list, which is an error when it has more than MaxList
	From      ListPlace // of a page: the Next of the one before it
	Bounds    Bounds    // of a page; of the whole list, its Time alone
}

// ListPlace is where the walk of a list goes on. The zero ListPlace is its beginning.
type ListPlace struct {
	At    string `json:"a,omitempty"` // the key at which to begin
	Shown string `json:"s,omitempty"` // key of the entry that was shown last
	Below string `json:"b,omitempty"` // in the folder At, the key from which to look for anything that makes it visible
	Rows  bool   `json:"r,omitempty"` // it is no use to know the grants
}

// ListPage is a part of a list.
type ListPage struct {
	Entries  []Entry
	Next     ListPlace
	Complete bool // nothing follows
}

// List returns what the scope admits below the folder at a, in order of keys: a path's bytes, those of a folder's with a
// slash at the end. A folder is shown when it, or anything below it, is readable. a need not be readable itself: the list
// shows what is. A page ends when it is full, or when enough was looked at; so it may hold less than its limit, or nothing.
func (f *Files) List(ctx context.Context, s schema.ReadFiles, a schema.Address, o ListOptions) (ListPage, error) {
	w, err := f.walk(s, a, o.Bounds)
	if err != nil {
		return ListPage{}, err
	}
	if !a.Exists() || !a.Folder {
		entry, readable, err := f.readable(ctx, s, a)
		if err != nil {
			return ListPage{}, err
		}
		if readable {
			return ListPage{Entries: []Entry{entry}, Complete: true}, s.Close(ctx, true)
		}
	}
	// Where no folder is, or nothing at all, the walk finds nothing, and takes as long as for a folder that shows nothing.
	l := &listing{walk: w, o: o, root: a, base: sqlstore.Slashed(a.Path), place: o.From}
	if err := l.run(ctx); err != nil {
		return ListPage{}, err
	}
	page := ListPage{Complete: l.place.At >= l.within().to}
	if !page.Complete {
		page.Next = l.place
	}
	if page.Entries, err = l.described(ctx); err != nil {
		return ListPage{}, err
	}
	if err := s.Close(ctx, page.Complete); err != nil {
		return ListPage{}, err
	}
	return page, nil
}

// walk returns a walk through the tree of the scope's tenant, which must be a's.
func (f *Files) walk(s schema.ReadFiles, a schema.Address, b Bounds) (*walk, error) {
	tenant, err := s.Tenant()
	if err != nil {
		return nil, err
	}
	if tenant != a.Tenant {
		return nil, errs.Bug("a list of tenant %s in the scope of tenant %s", a.Tenant, tenant)
	}
	return &walk{db: f.s.db, scope: s, tenant: tenant, meets: []authz.Obligation{noValues}, bounds: b.or()}, nil
}

// readable returns the file at a to who may read it. What is not there is asked about, too.
func (f *Files) readable(ctx context.Context, s schema.ReadFiles, a schema.Address) (e Entry, ok bool, err error) {
	file := schema.File{Address: a}
	pass, err := s.Sift(ctx, []schema.File{file}, standsIn, noValues)
	if err != nil || !pass[0] || !a.Exists() {
		return e, false, err
	}
	s.Count(file)
	e, err = f.stat(ctx, a)
	return e, err == nil, err
}

// Visible reports whether the scope admits the file or folder at a, or anything below it.
func (f *Files) Visible(ctx context.Context, s schema.ReadFiles, a schema.Address) (bool, error) {
	w, err := f.walk(s, a, Bounds{})
	if err != nil {
		return false, err
	}
	seen, err := w.visible(ctx, a)
	return seen, firstErr(err, s.Close(ctx, true))
}

// visible looks at a and below it. It does so for a file, too, and for what does not exist: the time that a refusal takes does
// not tell them from a folder.
func (w *walk) visible(ctx context.Context, a schema.Address) (bool, error) {
	self := walked{id: a.Anchor, in: a.Parent, key: a.Path, folder: a.Folder}
	if a.Folder {
		self.key = sqlstore.Slashed(a.Path)
	}
	readable, err := w.narrow(ctx, self)
	if err != nil {
		return false, err
	}
	if readable {
		if a.Exists() {
			w.count(self)
		}
		return a.Exists(), nil
	}
	found, _, err := w.seek(ctx, sqlstore.Slashed(a.Path), "")
	if err != nil || found.id == "" {
		return false, err
	}
	w.count(found)
	return true, nil
}

// listing is one page of a list in the making.
type listing struct {
	*walk
	o       ListOptions
	root    schema.Address
	base    string    // its key
	place   ListPlace // how far the page has come
	entries []Entry
	ids     []string // of the entries that are files, empty for folders
	full    bool     // the whole list has more than MaxList entries
}

// run walks until the page is full or the walk's bounds are reached.
func (l *listing) run(ctx context.Context) error {
	first := l.bound(l.o.Limit, l.o.Bounds.Time)
	s := l.within()
	if l.place.At == "" {
		l.place.At = s.from
	}
	s.from = l.place.At
	if s.from >= s.to {
		return nil
	}
	if !l.place.Rows {
		self := walked{id: l.root.Anchor, in: l.root.Parent, key: l.base, folder: true}
		if _, err := l.narrow(ctx, self); err != nil {
			return err
		}
	}
	l.place.Rows = l.roots == nil
	var err error
	switch {
	case l.o.Recursive:
		l.place.At, err = l.each(ctx, s, first, l.entry)
	case l.roots != nil:
		l.place.At, err = l.each(ctx, s, first, l.childEntry)
	default:
		err = l.children(ctx, s, first)
	}
	if l.full || l.o.Limit == 0 && l.place.At < s.to {
		err = firstErr(err, tooLong())
	}
	return err
}

func tooLong() error {
	return errs.New(errs.Exhausted, "the list has more than %d entries, or takes too long: ask page by page with limit and cursor, list a folder further down, or give a prefix", MaxList).
		Marked(errs.NotValid)
}

// within returns what the list is about: all below its root that begins with its prefix.
func (l *listing) within() stretch {
	s := below(l.base)
	s.from = max(s.from, l.o.Prefix)
	if end, ok := afterPrefix(l.o.Prefix); ok {
		s.to = min(s.to, end)
	}
	return s
}

// entry shows c, and before it the folders it stands in that were not shown.
func (l *listing) entry(c walked) (from string, more bool) {
	for _, folder := range folders(l.base, c.key) {
		if !holds(folder, l.place.Shown) && !l.show(walked{key: folder, folder: true}) {
			return c.key, false
		}
	}
	if !l.show(c) {
		return c.key, false
	}
	return past(c.key), true
}

// childEntry shows what stands directly in the root and is c or has c below it, and goes on behind it.
func (l *listing) childEntry(c walked) (from string, more bool) {
	key := child(l.base, c.key)
	if key != c.key {
		c = walked{key: key, folder: true}
	}
	if !l.show(c) {
		return key, false
	}
	if c.folder {
		return sqlstore.End(key), true
	}
	return past(key), true
}

// show adds an entry. It reports false, and adds nothing, when the page is full.
func (l *listing) show(c walked) bool {
	if !strings.HasPrefix(c.path(), l.o.Prefix) {
		l.place.Shown = c.key
		return true
	}
	switch {
	case l.o.Limit > 0 && len(l.entries) == l.o.Limit:
		return false
	case l.o.Limit == 0 && len(l.entries) == MaxList:
		l.full = true
		return false
	}
	l.place.Shown = c.key
	l.entries = append(l.entries, Entry{Path: c.path(), Tenant: l.tenant, Folder: c.folder})
	if c.id == "" { // it is shown for what is in it
		l.ids = append(l.ids, "")
		return true
	}
	l.count(c)
	l.ids = append(l.ids, c.id)
	return true
}

// described returns the entries with what was asked of them. What has gone since it was met is left out.
func (l *listing) described(ctx context.Context) ([]Entry, error) {
	if !l.o.Details || len(l.entries) == 0 {
		return l.entries, nil
	}
	var ids, paths []string
	for i, e := range l.entries {
		if e.Folder {
			paths = append(paths, sqlstore.Slashed(e.Path))
		} else {
			ids = append(ids, l.ids[i])
		}
	}
	files, err := sqlstore.DetailsByID(ctx, l.db, ids)
	if err != nil {
		return nil, err
	}
	dirs, err := sqlstore.DirsByPath(ctx, l.db, l.tenant, paths)
	if err != nil {
		return nil, err
	}
	kept := l.entries[:0]
	for i, e := range l.entries {
		if d := dirs[sqlstore.Slashed(e.Path)]; e.Folder && d != nil {
			kept = append(kept, dirEntry(d))
		} else if row := files[l.ids[i]]; row != nil {
			kept = append(kept, fileEntry(l.tenant, e.Path, row))
		}
	}
	return kept, nil
}

func folderAddress(d *sqlstore.Dir) schema.Address {
	return schema.Address{Tenant: d.Tenant, Path: sqlstore.Unslashed(d.Path), Anchor: d.ID, Parent: d.Parent, Folder: true}
}

// standsIn names the folder that a member of a list stands in.
func standsIn(f schema.File) authz.Ref { return fileRef(f.Parent) }

// afterPrefix returns the first text behind all that begin with p, which is UTF-8; none when p is empty or ends all texts.
func afterPrefix(p string) (string, bool) {
	for len(p) > 0 {
		last, size := utf8.DecodeLastRuneInString(p)
		p = p[:len(p)-size]
		switch {
		case last == unicode.MaxRune:
			continue
		case last == 0xD7FF: // behind it lie runes that UTF-8 does not have
			last = 0xE000 - 1
		}
		return p + string(last+1), true
	}
	return "", false
}

func firstErr(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
