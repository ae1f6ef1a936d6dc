package trigram

import (
	"sync"
	"unicode"
	"unicode/utf8"
)

// Fold appends text to dst in the one form in which texts are compared: characters that differ in case alone are one, as for
// (?i) in a regular expression, and a byte that is no UTF-8 is U+FFFD, as which regular expressions read it. aligned says that
// every character kept its length, so that a place in the form is a place in text.
func Fold(dst, text []byte) (folded []byte, aligned bool) {
	aligned = true
	for i := 0; i < len(text); {
		if c := text[i]; c < utf8.RuneSelf {
			dst = append(dst, lower[c])
			i++
			continue
		}
		r, size := utf8.DecodeRune(text[i:])
		before := len(dst)
		dst = utf8.AppendRune(dst, fold(r))
		aligned = aligned && len(dst)-before == size
		i += size
	}
	return dst, aligned
}

// lower is fold for ASCII.
var lower = func() (table [utf8.RuneSelf]byte) {
	for c := range table {
		table[c] = byte(c)
		if 'A' <= c && c <= 'Z' {
			table[c] = byte(c) + 'a' - 'A'
		}
	}
	return table
}()

// plane is fold for the characters that nearly all text is made of; the few others are looked for.
var plane = sync.OnceValue(func() *[1 << 16]uint16 {
	table := new([1 << 16]uint16)
	for r := range table {
		table[r] = uint16(orbit(rune(r)))
	}
	return table
})

// fold returns the one character for all those that differ from r in case alone.
func fold(r rune) rune {
	if r < 1<<16 {
		return rune(plane()[r])
	}
	return orbit(r)
}

// orbit returns the smallest of the characters that differ from r in case alone, or the small letter where that is one of A
// to Z. The smallest one of a character in the plane is in the plane.
func orbit(r rune) rune {
	least := r
	for next := unicode.SimpleFold(r); next != r; next = unicode.SimpleFold(next) {
		least = min(least, next)
	}
	if least < utf8.RuneSelf && least >= 0 {
		return rune(lower[least])
	}
	return least
}
