package trigram

import (
	"regexp/syntax"
	"slices"
	"unicode/utf8"
)

// Bounds of the analysis. Sets beyond them are made smaller by knowing less.
const (
	maxClass = 24 // characters of a class that are told apart
	maxSet   = 64 // texts of a set
	maxText  = 8  // bytes that are kept of a text at the edge of a match
)

// Of returns the query that every text on one line which re matches satisfies. re may be in any form that syntax.Parse gives.
func Of(re *syntax.Regexp) *Query { return analyze(re.Simplify()).query() }

// known is what is known of every match of an expression. Texts are folded. Either the match is one of exact, or exact is nil
// and the match begins with one of heads, ends with one of tails, and satisfies rest; heads and tails hold "" where nothing is known.
type known struct {
	exact        []string
	heads, tails []string
	rest         *Query
}

var (
	unknown = known{heads: []string{""}, tails: []string{""}}
	empty   = known{exact: []string{""}}
	never   = known{exact: []string{}}
)

func analyze(re *syntax.Regexp) known {
	switch re.Op {
	case syntax.OpNoMatch:
		return never
	case syntax.OpEmptyMatch, syntax.OpBeginLine, syntax.OpEndLine, syntax.OpBeginText, syntax.OpEndText, syntax.OpWordBoundary, syntax.OpNoWordBoundary:
		return empty
	case syntax.OpLiteral:
		return known{exact: []string{foldRunes(re.Rune)}}
	case syntax.OpCharClass:
		return class(re.Rune)
	case syntax.OpCapture:
		return analyze(re.Sub[0])
	case syntax.OpQuest:
		return oneOf(analyze(re.Sub[0]), empty)
	case syntax.OpPlus:
		return analyze(re.Sub[0]).loose()
	case syntax.OpConcat:
		k := empty
		for _, sub := range re.Sub {
			k = follow(k, analyze(sub))
		}
		return k
	case syntax.OpAlternate:
		k := never
		for _, sub := range re.Sub {
			k = oneOf(k, analyze(sub))
		}
		return k
	}
	return unknown // any character, and what may be left out
}

func (k known) query() *Query {
	if k.exact != nil {
		return holding(k.exact)
	}
	return both(k.rest, both(holding(k.heads), holding(k.tails)))
}

// loose is k without knowing the whole of a match.
func (k known) loose() known {
	if k.exact == nil {
		return k
	}
	return known{heads: atHead(k.exact), tails: atTail(k.exact), rest: holding(k.exact)}
}

// follow is what is known of a match of a with one of b behind it.
func follow(a, b known) known {
	if a.exact != nil && b.exact != nil {
		if joined := product(a.exact, b.exact); joined != nil {
			return known{exact: joined}
		}
	}
	if a.exact != nil && len(a.exact) == 0 || b.exact != nil && len(b.exact) == 0 {
		return never
	}
	la, lb := a.loose(), b.loose()
	k := known{heads: la.heads, tails: lb.tails, rest: both(la.rest, lb.rest)}
	if over := product(la.tails, lb.heads); over != nil {
		k.rest = both(k.rest, holding(over))
	}
	if a.exact != nil {
		if all := product(a.exact, lb.heads); all != nil {
			k.heads = atHead(all)
		}
	}
	if b.exact != nil {
		if all := product(la.tails, b.exact); all != nil {
			k.tails = atTail(all)
		}
	}
	return k
}

// oneOf is what is known of a match of a or of b.
func oneOf(a, b known) known {
	if a.exact != nil && b.exact != nil {
		if all := joined(a.exact, b.exact); len(all) <= maxSet {
			return known{exact: all}
		}
	}
	la, lb := a.loose(), b.loose()
	return known{
		heads: atHead(joined(la.heads, lb.heads)), tails: atTail(joined(la.tails, lb.tails)),
		rest: either(a.query(), b.query()),
	}
}

// class is what is known of one character of the ranges in pairs.
func class(pairs []rune) known {
	if len(pairs) == 0 {
		return never
	}
	var all []string
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1]-pairs[i] >= maxClass || len(all) > maxClass {
			return unknown
		}
		for r := pairs[i]; r <= pairs[i+1]; r++ {
			all = append(all, foldRunes([]rune{r}))
		}
	}
	if all = joined(all, nil); len(all) > maxClass {
		return unknown
	}
	return known{exact: all}
}

func foldRunes(runes []rune) string {
	var text []byte
	for _, r := range runes {
		text = utf8.AppendRune(text, fold(r))
	}
	return string(text)
}

// product is every text of a with every one of b behind it; nil when these are too many, or too long.
func product(a, b []string) []string {
	if len(a)*len(b) > maxSet {
		return nil
	}
	all := []string{}
	for _, x := range a {
		for _, y := range b {
			all = append(all, x+y)
		}
	}
	return joined(all, nil)
}

// atHead is what texts begin with, as far as it is kept.
func atHead(texts []string) []string {
	return edges(texts, func(text string, n int) string { return text[:n] })
}

// atTail is what texts end with, as far as it is kept.
func atTail(texts []string) []string {
	return edges(texts, func(text string, n int) string { return text[len(text)-n:] })
}

// edges cuts texts down until there are few enough different ones.
func edges(texts []string, cut func(text string, n int) string) []string {
	for n := maxText; ; n /= 2 {
		all := make([]string, len(texts))
		for i, text := range texts {
			all[i] = cut(text, min(n, len(text)))
		}
		if all = joined(all, nil); len(all) <= maxSet {
			return all
		}
	}
}

// joined is the set of a and b, in order.
func joined(a, b []string) []string {
	all := slices.Concat([]string{}, a, b)
	slices.Sort(all)
	return slices.Compact(all)
}
