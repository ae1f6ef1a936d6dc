package storage

import (
	"strings"
	"unicode/utf8"

	"github.com/bmatcuk/doublestar/v4"
	"golang.org/x/text/unicode/norm"

	"nexus/internal/errs"
	"nexus/internal/paths"
)

// Bounds of a pattern of paths. Matching one path takes at most the product of them and the length of the path.
const (
	maxPathPattern  = 500 // bytes
	maxAlternatives = 64
)

// PathPattern is a pattern of paths: * and ? and [a-z] within a component, ** for any number of components, {a,b} for either.
// It is relative to a folder, or absolute. The zero PathPattern matches every path.
type PathPattern struct {
	absolute     bool
	alternatives []string // without braces and without a slash in front
}

// ParsePathPattern returns the pattern that text is. What is no pattern is errs.Invalid.
func ParsePathPattern(text string) (PathPattern, error) {
	if len(text) > maxPathPattern {
		return PathPattern{}, badPattern("is longer than %d bytes", maxPathPattern)
	}
	if text == "" || !utf8.ValidString(text) {
		return PathPattern{}, badPattern("is empty, or not UTF-8")
	}
	text = norm.NFC.String(text)
	p := PathPattern{absolute: text[0] == '/'}
	text = strings.TrimLeft(text, "/")
	for strings.HasPrefix(text, "./") {
		text = strings.TrimLeft(text[2:], "/")
	}
	var err error
	if p.alternatives, err = braces(text, nil); err != nil {
		return PathPattern{}, err
	}
	for _, alt := range p.alternatives {
		if !doublestar.ValidatePattern(alt) {
			return PathPattern{}, badPattern("has a bracket or a backslash without its other half")
		}
		if strings.HasPrefix(alt, "../") || strings.Contains(alt, "/../") || strings.HasSuffix(alt, "/..") || alt == ".." {
			return PathPattern{}, badPattern("has a component ..")
		}
	}
	return p, nil
}

func badPattern(format string, args ...any) error {
	return errs.New(errs.Invalid, "the pattern of paths "+format, args...).Marked(errs.NotValid)
}

// anywhere is p where an alternative without a slash means names at any depth.
func (p PathPattern) anywhere() PathPattern {
	out := PathPattern{absolute: p.absolute}
	for _, alt := range p.alternatives {
		if !p.absolute && !strings.Contains(alt, "/") {
			alt = "**/" + alt
		}
		out.alternatives = append(out.alternatives, alt)
	}
	return out
}

// braces appends to all each pattern that text means for one choice of its alternatives. The matcher is given patterns
// without braces: with them its work could grow with each brace.
func braces(text string, all []string) ([]string, error) {
	open, commas, end := firstBrace(text)
	if open < 0 {
		if len(all) == maxAlternatives {
			return nil, badPattern("has more than %d alternatives", maxAlternatives)
		}
		return append(all, text), nil
	}
	if end < 0 {
		return nil, badPattern("has a brace without its other half")
	}
	from := open + 1
	for _, to := range append(commas, end) {
		var err error
		if all, err = braces(text[:open]+text[from:to]+text[end+1:], all); err != nil {
			return nil, err
		}
		from = to + 1
	}
	return all, nil
}

// firstBrace returns where the first brace of text opens, where the commas of its alternatives are, and where it closes; -1
// for what is not there.
func firstBrace(text string) (open int, commas []int, end int) {
	open = -1
	depth, class := 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\':
			i++
		case class:
			class = c != ']'
		case c == '[':
			class = true
		case c == '{':
			if depth++; depth == 1 {
				open = i
			}
		case c == '}' && depth > 0:
			if depth--; depth == 0 {
				return open, commas, i
			}
		case c == ',' && depth == 1:
			commas = append(commas, i)
		}
	}
	return open, nil, -1
}

// region is the part of a tree in which a pattern can match below a folder.
type region struct {
	stretch
	root        string // path of the folder, with a slash at its end
	pattern     PathPattern
	depth       int // the most slashes that a path which matches has; -1: any number
	unreachable bool
}

// below returns where p can match below folder, which ends in a slash.
func (p PathPattern) below(folder string) region {
	r := region{stretch: below(folder), root: folder, pattern: p, depth: -1}
	base := folder
	if p.absolute {
		base = paths.Root
	}
	if most, bounded := p.slashes(); bounded {
		r.depth = strings.Count(base, "/") + most
	}
	prefix := base + p.literal()
	if !strings.HasPrefix(prefix, folder) {
		r.unreachable = !strings.HasPrefix(folder, prefix)
		return r
	}
	if strings.HasSuffix(prefix, "/") {
		r.stretch = below(prefix)
		return r
	}
	r.from, r.base = prefix, prefix[:strings.LastIndexByte(prefix, '/')+1]
	if end, ok := afterPrefix(prefix); ok {
		r.to = min(r.to, end)
	}
	return r
}

// slashes returns the most slashes that what matches an alternative has; false when that is any number.
func (p PathPattern) slashes() (most int, bounded bool) {
	for _, alt := range p.alternatives {
		if strings.Contains(alt, "**") {
			return 0, false
		}
		most = max(most, strings.Count(alt, "/"))
	}
	return most, len(p.alternatives) > 0
}

// literal is what every path that matches begins with.
func (p PathPattern) literal() string {
	if len(p.alternatives) == 0 {
		return ""
	}
	common := literal(p.alternatives[0])
	for _, alt := range p.alternatives[1:] {
		other := literal(alt)
		n := 0
		for n < len(common) && n < len(other) && common[n] == other[n] {
			n++
		}
		for n > 0 && n < len(common) && !utf8.RuneStart(common[n]) {
			n--
		}
		common = common[:n]
	}
	return common
}

// literal returns what of a pattern stands before its first sign with a meaning, and before a ** that may mean nothing.
func literal(alt string) string {
	at := strings.IndexAny(alt, `*?[\`)
	if at < 0 {
		return alt
	}
	if strings.HasPrefix(alt[at:], "**") {
		return strings.TrimSuffix(alt[:at], "/")
	}
	return alt[:at]
}

// wants reports whether a walk is to visit c: a file that matches, or a folder in which nothing can.
func (r region) wants(c walked) bool {
	if c.folder {
		return r.depth >= 0 && strings.Count(c.key, "/") > r.depth
	}
	return r.holds(c.key)
}

// holds reports whether path is below the region's folder and matches its pattern.
func (r region) holds(path string) bool {
	rest, below := strings.CutPrefix(path, r.root)
	if !below {
		return false
	}
	if r.pattern.absolute {
		rest = path[1:]
	}
	if len(r.pattern.alternatives) == 0 {
		return true
	}
	for _, alt := range r.pattern.alternatives {
		if doublestar.MatchUnvalidated(alt, rest) {
			return true
		}
	}
	return false
}
