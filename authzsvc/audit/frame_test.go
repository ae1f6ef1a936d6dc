package audit

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

// frameOf returns one record that holds a text of n bytes.
func frameOf(n int) []byte {
	b := batch{sha: sha256.New(), at: time.Unix(0, 0)}
	b.add([]byte(`"type":"note","x":"` + strings.Repeat("x", n) + `"}`))
	return b.buf
}

func TestLongEntryIsReadWhole(t *testing.T) {
	text := append(frameOf(3<<20), frameOf(1)...)
	in := newFrames(iotest.OneByteReader(bytes.NewReader(text)), 0)
	for _, want := range []int{len(text) - len(frameOf(1)), len(frameOf(1))} {
		f, err := in.next()
		if err != nil || f.size != int64(want) {
			t.Fatalf("next = %d bytes, %v; want %d", f.size, err, want)
		}
	}
	if _, err := in.next(); !errors.Is(err, io.EOF) {
		t.Fatalf("next = %v, want EOF", err)
	}
}

func TestBadLineIsSkippedAlone(t *testing.T) {
	good := frameOf(1)
	for name, bad := range map[string][]byte{
		"no length":      []byte("hello\n"),
		"empty":          []byte("\n"),
		"too long":       []byte("7fffffff {}\n"),
		"beyond the end": append([]byte("00f00000"), good[8:]...),
		"upper case":     append([]byte("0000004B"), good[8:]...),
		"upper hash":     append(bytes.Clone(good[:len(good)-2]), 'A', '\n'),
		"byte more":      append(bytes.Clone(good[:len(good)-1]), ' ', '\n'),
		"huge":           append(bytes.Repeat([]byte("x"), maxEntry+frameText+1), '\n'),
	} {
		t.Run(name, func(t *testing.T) {
			in := newFrames(bytes.NewReader(append(bytes.Clone(bad), good...)), 0)
			if f, err := in.next(); !errors.Is(err, errFrame) || f.size != int64(len(bad)) {
				t.Fatalf("next = %d bytes, %v; want %d and errFrame", f.size, err, len(bad))
			}
			if f, err := in.next(); err != nil || f.off != int64(len(bad)) {
				t.Fatalf("next = %+v, %v; want the record at %d", f, err, len(bad))
			}
			if cap(in.long) > maxEntry {
				t.Fatalf("%d bytes are held for one line", cap(in.long))
			}
		})
	}
}

func TestReadErrorIsNotTakenForTheEnd(t *testing.T) {
	broken := errors.New("disk")
	in := newFrames(io.MultiReader(bytes.NewReader(frameOf(1)), iotest.ErrReader(broken)), 0)
	if _, err := in.next(); err != nil {
		t.Fatal(err)
	}
	if _, err := in.next(); !errors.Is(err, broken) {
		t.Fatalf("next = %v, want the reader's error", err)
	}
}

func FuzzFrames(f *testing.F) {
	whole := frameOf(1)
	f.Add(append(bytes.Clone(whole), whole...))
	f.Add(whole[:len(whole)-5])
	f.Add(append([]byte("junk\n"), whole...))
	f.Add(everyForm(f))
	f.Add([]byte("00000002 {} " + strings.Repeat("0", 64) + "\n"))
	f.Add([]byte("00ffffff {}"))
	f.Fuzz(func(t *testing.T, text []byte) {
		in := newFrames(bytes.NewReader(text), 0)
		seen := int64(0)
		for {
			fr, err := in.next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				seen += fr.size
				continue
			}
			if fr.off != seen || int64(len(fr.entry)+frameText) != fr.size {
				t.Fatalf("record at %d of %d bytes, want it at %d", fr.off, fr.size, seen)
			}
			again := []byte("00000000 ")
			putLength(again, len(fr.entry))
			again = append(append(again, fr.entry...), (" " + fr.sum.String() + "\n")...)
			if !bytes.Equal(again, text[fr.off:fr.off+fr.size]) {
				t.Fatalf("record %q is written %q", text[fr.off:fr.off+fr.size], again)
			}
			peek(fr.entry)
			_, _ = parseHeader(fr.entry, 1)
			seen += fr.size
		}
		if seen != int64(len(text)) {
			t.Fatalf("%d of %d bytes were read or skipped", seen, len(text))
		}
	})
}
