package storage

import (
	"bytes"
	"regexp"
)

// mask is what a value reads as when it is masked.
var mask = []byte("********")

var (
	// assignment is the part of a line that may be shown: up to the sign that a value follows. A comment may hold one too:
	// what is commented out is no less secret.
	assignment = regexp.MustCompile(`^[ \t]*(?:#[# \t]*)?(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_.-]*)[ \t]*=`)
	constant   = regexp.MustCompile(`^[A-Z_][A-Z0-9_]*$`)
)

// maskValues replaces every value in a file of NAME=value lines. Blank lines, comments, names and an "export" before them
// stay. A quoted value that goes on over several lines is masked as one, and a line that is nothing of this is masked whole.
// Readers of such files do not agree on where a value ends that has an escaped quote, a quote in its middle, or a backslash
// at the end of its line: everything after such a line is masked. What is not understood is not shown.
func maskValues(body []byte) []byte {
	var out bytes.Buffer
	for len(body) > 0 {
		line, rest, newline := bytes.Cut(body, []byte("\n"))
		shown, value := split(line)
		out.Write(shown)
		if value != nil {
			out.Write(mask)
			var known bool
			if rest, newline, known = behind(value, rest, newline); !known {
				rest = mask
				newline = true
			}
		}
		if newline {
			out.WriteByte('\n')
		}
		body = rest
	}
	return out.Bytes()
}

// split returns what may be shown of a line, and the value that follows it; a nil value when all may be shown.
func split(line []byte) (shown, value []byte) {
	trimmed := bytes.TrimSpace(line)
	at := assignment.FindSubmatchIndex(line)
	if at == nil {
		if len(trimmed) == 0 || trimmed[0] == '#' {
			return line, nil
		}
		return nil, line
	}
	value = line[at[1]:]
	// The padding of base64 looks like a sign of assignment behind a name.
	if len(bytes.Trim(value, "= \t\r")) == 0 && !constant.Match(line[at[2]:at[3]]) {
		return nil, line
	}
	if trimmed[0] == '#' {
		return line[:at[1]], []byte{} // a comment ends with its line
	}
	return line[:at[1]], value
}

// behind returns what follows value, which begins on a line before rest; known is false where readers disagree about that.
func behind(value, rest []byte, newline bool) (after []byte, more, known bool) {
	value = bytes.TrimSpace(value)
	if len(value) == 0 || !quotes(value[0]) {
		return rest, newline, endsWithItsLine(value)
	}
	tail, closed, known := unquote(value[1:], value[0])
	if closed || !known {
		return rest, newline, known && endsHere(tail)
	}
	tail, closed, known = unquote(rest, value[0])
	if !closed {
		return nil, false, known // to the end of the file
	}
	tail, after, more = bytes.Cut(tail, []byte("\n"))
	return after, more, known && endsHere(tail)
}

func quotes(c byte) bool { return c == '"' || c == '\'' || c == '`' }

// unquote returns what follows the quote that ends text. One behind a backslash ends it for some readers alone.
func unquote(text []byte, quote byte) (tail []byte, closed, known bool) {
	at := bytes.IndexByte(text, quote)
	if at < 0 {
		return nil, false, true
	}
	return text[at+1:], true, at == 0 || text[at-1] != '\\'
}

// endsHere reports whether nothing but a comment stands between the end of a quoted value and the end of its line.
func endsHere(tail []byte) bool {
	tail = bytes.TrimSpace(tail)
	return len(tail) == 0 || tail[0] == '#'
}

// endsWithItsLine reports whether a value that does not begin with a quote ends with its line for every reader: whatever
// quotes and substitutions it holds are closed on it.
func endsWithItsLine(value []byte) bool {
	if at := bytes.Index(value, []byte(" #")); at >= 0 {
		value = value[:at]
	}
	if bytes.HasSuffix(value, []byte(`\`)) || bytes.Count(value, []byte("$(")) > bytes.Count(value, []byte(")")) {
		return false
	}
	open := byte(0)
	for i, c := range value {
		switch {
		case !quotes(c):
		case i > 0 && value[i-1] == '\\':
			return false
		case open == 0:
			open = c
		case open == c:
			open = 0
		}
	}
	return open == 0
}
