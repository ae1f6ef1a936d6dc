// Package client calls a Nexus server through the contracts of its operations, in Go's own types. It retries nothing and
// keeps nothing. A new operation needs no code here, unless its answer travels in another form than its result: then it gets
// a row in results.go.
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync/atomic"

	"nexus/apiserver/op"
	"nexus/internal/errs"
)

// The environment that FromEnv reads, and the server that is meant without it.
const (
	EnvURL     = "NEXUS_URL"
	EnvKey     = "NEXUS_API_KEY"
	DefaultURL = "http://localhost:8765"
)

// Client calls one server with one key. It is safe for concurrent use.
type Client struct {
	base   string
	http   *http.Client
	header func() http.Header // a function, so that printing a Client does not print its key
	last   atomic.Int64       // id of the last request
}

// Option changes a Client as it is made.
type Option func(*options)

type options struct {
	http   *http.Client
	header http.Header
}

// WithHTTP makes the client send through h, for proxies, TLS and timeouts of one's own.
func WithHTTP(h *http.Client) Option { return func(o *options) { o.http = h } }

// WithHeader makes the client send a header with each request, such as X-Nexus-Subject.
func WithHeader(name, value string) Option {
	return func(o *options) { o.header.Set(name, value) }
}

// New returns a client of the server at address, such as http://localhost:8765, that authenticates with key. An empty key
// reaches the public operations only.
func New(address, key string, opts ...Option) (*Client, error) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
		return nil, errs.New(errs.Invalid, "server address %q is no http or https URL", address).Because(err)
	}
	o := options{header: http.Header{"Content-Type": {"application/json"}, "X-Nexus-Dialect": {"document"}}}
	if key != "" {
		o.header.Set("Authorization", "Bearer "+key)
	}
	for _, f := range opts {
		f(&o)
	}
	if o.http == nil {
		o.http = &http.Client{Transport: transport(), CheckRedirect: stay}
	}
	return &Client{base: strings.TrimSuffix(address, "/"), http: o.http, header: o.header.Clone}, nil
}

// FromEnv returns a client of the server that NEXUS_URL names, with the key in NEXUS_API_KEY.
func FromEnv(opts ...Option) (*Client, error) {
	address := os.Getenv(EnvURL)
	if address == "" {
		address = DefaultURL
	}
	return New(address, os.Getenv(EnvKey), opts...)
}

// transport keeps enough connections for many calls at once, and does not ask for compression: the server is near more often
// than not, and then compressing costs more than sending.
func transport() *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.MaxIdleConns, t.MaxIdleConnsPerHost = 256, 256
	t.DisableCompression = true
	return t
}

// stay follows no redirect: a call must not arrive as another, or elsewhere.
func stay(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// Close closes idle connections. The client can be used afterwards.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Defaults returns the parameters of an operation as they are when the caller leaves all of them out. Start from them where a
// default is not Go's zero value: what is in the struct is what is sent.
func Defaults[P, R any](*op.Contract[P, R]) P {
	var p P
	if d, ok := any(&p).(op.Defaulter); ok {
		d.Defaults()
	}
	return p
}

// Call calls an operation. Errors are *errs.Error: those of the server with the kind and reason it gave them; Unavailable
// when it cannot be reached; Canceled or Deadline when ctx ends.
func Call[P, R any](ctx context.Context, c *Client, contract *op.Contract[P, R], params P) (R, error) {
	raw, err := c.call(ctx, contract.Decl, params)
	if err != nil {
		var none R
		return none, err
	}
	return decode(contract, params, raw)
}

func (c *Client) call(ctx context.Context, d op.Decl, params any) (json.RawMessage, error) {
	switch {
	case d.Method != "":
		return c.Raw(ctx, d.Method, params)
	case d.Get != "":
		return c.get(ctx, d.Get)
	}
	return nil, errs.New(errs.Unsupported, "operation %s cannot be called by JSON-RPC", d.Name)
}

// Raw calls a JSON-RPC method with params, anything that encodes to a JSON object, and returns the result as it came.
func (c *Client) Raw(ctx context.Context, method string, params any) (json.RawMessage, error) {
	id := c.last.Add(1)
	answer, err := c.post(ctx, "/"+url.PathEscape(method), request{Version: "2.0", ID: id, Method: method, Params: params})
	if err != nil {
		return nil, err
	}
	var r response
	if err := json.Unmarshal(answer, &r); err != nil {
		return nil, strange(err)
	}
	if r.Error == nil && (r.ID == nil || *r.ID != id) {
		return nil, strange(errors.New("the answer has the id of another request"))
	}
	return r.outcome()
}

// post sends one JSON body and returns the one that comes back.
func (c *Client) post(ctx context.Context, path string, v any) ([]byte, error) {
	body, err := json.Marshal(v)
	if err != nil {
		return nil, errs.New(errs.Invalid, "parameters cannot be encoded").Because(err)
	}
	status, answer, err := c.send(ctx, http.MethodPost, "/api/nfs"+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if status != http.StatusOK {
		return nil, fromStatus(status, answer)
	}
	return answer, nil
}

// get fetches a plain route.
func (c *Client) get(ctx context.Context, path string) (json.RawMessage, error) {
	status, answer, err := c.send(ctx, http.MethodGet, path, nil)
	if err != nil {
		return nil, err
	}
	if status != http.StatusOK {
		return nil, fromStatus(status, answer)
	}
	return answer, nil
}

func (c *Client) send(ctx context.Context, method, path string, body io.Reader) (status int, answer []byte, err error) {
	r, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		return 0, nil, errs.New(errs.Invalid, "the request cannot be made").Because(err)
	}
	r.Header = c.header()
	resp, err := c.http.Do(r)
	if err != nil {
		return 0, nil, unreached(ctx, err)
	}
	defer resp.Body.Close()
	answer, err = io.ReadAll(resp.Body)
	if err != nil {
		return 0, nil, unreached(ctx, err)
	}
	return resp.StatusCode, answer, nil
}
