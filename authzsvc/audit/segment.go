package audit

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"
)

const (
	openExt   = ".seg"
	packedExt = ".seg.zst"
)

func segmentName(n int) string { return fmt.Sprintf("%06d", n) + openExt }

// stored is a segment as the directory shows it.
type stored struct {
	n      int
	packed bool
	bytes  int64 // as stored
}

// storedSegments returns the segments in dir, oldest first. One that is there in both forms counts as not packed.
func storedSegments(dir string) ([]stored, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	found := map[int]stored{}
	for _, e := range entries {
		n, packed, ok := segmentNumber(e.Name())
		if !ok {
			continue
		}
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue // packed or retired since: fillGaps looks
		}
		if err != nil {
			return nil, err
		}
		if old, twice := found[n]; !twice || old.packed {
			found[n] = stored{n, packed, info.Size()}
		}
	}
	fillGaps(dir, found)
	all := make([]stored, 0, len(found))
	for _, s := range found {
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b stored) int { return a.n - b.n })
	return all, nil
}

// fillGaps adds segments that were compressed while the directory was read: such a listing may show neither form of them.
func fillGaps(dir string, found map[int]stored) {
	if len(found) == 0 {
		return
	}
	numbers := slices.Collect(maps.Keys(found))
	oldest, newest := slices.Min(numbers), slices.Max(numbers)
	for n := newest - 1; n > 0; n-- {
		if _, known := found[n]; known {
			continue
		}
		s, there := lookUp(dir, n)
		if there {
			found[n] = s
		}
		if !there && n < oldest {
			return
		}
	}
}

func lookUp(dir string, n int) (stored, bool) {
	plain := filepath.Join(dir, segmentName(n))
	if info, err := os.Stat(plain); err == nil {
		return stored{n, false, info.Size()}, true
	}
	info, err := os.Stat(strings.TrimSuffix(plain, openExt) + packedExt) // in this order: it appears before the other goes
	if err != nil {
		return stored{}, false
	}
	return stored{n, true, info.Size()}, true
}

func segmentNumber(name string) (n int, packed, ok bool) {
	text, packed := strings.CutSuffix(name, packedExt)
	if !packed {
		text, ok = strings.CutSuffix(name, openExt)
		if !ok {
			return 0, false, false
		}
	}
	n, err := strconv.Atoi(text)
	return n, packed, err == nil && n > 0 && segmentName(n) == text+openExt
}

// openSegment returns the text of segment n from byte off on, in whichever form it is stored now.
func openSegment(dir string, n int, off int64) (io.ReadCloser, error) {
	name := filepath.Join(dir, segmentName(n))
	f, err := os.Open(name)
	if err == nil {
		if _, err := f.Seek(off, io.SeekStart); err != nil {
			return nil, errors.Join(err, f.Close())
		}
		return f, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	r, err := openPacked(strings.TrimSuffix(name, openExt) + packedExt)
	if err != nil {
		return nil, err
	}
	if _, err := io.CopyN(io.Discard, r, off); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

func openPacked(name string) (io.ReadCloser, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	z, err := zstd.NewReader(f, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxMemory(64<<20))
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return unpacked{z, f}, nil
}

// unpacked reads a compressed segment.
type unpacked struct {
	z *zstd.Decoder
	f *os.File
}

func (u unpacked) Read(p []byte) (int, error) { return u.z.Read(p) }

func (u unpacked) Close() error {
	u.z.Close()
	return u.f.Close()
}

// header is what the first entry of a segment says.
type header struct {
	seq  uint64
	at   time.Time
	prev Hash
	open uint64
}

// errNoHeader says that a segment does not begin as a segment must.
var errNoHeader = errors.New("segment has no header")

func readHeader(dir string, n int) (header, error) {
	r, err := openSegment(dir, n, 0)
	if err != nil {
		return header{}, err
	}
	defer r.Close()
	f, err := newFrames(r, 0).next()
	if isEnd(err) {
		return header{}, errNoHeader
	}
	if err != nil {
		return header{}, err
	}
	return parseHeader(f.entry, n)
}

func parseHeader(entry []byte, n int) (header, error) {
	var e Entry
	if err := json.Unmarshal(entry, &e); err != nil || e.Note == nil || e.Note.Kind != NoteSegment || e.Note.Segment != n {
		return header{}, errNoHeader
	}
	h := header{seq: e.Seq, at: e.At, open: e.Note.Open}
	if !unhex(&h.prev, []byte(e.Note.Prev)) {
		return header{}, errNoHeader
	}
	return h, nil
}
