package mcp

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"

	"nexus/internal/errs"
)

// comesFrom refuses requests that a web page had a browser send: from an origin that is not allowed, or to a name that is not
// the server's, as when a page's own name is made to lead to this machine.
func (f *Face) comesFrom(r *http.Request) error {
	local := isLocal(r)
	for _, text := range r.Header.Values("Origin") {
		origin, err := parseOrigin(text)
		if err != nil || !slices.Contains(f.origins, origin) && !(local && loopback(hostOf(origin))) {
			return errs.New(errs.Denied, "requests from this origin are not served").Marked(errs.InvalidRequest)
		}
	}
	if host := hostname(r.Host); local && !loopback(host) && (f.base == nil || host != f.base.Hostname()) {
		return errs.New(errs.Denied, "the server is not known by this name").Marked(errs.InvalidRequest)
	}
	return nil
}

// isLocal reports whether a request came in over this machine's own network.
func isLocal(r *http.Request) bool {
	local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	return ok && loopback(hostname(local.String()))
}

// parseOrigin returns the origin of a URL in its one form: scheme, host and port.
func parseOrigin(text string) (string, error) {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return "", errs.New(errs.Invalid, "%q is no origin, such as https://nexus.example.com", text)
	}
	return u.Scheme + "://" + u.Host, nil
}

func hostOf(origin string) string {
	u, err := url.Parse(origin)
	if err != nil {
		return ""
	}
	return u.Hostname()
}

// hostname returns the host of host, or of host:port.
func hostname(text string) string {
	u := url.URL{Host: text}
	return u.Hostname()
}

func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.Unmap().IsLoopback()
}
