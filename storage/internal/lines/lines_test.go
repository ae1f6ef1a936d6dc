package lines

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"nexus/internal/errs"
)

func never() error { return nil }

func compile(t testing.TB, expr string, ignoreCase bool) *Pattern {
	t.Helper()
	p, err := Compile(expr, ignoreCase)
	if err != nil {
		t.Fatalf("Compile(%q): %v", expr, err)
	}
	return p
}

func search(t testing.TB, p *Pattern, r io.Reader) []Match {
	t.Helper()
	var all []Match
	if _, err := NewSearcher(p, never).Search(r, 0, func(m Match) bool {
		all = append(all, m)
		return true
	}); err != nil {
		t.Fatal(err)
	}
	return all
}

func TestFirstMatchOfEachLineIsFound(t *testing.T) {
	for _, c := range []struct {
		expr string
		fold bool
		text string
		want []Match
	}{
		{"NOTE", false, "a\n# NOTE: b NOTE\r\n\nnote\nNOTE", []Match{{2, "# NOTE: b NOTE", "NOTE", false}, {5, "NOTE", "NOTE", false}}},
		{"note", true, "x NOTE\nnoTe", []Match{{1, "x NOTE", "NOTE", false}, {2, "noTe", "noTe", false}}},
		{"^$", false, "a\n\nb\n", []Match{{2, "", "", false}}},
		{`\d+$`, false, "a1\r\nb22\n3c", []Match{{1, "a1", "1", false}, {2, "b22", "22", false}}},
		{`a\nb`, false, "a\nb", nil},
		{"straße", true, "STRASSE\nSTRAßE\nſtraße", []Match{{2, "STRAßE", "STRAßE", false}, {3, "ſtraße", "ſtraße", false}}},
		{"kelvin", true, "273 \u212aelvin", []Match{{1, "273 \u212aelvin", "\u212aelvin", false}}},
		{`\x{FFFD}x`, false, "a\xffx", []Match{{1, "a\uFFFDx", "\uFFFDx", false}}},
		{"x", false, "bin\x00\nx", nil},
		{"x", false, "", nil},
		{"foo|ba[rz]", false, "foo\nbar\nbaz\nbad", []Match{{1, "foo", "foo", false}, {2, "bar", "bar", false}, {3, "baz", "baz", false}}},
	} {
		if got := search(t, compile(t, c.expr, c.fold), strings.NewReader(c.text)); !slices.Equal(got, c.want) {
			t.Errorf("%s (%v) in %q = %+v, want %+v", c.expr, c.fold, c.text, got, c.want)
		}
	}
}

// plain is the search without any cleverness.
func plain(re *regexp.Regexp, text string) (all []Match) {
	n := 0
	for line := range strings.Lines(text) {
		n++
		line = strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r")
		if loc := re.FindStringIndex(line); loc != nil {
			all = append(all, Match{n, strings.ToValidUTF8(line, "\uFFFD"), strings.ToValidUTF8(line[loc[0]:loc[1]], "\uFFFD"), false})
		}
	}
	return all
}

var parts = []string{"needle", "NEEDLE", "hay", "stack", "größe", "GRÖßE", "k", "K", "\u212a", "ſ", "S", "\xff", "日本", " ", "\n", "\r\n", "\n\n", "42"}

func TestSearchFindsWhatAPlainOneFinds(t *testing.T) {
	matches := 0
	for seed := range uint64(5000) {
		r := rand.New(rand.NewPCG(seed, 2))
		pick := func() string {
			return regexp.QuoteMeta(strings.TrimSpace(strings.ToValidUTF8(parts[r.IntN(len(parts))], "\uFFFD")))
		}
		expr := []string{
			pick() + pick(), pick() + "|" + pick() + pick(), "(?:" + pick() + ")+" + pick(), pick() + ".*" + pick(), "[sk]" + pick(), "(?i:" + pick() + ")" + pick(),
			"^" + pick(), pick() + "$", "(" + pick() + "|" + pick() + "){2}", "x" + pick() + "?[0-9]",
		}[r.IntN(10)]
		if expr == "" {
			continue
		}
		fold := r.IntN(2) == 0
		var b strings.Builder
		for range r.IntN(80) {
			b.WriteString(parts[r.IntN(len(parts))])
		}
		reference := expr
		if fold {
			reference = "(?i)" + expr
		}
		want := plain(regexp.MustCompile(reference), b.String())
		matches += len(want)
		s := NewSearcher(compile(t, expr, fold), never)
		s.buffer = make([]byte, 600) // so that texts come in many pieces, and none is a part of a line
		var got []Match
		if _, err := s.Search(iotest.HalfReader(strings.NewReader(b.String())), 0, func(m Match) bool { got = append(got, m); return true }); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got, want) {
			t.Fatalf("%q (%v) in %q\n got %+v\nwant %+v", expr, fold, b.String(), got, want)
		}
	}
	if matches < 5000 {
		t.Errorf("only %d lines match: the test shows little", matches)
	}
}

func TestLongLinesAreSearchedInPiecesAndShownInPart(t *testing.T) {
	p := compile(t, "needle", false)
	for _, at := range []int{0, 500, piece - 3, piece + 100, buffered - 3, 3*buffered + 7, 10*buffered - 6} {
		line := []byte(strings.Repeat("é", 5*buffered))
		at -= at % 2
		copy(line[at:], "needle")
		got := search(t, p, strings.NewReader("first\n"+string(line)+"\nneedle\n"))
		if len(got) != 2 || got[0].Line != 2 || got[0].Text != "needle" || !got[0].Cut || got[1] != (Match{3, "needle", "needle", false}) {
			t.Errorf("at %d: %.200v", at, got)
			continue
		}
		if c := got[0].Content; len(c) > maxShown || !strings.Contains(c, "needle") || strings.Contains(c, "\uFFFD") {
			t.Errorf("at %d: %d bytes are shown: %.100q", at, len(c), c)
		}
	}
	all := search(t, compile(t, "x+", false), strings.NewReader(strings.Repeat("x", 3*maxShown)))
	if len(all) != 1 || len(all[0].Text) > maxShown || !all[0].Cut {
		t.Errorf("a long match: %.100v", all)
	}
}

func TestSearchStopsWhenToldTo(t *testing.T) {
	p, full := compile(t, "x", false), errors.New("full")
	n := 0
	if _, err := NewSearcher(p, never).Search(strings.NewReader("x\nx\nx\n"), 0, func(Match) bool { n++; return n < 2 }); n != 2 || err != nil {
		t.Errorf("%d matches, %v, want 2", n, err)
	}
	for _, text := range []string{strings.Repeat("\n", 1<<20), strings.Repeat("y", 1<<20), strings.Repeat("abc\n", 1<<18)} {
		calls := 0
		s := NewSearcher(compile(t, "[^y]$", false), func() error {
			if calls++; calls == 3 {
				return full
			}
			return nil
		})
		if _, err := s.Search(strings.NewReader(text), 0, func(Match) bool { return true }); !errors.Is(err, full) || calls != 3 {
			t.Errorf("%.10q: %v after %d calls, want an end at the third", text, err, calls)
		}
	}
	broken := errors.New("disk")
	if _, err := NewSearcher(p, never).Search(io.MultiReader(strings.NewReader("x\n"), iotest.ErrReader(broken)), 0, func(Match) bool { return true }); !errors.Is(err, broken) {
		t.Errorf("a read error is %v", err)
	}
}

func TestSearchGoesOnBehindALine(t *testing.T) {
	text := strings.Repeat("x\n", 5) + strings.Repeat("long x ", buffered) + "\nx\n\nx"
	all := search(t, compile(t, "x", false), strings.NewReader(text))
	for _, expr := range []string{"x", "(?i)X", "[^y]"} {
		for after := range 12 {
			var got []int
			s := NewSearcher(compile(t, expr, false), never)
			if _, err := s.Search(strings.NewReader(text), after, func(m Match) bool { got = append(got, m.Line); return true }); err != nil {
				t.Fatal(err)
			}
			var want []int
			for _, m := range all {
				if m.Line > after {
					want = append(want, m.Line)
				}
			}
			if !slices.Equal(got, want) {
				t.Errorf("%s behind line %d: lines %v, want %v", expr, after, got, want)
			}
		}
	}
}

func TestExpressionsThatWouldTakeLongAreRefused(t *testing.T) {
	for _, expr := range []string{
		"", "(", "a)(b", "x{1001}", "(x{100}){100}", strings.Repeat("x", MaxExpression+1), strings.Repeat("a{900}b{900}", 3), `\pX`, "\xff", `(?=a)`, `(a)\1`,
	} {
		if _, err := Compile(expr, true); !errors.Is(err, errs.Invalid) || errs.From(err).Reason != errs.NotValid {
			t.Errorf("Compile(%.20q) = %v, want invalid", expr, err)
		}
	}
}

func TestFactorIsInEveryMatch(t *testing.T) {
	for expr, want := range map[string]string{
		"abc.*defg": "[defg]", "a|bc": "[a bc]", "x*abc": "[abc]", "(abc)+": "[abc]", "(abc){2,3}": "[abc]", "(abc)?": "[]", "[xy]+": "[x y]", "[a-z]": "[]",
		"(?i)ABC": "[abc] folded", `\x{fffd}`: "[\uFFFD] folded",
	} {
		f := compile(t, expr, false).need
		got := fmt.Sprint(f.texts)
		if f.folds {
			got += " folded"
		}
		if got != want {
			t.Errorf("factor of %s = %s, want %s", expr, got, want)
		}
	}
}
