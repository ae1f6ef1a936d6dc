package trigram

import (
	"math/rand/v2"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"testing"
)

func TestQueriesAreWhatCanBeKnown(t *testing.T) {
	for expr, want := range map[string]string{
		`abc`:                   `("abc")`,
		`(?i)ABC`:               `("abc")`,
		`abcd`:                  `("abc" "bcd")`,
		`ab`:                    `any`,
		`a.c`:                   `any`,
		`abc|def`:               `(("abc") | ("def"))`,
		`abc|d`:                 `any`,
		`ab(c|d)`:               `(("abc") | ("abd"))`,
		`abc.*def`:              `("abc" "def")`,
		`(abc)+`:                `("abc")`,
		`(abc)*`:                `any`,
		`(abc)?def`:             `(("abc" "bcd" "cde" "def") | ("def"))`,
		`a(bc)?d`:               `any`,
		`\babc\b`:               `("abc")`,
		`^abc$`:                 `("abc")`,
		`ab[0-9]`:               `(("ab0") | ("ab1") | ("ab2") | ("ab3") | ("ab4") | ("ab5") | ("ab6") | ("ab7") | ("ab8") | ("ab9"))`,
		`x[^a]yz`:               `any`,
		`abc[^\x00-\x{10FFFF}]`: `none`,
	} {
		if got := Of(parse(t, expr)).String(); got != want {
			t.Errorf("%s asks for %s, want %s", expr, got, want)
		}
	}
}

// mustAdmit checks that a content which an expression matches is among those that its query admits.
func mustAdmit(t *testing.T, g *grams, expr, text string) {
	t.Helper()
	parsed, err := syntax.Parse(expr, syntax.Perl)
	if err != nil {
		t.Skip(err)
	}
	re, err := regexp.Compile(expr)
	if err != nil {
		t.Skip(err)
	}
	held, err := g.of(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(held)
	q := Of(parsed)
	if q.admits(held) || Binary([]byte(text)) {
		return
	}
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r")
		if re.MatchString(line) {
			t.Errorf("%q matches %q in %.200q, and its query %s leaves that out", expr, line, text, q)
		}
	}
}

func TestQueryAdmitsWhatMatches(t *testing.T) {
	g, selective := newGrams(), 0
	for seed := range uint64(6_000) {
		r := rand.New(rand.NewPCG(seed, 1))
		expr := expression(r, 1+r.IntN(3))
		mustAdmit(t, g, expr, text(r))
		if Of(parse(t, expr)).Selective() {
			selective++
		}
	}
	if selective < 1_000 {
		t.Errorf("only %d queries leave anything out: the test shows nothing", selective)
	}
}

func FuzzQueryAdmitsWhatMatches(f *testing.F) {
	for _, expr := range []string{`(?i)stra[sſ]e`, `[a-z]+_key_\d{4}`, `(ab|cd)+ef`, `\x{FFFD}bc`, `a(b|)c(d|e)?f`, `(?i)\x{212a}elvin`} {
		f.Add(expr, "die Straße\nKELVIN _key_0042 abcdef \xffbc ace\n")
	}
	g := newGrams()
	f.Fuzz(func(t *testing.T, expr, text string) {
		if len(expr) > 200 || len(text) > 10_000 {
			t.Skip()
		}
		mustAdmit(t, g, expr, text)
	})
}

func TestFoldKeepsWhatMatchesWithoutCase(t *testing.T) {
	for r := rune(0); r <= 0x1ffff; r++ {
		if r >= 0xd800 && r < 0xe000 {
			continue
		}
		if fold(fold(r)) != fold(r) {
			t.Fatalf("fold(fold(%U)) = %U, fold = %U", r, fold(fold(r)), fold(r))
		}
	}
	folded, aligned := Fold(nil, []byte("STRASSE \u212a \xff Ünder"))
	if string(folded) != "strasse k \uFFFD \u00dcnder" || aligned {
		t.Errorf("Fold = %q, %v", folded, aligned)
	}
	if folded, aligned := Fold(nil, []byte("Ünder ÜNDER")); string(folded) != "Ünder Ünder" || !aligned {
		t.Errorf("Fold = %q, %v", folded, aligned)
	}
}
