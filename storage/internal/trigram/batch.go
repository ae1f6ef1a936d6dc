package trigram

import (
	"bytes"
	"io"
	"os"
	"slices"
)

// fullBatch is how many grams of contents a batch holds before it is to be written: two times 16 MB.
const fullBatch = 2 << 20

// Batch is contents that are about to become a segment. It belongs to one goroutine.
type Batch struct {
	grams *grams
	sums  []Sum
	done  int      // of them
	pairs []uint64 // gram and ordinal
	spare []uint64
}

// NewBatch returns an empty batch. It is used again and again, for it keeps a few megabytes.
func NewBatch() *Batch { return &Batch{grams: newGrams()} }

// Begin makes the batch one of contents with these sums. It returns them in the order in which Add expects them, each once.
func (b *Batch) Begin(sums []Sum) []Sum {
	slices.SortFunc(sums, compareSums)
	b.sums, b.done, b.pairs = slices.Compact(sums), 0, b.pairs[:0]
	return b.sums
}

// Add takes the next content. When r is nil it cannot be read, and is looked at in every search. On an error it is as if
// nothing was added.
func (b *Batch) Add(r io.Reader) error {
	all := []Gram{anything}
	if r != nil {
		var err error
		if all, err = b.grams.of(r); err != nil {
			return err
		}
	}
	for _, g := range all {
		b.pairs = append(b.pairs, uint64(g)<<32|uint64(b.done))
	}
	b.done++
	return nil
}

// Full reports whether the batch is to be committed before more is added. What was not added is to begin another.
func (b *Batch) Full() bool { return len(b.pairs) >= fullBatch }

func (b *Batch) write(f *os.File) error {
	w := newWriter(f, b.sums[:b.done])
	b.sort()
	var list []uint32
	for i := 0; i < len(b.pairs); {
		g := b.pairs[i] >> 32
		list = list[:0]
		for ; i < len(b.pairs) && b.pairs[i]>>32 == g; i++ {
			list = append(list, uint32(b.pairs[i]))
		}
		w.posting(Gram(g), list)
	}
	return w.finish()
}

// sort brings the pairs in order of their grams. Those of one gram are in order of their ordinals, and stay so.
func (b *Batch) sort() {
	const digit, digits = 13, 2 // a gram has 25 bits
	b.spare = slices.Grow(b.spare[:0], len(b.pairs))[:len(b.pairs)]
	for d := range digits {
		shift := 32 + d*digit
		var starts [1<<digit + 1]int
		for _, p := range b.pairs {
			starts[p>>shift&(1<<digit-1)+1]++
		}
		for i := range starts[1:] {
			starts[i+1] += starts[i]
		}
		for _, p := range b.pairs {
			at := &starts[p>>shift&(1<<digit-1)]
			b.spare[*at] = p
			*at++
		}
		b.pairs, b.spare = b.spare, b.pairs
	}
}

func compareSums(a, b Sum) int { return bytes.Compare(a[:], b[:]) }
