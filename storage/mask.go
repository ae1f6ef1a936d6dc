package storage

import "bytes"

// mask is what a value reads as when it is masked.
var mask = []byte("********")

// maskValues replaces every value in a file of NAME=value lines. Comments, blank lines, names and an "export" before them
// stay. A quoted value that goes on over several lines is masked as one, and a line that is nothing of this is masked whole:
// what is not understood is not shown.
func maskValues(body []byte) []byte {
	var out bytes.Buffer
	for len(body) > 0 {
		line, rest, newline := bytes.Cut(body, []byte("\n"))
		trimmed := bytes.TrimSpace(line)
		name, value, assigned := bytes.Cut(line, []byte("="))
		switch {
		case len(trimmed) == 0 || trimmed[0] == '#':
			out.Write(line)
		case assigned:
			out.Write(name)
			out.WriteByte('=')
			out.Write(mask)
			if quote := opens(value); quote != 0 {
				rest, newline = afterQuote(rest, quote)
			}
		default:
			out.Write(mask)
		}
		if newline {
			out.WriteByte('\n')
		}
		body = rest
	}
	return out.Bytes()
}

// opens returns the quote that value begins with and does not end, or 0.
func opens(value []byte) byte {
	value = bytes.TrimSpace(value)
	if len(value) == 0 || value[0] != '"' && value[0] != '\'' {
		return 0
	}
	if bytes.IndexByte(value[1:], value[0]) >= 0 {
		return 0
	}
	return value[0]
}

// afterQuote returns what follows the line on which quote closes; nothing when it never does.
func afterQuote(body []byte, quote byte) (rest []byte, newline bool) {
	end := bytes.IndexByte(body, quote)
	if end < 0 {
		return nil, false
	}
	_, rest, newline = bytes.Cut(body[end:], []byte("\n"))
	return rest, newline
}
