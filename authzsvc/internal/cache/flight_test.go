package cache

import (
	"context"
	"testing"

	"nexus/authzsvc/authz"
)

func TestOnlyTheFirstWhoMissesAsks(t *testing.T) {
	var f flights
	k := key{subject: authz.Ref{Type: "user", ID: "t/ann"}, permission: "read"}
	if !f.first(context.Background(), k) {
		t.Fatal("the first was made to wait")
	}
	second := make(chan bool)
	go func() { second <- f.first(context.Background(), k) }()
	if !f.first(context.Background(), key{permission: "write"}) {
		t.Error("another question had to wait")
	}
	f.landed(k)
	if first := <-second; first { // it came while the first was asking, or just after: either is right, but it must come back
		f.landed(k)
	}
	if !f.first(context.Background(), k) {
		t.Error("a question that has landed is still being asked")
	}
}

func TestWaitingEndsWithTheCaller(t *testing.T) {
	var f flights
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	f.first(context.Background(), key{})
	if f.first(ctx, key{}) {
		t.Error("two ask the same at once")
	}
}
