package trigram

import (
	"bufio"
	"context"
	"encoding/binary"
	"io"
	"math/bits"
	"os"
	"slices"
)

// merge writes to f one segment of those contents of from that keep says to keep.
func merge(ctx context.Context, f *os.File, from []*segment, keep Keep) error {
	sums, places, err := survivors(ctx, from, keep)
	if err != nil {
		return err
	}
	w := newWriter(f, sums)
	walks := make([]*walk, 0, len(from))
	for i, s := range from {
		wk := newWalk(s, places[i])
		if err := wk.next(); err != nil {
			return err
		}
		walks = append(walks, wk)
	}
	var list []uint32
	order := newOrder(len(sums))
	for n := 0; ; n++ {
		if n%1024 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		g := least(walks)
		if g > anything {
			return w.finish()
		}
		list = list[:0]
		for _, wk := range walks {
			if wk.gram != g {
				continue
			}
			if list, err = wk.take(list); err != nil {
				return err
			}
		}
		if list = order.sorted(list); len(list) > 0 {
			w.posting(g, list)
		}
	}
}

// order sorts ordinals below a bound.
type order struct{ set []uint64 }

func newOrder(bound int) order { return order{make([]uint64, (bound+63)/64)} }

// sorted returns list in order, each ordinal once. Many ordinals are put into a set, which has an order by itself.
func (o order) sorted(list []uint32) []uint32 {
	if len(list) < len(o.set) {
		slices.Sort(list)
		return slices.Compact(list)
	}
	for _, n := range list {
		o.set[n/64] |= 1 << (n % 64)
	}
	list = list[:0]
	for i, word := range o.set {
		for o.set[i] = 0; word != 0; word &= word - 1 {
			list = append(list, uint32(i*64+bits.TrailingZeros64(word)))
		}
	}
	return list
}

// gone marks a content that is not kept.
const gone = ^uint32(0)

// survivors returns the sums that are kept, in order, and for each segment where each of its contents comes to stand.
func survivors(ctx context.Context, from []*segment, keep Keep) (sums []Sum, places [][]uint32, err error) {
	all := make([][]Sum, len(from))
	for i, s := range from {
		if all[i], err = s.sums(); err != nil {
			return nil, nil, err
		}
		sums = append(sums, all[i]...)
	}
	slices.SortFunc(sums, compareSums)
	sums, err = kept(ctx, slices.Compact(sums), keep)
	if err != nil {
		return nil, nil, err
	}
	for _, own := range all {
		to := make([]uint32, len(own))
		for i, sum := range own {
			at, found := slices.BinarySearchFunc(sums, sum, compareSums)
			to[i] = gone
			if found {
				to[i] = uint32(at)
			}
		}
		places = append(places, to)
	}
	return sums, places, nil
}

// askedAtOnce is how many contents a Keep is asked about.
const askedAtOnce = 512

func kept(ctx context.Context, sums []Sum, keep Keep) ([]Sum, error) {
	alive := sums[:0]
	for some := range slices.Chunk(sums, askedAtOnce) {
		is, err := keep(ctx, some)
		if err != nil {
			return nil, err
		}
		for i, sum := range some {
			if is[i] {
				alive = append(alive, sum)
			}
		}
	}
	return alive, nil
}

// walk reads a segment from its first gram to its last.
type walk struct {
	s        *segment
	to       []uint32
	dict     *bufio.Reader
	postings *bufio.Reader
	left     int64 // of the dictionary
	entry    int
	gram     Gram // beyond anything when the walk is over
	length   uint64
	raw      []byte
	list     []uint32
}

func newWalk(s *segment, to []uint32) *walk {
	first := sumAt(int64(len(s.heads)))
	return &walk{
		s: s, to: to, left: s.end - s.dict,
		dict:     bufio.NewReader(io.NewSectionReader(s.f, s.dict, s.end-s.dict)),
		postings: bufio.NewReaderSize(io.NewSectionReader(s.f, first, s.dict-first), 64<<10),
	}
}

func (w *walk) next() error {
	step, err := binary.ReadUvarint(w.dict)
	if err == io.EOF {
		w.gram = anything + 1
		return nil
	}
	if err != nil {
		return err
	}
	if w.entry%blockGrams == 0 {
		w.gram = w.s.blocks[w.entry/blockGrams].first
	}
	w.gram += Gram(step)
	w.entry++
	w.length, err = binary.ReadUvarint(w.dict)
	return err
}

// take appends where the contents of the walk's gram come to stand, and goes on to the next gram.
func (w *walk) take(list []uint32) ([]uint32, error) {
	w.raw = slices.Grow(w.raw[:0], int(w.length))[:w.length]
	if _, err := io.ReadFull(w.postings, w.raw); err != nil {
		return nil, err
	}
	var err error
	if w.list, err = w.s.decode(w.list[:0], w.raw); err != nil {
		return nil, err
	}
	for _, o := range w.list {
		if w.to[o] != gone {
			list = append(list, w.to[o])
		}
	}
	return list, w.next()
}

func least(walks []*walk) Gram {
	g := anything + 1
	for _, w := range walks {
		g = min(g, w.gram)
	}
	return g
}
