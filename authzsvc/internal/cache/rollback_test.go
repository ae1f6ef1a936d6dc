package cache_test

import (
	"errors"
	"testing"

	"nexus/authzsvc/internal/cache"
)

func TestRolledBackWriteDoesNotStopDecisions(t *testing.T) {
	h := open(t, cache.Options{})
	small(h)
	if err := h.tryWrite(true, "file:acme/b#direct_viewer@"+bob); !errors.Is(err, errRollback) {
		t.Fatal(err)
	}
	h.want(bob, "file:acme/f#read", false, false)
	_, stamps := h.ask(bob, "file:acme/f#read")
	if !stamps.Hold() {
		t.Error("a decision made after a write was rolled back does not hold, though nothing has changed")
	}
}
