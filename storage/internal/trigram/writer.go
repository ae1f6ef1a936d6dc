package trigram

import (
	"bufio"
	"encoding/binary"
	"hash/crc32"
	"io"
	"math"
	"os"
)

// A segment is a file of five parts:
//
//	magic
//	sums        of its contents, in order: the place of a content in it is its ordinal
//	postings    for each gram, in order: the ordinals that hold it, as differences, in varints
//	dictionary  for each gram: its difference to the one before and the length of its postings, in varints
//	blocks      for each blockGrams entries of the dictionary: the first gram, and where the entries and their postings begin
//	footer      the number of contents and blocks, where dictionary and blocks begin, and a checksum of all before it
const (
	magic       = "nexus-trigrams-1"
	blockGrams  = 128
	blockSize   = 4 + 8 + 8
	footerSize  = 4 + 4 + 8 + 8 + 4
	maxContents = math.MaxUint32 >> 1
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// writer writes a segment. After an error nothing more is written, and finish returns it.
type writer struct {
	f      *os.File
	out    *bufio.Writer
	at     uint64
	sum    uint32
	err    error
	sums   int
	dict   []byte
	blocks []byte
	first  uint64 // where the postings of the block begin
	grams  int
	last   Gram
	buffer []byte
}

func newWriter(f *os.File, sums []Sum) *writer {
	w := &writer{f: f, out: bufio.NewWriterSize(f, 256<<10), sums: len(sums)}
	w.write([]byte(magic))
	for i := range sums {
		w.write(sums[i][:])
	}
	return w
}

func (w *writer) write(p []byte) {
	if w.err != nil {
		return
	}
	w.sum = crc32.Update(w.sum, castagnoli, p)
	w.at += uint64(len(p))
	_, w.err = w.out.Write(p)
}

// posting adds a gram, in order, and the ordinals that hold it, in order.
func (w *writer) posting(g Gram, ordinals []uint32) {
	w.buffer = w.buffer[:0]
	last := uint32(0)
	for _, o := range ordinals {
		w.buffer = binary.AppendUvarint(w.buffer, uint64(o-last))
		last = o
	}
	if w.grams%blockGrams == 0 {
		w.blocks = binary.LittleEndian.AppendUint32(w.blocks, uint32(g))
		w.blocks = binary.LittleEndian.AppendUint64(w.blocks, uint64(len(w.dict)))
		w.blocks = binary.LittleEndian.AppendUint64(w.blocks, w.at)
		w.last = g
	}
	w.dict = binary.AppendUvarint(w.dict, uint64(g-w.last))
	w.dict = binary.AppendUvarint(w.dict, uint64(len(w.buffer)))
	w.last = g
	w.grams++
	w.write(w.buffer)
}

// finish writes what follows the postings, and waits for the disk.
func (w *writer) finish() error {
	dict := w.at
	w.write(w.dict)
	blocks := w.at
	w.write(w.blocks)
	foot := binary.LittleEndian.AppendUint32(nil, uint32(w.sums))
	foot = binary.LittleEndian.AppendUint32(foot, uint32(len(w.blocks)/blockSize))
	foot = binary.LittleEndian.AppendUint64(foot, dict)
	foot = binary.LittleEndian.AppendUint64(foot, blocks)
	w.write(foot)
	w.write(binary.LittleEndian.AppendUint32(nil, w.sum))
	if w.err == nil {
		w.err = w.out.Flush()
	}
	if w.err == nil {
		w.err = w.f.Sync()
	}
	return w.err
}

// checked returns the size of a segment whose checksum is right.
func checked(f *os.File) (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	size := info.Size()
	if size < int64(len(magic)+footerSize) {
		return 0, errTorn
	}
	sum := crc32.New(castagnoli)
	if _, err := io.CopyBuffer(sum, io.NewSectionReader(f, 0, size-4), make([]byte, 256<<10)); err != nil {
		return 0, err
	}
	var want [4]byte
	if _, err := f.ReadAt(want[:], size-4); err != nil {
		return 0, err
	}
	if sum.Sum32() != binary.LittleEndian.Uint32(want[:]) {
		return 0, errTorn
	}
	return size, nil
}
