package trigram

import (
	"context"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"regexp/syntax"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// kit is an index of one tenant, and what it should hold.
type kit struct {
	*testing.T
	dir   string
	index *Index
	batch *Batch
	texts map[Sum]string
}

func newKit(t *testing.T) *kit {
	t.Helper()
	k := &kit{T: t, dir: t.TempDir(), batch: NewBatch(), texts: map[Sum]string{}}
	k.open()
	t.Cleanup(func() { k.index.Close() })
	return k
}

func (k *kit) open() {
	k.Helper()
	index, err := Open(k.dir)
	if err != nil {
		k.Fatal(err)
	}
	k.index = index
}

// reopen is what a new process does.
func (k *kit) reopen() {
	k.index.Close()
	k.open()
}

const tenant = "acme"

// add indexes texts up to a sequence.
func (k *kit) add(seq int64, texts ...string) {
	k.Helper()
	byText := map[Sum]string{}
	var sums []Sum
	for _, text := range texts {
		sum := Sum(sha256.Sum256([]byte(text)))
		byText[sum], k.texts[sum] = text, text
		sums = append(sums, sum)
	}
	for _, sum := range k.batch.Begin(sums) {
		if err := k.batch.Add(strings.NewReader(byText[sum])); err != nil {
			k.Fatal(err)
		}
	}
	if err := k.index.Commit(tenant, Progress{Seq: seq}, k.batch); err != nil {
		k.Fatal(err)
	}
}

func (k *kit) view() *View {
	k.Helper()
	v, err := k.index.View(tenant)
	if err != nil {
		k.Fatal(err)
	}
	k.Cleanup(v.Close)
	return v
}

// find returns the texts that the index finds for an expression, in order.
func (k *kit) find(expr string) []string {
	k.Helper()
	sums, complete, err := k.view().Find(Of(parse(k, expr)), 1<<20)
	if err != nil || !complete {
		k.Fatalf("Find(%s) = %v, %v", expr, complete, err)
	}
	all := []string{}
	for sum := range sums {
		all = append(all, k.texts[sum])
	}
	slices.Sort(all)
	return all
}

func (k *kit) mustFind(expr string, want ...string) {
	k.Helper()
	slices.Sort(want)
	if got := k.find(expr); !slices.Equal(got, want) {
		k.Errorf("%s finds %.80q, want %.80q", expr, got, want)
	}
}

// tidy tidies until nothing is left to do.
func (k *kit) tidy(keep func(text string) bool) {
	k.Helper()
	for {
		more, err := k.index.Tidy(k.Context(), tenant, func(_ context.Context, sums []Sum) ([]bool, error) {
			is := make([]bool, len(sums))
			for i, s := range sums {
				is[i] = keep(k.texts[s])
			}
			return is, nil
		})
		if err != nil {
			k.Fatal(err)
		}
		if !more {
			return
		}
	}
}

func all(string) bool { return true }

func parse(t testing.TB, expr string) *syntax.Regexp {
	t.Helper()
	re, err := syntax.Parse(expr, syntax.Perl)
	if err != nil {
		t.Fatal(err)
	}
	return re
}

var words = []string{"needle", "Haystack", "größe", "ſtraße", "KELVIN", "\u212a", "日本語", "x", "_key_", "42", "\xff\xfe", "\t", "{}", "Ünder"}

// text returns a random text of lines.
func text(r *rand.Rand) string {
	var b strings.Builder
	for range r.IntN(60) {
		b.WriteString(words[r.IntN(len(words))])
		b.WriteString([]string{"", " ", "\n", "\r\n"}[r.IntN(4)])
	}
	fmt.Fprint(&b, r.IntN(1000))
	return b.String()
}

// expression returns a random expression of a given depth.
func expression(r *rand.Rand, depth int) string {
	if depth == 0 {
		return []string{
			"need", "eedl", "STACK", "stra", "sse", "kelvin", "K", "k", "日本", "本語", "_key_", "4", "[0-9]", "[a-e]", "[^a]", ".", "größe",
			`\x{FFFD}`, `\s`, `\w`, "[sſ]", "[xyz]", "[k-m]", "ünd", "^", "$", `\b`, "",
		}[r.IntN(28)]
	}
	a, b := expression(r, depth-1), expression(r, depth-1)
	switch r.IntN(10) {
	case 0:
		return "(" + a + "|" + b + ")"
	case 1:
		return "(?:" + a + ")*" + b
	case 2:
		return "(" + a + ")?" + b
	case 3:
		return "(?:" + a + ")+" + b
	case 4:
		return "(?i:" + a + b + ")"
	case 5:
		return a + ".*" + b
	case 6:
		return "(?:" + a + "){1,3}" + b
	}
	return a + b
}
