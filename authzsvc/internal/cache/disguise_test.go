package cache_test

import (
	"testing"

	"nexus/authzsvc/authz"
	"nexus/authzsvc/internal/cache"
)

// A name without a row costs the engine what a row would cost it: once, as long as what the answer depends on stands.
func TestNameWithoutARowCostsWhatARowDoes(t *testing.T) {
	h := open(t, cache.Options{})
	small(h)
	read := check("file:acme/b#read")
	asked := func(rest string) int64 {
		t.Helper()
		before := h.engine.checks.Load()
		must(t, h.cache.Disguise(t.Context(), []authz.Ref{ref(bob)}, read, rest))
		return h.engine.checks.Load() - before
	}
	h.want(bob, "file:acme/b#read", false, false)
	for _, rest := range []string{"one", "two", "two/below"} {
		if first, again := asked(rest), asked(rest); first != 2 || again != 0 {
			t.Errorf("%s: %d checks the first time, %d again; want 2 and none", rest, first, again)
		}
	}
	h.want(bob, "file:acme/b#read", false, true)
	h.write("file:acme/r#direct_editor@user:acme/carl")
	if n := asked("one"); n != 2 {
		t.Errorf("after a change above: %d checks, want 2", n)
	}
	h.write("file:acme/b#direct_viewer@" + bob)
	h.want(bob, "file:acme/b#read", true, false)
}
