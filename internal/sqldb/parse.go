package sqldb

import (
	"fmt"
	"strconv"
	"strings"
)

// parsed is what the seam needs to know about a text.
type parsed struct {
	rewritten string // with ?n for $n: SQLite numbers $n by first appearance, ?n by n; and +?n behind LIMIT
	params    int
	fault     string
}

// parse reads text once. Parameters inside quoted literals, quoted identifiers and comments are none.
func parse(text string) parsed {
	r := reader{text: text, seen: map[int]bool{}}
	for r.at < len(r.text) {
		r.step()
	}
	return parsed{rewritten: r.out.String(), params: r.most, fault: r.fault()}
}

type reader struct {
	text  string
	at    int
	out   strings.Builder
	seen  map[int]bool
	most  int
	ended bool // after a semicolon
	multi bool // something follows a semicolon
	open  bool // a quote or comment is not closed
}

// step copies one piece: a quoted stretch, a comment, a parameter, or one byte.
func (r *reader) step() {
	rest := r.text[r.at:]
	switch {
	case rest[0] == '\'' || rest[0] == '"':
		r.word()
		r.copyThrough(1, rest[:1])
	case strings.HasPrefix(rest, "--"):
		r.copyLine()
	case strings.HasPrefix(rest, "/*"):
		r.copyThrough(2, "*/")
	case rest[0] == '$' && isDigit(rest, 1) && !r.insideName():
		r.word()
		r.parameter()
	default:
		r.mark(rest[0])
		r.copy(1)
	}
}

// copyThrough copies up to and including the next end after skip bytes. A doubled quote is two stretches side by side,
// which comes to the same.
func (r *reader) copyThrough(skip int, end string) {
	i := strings.Index(r.text[r.at+skip:], end)
	if i < 0 {
		r.open = true
		r.copy(len(r.text) - r.at)
		return
	}
	r.copy(skip + i + len(end))
}

// copyLine copies a comment up to its end of line, which the text's last line may lack.
func (r *reader) copyLine() {
	i := strings.IndexByte(r.text[r.at:], '\n')
	if i < 0 {
		i = len(r.text) - r.at
	}
	r.copy(i)
}

func (r *reader) copy(n int) {
	r.out.WriteString(r.text[r.at : r.at+n])
	r.at += n
}

func (r *reader) parameter() {
	end := r.at + 1
	for isDigit(r.text, end) {
		end++
	}
	digits := r.text[r.at+1 : end]
	n, err := strconv.Atoi(digits)
	if err != nil {
		n = 0
	}
	r.seen[n] = true
	r.most = max(r.most, n)
	if r.behindLimit() {
		r.out.WriteByte('+') // SQLite would plan the statement anew at each run, for what a bare parameter may be
	}
	r.out.WriteByte('?')
	r.out.WriteString(digits)
	r.at = end
}

// mark notes what a byte outside quotes and comments says about the number of statements.
func (r *reader) mark(c byte) {
	switch c {
	case ' ', '\t', '\n', '\r':
	case ';':
		r.ended = true
	default:
		r.word()
	}
}

func (r *reader) word() { r.multi = r.multi || r.ended }

// insideName reports whether the byte before belongs to a name: PostgreSQL allows a dollar sign within one.
func (r *reader) insideName() bool {
	if r.at == 0 {
		return false
	}
	c := r.text[r.at-1]
	return c == '_' || c == '$' || c >= 0x80 || '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z'
}

// behindLimit reports whether the word before is LIMIT.
func (r *reader) behindLimit() bool {
	before := strings.TrimRight(r.text[:r.at], " \t\r\n")
	word := len(before) - len("limit")
	if word < 0 || len(before) == r.at || !strings.EqualFold(before[word:], "limit") {
		return false
	}
	return !(&reader{text: before, at: word}).insideName()
}

func (r *reader) fault() string {
	if r.open {
		return "a quote or comment is not closed"
	}
	if r.multi {
		return "more than one statement"
	}
	for n := range r.most {
		if !r.seen[n+1] {
			return fmt.Sprintf("parameter $%d is not used, and $%d is", n+1, r.most)
		}
	}
	if r.seen[0] {
		return "parameters begin at $1"
	}
	return ""
}

func isDigit(s string, i int) bool { return i < len(s) && '0' <= s[i] && s[i] <= '9' }
