// Package authn says who makes an HTTP request: it turns a key, and on the RPC face the subject headers, into a Principal. It
// decides nothing about what the principal may do, and it touches no files. To add a way to authenticate, turn it into a
// Credential: everything behind that is the same.
package authn

import (
	"context"
	"crypto/sha256"
	"errors"
	"net/http"
	"net/netip"
	"strings"

	"nexus/authzsvc/authz"
	"nexus/internal/clock"
	"nexus/internal/errs"
	"nexus/internal/ids"
	"nexus/schema"
)

// Config is what a Guard is made of. Only Credentials is required.
type Config struct {
	Credentials Credentials
	Clock       clock.Clock    // nil is the machine's
	Proxies     []netip.Prefix // whose X-Forwarded-For is believed; nobody's by default
	Rates       Rates
}

// Guard authenticates requests and keeps the rate windows. It is safe for concurrent use.
type Guard struct {
	credentials Credentials
	clock       clock.Clock
	proxies     []netip.Prefix

	keys      *windows[string]     // operations of a key
	addresses *windows[netip.Addr] // requests of a client address
	failures  *windows[netip.Addr] // failed authentications of a client address
	worked    *recent[fingerprint, struct{}]
}

// fingerprint is the SHA-256 of a whole key.
type fingerprint [sha256.Size]byte

// New returns a Guard.
func New(c Config) (*Guard, error) {
	if c.Credentials == nil {
		return nil, errs.New(errs.Internal, "a guard needs credentials")
	}
	if c.Clock == nil {
		c.Clock = clock.System{}
	}
	r := c.Rates.withDefaults()
	return &Guard{
		credentials: c.Credentials, clock: c.Clock, proxies: c.Proxies,
		keys:      newWindows[string](r.Key, r.Remembered),
		addresses: newWindows[netip.Addr](r.Address, r.Remembered),
		failures:  newWindows[netip.Addr](r.Failures, r.Remembered),
		worked:    newRecent[fingerprint, struct{}](r.Remembered),
	}, nil
}

// Principal returns who makes r by its key alone; the subject headers are not read. Without an Authorization header it is a
// principal that IsZero. A key that is unknown, revoked or expired is errs.Unauthenticated, always in the same words.
func (g *Guard) Principal(r *http.Request) (authz.Principal, error) {
	cred, via, err := g.credential(r)
	if err != nil || cred == nil {
		return authz.Principal{Via: via}, err
	}
	return cred.principal(via)
}

// NamedPrincipal returns who makes r by its key and the subject headers of the RPC face. A header that names anybody the key
// may not stand for is errs.Unauthenticated: it is never ignored.
func (g *Guard) NamedPrincipal(r *http.Request) (authz.Principal, error) {
	cred, via, err := g.credential(r)
	if err != nil {
		return authz.Principal{Via: via}, err
	}
	if cred == nil {
		return authz.Principal{Via: via}, nobodyNames(r.Header)
	}
	who, err := cred.principal(via)
	if err != nil {
		return authz.Principal{Via: via}, err
	}
	who, err = g.named(r.Context(), who, cred, r.Header)
	if err != nil {
		return authz.Principal{Via: via}, err
	}
	return who, nil
}

// Spend takes one operation from the window of the key that came via. It is errs.Exhausted, reason RateLimited, when there is none left.
func (g *Guard) Spend(via authz.Via) error {
	if via.Key == "" {
		return nil // counted by its address
	}
	return g.keys.take(via.Key, g.clock.Now())
}

// credential returns what the request's key stands for; nil without an Authorization header.
func (g *Guard) credential(r *http.Request) (*Credential, authz.Via, error) {
	address := g.address(r)
	via := authz.Via{Request: RequestID(r.Context())}
	if address.IsValid() {
		via.Address = address.String()
	}
	if err := g.addresses.take(network(address), g.clock.Now()); err != nil {
		return nil, via, err
	}
	if len(r.Header.Values("Authorization")) == 0 {
		return nil, via, nil
	}
	token, ok := bearer(r.Header)
	if !ok {
		return nil, via, g.failed(network(address))
	}
	cred, err := g.lookup(r.Context(), sha256.Sum256([]byte(token)), network(address))
	if err != nil {
		return nil, via, err
	}
	via.Key, via.Scopes = cred.KeyID, cred.Scopes
	return &cred, via, nil
}

// lookup finds the credential behind a key. An address that has failed too often finds none but keys that worked lately: so
// who guesses is stopped, and who shares the address and was at work before is not. Failures are charged when they are known,
// and the window may be overdrawn by them: guesses made side by side are paid for afterwards, and a client that begins with
// many requests at once pays nothing.
func (g *Guard) lookup(ctx context.Context, key fingerprint, address netip.Addr) (Credential, error) {
	now := g.clock.Now()
	if _, worked := g.worked.get(key); !worked {
		if err := g.failures.look(address, now); err != nil {
			return Credential{}, err
		}
	}
	cred, err := g.credentials.ByHash(ctx, key)
	if err == nil && !cred.Expires.IsZero() && !now.Before(cred.Expires) {
		err = errs.NotFound
	}
	if errors.Is(err, errs.NotFound) {
		g.worked.forget(key)
		g.failures.charge(address, now)
		return Credential{}, refused()
	}
	if err != nil {
		return Credential{}, err
	}
	g.worked.put(key, struct{}{})
	g.credentials.Used(cred.KeyID, now)
	return cred, nil
}

// failed charges address for a credential that cannot be looked up.
func (g *Guard) failed(address netip.Addr) error {
	if err := g.failures.take(address, g.clock.Now()); err != nil {
		return err
	}
	return refused()
}

// bearer returns the key of the request. More than one, or a scheme other than Bearer, is none.
func bearer(h http.Header) (string, bool) {
	values := h.Values("Authorization")
	if len(values) != 1 {
		return "", false
	}
	scheme, token, _ := strings.Cut(values[0], " ")
	token = strings.TrimSpace(token)
	return token, strings.EqualFold(scheme, "Bearer") && token != ""
}

// refused is a fresh error each time, because the dispatcher writes the operation into what it gets.
func refused() error { return errs.New(errs.Unauthenticated, "authentication failed") }

// principal returns who a credential stands for, without headers.
func (c *Credential) principal(via authz.Via) (authz.Principal, error) {
	who := authz.Principal{Admin: c.admin(), Tenant: c.Tenant, Via: via}
	if c.Platform && c.Tenant == "" {
		who.Base = who.Admin
		return who, nil
	}
	var err error
	if who.Base, err = subject(c.Tenant, c.SubjectType, c.SubjectName); err != nil {
		return authz.Principal{Via: via}, errs.New(errs.Internal, "key %s stands for nobody", c.KeyID).Because(err)
	}
	if c.SubjectType == "agent" && c.Owner != "" {
		if who.Owner, err = subject(c.Tenant, "user", c.Owner); err != nil {
			return authz.Principal{Via: via}, errs.New(errs.Internal, "key %s has no owner", c.KeyID).Because(err)
		}
	}
	return who, nil
}

// admin returns the subject that an admin key is looked up as beside its base: within the tenant it administers, or, for a
// platform admin's, within none.
func (c *Credential) admin() authz.Ref {
	switch {
	case c.Platform:
		return authz.Ref{Type: "key", ID: ids.Quote(c.KeyID)}
	case c.Admin:
		return authz.Ref{Type: "key", ID: c.Tenant + "/" + ids.Quote(c.KeyID)}
	}
	return authz.Ref{}
}

// subject returns the engine's name of a user or agent. No other type can be named by a key or a header.
func subject(tenant, typ, name string) (authz.Ref, error) {
	switch typ {
	case "user":
		u, err := schema.UserOf(tenant, name)
		return u.Named().Ref, err
	case "agent":
		a, err := schema.AgentOf(tenant, name)
		return a.Named().Ref, err
	}
	return authz.Ref{}, errs.New(errs.Invalid, "no subject is a %q", typ)
}
