package authn

import (
	"testing"

	"pgregory.net/rapid"
)

func TestRecentKeepsTheLastUsedAndIsBounded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 8).Draw(t, "n")
		r := newRecent[int, int](n)
		var used []int // distinct, last used last
		for i, k := range rapid.SliceOf(rapid.IntRange(0, 30)).Draw(t, "keys") {
			if v, ok := r.get(k); ok && v != k {
				t.Fatalf("step %d: get(%d) = %d", i, k, v)
			} else if !ok {
				r.put(k, k)
			}
			used = append(without(used, k), k)
			for _, last := range used[max(0, len(used)-n):] {
				if !remembers(r, last) {
					t.Fatalf("step %d: %d is among the last %d used, and forgotten", i, last, n)
				}
			}
			if r.size() > 2*n {
				t.Fatalf("step %d: %d entries are kept, want at most %d", i, r.size(), 2*n)
			}
		}
	})
}

// remembers looks without using.
func remembers(r *recent[int, int], k int) bool {
	_, young := r.young[k]
	_, old := r.old[k]
	return young || old
}

func without(all []int, k int) []int {
	var rest []int
	for _, x := range all {
		if x != k {
			rest = append(rest, x)
		}
	}
	return rest
}
