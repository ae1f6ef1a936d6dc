package storage

import (
	"context"
	"errors"
	"io"
	"runtime"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"nexus/internal/errs"
	"nexus/internal/sqldb"
	"nexus/schema"
	"nexus/storage/internal/lines"
	"nexus/storage/internal/trigram"
)

// Search is the façade of finding files by their paths and by what they hold. It is safe for concurrent use.
type Search struct {
	s     *Store
	index *trigram.Index // nil: every search looks at contents
	slots *semaphore.Weighted
	bounds

	indexing sync.Mutex // guards batch; held by who changes the index
	batch    *trigram.Batch

	mu     sync.Mutex // guards what follows
	known  map[string]reached
	behind map[string]int64 // since when tenants are to be followed, microseconds
}

// reached is how far a tenant's index was last seen to have followed its files, and when there was no more to follow.
type reached struct{ seq, at int64 }

// bounds are what one grep may take. What goes beyond the first three is left out, and the answer says so.
type bounds struct {
	time  time.Duration
	bytes int64
	file  int64 // bytes of one file
	byKey int   // contents that are looked for by themselves; beyond, the tree is walked
}

// OpenSearch returns the façade with its index in dir, which no other process writes to; without an index when dir is empty.
// The caller closes it.
func (s *Store) OpenSearch(dir string) (*Search, error) {
	f := &Search{
		s: s, slots: semaphore.NewWeighted(int64(max(2, runtime.GOMAXPROCS(0)))),
		bounds: bounds{time: 5 * time.Second, bytes: 256 << 20, file: 64 << 20, byKey: 4096}, known: map[string]reached{}, behind: map[string]int64{},
	}
	if dir == "" {
		return f, nil
	}
	var err error
	if f.index, err = trigram.Open(dir); err != nil {
		return nil, errs.New(errs.Unavailable, "the search index cannot be opened").Because(err)
	}
	return f, nil
}

// Close ends the use of the index. It is idempotent.
func (f *Search) Close() {
	if f.index != nil {
		f.index.Close()
	}
}

// MaxHits is how many lines one grep returns at the most.
const MaxHits = 10_000

// GrepOptions say what is sought.
type GrepOptions struct {
	Pattern    string // regular expression in the syntax of RE2, held against each line
	IgnoreCase bool
	Files      string // pattern of paths; one without a slash means names at any depth; empty: all files
	Max        int    // lines
}

// Grep is a search that can be carried out.
type Grep struct {
	pattern *lines.Pattern
	files   PathPattern
	max     int
}

// ParseGrep returns the search that o describes, or says what is wrong with it.
func ParseGrep(o GrepOptions) (*Grep, error) {
	if o.Max < 1 || o.Max > MaxHits {
		return nil, errs.New(errs.Invalid, "max_results must be between 1 and %d", MaxHits).Marked(errs.NotValid)
	}
	pattern, err := lines.Compile(o.Pattern, o.IgnoreCase)
	if err != nil {
		return nil, err
	}
	g := &Grep{pattern: pattern, max: o.Max}
	if o.Files != "" {
		files, err := ParsePathPattern(o.Files)
		if err != nil {
			return nil, err
		}
		g.files = files.anywhere()
	}
	return g, nil
}

// Hit is the first match on a line of a file.
type Hit struct {
	File string
	lines.Match
}

// Cut says why a grep did not look at everything. The empty Cut says that it did.
type Cut string

const (
	CutMax        Cut = "max_results" // there are more lines than were asked for
	CutTime       Cut = "time"
	CutBytes      Cut = "bytes"
	CutUnreadable Cut = "unreadable" // a file could not be read
)

// GrepPlace is where a grep goes on. The zero GrepPlace is its beginning.
type GrepPlace struct {
	At   string `json:"a,omitempty"` // the key at which to begin
	File string `json:"f,omitempty"` // id of the file before it, of which the lines behind Line come first
	Line int    `json:"l,omitempty"`
}

// path is that of File.
func (p GrepPlace) path() string { return strings.TrimSuffix(p.At, past("")) }

// Found is what a grep found, in order of path and line. Next is where to go on; nil when nothing follows. A grep that
// is cut and has no Next has left out what none will find.
type Found struct {
	Hits []Hit
	Cut  Cut
	Next *GrepPlace
}

// Grep searches the contents of the files at and below a that the scope admits. Files whose values are to be masked are not
// searched: whether a value matches would tell it. The record names every file of which a line is returned.
func (f *Search) Grep(ctx context.Context, s schema.ReadFiles, a schema.Address, q *Grep, from GrepPlace) (Found, error) {
	w, err := f.s.Files().walk(s, a, Bounds{})
	if err != nil {
		return Found{}, err
	}
	w.meets = nil // lines are values
	if err := f.slot(ctx); err != nil {
		return Found{}, err
	}
	defer f.slots.Release(1)
	s.KeepIDs()
	g := &grepping{f: f, walk: w, root: a, q: q, from: from, at: from, end: time.Now().Add(f.time), bytes: f.bytes}
	if err := g.run(ctx); err != nil {
		return Found{}, err
	}
	return g.found, s.Close(ctx, g.found.Next == nil)
}

// slot waits until few enough searches are going on. It waits for less than a decision lasts.
func (f *Search) slot(ctx context.Context) error {
	if f.slots.TryAcquire(1) {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, f.time/2)
	defer cancel()
	if err := f.slots.Acquire(ctx, 1); err != nil {
		return errs.New(errs.Unavailable, "too many searches are going on").Because(err)
	}
	return nil
}

// contents opens the contents of a version of a file; errs.NotFound when they have gone since it was met.
func (f *Search) contents(ctx context.Context, file string, version int64) (io.ReadCloser, error) {
	_, r, err := f.s.Files().open(ctx, file, version)
	if errors.Is(err, sqldb.ErrNoRows) {
		return nil, missing(file)
	}
	return r, err
}
