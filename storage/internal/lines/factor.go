package lines

import (
	"regexp/syntax"
	"slices"
	"strings"
	"unicode/utf8"

	"nexus/storage/internal/trigram"
)

// factor is texts of which every match holds one. The zero factor says that none are known.
type factor struct {
	texts []string
	folds bool // they are folded, and are to be sought in folded text
}

// maxTexts bounds the texts that are sought at once.
const maxTexts = 16

// required returns the factor of re that says most.
func required(re *syntax.Regexp) factor {
	f := find(re)
	if !f.folds {
		return f
	}
	for i, text := range f.texts {
		folded, _ := trigram.Fold(nil, []byte(text))
		f.texts[i] = string(folded)
	}
	slices.Sort(f.texts)
	f.texts = slices.Compact(f.texts)
	return f
}

func find(re *syntax.Regexp) factor {
	switch re.Op {
	case syntax.OpLiteral:
		return literal(re.Rune, re.Flags&syntax.FoldCase != 0)
	case syntax.OpCharClass:
		return class(re.Rune)
	case syntax.OpCapture, syntax.OpPlus:
		return find(re.Sub[0])
	case syntax.OpRepeat:
		if re.Min > 0 {
			return find(re.Sub[0])
		}
	case syntax.OpConcat:
		var best factor
		for _, sub := range re.Sub {
			if f := find(sub); f.weight() > best.weight() {
				best = f
			}
		}
		return best
	case syntax.OpAlternate:
		return alternate(re.Sub)
	}
	return factor{}
}

// literal is the factor of characters in a row. One that stands for bytes that are no UTF-8 is sought in folded text, where
// it is what they are.
func literal(runes []rune, folds bool) factor {
	return factor{[]string{string(runes)}, folds || slices.Contains(runes, utf8.RuneError)}
}

func class(pairs []rune) factor {
	var f factor
	for i := 0; i < len(pairs); i += 2 {
		for r := pairs[i]; r <= pairs[i+1]; r++ {
			if len(f.texts) == maxTexts/4 {
				return factor{}
			}
			one := literal([]rune{r}, false)
			f.texts, f.folds = append(f.texts, one.texts...), f.folds || one.folds
		}
	}
	return f
}

func alternate(subs []*syntax.Regexp) factor {
	var all factor
	for _, sub := range subs {
		f := find(sub)
		if len(f.texts) == 0 || len(all.texts)+len(f.texts) > maxTexts {
			return factor{}
		}
		all.texts, all.folds = append(all.texts, f.texts...), all.folds || f.folds
	}
	return all
}

// weight is how much a factor says: long texts, and few of them.
func (f factor) weight() int {
	if len(f.texts) == 0 {
		return 0
	}
	least := slices.MinFunc(f.texts, func(a, b string) int { return len(a) - len(b) })
	return len(least)*maxTexts*2 - len(f.texts)
}

// in reports whether text, folded where f folds, holds one of the texts of f.
func (f factor) in(text string) bool {
	return slices.ContainsFunc(f.texts, func(t string) bool { return strings.Contains(text, t) })
}
