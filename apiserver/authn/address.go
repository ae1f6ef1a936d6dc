package authn

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// address returns the client's address: the connection's, or the nearest one in X-Forwarded-For that is not itself a
// trusted proxy. It is not valid for a connection without one, such as a Unix socket.
func (g *Guard) address(r *http.Request) netip.Addr {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	client := plain(peer.Addr())
	if !g.trusts(client) {
		return client
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for _, text := range slices.Backward(hops) {
		hop, err := netip.ParseAddr(strings.TrimSpace(text))
		if err != nil {
			return client
		}
		client = plain(hop)
		if !g.trusts(client) {
			return client
		}
	}
	return client
}

// Address returns the client's address as text, as the rate windows know it; "" for a connection without one.
func (g *Guard) Address(r *http.Request) string {
	a := g.address(r)
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

func (g *Guard) trusts(a netip.Addr) bool {
	return slices.ContainsFunc(g.proxies, func(p netip.Prefix) bool { return p.Contains(a) })
}

// plain returns a in the one form that it is compared in.
func plain(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }

// network returns what a rate window is kept for: the address, or for IPv6 its /64, which one client can use whole.
func network(a netip.Addr) netip.Addr {
	if !a.Is6() {
		return a
	}
	p, err := a.Prefix(64)
	if err != nil {
		return a
	}
	return p.Addr()
}
