package authn_test

import (
	"fmt"
	"net/http"
	"net/netip"
	"sync"
	"testing"
	"time"

	"nexus/apiserver/authn"
	"nexus/authzsvc/authz"
	"nexus/authzsvc/gatetest"
	"nexus/internal/errs"
)

// limited reports whether err says that a window is used up, and for how long.
func limited(err error) (seconds string, ok bool) {
	e := errs.From(err)
	if e == nil || e.Kind != errs.Exhausted || e.Reason != errs.RateLimited || errs.RPC(e) != -32005 {
		return "", false
	}
	return e.Fields["retry_after"], true
}

func TestKeySpendsItsWindowAndGetsItBack(t *testing.T) {
	clock := gatetest.NewClock()
	g := guard(t, fixture(), authn.Config{Clock: clock, Rates: authn.Rates{Key: authn.Rate{PerSecond: 2, Burst: 3}}})
	one, other := authz.Via{Key: "k1"}, authz.Via{Key: "k2"}
	for i := range 3 {
		if err := g.Spend(one); err != nil {
			t.Fatalf("operation %d of 3: %v", i+1, err)
		}
	}
	if seconds, ok := limited(g.Spend(one)); !ok || seconds != "1" {
		t.Errorf("the fourth operation at once is limited = %t for %q s, want for 1 s", ok, seconds)
	}
	if err := g.Spend(other); err != nil {
		t.Errorf("another key's operation: %v", err)
	}
	clock.Advance(500 * time.Millisecond)
	if err := g.Spend(one); err != nil {
		t.Errorf("after half a second: %v", err)
	}
	if _, ok := limited(g.Spend(one)); !ok {
		t.Error("after half a second two operations passed, want one")
	}
}

func TestRefusedRequestsDoNotPostponeTheNext(t *testing.T) {
	clock := gatetest.NewClock()
	g := guard(t, fixture(), authn.Config{Clock: clock, Rates: authn.Rates{Key: authn.Rate{PerSecond: 1, Burst: 1}}})
	via := authz.Via{Key: "k1"}
	for range 1000 {
		_ = g.Spend(via)
	}
	clock.Advance(time.Second)
	if err := g.Spend(via); err != nil {
		t.Errorf("a second after 1000 tries: %v", err)
	}
}

func TestNegativeRateIsNoLimit(t *testing.T) {
	off := authn.Rate{PerSecond: -1}
	g := guard(t, fixture(), authn.Config{Rates: authn.Rates{Key: off, Address: off, Failures: off}})
	for i := range 50_000 {
		if err := g.Spend(authz.Via{Key: "k1"}); err != nil {
			t.Fatalf("operation %d: %v", i, err)
		}
	}
}

func TestAddressSpendsItsWindow(t *testing.T) {
	g := guard(t, fixture(), authn.Config{Rates: authn.Rates{Address: authn.Rate{PerSecond: 1, Burst: 2}}})
	for range 2 {
		if _, err := g.Principal(request("")); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := g.Principal(request("alice-key")); err == nil {
		t.Error("the third request of an address passed, want it limited")
	} else if _, ok := limited(err); !ok {
		t.Errorf("the third request of an address: %v, want it limited", err)
	}
	other := request("alice-key")
	other.RemoteAddr = "192.0.2.8:1"
	if _, err := g.Principal(other); err != nil {
		t.Errorf("another address: %v", err)
	}
}

func TestGuessingKeysIsStopped(t *testing.T) {
	d, clock := fixture(), gatetest.NewClock()
	g := guard(t, d, authn.Config{Clock: clock, Rates: authn.Rates{Failures: authn.Rate{PerSecond: 10, Burst: 20}}})
	if _, err := g.Principal(request("alice-key")); err != nil {
		t.Fatal(err)
	}
	before := d.looked()
	for i := range 200 {
		_, _ = g.Principal(request(fmt.Sprintf("guess-%d", i)))
	}
	if n := d.looked() - before; n != 20 {
		t.Errorf("%d of 200 guesses were looked up, want 20", n)
	}
	if _, err := g.Principal(request("alice-key")); err != nil {
		t.Errorf("a key that worked before, from the address of the guesser: %v", err)
	}
	if _, ok := limited(second(g.Principal(request("bot-key")))); !ok {
		t.Error("a key that has not worked yet passed from the address of the guesser, want it limited")
	}
	clock.Advance(time.Second)
	if _, err := g.Principal(request("bot-key")); err != nil {
		t.Errorf("a second later: %v", err)
	}
	d.revoke("alice-key")
	for range 15 {
		_, _ = g.Principal(request("alice-key"))
	}
	if _, ok := limited(second(g.Principal(request("alice-key")))); !ok {
		t.Error("a revoked key is looked up for ever, want it limited as a guess is")
	}
}

func TestGuessesMadeSideBySideArePaidForAfterwards(t *testing.T) {
	d, clock := fixture(), gatetest.NewClock()
	d.entered, d.leave = make(chan struct{}, 64), make(chan struct{})
	g := guard(t, d, authn.Config{Clock: clock, Rates: authn.Rates{Failures: authn.Rate{PerSecond: 10, Burst: 20}}})
	var guesses sync.WaitGroup
	for i := range 50 {
		guesses.Go(func() { _, _ = g.Principal(request(fmt.Sprintf("guess-%d", i))) })
	}
	for range 50 {
		<-d.entered // all of them are in their look-ups
	}
	close(d.leave)
	guesses.Wait()
	clock.Advance(3 * time.Second)
	if _, ok := limited(second(g.Principal(request("bot-key")))); !ok {
		t.Error("3 s after 50 guesses at once a new key passed, want 30 guesses too many to cost 3.1 s")
	}
	clock.Advance(100 * time.Millisecond)
	if _, err := g.Principal(request("bot-key")); err != nil {
		t.Errorf("3.1 s after 50 guesses at once: %v", err)
	}
}

func TestClientMayBeginWithManyRequestsAtOnce(t *testing.T) {
	d := fixture()
	d.entered, d.leave = make(chan struct{}, 64), make(chan struct{})
	g := guard(t, d, authn.Config{})
	failed := make(chan error, 64)
	for range 64 {
		go func() { failed <- second(g.Principal(request("alice-key"))) }()
	}
	for range 64 {
		<-d.entered
	}
	close(d.leave)
	for range 64 {
		if err := <-failed; err != nil {
			t.Fatalf("one of 64 first requests: %v", err)
		}
	}
}

func TestWorkingKeysCostNoFailures(t *testing.T) {
	g := guard(t, fixture(), authn.Config{Rates: authn.Rates{Failures: authn.Rate{PerSecond: 1, Burst: 1}, Remembered: 1}})
	for i := range 50 {
		for _, key := range []string{"alice-key", "bot-key", "admin-key"} {
			if _, err := g.Principal(request(key)); err != nil {
				t.Fatalf("round %d, %s: %v", i, key, err)
			}
		}
	}
}

func TestIPv6ClientIsItsNetwork(t *testing.T) {
	g := guard(t, fixture(), authn.Config{Rates: authn.Rates{Address: authn.Rate{PerSecond: 1, Burst: 1}}})
	from := func(address string) error {
		r := request("")
		r.RemoteAddr = address
		return second(g.Principal(r))
	}
	if err := from("[2001:db8::1]:1"); err != nil {
		t.Fatal(err)
	}
	if _, ok := limited(from("[2001:db8::ffff:2]:1")); !ok {
		t.Error("another address of the same /64 has a window of its own")
	}
	if err := from("[2001:db8:0:1::1]:1"); err != nil {
		t.Errorf("another /64: %v", err)
	}
	if err := from("[::ffff:192.0.2.1]:1"); err != nil {
		t.Fatal(err)
	}
	if _, ok := limited(from("192.0.2.1:1")); !ok {
		t.Error("an IPv4 address has two windows, one as IPv6")
	}
}

func TestForwardedForIsBelievedOfTrustedProxiesAlone(t *testing.T) {
	proxies := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	for name, c := range map[string]struct {
		peer      string
		forwarded []string
		want      string
	}{
		"stranger":           {"192.0.2.7:1", []string{"203.0.113.5"}, "192.0.2.7"},
		"proxy":              {"10.0.0.1:1", []string{"203.0.113.5"}, "203.0.113.5"},
		"proxy as IPv6":      {"[::ffff:10.0.0.1]:1", []string{"203.0.113.5"}, "203.0.113.5"},
		"client lies":        {"10.0.0.1:1", []string{"1.2.3.4, 203.0.113.5"}, "203.0.113.5"},
		"client lies, twice": {"10.0.0.1:1", []string{"1.2.3.4", "203.0.113.5"}, "203.0.113.5"},
		"two proxies":        {"10.0.0.1:1", []string{"203.0.113.5, 10.0.0.2"}, "203.0.113.5"},
		"proxy alone":        {"10.0.0.1:1", nil, "10.0.0.1"},
		"nonsense":           {"10.0.0.1:1", []string{"203.0.113.5, unknown"}, "10.0.0.1"},
		"all proxies":        {"10.0.0.1:1", []string{"10.0.0.3, 10.0.0.2"}, "10.0.0.3"},
		"socket":             {"@", []string{"203.0.113.5"}, ""},
	} {
		g := guard(t, fixture(), authn.Config{Proxies: proxies})
		r := request("alice-key")
		r.RemoteAddr = c.peer
		r.Header[http.CanonicalHeaderKey("X-Forwarded-For")] = c.forwarded
		who, err := g.Principal(r)
		if err != nil || who.Via.Address != c.want {
			t.Errorf("%s: address %q, %v, want %q", name, who.Via.Address, err, c.want)
		}
	}
}

func TestSaneRequestIDIsKept(t *testing.T) {
	for _, id := range []string{"a", "0190-1f", "trace/1:2+3=_."} {
		if got := authn.ChooseRequestID(id); got != id {
			t.Errorf("ChooseRequestID(%q) = %q, want it kept", id, got)
		}
	}
	long := make([]byte, 129)
	for i := range long {
		long[i] = 'a'
	}
	seen := map[string]bool{}
	for _, id := range []string{"", "a b", "a\nb", "ä", "<script>", string(long)} {
		got := authn.ChooseRequestID(id)
		if got == id || got == "" || seen[got] {
			t.Errorf("ChooseRequestID(%q) = %q, want a fresh one", id, got)
		}
		seen[got] = true
	}
}

func second[A any](_ A, err error) error { return err }
