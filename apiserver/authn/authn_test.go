package authn_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"net/http"
	"net/http/httptest"
	"reflect"
	"sync"
	"testing"
	"time"

	"nexus/apiserver/authn"
	"nexus/authzsvc/authz"
	"nexus/authzsvc/gatetest"
	"nexus/internal/errs"
)

// directory is Credentials in memory.
type directory struct {
	keys         map[string]authn.Credential
	subjects     map[string]bool // tenant/type:name → whether it is an admin
	tenants      []string
	broken       error
	brokenAgents error
	entered      chan struct{} // each look-up sends to it, unless it is nil, and then waits for leave
	leave        chan struct{}

	mu      sync.Mutex // guards what follows
	lookups int
	used    map[string]time.Time
}

func (d *directory) ByHash(_ context.Context, hash [32]byte) (authn.Credential, error) {
	if d.entered != nil {
		d.entered <- struct{}{}
		<-d.leave
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lookups++
	if d.broken != nil {
		return authn.Credential{}, d.broken
	}
	for key, c := range d.keys {
		if sha256.Sum256([]byte(key)) == hash {
			return c, nil
		}
	}
	return authn.Credential{}, errs.New(errs.NotFound, "no such key")
}

func (d *directory) Used(keyID string, at time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.used[keyID] = at
}

func (d *directory) Subject(_ context.Context, tenant, typ, name string) (exists, admin bool, err error) {
	admin, exists = d.subjects[tenant+"/"+typ+":"+name]
	return exists, admin, d.broken
}

func (d *directory) Owner(_ context.Context, tenant, agent string) (string, error) {
	if tenant != "acme=2Eio" || agent != "bot" {
		return "", errs.New(errs.NotFound, "no such agent")
	}
	return "alice@acme", d.broken
}

func (d *directory) Agent(ctx context.Context, tenant, agent string) (string, authz.Mandate, error) {
	if d.brokenAgents != nil {
		return "", authz.Mandate{}, d.brokenAgents
	}
	if tenant == "acme=2Eio" && agent == "narrow" {
		return "alice@acme", authz.Mandate{Permissions: map[string][]string{"file": {"read"}}}, nil
	}
	owner, err := d.Owner(ctx, tenant, agent)
	return owner, authz.Mandate{}, err
}

func (d *directory) Tenant(_ context.Context, name string) (bool, error) {
	for _, t := range d.tenants {
		if t == name {
			return true, nil
		}
	}
	return false, d.broken
}

func (d *directory) revoke(key string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.keys, key)
}

func (d *directory) looked() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.lookups
}

func fixture() *directory {
	return &directory{
		keys: map[string]authn.Credential{
			"alice-key": {KeyID: "k1", Tenant: "acme=2Eio", SubjectType: "user", SubjectName: "alice@acme", User: "alice@acme", Scopes: []string{"read"}},
			"bot-key":   {KeyID: "k2", Tenant: "acme=2Eio", SubjectType: "agent", SubjectName: "bot", User: "alice@acme", Owner: "alice@acme"},
			"admin-key": {KeyID: "k3", Tenant: "acme=2Eio", SubjectType: "user", SubjectName: "root", User: "root", Admin: true},
			"boot-key":  {KeyID: "k4", Tenant: "default", SubjectType: "user", SubjectName: "admin", User: "admin", Admin: true, Platform: true},
			"bare-key":  {KeyID: "k5", Platform: true, Admin: true},
			"old-key":   {KeyID: "k6", Tenant: "acme=2Eio", SubjectType: "user", SubjectName: "alice@acme", Expires: noon.Add(time.Hour)},
			"bob-key":   {KeyID: "k8", Tenant: "acme=2Eio", SubjectType: "user", SubjectName: "bob", User: "bob"},
			"far-key":   {KeyID: "k9", Tenant: "globex", SubjectType: "user", SubjectName: "alice@acme", User: "alice@acme"},
			"boss-key":  {KeyID: "k10", Tenant: "acme=2Eio", SubjectType: "user", SubjectName: "alice@acme", User: "alice@acme", Admin: true},
			"odd-key":   {KeyID: "k7", Tenant: "acme=2Eio", SubjectType: "service", SubjectName: "sweeper"},
		},
		subjects: map[string]bool{
			"acme=2Eio/user:bob": false, "acme=2Eio/agent:bot": false, "acme=2Eio/user:root": true, "acme=2Eio/user:chief": true,
			"globex/user:bob": false,
		},
		tenants: []string{"acme.io", "globex", "default"},
		used:    map[string]time.Time{},
	}
}

var noon = gatetest.NewClock().Now()

func guard(t *testing.T, d *directory, c authn.Config) *authn.Guard {
	t.Helper()
	c.Credentials = d
	if c.Clock == nil {
		c.Clock = gatetest.NewClock()
	}
	g, err := authn.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// request makes a request with a key and headers given as name, value, name, value.
func request(key string, headers ...string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/api/nfs/read", nil)
	r.RemoteAddr = "192.0.2.7:4711"
	if key != "" {
		r.Header.Set("Authorization", "Bearer "+key)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	return r
}

func ref(typ, id string) authz.Ref { return authz.Ref{Type: typ, ID: id} }

func TestKeyBecomesItsPrincipal(t *testing.T) {
	g := guard(t, fixture(), authn.Config{})
	for key, want := range map[string]authz.Principal{
		"alice-key": {
			Base: ref("user", "acme=2Eio/alice=40acme"), Tenant: "acme=2Eio",
			Via: authz.Via{Key: "k1", Scopes: []string{"read"}, Address: "192.0.2.7", Request: "r-1"},
		},
		"bot-key": {
			Base: ref("agent", "acme=2Eio/bot"), Owner: ref("user", "acme=2Eio/alice=40acme"), Tenant: "acme=2Eio",
			Via: authz.Via{Key: "k2", Address: "192.0.2.7", Request: "r-1"},
		},
		"admin-key": {
			Base: ref("user", "acme=2Eio/root"), Admin: ref("key", "acme=2Eio/k3"), Tenant: "acme=2Eio",
			Via: authz.Via{Key: "k3", Address: "192.0.2.7", Request: "r-1"},
		},
		"boot-key": {
			Base: ref("user", "default/admin"), Admin: ref("key", "k4"), Tenant: "default",
			Via: authz.Via{Key: "k4", Address: "192.0.2.7", Request: "r-1"},
		},
		"bare-key": {
			Base: ref("key", "k5"), Admin: ref("key", "k5"),
			Via: authz.Via{Key: "k5", Address: "192.0.2.7", Request: "r-1"},
		},
	} {
		r := request(key)
		r = r.WithContext(authn.WithRequestID(r.Context(), "r-1"))
		got, err := g.Principal(r)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("Principal(%s) = %+v, %v, want %+v", key, got, err, want)
		}
	}
}

func TestMissingKeyIsNobody(t *testing.T) {
	g := guard(t, fixture(), authn.Config{})
	for name, f := range map[string]func(*http.Request) (authz.Principal, error){"Principal": g.Principal, "NamedPrincipal": g.NamedPrincipal} {
		who, err := f(request(""))
		if err != nil || !who.IsZero() || who.Via.Address != "192.0.2.7" {
			t.Errorf("%s without a key = %+v, %v, want nobody from 192.0.2.7", name, who, err)
		}
	}
}

func TestEveryUnusableKeyIsRefusedInTheSameWords(t *testing.T) {
	d, clock := fixture(), gatetest.NewClock()
	g := guard(t, d, authn.Config{Clock: clock})
	if _, err := g.Principal(request("old-key")); err != nil {
		t.Fatalf("a key before its expiry: %v", err)
	}
	clock.Advance(time.Hour)
	d.revoke("alice-key")
	two := request("bot-key")
	two.Header.Add("Authorization", "Bearer admin-key")
	for name, r := range map[string]*http.Request{
		"unknown":       request("no-such-key"),
		"revoked":       request("alice-key"),
		"expired":       request("old-key"),
		"other scheme":  request("", "Authorization", "Basic YWxpY2U6a2V5"),
		"scheme alone":  request("", "Authorization", "Bearer "),
		"nothing in it": request("", "Authorization", ""),
		"two keys":      two,
		"prefix of one": request("bot-ke"),
	} {
		_, err := g.Principal(r)
		if !errors.Is(err, errs.Unauthenticated) || errs.Public(err) != "authentication failed" || errs.RPC(err) != -32003 {
			t.Errorf("%s: %v, want unauthenticated: authentication failed", name, err)
		}
	}
}

func TestSchemeIsReadInAnyCase(t *testing.T) {
	g := guard(t, fixture(), authn.Config{})
	if who, err := g.Principal(request("", "Authorization", "bearer alice-key")); err != nil || who.IsZero() {
		t.Errorf("scheme bearer = %+v, %v, want alice", who, err)
	}
}

func TestBrokenDirectoryIsNoRefusal(t *testing.T) {
	d := fixture()
	d.broken = errs.New(errs.Unavailable, "no database")
	g := guard(t, d, authn.Config{})
	if _, err := g.Principal(request("alice-key")); !errors.Is(err, errs.Unavailable) {
		t.Errorf("Principal over a broken directory = %v, want unavailable", err)
	}
}

func TestKeyOfAnotherSubjectTypeIsRefused(t *testing.T) {
	g := guard(t, fixture(), authn.Config{})
	if who, err := g.Principal(request("odd-key")); !errors.Is(err, errs.Internal) || !who.IsZero() {
		t.Errorf("a key of a service = %+v, %v, want an internal error", who, err)
	}
}

func TestUseOfAKeyIsRemembered(t *testing.T) {
	d := fixture()
	g := guard(t, d, authn.Config{})
	for _, key := range []string{"alice-key", "no-such-key"} {
		_, _ = g.Principal(request(key))
	}
	if len(d.used) != 1 || !d.used["k1"].Equal(noon) {
		t.Errorf("used = %v, want k1 at noon alone", d.used)
	}
}

func TestGuardWithoutCredentialsIsRefused(t *testing.T) {
	if _, err := authn.New(authn.Config{}); err == nil {
		t.Error("New without credentials succeeded")
	}
}
