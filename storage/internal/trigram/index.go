package trigram

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"sync"
)

// maxOpen is how many tenants' indexes are open at once, those in use aside.
const maxOpen = 32

// Index is the indexes of all tenants, below one directory that no other process writes to. It is safe for concurrent use.
type Index struct {
	dir string

	mu     sync.Mutex // guards what follows
	open   map[string]*shelf
	recent []string // tenants with an open shelf, the last used at the end
	closed bool
}

// Keep reports for each of some contents whether any file still holds it.
type Keep func(ctx context.Context, sums []Sum) ([]bool, error)

// Open returns the index below dir, which is made when it is missing.
func Open(dir string) (*Index, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	return &Index{dir: dir, open: map[string]*shelf{}}, nil
}

var errClosed = errors.New("trigram: the index is closed")

// use opens a tenant's shelf for who calls, until done.
func (x *Index) use(tenant string) (*shelf, error) {
	s, err := x.take(tenant)
	if err != nil {
		return nil, err
	}
	if err := s.load(); err != nil {
		x.done(s)
		return nil, err
	}
	return s, nil
}

func (x *Index) take(tenant string) (*shelf, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.closed {
		return nil, errClosed
	}
	s := x.open[tenant]
	if s == nil {
		s = &shelf{tenant: tenant, dir: x.folder(tenant)}
		x.open[tenant] = s
	}
	s.users++
	x.recent = append(slices.DeleteFunc(x.recent, func(t string) bool { return t == tenant }), tenant)
	x.shrink()
	return s, nil
}

// folder returns where a tenant's index is. Names of tenants are longer than names of folders may be.
func (x *Index) folder(tenant string) string {
	sum := sha256.Sum256([]byte(tenant))
	return filepath.Join(x.dir, hex.EncodeToString(sum[:16]))
}

func (x *Index) done(s *shelf) {
	x.mu.Lock()
	defer x.mu.Unlock()
	s.users--
	x.shrink()
}

// shrink closes the shelves that were used longest ago, until few are open.
func (x *Index) shrink() {
	for i := 0; i < len(x.recent) && (len(x.open) > maxOpen || x.closed); {
		tenant := x.recent[i]
		if x.open[tenant].users > 0 {
			i++
			continue
		}
		x.open[tenant].close()
		delete(x.open, tenant)
		x.recent = slices.Delete(x.recent, i, i+1)
	}
}

// Close closes the index once nobody uses it any more. It is idempotent.
func (x *Index) Close() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.closed = true
	x.shrink()
}

// Commit adds the contents of b (nil: none) to a tenant's index, and makes p its progress. Both are durable when it returns.
func (x *Index) Commit(tenant string, p Progress, b *Batch) error {
	s, err := x.use(tenant)
	if err != nil {
		return err
	}
	defer x.done(s)
	s.writing.Lock()
	defer s.writing.Unlock()
	var fresh *segment
	if b != nil && b.done > 0 {
		if fresh, err = s.newSegment(b.write); err != nil {
			return err
		}
	}
	return s.commit(p, fresh, nil)
}

// Tidy makes one segment of several of a tenant where that is better, without contents that no file holds any more. It
// reports whether it did; then there may be more to tidy.
func (x *Index) Tidy(ctx context.Context, tenant string, keep Keep) (bool, error) {
	s, err := x.use(tenant)
	if err != nil {
		return false, err
	}
	defer x.done(s)
	return s.tidy(ctx, keep)
}

// View is a tenant's index as it was at one moment. The caller closes it.
type View struct {
	Progress
	index    *Index
	shelf    *shelf
	segments []*segment
}

// View returns the index of a tenant as it is now.
func (x *Index) View(tenant string) (*View, error) {
	s, err := x.use(tenant)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	v := &View{Progress: s.progress, index: x, shelf: s, segments: slices.Clone(s.segments)}
	for _, seg := range v.segments {
		seg.users.Add(1)
	}
	return v, nil
}

// Close ends the use of the view.
func (v *View) Close() {
	for _, seg := range v.segments {
		seg.leave()
	}
	v.index.done(v.shelf)
}

// Has reports whether a content is indexed.
func (v *View) Has(sum Sum) (bool, error) {
	for _, s := range v.segments {
		if has, err := s.has(sum); has || err != nil {
			return has, err
		}
	}
	return false, nil
}

// Find returns the contents that q admits. When they are more than most it returns none, and false.
func (v *View) Find(q *Query, most int) (map[Sum]struct{}, bool, error) {
	found := make([][]uint32, len(v.segments))
	left := most
	for i, s := range v.segments {
		some, all, err := s.search(q)
		if err != nil {
			return nil, false, err
		}
		if left -= len(some); left < 0 || all {
			return nil, false, nil
		}
		found[i] = some
	}
	sums := make(map[Sum]struct{}, most-left)
	for i, s := range v.segments {
		if err := s.collect(found[i], sums); err != nil {
			return nil, false, err
		}
	}
	return sums, true, nil
}

// Size is how large an index is.
type Size struct {
	Segments int
	Contents int
	Bytes    int64 // on disk
}

// Size returns the size of the index in the view.
func (v *View) Size() (n Size) {
	for _, s := range v.segments {
		n.Segments, n.Contents, n.Bytes = n.Segments+1, n.Contents+len(s.heads), n.Bytes+s.size
	}
	return n
}
