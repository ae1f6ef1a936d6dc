package ids

import (
	"slices"
	"strings"
	"sync"
	"testing"
)

func TestIDsMadeAtOnceAreUniqueAndEachMakersAreInOrder(t *testing.T) {
	const makers, each = 8, 500
	made := make([][]string, makers)
	var running sync.WaitGroup
	for i := range made {
		running.Go(func() {
			for range each {
				made[i] = append(made[i], New())
			}
		})
	}
	running.Wait()
	for _, own := range made {
		if !slices.IsSorted(own) {
			t.Error("an id sorts before one that was made earlier")
		}
	}
	all := slices.Concat(made...)
	slices.Sort(all)
	if n := len(slices.Compact(all)); n != makers*each {
		t.Errorf("%d different ids of %d", n, makers*each)
	}
}

func TestIDIsAVersion7UUID(t *testing.T) {
	for range 100 {
		raw, err := encoding.DecodeString(New())
		if err != nil || len(raw) != 16 || raw[6]>>4 != 7 || raw[8]>>6 != 2 {
			t.Fatalf("%x, %v, want version 7 and the variant of RFC 9562", raw, err)
		}
	}
}

func FuzzUnquoteReversesQuote(f *testing.F) {
	for _, name := range []string{"", "ann", "a/b", "=", "ä", "\xff", "a b=2F"} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		quoted := Quote(name)
		if back, err := Unquote(quoted); err != nil || back != name {
			t.Errorf("%q is quoted %q and read back as %q, %v", name, quoted, back, err)
		}
		if strings.ContainsFunc(quoted, func(r rune) bool { return r != '=' && (r > 127 || !isPlain(byte(r))) }) {
			t.Errorf("%q is quoted %q", name, quoted)
		}
	})
}

func BenchmarkNew(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		New()
	}
}
