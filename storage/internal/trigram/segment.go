package trigram

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"slices"
	"sort"
	"sync/atomic"
)

var errTorn = errors.New("trigram: a segment is not whole")

// segment is an open segment. Of it, eight bytes a content and a place for each block are in memory. It is immutable, and safe
// for concurrent use until the last of its users has left.
type segment struct {
	name  string
	f     *os.File
	size  int64
	users atomic.Int64

	heads  []uint64 // the first bytes of each sum, in order
	blocks []block
	dict   int64 // where the dictionary begins
	end    int64 // where it ends
}

type block struct {
	first    Gram
	entries  int64 // in the dictionary
	postings int64 // in the file
}

// openSegment opens the segment at path and checks that it is whole. The caller is its first user.
func openSegment(path, name string) (_ *segment, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = f.Close()
		}
	}()
	s := &segment{name: name, f: f}
	if s.size, err = checked(f); err != nil {
		return nil, err
	}
	if err := s.load(); err != nil {
		return nil, err
	}
	s.users.Store(1)
	return s, nil
}

func (s *segment) load() error {
	foot := make([]byte, footerSize)
	if _, err := s.f.ReadAt(foot, s.size-footerSize); err != nil {
		return err
	}
	contents, blocks := int64(binary.LittleEndian.Uint32(foot)), int64(binary.LittleEndian.Uint32(foot[4:]))
	s.dict, s.end = int64(binary.LittleEndian.Uint64(foot[8:])), int64(binary.LittleEndian.Uint64(foot[16:]))
	if s.end+blocks*blockSize+footerSize != s.size || s.dict < sumAt(contents) || s.dict > s.end {
		return errTorn
	}
	raw := make([]byte, blocks*blockSize)
	if _, err := s.f.ReadAt(raw, s.end); err != nil {
		return err
	}
	for ; len(raw) > 0; raw = raw[blockSize:] {
		s.blocks = append(s.blocks, block{
			first: Gram(binary.LittleEndian.Uint32(raw)), entries: int64(binary.LittleEndian.Uint64(raw[4:])),
			postings: int64(binary.LittleEndian.Uint64(raw[12:])),
		})
	}
	sums, err := s.sums()
	if err != nil {
		return err
	}
	s.heads = make([]uint64, len(sums))
	for i := range sums {
		s.heads[i] = head(sums[i])
	}
	return nil
}

// sums returns the sums of every content, in order.
func (s *segment) sums() ([]Sum, error) {
	var foot [4]byte
	if _, err := s.f.ReadAt(foot[:], s.size-footerSize); err != nil {
		return nil, err
	}
	all := make([]Sum, binary.LittleEndian.Uint32(foot[:]))
	raw := make([]byte, 64<<10)
	for i := 0; i < len(all); {
		part := raw[:min(len(raw), (len(all)-i)*len(Sum{}))]
		if _, err := s.f.ReadAt(part, sumAt(int64(i))); err != nil {
			return nil, err
		}
		for ; len(part) > 0; part = part[len(Sum{}):] {
			all[i] = Sum(part)
			i++
		}
	}
	return all, nil
}

func sumAt(ordinal int64) int64 { return int64(len(magic)) + ordinal*int64(len(Sum{})) }

func head(sum Sum) uint64 { return binary.BigEndian.Uint64(sum[:]) }

func (s *segment) sum(ordinal uint32) (sum Sum, err error) {
	_, err = s.f.ReadAt(sum[:], sumAt(int64(ordinal)))
	return sum, err
}

// many is how many contents are so many that it is better to read the sums of all.
const many = 1000

// collect adds the sums of ordinals to into.
func (s *segment) collect(ordinals []uint32, into map[Sum]struct{}) error {
	if len(ordinals) > many {
		all, err := s.sums()
		if err != nil {
			return err
		}
		for _, o := range ordinals {
			into[all[o]] = struct{}{}
		}
		return nil
	}
	for _, o := range ordinals {
		sum, err := s.sum(o)
		if err != nil {
			return err
		}
		into[sum] = struct{}{}
	}
	return nil
}

// has reports whether a content of that sum is in the segment.
func (s *segment) has(sum Sum) (bool, error) {
	at, found := slices.BinarySearch(s.heads, head(sum))
	for ; found && at < len(s.heads) && s.heads[at] == head(sum); at++ {
		other, err := s.sum(uint32(at))
		if err != nil || bytes.Equal(other[:], sum[:]) {
			return err == nil, err
		}
	}
	return false, nil
}

// span is where the postings of a gram stand in the file.
type span struct{ from, length int64 }

// find returns where the postings of g are; an empty span when no content holds it.
func (s *segment) find(g Gram) (span, error) {
	i := sort.Search(len(s.blocks), func(i int) bool { return s.blocks[i].first > g }) - 1
	if i < 0 {
		return span{}, nil
	}
	b, end := s.blocks[i], s.end-s.dict
	if i+1 < len(s.blocks) {
		end = s.blocks[i+1].entries
	}
	raw := make([]byte, end-b.entries)
	if _, err := s.f.ReadAt(raw, s.dict+b.entries); err != nil {
		return span{}, err
	}
	at, from := b.first, b.postings
	for len(raw) > 0 {
		step, n := binary.Uvarint(raw)
		length, m := binary.Uvarint(raw[max(n, 0):])
		if n <= 0 || m <= 0 {
			return span{}, fmt.Errorf("trigram: the dictionary of %s: %w", s.name, errTorn)
		}
		raw = raw[n+m:]
		if at += Gram(step); at >= g {
			if at > g {
				return span{}, nil
			}
			return span{from, int64(length)}, nil
		}
		from += int64(length)
	}
	return span{}, nil
}

// read appends the ordinals in a span to list.
func (s *segment) read(list []uint32, at span) ([]uint32, error) {
	raw := make([]byte, at.length)
	if _, err := s.f.ReadAt(raw, at.from); err != nil {
		return nil, err
	}
	return s.decode(list, raw)
}

func (s *segment) decode(list []uint32, raw []byte) ([]uint32, error) {
	last := uint64(0)
	for i := 0; i < len(raw); {
		step, n := uint64(raw[i]), 1
		if step >= 0x80 {
			step, n = binary.Uvarint(raw[i:])
		}
		last += step
		if n <= 0 || last >= uint64(len(s.heads)) {
			return nil, fmt.Errorf("trigram: postings of %s: %w", s.name, errTorn)
		}
		list = append(list, uint32(last))
		i += n
	}
	return list, nil
}

// leave ends one use of the segment. The last one closes it.
func (s *segment) leave() {
	if s.users.Add(-1) == 0 {
		_ = s.f.Close() // it was only read
	}
}
