package config

import (
	"net"
	"net/netip"
	"net/url"

	"nexus/internal/errs"
)

// checkListen refuses to send keys and contents over a network in clear unless the operator says that he wants that: with
// TLS they are not, with a proxy he has stated where TLS ends, and else he must say so.
func (c Config) checkListen() error {
	host, _, err := net.SplitHostPort(c.Listen)
	switch {
	case err != nil:
		return errs.New(errs.Invalid, "listen must be host:port, not %q", c.Listen).Because(err)
	case (c.TLSCert == "") != (c.TLSKey == ""):
		return errs.New(errs.Invalid, "tls-cert and tls-key belong together: one of them is missing")
	case c.TLSCert != "" || len(c.TrustedProxies) > 0 || c.InsecureListen || isLoopback(host):
		return nil
	}
	return errs.New(errs.Invalid, "%s can be reached from other machines, and keys would cross the network in clear: give tls-cert and tls-key, "+
		"or name the proxies that end TLS with trusted-proxies, or say insecure-listen", c.Listen)
}

// isLoopback reports whether host is this machine alone. A name other than localhost is looked up by nobody here, so it is not.
func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.Unmap().IsLoopback()
}

// checkOrigins refuses what no browser sends as an origin.
func (c Config) checkOrigins() error {
	for _, text := range c.CORSOrigins {
		u, err := url.Parse(text)
		if text != "*" && (err != nil || u.Scheme == "" || u.Host == "" || u.Scheme+"://"+u.Host != text) {
			return errs.New(errs.Invalid, "cors-origins: %q is no origin, such as https://app.example", text)
		}
	}
	return nil
}
