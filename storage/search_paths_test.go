package storage

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"nexus/internal/errs"
	"nexus/storage/internal/sqlstore"
)

func parsePaths(t testing.TB, text string) PathPattern {
	t.Helper()
	p, err := ParsePathPattern(text)
	if err != nil {
		t.Fatalf("ParsePathPattern(%q): %v", text, err)
	}
	return p
}

func TestPatternsMatchPathsBelowTheirFolder(t *testing.T) {
	for _, c := range []struct {
		pattern, folder string
		yes, no         []string
	}{
		{"*.py", "/p/", []string{"/p/a.py"}, []string{"/p/q/a.py", "/a.py", "/p/a.pyc"}},
		{"**/*.py", "/p/", []string{"/p/a.py", "/p/q/r/a.py"}, []string{"/a.py"}},
		{"**", "/", []string{"/a", "/a/b"}, nil},
		{"src/**", "/", []string{"/src/a", "/src/b/c"}, []string{"/src-old/a", "/a/src/b"}},
		{"{a,b/**}/x", "/", []string{"/a/x", "/b/x", "/b/c/x"}, []string{"/a/c/x", "/x"}},
		{"[a-c]?[!x].go", "/", []string{"/a1y.go"}, []string{"/d1y.go", "/a1x.go", "/a/y.go"}},
		{`\*.go`, "/", []string{"/*.go"}, []string{"/a.go"}},
		{"/p/*.py", "/p/", []string{"/p/a.py"}, []string{"/a.py"}},
		{"/*/a*", "/p/", []string{"/p/a", "/p/ab"}, []string{"/q/a", "/a"}},
		{"/*/**", "/p/q/", []string{"/p/q/a", "/p/q/r/s"}, []string{"/p/a"}},
		{"/p/*", "/q/", nil, []string{"/p/a", "/q/a"}},
		{"./*.go", "/", []string{"/a.go"}, []string{"/b/a.go"}},
		{"größe*", "/", []string{"/größer"}, []string{"/grö"}},
		{"gro\u0308ße", "/", []string{"/größe"}, nil},
		{"a{b,}c", "/", []string{"/abc", "/ac"}, []string{"/abbc"}},
		{"{[,}],x}", "/", []string{"/,", "/}", "/x"}, []string{"/["}},
	} {
		r := parsePaths(t, c.pattern).below(c.folder)
		for _, path := range c.yes {
			if r.unreachable || !r.holds(path) || !r.reaches(path) {
				t.Errorf("%s below %s: %s does not match or is not reached: %+v", c.pattern, c.folder, path, r)
			}
		}
		for _, path := range c.no {
			if !r.unreachable && r.holds(path) {
				t.Errorf("%s below %s: %s matches", c.pattern, c.folder, path)
			}
		}
	}
}

// reaches reports whether a walk through the region meets path, which is in none of the folders that it passes.
func (r region) reaches(path string) bool {
	passes := slices.ContainsFunc(folders(r.root, path), func(f string) bool { return r.wants(walked{key: f, folder: true}) })
	return !passes && path >= r.from && path < r.to && strings.HasPrefix(path, r.base)
}

// TestWalkMeetsEveryMatch: the part of the tree that is walked leaves out nothing that matches.
func TestWalkMeetsEveryMatch(t *testing.T) {
	pieces := []string{"a", "b", "ab", "*", "?", "**", "[ab]", "{a,b}", "{a/b,**}", "a*", "\U0010ffff", "\ud7ff", "é"}
	names := []string{"a", "b", "ab", "aa", "\U0010ffff", "\ud7ff", "é", "ba"}
	random := func(r *rand.Rand, from []string) string {
		var parts []string
		for range 1 + r.IntN(4) {
			parts = append(parts, from[r.IntN(len(from))])
		}
		return strings.Join(parts, "/")
	}
	matches := 0
	for seed := range uint64(3000) {
		r := rand.New(rand.NewPCG(seed, 3))
		text := random(r, pieces)
		if r.IntN(3) == 0 {
			text = "/" + text
		}
		folder := sqlstore.Slashed([]string{"/", "/a", "/a/b"}[r.IntN(3)])
		p := parsePaths(t, text)
		if r.IntN(2) == 0 {
			p = p.anywhere()
		}
		region := p.below(folder)
		everywhere := p
		for range 60 {
			path := "/" + random(r, names)
			all := regionOf(everywhere, folder)
			if !all.holds(path) {
				continue
			}
			matches++
			if region.unreachable || !region.reaches(path) {
				t.Fatalf("%s below %s: %s matches and is not met: %+v", text, folder, path, region)
			}
		}
	}
	if matches < 5_000 {
		t.Errorf("only %d paths match: the test shows little", matches)
	}
}

func regionOf(p PathPattern, folder string) region { return region{root: folder, pattern: p} }

func TestLiteralBeginningOfAPatternBoundsTheWalk(t *testing.T) {
	for pattern, want := range map[string]region{
		"*.py":               {stretch: below("/p/"), depth: 2},
		"src/net/*.go":       {stretch: below("/p/src/net/"), depth: 4},
		"src/net*/x":         {stretch: stretch{"/p/src/net", "/p/src/neu", "/p/src/"}, depth: 4},
		"src/net/**/x":       {stretch: stretch{"/p/src/net", "/p/src/neu", "/p/src/"}, depth: -1},
		"{src/a,src/b}/*.go": {stretch: below("/p/src/"), depth: 4},
		"**/x":               {stretch: below("/p/"), depth: -1},
		"a\ud7ff*/x":         {stretch: stretch{"/p/a\ud7ff", "/p/a\ue000", "/p/"}, depth: 3},
		"a\U0010ffff*/x":     {stretch: stretch{"/p/a\U0010ffff", "/p/b", "/p/"}, depth: 3},
	} {
		if r := parsePaths(t, pattern).below("/p/"); r.stretch != want.stretch || r.depth != want.depth {
			t.Errorf("%s: %+v, depth %d, want %+v, depth %d", pattern, r.stretch, r.depth, want.stretch, want.depth)
		}
	}
}

func TestPatternsThatWouldTakeLongAreRefused(t *testing.T) {
	for _, text := range []string{
		"", "a[", "{a", `a\`, "../x", "a/../b", "{a,..}/b", strings.Repeat("{a,b}", 7), strings.Repeat("a", maxPathPattern+1), "\xff",
		"{" + strings.Repeat("a,", maxAlternatives) + "}",
	} {
		if _, err := ParsePathPattern(text); !errors.Is(err, errs.Invalid) || errs.From(err).Reason != errs.NotValid {
			t.Errorf("ParsePathPattern(%.20q) = %v, want invalid", text, err)
		}
	}
	if p := parsePaths(t, strings.Repeat("{a,b}", 6)); len(p.alternatives) != maxAlternatives {
		t.Errorf("%d alternatives, want %d", len(p.alternatives), maxAlternatives)
	}
}

func TestAlternativesAreToldApart(t *testing.T) {
	for text, want := range map[string][]string{
		"a":             {"a"},
		"{a,b}{c,d}":    {"ac", "ad", "bc", "bd"},
		"x{a,{b,c}d}y":  {"xay", "xbdy", "xcdy"},
		`\{a,b\}`:       {`\{a,b\}`},
		"[{]a{b,[},]c}": {"[{]ab", "[{]a[},]c"},
		"{}":            {""},
	} {
		if got := parsePaths(t, text).alternatives; !slices.Equal(got, want) {
			t.Errorf("%s means %q, want %q", text, got, fmt.Sprint(want))
		}
	}
}
