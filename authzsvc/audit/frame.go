package audit

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"strconv"
	"time"
)

// maxEntry is the longest entry, in bytes, that is written or read. A list whose contents were returned names every id: about
// 300,000 of them fit.
const maxEntry = 16 << 20

const (
	lengthText = 8  // hex digits of the length
	hashText   = 64 // hex digits of the chain hash
	frameText  = lengthText + 1 + 1 + hashText + 1
)

// Hash is a chain hash: SHA-256 over the hash in front of an entry and the entry.
type Hash [sha256.Size]byte

// String returns h in hex.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// batch lays entries behind one another, numbered and chained, for one write.
type batch struct {
	buf   []byte
	seq   uint64
	chain Hash
	at    time.Time
	sha   hash.Hash
}

// add appends the entry with this body.
func (b *batch) add(body []byte) {
	b.seq++
	frame := len(b.buf)
	b.buf = append(b.buf, "00000000 "...)
	entry := len(b.buf)
	b.buf = strconv.AppendUint(append(b.buf, `{"seq":`...), b.seq, 10)
	b.buf = appendTime(append(b.buf, `,"at":`...), b.at)
	b.buf = append(append(b.buf, ','), body...)
	putLength(b.buf[frame:], len(b.buf)-entry)
	b.chain = link(b.sha, b.chain, b.buf[entry:])
	b.buf = append(b.buf, ' ')
	b.buf = hex.AppendEncode(b.buf, b.chain[:])
	b.buf = append(b.buf, '\n')
}

func putLength(b []byte, n int) {
	const digits = "0123456789abcdef"
	for i := lengthText - 1; i >= 0; i-- {
		b[i] = digits[n&15]
		n >>= 4
	}
}

// link returns the chain hash of entry behind prev.
func link(sha hash.Hash, prev Hash, entry []byte) Hash {
	sha.Reset()
	sha.Write(prev[:])
	sha.Write(entry)
	var next Hash
	sha.Sum(next[:0])
	return next
}

// errTorn says that the input ends inside a line; errFrame that a line is not a record.
var (
	errTorn  = errors.New("ends inside an entry")
	errFrame = errors.New("not an entry")
)

// isEnd reports whether err says that no further record follows here: the input ends, or what comes is none.
func isEnd(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, errTorn) || errors.Is(err, errFrame)
}

// frame is one record as it stands on disk. Entry is valid until the next call of the reader.
type frame struct {
	off   int64 // where it begins
	size  int64 // with length, hash and line feed
	entry []byte
	sum   Hash
}

// frames reads records one after another. JSON holds no line feed, so a record is a line whatever its length says: damage
// spoils the lines it is in and no other, and reading takes time in proportion to the input.
type frames struct {
	r    *bufio.Reader
	off  int64 // of the next line
	long []byte
}

func newFrames(r io.Reader, off int64) *frames {
	return &frames{r: bufio.NewReaderSize(r, 256<<10), off: off}
}

// next returns the next record, and io.EOF behind the last. With errTorn and errFrame the frame says where the bad bytes are;
// after errFrame the reader stands behind them.
func (s *frames) next() (frame, error) {
	f := frame{off: s.off}
	line, n, err := s.line()
	s.off += n
	f.size = n
	switch {
	case errors.Is(err, io.EOF) && n == 0:
		return f, io.EOF
	case errors.Is(err, io.EOF):
		return f, errTorn
	case err != nil:
		return f, err
	case !f.parse(line):
		return f, errFrame
	}
	return f, nil
}

// line returns the next line with its line feed, and how many bytes it has. Of one that is too long for a record it returns nothing
// but the number.
func (s *frames) line() ([]byte, int64, error) {
	s.long = s.long[:0]
	var n int64
	for {
		part, err := s.r.ReadSlice('\n')
		n += int64(len(part))
		if n > maxEntry+frameText {
			part, s.long = nil, nil
		}
		if len(s.long) == 0 && !errors.Is(err, bufio.ErrBufferFull) {
			return part, n, err
		}
		s.long = append(s.long, part...)
		if !errors.Is(err, bufio.ErrBufferFull) {
			return s.long, n, err
		}
	}
}

// parse takes line apart if it is a record.
func (f *frame) parse(line []byte) bool {
	if len(line) < frameText {
		return false
	}
	n, ok := length(line)
	if !ok || n != len(line)-frameText {
		return false
	}
	entry, tail := line[lengthText+1:lengthText+1+n], line[lengthText+1+n:]
	if tail[0] != ' ' || !unhex(&f.sum, tail[1:1+hashText]) {
		return false
	}
	f.entry = entry
	return true
}

// length reads eight lower-case hex digits and a space.
func length(b []byte) (int, bool) {
	n := 0
	for _, c := range b[:lengthText] {
		switch {
		case c >= '0' && c <= '9':
			n = n<<4 | int(c-'0')
		case c >= 'a' && c <= 'f':
			n = n<<4 | int(c-'a'+10)
		default:
			return 0, false
		}
	}
	return n, b[lengthText] == ' '
}

func unhex(sum *Hash, text []byte) bool {
	if bytes.ContainsAny(text, "ABCDEF") {
		return false // one spelling only, or a changed byte could go unnoticed
	}
	n, err := hex.Decode(sum[:], text)
	return err == nil && n == len(sum)
}

// peeked is what the fixed beginning of an entry says, read without decoding the rest.
type peeked struct {
	seq     uint64
	at      []byte
	kind    Type
	durable bool
}

// peek reads the beginning of an entry as batch.add and the bodies write it.
func peek(entry []byte) (peeked, bool) {
	var p peeked
	rest, ok := bytes.CutPrefix(entry, []byte(`{"seq":`))
	if !ok {
		return p, false
	}
	digits, rest, ok := bytes.Cut(rest, []byte(`,"at":"`))
	if !ok {
		return p, false
	}
	seq, err := strconv.ParseUint(string(digits), 10, 64)
	if err != nil {
		return p, false
	}
	at, rest, ok := bytes.Cut(rest, []byte(`","type":"`))
	if !ok {
		return p, false
	}
	kind, rest, ok := bytes.Cut(rest, []byte(`",`))
	if !ok {
		return p, false
	}
	return peeked{seq, at, Type(kind), bytes.HasPrefix(rest, []byte(`"durable":true,`))}, true
}
