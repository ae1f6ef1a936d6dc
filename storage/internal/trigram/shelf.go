package trigram

import (
	"context"
	"encoding/json"
	"errors"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"nexus/internal/ids"
)

// Progress is how far the contents of a tenant's files are indexed, in the terms of who follows them. The zero Progress is
// that of a tenant of which nothing is.
type Progress struct {
	Seq  int64 `json:"seq"`  // what files came to hold up to this sequence is indexed
	At   int64 `json:"at"`   // when that was found, microseconds
	Dead int64 `json:"dead"` // how many contents may have gone since the segments were last tidied
	// Walk says that all files are being walked because it is not known what changed. What they hold will be indexed as of From.
	Walk  bool   `json:"walk,omitempty"`
	From  int64  `json:"from,omitempty"`
	After string `json:"after,omitempty"` // where the walk goes on
}

// manifest is what a tenant's index is made of.
type manifest struct {
	Tenant   string   `json:"tenant"`
	Progress Progress `json:"progress"`
	Segments []string `json:"segments"`
}

const (
	manifestFile = "manifest"
	segmentEnd   = ".seg"
)

// shelf is the index of one tenant.
type shelf struct {
	tenant string
	dir    string
	users  int // guarded by the Index

	writing sync.Mutex // held by who opens or changes the index

	mu       sync.Mutex // guards what follows
	loaded   bool
	progress Progress
	segments []*segment
}

// load opens what there is of the tenant's index, once. What is not whole is left out, and then the files are walked again.
func (s *shelf) load() error {
	if s.isLoaded() {
		return nil
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	if s.isLoaded() {
		return nil
	}
	m, err := readManifest(filepath.Join(s.dir, manifestFile))
	whole := err == nil && m.Tenant == s.tenant
	if err != nil && !lost(err) {
		return err
	}
	if !whole {
		m = manifest{}
	}
	var segments []*segment
	for _, name := range m.Segments {
		seg, err := openSegment(filepath.Join(s.dir, name), name)
		if err == nil {
			segments = append(segments, seg)
			continue
		}
		if whole = false; !lost(err) {
			leave(segments)
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.loaded, s.segments = true, segments
	if whole {
		s.progress = m.Progress
	}
	return s.sweep()
}

func (s *shelf) isLoaded() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.loaded
}

// lost reports whether what was to be read is not there any more, or not whole; any other error may pass.
func lost(err error) bool { return errors.Is(err, fs.ErrNotExist) || errors.Is(err, errTorn) }

func leave(segments []*segment) {
	for _, seg := range segments {
		seg.leave()
	}
}

func readManifest(path string) (m manifest, err error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return m, err
	}
	var sealed struct {
		Sum      uint32          `json:"sum"`
		Manifest json.RawMessage `json:"manifest"`
	}
	if json.Unmarshal(raw, &sealed) != nil || crc32.Checksum(sealed.Manifest, castagnoli) != sealed.Sum || json.Unmarshal(sealed.Manifest, &m) != nil {
		return m, errTorn
	}
	return m, nil
}

// sweep removes what is not part of the index.
func (s *shelf) sweep() error {
	all, err := os.ReadDir(s.dir)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	}
	for _, e := range all {
		used := slices.ContainsFunc(s.segments, func(seg *segment) bool { return seg.name == e.Name() })
		if e.Name() != manifestFile && !used {
			_ = os.Remove(filepath.Join(s.dir, e.Name())) // it is in nobody's way
		}
	}
	return nil
}

// commit makes fresh (nil: nothing) part of the index in the place of old, and p its progress.
func (s *shelf) commit(p Progress, fresh *segment, old []*segment) error {
	s.mu.Lock()
	segments := slices.DeleteFunc(slices.Clone(s.segments), func(seg *segment) bool { return slices.Contains(old, seg) })
	s.mu.Unlock()
	if fresh != nil {
		segments = append(segments, fresh)
	}
	m := manifest{Tenant: s.tenant, Progress: p}
	for _, seg := range segments {
		m.Segments = append(m.Segments, seg.name)
	}
	if err := s.writeManifest(m); err != nil {
		return err
	}
	s.mu.Lock()
	s.segments, s.progress = segments, p
	s.mu.Unlock()
	for _, seg := range old {
		_ = os.Remove(filepath.Join(s.dir, seg.name)) // swept at the next start if not now
		seg.leave()
	}
	return nil
}

func (s *shelf) writeManifest(m manifest) error {
	raw, err := json.Marshal(m)
	if err != nil {
		return err
	}
	sealed, err := json.Marshal(map[string]any{"sum": crc32.Checksum(raw, castagnoli), "manifest": json.RawMessage(raw)})
	if err != nil {
		return err
	}
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return err
	}
	next := filepath.Join(s.dir, manifestFile+".next")
	if err := writeWhole(next, func(f *os.File) error {
		if _, err := f.Write(sealed); err != nil {
			return err
		}
		return f.Sync()
	}); err != nil {
		return err
	}
	if err := os.Rename(next, filepath.Join(s.dir, manifestFile)); err != nil {
		return err
	}
	return syncDir(s.dir)
}

// newSegment makes a segment that write writes.
func (s *shelf) newSegment(write func(f *os.File) error) (*segment, error) {
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return nil, err
	}
	name := ids.New() + segmentEnd
	path := filepath.Join(s.dir, name)
	if err := writeWhole(path, write); err != nil {
		return nil, err
	}
	return openSegment(path, name)
}

func writeWhole(path string, write func(f *os.File) error) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	err = errors.Join(write(f), f.Close())
	if err != nil {
		_ = os.Remove(path)
	}
	return err
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func (s *shelf) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	leave(s.segments)
	s.segments, s.loaded = nil, false
}

// Bounds of tidying: segments of like size become one when there are so many, unless it would be too large.
const (
	alike     = 6
	growth    = 4
	smallest  = 32 << 10
	maxMerged = 256 << 20 // bytes
)

// rank groups segments of like size.
func (seg *segment) rank() (rank int) {
	for size := seg.size; size > smallest; size /= growth {
		rank++
	}
	return rank
}

// mess returns segments that are better one: those of like size when there are many, or all when much in them may be gone.
func (s *shelf) mess() []*segment {
	s.mu.Lock()
	defer s.mu.Unlock()
	contents, ranks := int64(0), map[int][]*segment{}
	for _, seg := range s.segments {
		contents += int64(len(seg.heads))
		if seg.size <= maxMerged/alike {
			ranks[seg.rank()] = append(ranks[seg.rank()], seg)
		}
	}
	if s.progress.Dead > contents/2+1000 {
		return slices.Clone(s.segments)
	}
	for _, some := range ranks {
		if len(some) >= alike {
			return some
		}
	}
	return nil
}

// tidy makes one segment of several that are better one, and reports whether there were any.
func (s *shelf) tidy(ctx context.Context, keep Keep) (bool, error) {
	s.writing.Lock()
	defer s.writing.Unlock()
	old := s.mess()
	if len(old) == 0 {
		return false, nil
	}
	fresh, err := s.newSegment(func(f *os.File) error { return merge(ctx, f, old, keep) })
	if err != nil {
		return false, err
	}
	s.mu.Lock()
	p := s.progress
	if len(old) == len(s.segments) {
		p.Dead = 0
	}
	s.mu.Unlock()
	return true, s.commit(p, fresh, old)
}
