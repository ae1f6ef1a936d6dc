package cache_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"nexus/authzsvc/authz"
	"nexus/authzsvc/internal/cache"
)

// shelf is a folder that bob may not read, with files of which he was granted some; granted says which.
type shelf struct {
	*house
	granted []bool
}

func newShelf(t *testing.T, n int, grants func(i int) bool) shelf {
	t.Helper()
	s := shelf{open(t, cache.Options{}), make([]bool, n)}
	flat(s.house, 1)
	var texts []string
	for i := range n {
		if s.granted[i] = grants(i); s.granted[i] {
			texts = append(texts, s.id(i)+"#direct_viewer@"+bob)
		}
		if len(texts) == 500 || i == n-1 {
			s.write(texts...)
			texts = nil
		}
	}
	s.read = s.head()
	return s
}

func (shelf) id(i int) string { return fmt.Sprintf("file:acme/y%05d", i) }

// sifted decides the files of these numbers and compares with what was granted.
func (s shelf) sifted(numbers []int) {
	s.Helper()
	members := make([]authz.Member, len(numbers))
	for at, i := range numbers {
		members[at] = authz.Member{Object: ref(s.id(i)), In: ref("file:acme/p")}
	}
	_, got := s.sift(bob, "read", members)
	for at, i := range numbers {
		if got[at] != s.granted[i] {
			s.Fatalf("of %d files, number %d passes: %v, want %v", len(numbers), i, got[at], s.granted[i])
		}
	}
}

func TestSiftLeapsFromGrantToGrantAndMissesNone(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 26))
	const files = 6000
	s := newShelf(t, files, func(i int) bool { return i/1500%2 == 0 || r.IntN(5) == 0 }) // whole stretches, and some in between
	for range 60 {
		var numbers []int
		for range 1 + r.IntN(5) { // stretches that were made one after the other, some of them twice
			from, step := r.IntN(files), 1+r.IntN(20)
			for i := from; i < min(files, from+step*r.IntN(400)); i += step {
				numbers = append(numbers, i)
			}
		}
		r.Shuffle(len(numbers), func(i, j int) { numbers[i], numbers[j] = numbers[j], numbers[i] })
		s.sifted(numbers)
	}
}

// What was granted between two stretches of a page is not read: a page costs what it holds, not what its reader was granted.
func TestSiftLeapsOverWhatIsNotSought(t *testing.T) {
	s := newShelf(t, 5000, func(int) bool { return true })
	var numbers []int
	for i := range 200 {
		numbers = append(numbers, i, 4000+i)
	}
	before := s.reader.ids.Load()
	s.sifted(numbers)
	if n := s.reader.ids.Load() - before; n < 400 || n > 1000 {
		t.Errorf("%d grants read for 400 files of one who has 5,000", n)
	}
}
