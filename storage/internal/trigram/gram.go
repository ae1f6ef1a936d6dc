package trigram

import (
	"bytes"
	"io"
	"unicode/utf8"
)

// Gram is three bytes in a row of folded text, the first in the highest place.
type Gram uint32

// anything is the gram of contents that are not taken apart: whatever is sought, they may hold it.
const anything Gram = 1 << 24

// Bounds of what is taken apart. What goes beyond is looked at in every search.
const (
	maxGrams = 1 << 16  // different grams of one content
	maxBytes = 32 << 20 // of one content
)

// sniffed is how much of a content tells whether it is text.
const sniffed = 8 << 10

// Binary reports whether contents that begin with head are no text: nothing is found in them.
func Binary(head []byte) bool { return bytes.IndexByte(head[:min(len(head), sniffed)], 0) >= 0 }

// grams collects the different grams of one content after another. Its set takes two megabytes, once.
type grams struct {
	set    [1 << 24 / 64]uint64
	list   []Gram
	buffer []byte
	folded []byte
	last   Gram // the bytes before the next one
	run    int  // how many of them belong to this line
}

func newGrams() *grams { return &grams{buffer: make([]byte, 64<<10)} }

// of returns the grams of what r holds, each once: no gram reaches over the end of a line, for no match does. The slice is
// good until the next call.
func (g *grams) of(r io.Reader) ([]Gram, error) {
	g.list, g.last, g.run = g.list[:0], 0, 0
	defer g.clear()
	kept, read := 0, 0
	for {
		n, err := io.ReadFull(r, g.buffer[kept:])
		text := g.buffer[:kept+n]
		if read == 0 && Binary(text) {
			return nil, nil
		}
		if read += n; read > maxBytes || len(g.list) > maxGrams {
			return []Gram{anything}, nil
		}
		ended := err == io.EOF || err == io.ErrUnexpectedEOF
		if err != nil && !ended {
			return nil, err
		}
		whole := text
		if !ended {
			whole = text[:Boundary(text)]
		}
		g.folded, _ = Fold(g.folded[:0], whole)
		g.add(g.folded)
		if ended {
			break
		}
		kept = copy(g.buffer, text[len(whole):])
	}
	if len(g.list) > maxGrams {
		return []Gram{anything}, nil
	}
	return g.list, nil
}

func (g *grams) add(folded []byte) {
	for _, c := range folded {
		g.last = g.last<<8&0xffffff | Gram(c)
		if g.run++; c == '\n' {
			g.run = 0
		}
		if g.run < 3 || g.set[g.last/64]&(1<<(g.last%64)) != 0 {
			continue
		}
		g.set[g.last/64] |= 1 << (g.last % 64)
		g.list = append(g.list, g.last)
	}
}

func (g *grams) clear() {
	for _, gram := range g.list {
		g.set[gram/64] = 0
	}
}

// Boundary returns how much of text, which goes on, ends with a whole character.
func Boundary(text []byte) int {
	for back := 1; back < utf8.UTFMax && back <= len(text); back++ {
		if at := len(text) - back; utf8.RuneStart(text[at]) {
			if utf8.FullRune(text[at:]) {
				return len(text)
			}
			return at
		}
	}
	return len(text)
}
