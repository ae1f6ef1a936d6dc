package lines

import (
	"bytes"
	"io"
	"strings"
	"unicode/utf8"

	"nexus/storage/internal/trigram"
)

// Bounds of a line. A longer one is searched in pieces, each of which begins in the one before: what a match may miss is a
// text longer than the overlap.
const (
	piece    = 16 << 10
	overlap  = 1 << 10
	maxShown = 1000 // bytes of a line, or of a match, that are shown
	buffered = 128 << 10
)

// Match is the first match on a line.
type Match struct {
	Line    int // from 1
	Content string
	Text    string // what matched
	Cut     bool   // whether Content or Text is shorter than it was
}

// Searcher searches one text after the other for a pattern. It belongs to one goroutine.
type Searcher struct {
	p      *Pattern
	pause  func() error
	buffer []byte
	folded []byte
	next   []int // of each text of the factor: where it stands next

	line    int  // number of the line that is searched
	skip    int  // lines up to this one are not
	matched bool // whether that line, which began earlier, has a match already
	part    bool // whether the first line of text is a part of one
	text    []byte
	hay     []byte // where the factor is sought: nil when it is sought in each line by itself
	idle    int    // bytes searched since pause was called
	found   func(Match) bool
}

// NewSearcher returns a searcher. It calls pause often, and ends with its error.
func NewSearcher(p *Pattern, pause func() error) *Searcher {
	return &Searcher{p: p, pause: pause, buffer: make([]byte, buffered), next: make([]int, len(p.need.texts))}
}

// Search calls found with the first match on each line of r behind the line after, until it returns false. In what is no text
// nothing is found. It returns how much it read.
func (s *Searcher) Search(r io.Reader, after int, found func(Match) bool) (read int64, err error) {
	s.line, s.skip, s.matched, s.part, s.found = 1, after, false, false, found
	kept := 0
	for {
		n, err := io.ReadFull(r, s.buffer[kept:])
		ended := err == io.EOF || err == io.ErrUnexpectedEOF
		if err != nil && !ended {
			return read, err
		}
		text := s.buffer[:kept+n]
		if read == 0 && trigram.Binary(text) {
			return int64(n), nil
		}
		read += int64(n)
		whole := bytes.LastIndexByte(text, '\n') + 1
		rest := whole
		switch {
		case ended:
			whole = len(text)
		case whole == 0:
			whole = trigram.Boundary(text)
			rest = start(text, whole-overlap)
			s.part = true
		}
		more, err := s.region(text[:whole])
		if err != nil || !more || ended {
			return read, err
		}
		s.part = s.part && whole > rest // what follows goes on with the line
		kept = copy(s.buffer, text[rest:])
	}
}

// Line returns the number of the line that the search has come to.
func (s *Searcher) Line() int { return s.line }

// region searches whole lines, or a part of one that is longer than the buffer.
func (s *Searcher) region(text []byte) (more bool, err error) {
	at := 0
	if s.matched {
		at = s.after(text, 0)
	}
	for at < len(text) && s.line <= s.skip {
		at = s.after(text, at)
	}
	if at == len(text) {
		return true, s.rest(at)
	}
	s.begin(text)
	for at < len(text) {
		place := s.candidate(at)
		if place < 0 {
			s.line += bytes.Count(text[at:], newline)
			return true, s.rest(len(text) - at)
		}
		begin := at + bytes.LastIndexByte(text[at:place], '\n') + 1
		s.line += bytes.Count(text[at:begin], newline)
		end := len(text)
		if n := bytes.IndexByte(text[begin:], '\n'); n >= 0 {
			end = begin + n
		}
		if err := s.rest(end - at); err != nil {
			return false, err
		}
		m, found, err := s.match(text[begin:end], s.part && begin == 0)
		if err != nil || found && !s.found(m) {
			return false, err
		}
		s.matched = found
		at = s.after(text, begin)
	}
	return true, nil
}

var newline = []byte("\n")

func (s *Searcher) begin(text []byte) {
	s.text, s.hay = text, text
	for i := range s.next {
		s.next[i] = -1
	}
	if !s.p.need.folds {
		return
	}
	var aligned bool
	if s.folded, aligned = trigram.Fold(s.folded[:0], text); aligned {
		s.hay = s.folded
	} else {
		s.hay = nil
	}
}

// after returns where the line behind the one at place begins. A line that does not end here goes on in the next region.
func (s *Searcher) after(text []byte, place int) int {
	n := bytes.IndexByte(text[place:], '\n')
	if n < 0 {
		return len(text)
	}
	s.line++
	s.matched = false
	return place + n + 1
}

// candidate returns a place at or behind at on the next line that may match; -1 when there is none.
func (s *Searcher) candidate(at int) int {
	switch {
	case len(s.p.need.texts) == 0:
		return at
	case s.hay == nil:
		return s.lineByLine(at)
	}
	nearest := len(s.hay)
	for i, text := range s.p.need.texts {
		if s.next[i] < at {
			s.next[i] = len(s.hay)
			if n := bytes.Index(s.hay[at:], []byte(text)); n >= 0 {
				s.next[i] = at + n
			}
		}
		nearest = min(nearest, s.next[i])
	}
	if nearest == len(s.hay) {
		return -1
	}
	return nearest
}

// lineByLine is candidate where folding moves places.
func (s *Searcher) lineByLine(at int) int {
	for at < len(s.text) {
		end := len(s.text)
		if n := bytes.IndexByte(s.text[at:], '\n'); n >= 0 {
			end = at + n + 1
		}
		if s.folded, _ = trigram.Fold(s.folded[:0], s.text[at:end]); s.p.need.in(string(s.folded)) {
			return at
		}
		at = end
	}
	return -1
}

// rest lets the caller stop after every few kilobytes.
func (s *Searcher) rest(n int) error {
	if s.idle += n + 64; s.idle < piece {
		return nil
	}
	s.idle = 0
	return s.pause()
}

// match returns the first match on a line, or on a part of one.
func (s *Searcher) match(line []byte, part bool) (m Match, found bool, err error) {
	line = bytes.TrimSuffix(line, []byte("\r"))
	for ; ; part = true {
		some := line
		if len(line) > piece {
			some = line[:start(line, piece)]
		}
		if loc := s.p.re.FindIndex(some); loc != nil {
			m := s.shown(some, loc)
			m.Cut = m.Cut || part || len(some) < len(line)
			return m, true, nil
		}
		if len(some) == len(line) {
			return Match{}, false, nil
		}
		if err := s.rest(piece); err != nil {
			return Match{}, false, err
		}
		line = line[start(line, len(some)-overlap):]
	}
}

// shown is a match for people: of a long line, what is around it.
func (s *Searcher) shown(line []byte, loc []int) Match {
	m := Match{Line: s.line}
	from, to := 0, len(line)
	if to > maxShown {
		from = start(line, max(0, min(loc[0]-maxShown/4, len(line)-maxShown)))
		to = start(line, from+maxShown)
		m.Cut = true
	}
	end := loc[1]
	if end-loc[0] > maxShown {
		end = start(line, loc[0]+maxShown)
		m.Cut = true
	}
	m.Content, m.Text = valid(line[from:to]), valid(line[loc[0]:end])
	return m
}

func valid(text []byte) string { return strings.ToValidUTF8(string(text), "\uFFFD") }

// start returns where the character begins that the byte at place belongs to.
func start(text []byte, place int) int {
	if place >= len(text) {
		return len(text)
	}
	for at := place; at > 0 && at > place-utf8.UTFMax; at-- {
		if utf8.RuneStart(text[at]) {
			return at
		}
	}
	return place
}
