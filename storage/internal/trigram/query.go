package trigram

import (
	"slices"
	"strings"
)

// Query says which grams a content must hold to be worth looking at. It is immutable. The nil Query admits every content.
type Query struct {
	op   operator
	all  []Gram // for and: every one of them
	subs []*Query
}

type operator uint8

const (
	and operator = iota + 1
	or
	none // admits no content
)

var nothing = &Query{op: none}

// Selective reports whether q leaves any content out.
func (q *Query) Selective() bool { return q != nil }

// String shows q, for tests and explanations: grams in quotes, and is a space, or a bar.
func (q *Query) String() string {
	if q == nil {
		return "any"
	}
	if q.op == none {
		return "none"
	}
	var parts []string
	for _, g := range q.all {
		parts = append(parts, `"`+string([]byte{byte(g >> 16), byte(g >> 8), byte(g)})+`"`)
	}
	for _, s := range q.subs {
		parts = append(parts, s.String())
	}
	separator := " "
	if q.op == or {
		separator = " | "
	}
	return "(" + strings.Join(parts, separator) + ")"
}

// both is the query of contents that a and b admit.
func both(a, b *Query) *Query {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	case a.op == none || b.op == none:
		return nothing
	}
	q := &Query{op: and}
	for _, part := range []*Query{a, b} {
		if part.op == and {
			q.all, q.subs = append(q.all, part.all...), append(q.subs, part.subs...)
		} else {
			q.subs = append(q.subs, part)
		}
	}
	slices.Sort(q.all)
	q.all = slices.Compact(q.all)
	return q
}

// either is the query of contents that a or b admits.
func either(a, b *Query) *Query {
	switch {
	case a == nil || b == nil:
		return nil
	case a.op == none:
		return b
	case b.op == none:
		return a
	}
	q := &Query{op: or}
	for _, part := range []*Query{a, b} {
		if part.op == or {
			q.subs = append(q.subs, part.subs...)
		} else {
			q.subs = append(q.subs, part)
		}
	}
	return q
}

// holding is the query of contents that hold one of texts, which are folded.
func holding(texts []string) *Query {
	q := nothing
	for _, text := range texts {
		q = either(q, holdingAll(text))
	}
	return q
}

// maxHeld bounds the grams of one text that are asked for: so many say enough.
const maxHeld = 32

func holdingAll(text string) *Query {
	if len(text) < 3 {
		return nil
	}
	q := &Query{op: and}
	step := 1 + len(text)/maxHeld
	for i := 2; i < len(text); i += step {
		q.all = append(q.all, Gram(text[i-2])<<16|Gram(text[i-1])<<8|Gram(text[i]))
	}
	slices.Sort(q.all)
	q.all = slices.Compact(q.all)
	return q
}

// admits reports whether a content with these grams, in order, is worth looking at.
func (q *Query) admits(grams []Gram) bool {
	if q == nil || len(grams) == 1 && grams[0] == anything {
		return true
	}
	switch q.op {
	case and:
		for _, g := range q.all {
			if _, ok := slices.BinarySearch(grams, g); !ok {
				return false
			}
		}
		return !slices.ContainsFunc(q.subs, func(s *Query) bool { return !s.admits(grams) })
	case or:
		return slices.ContainsFunc(q.subs, func(s *Query) bool { return s.admits(grams) })
	}
	return false
}
