package mcp

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"time"

	"github.com/modelcontextprotocol/go-sdk/auth"

	"nexus/apiserver/authn"
	"nexus/authzsvc/authz"
	"nexus/internal/errs"
)

// request is one HTTP request and who makes it. Tool calls find it with the token that the SDK hands them, which is that of
// the request they came with, whatever session they belong to.
type request struct {
	ctx     context.Context
	who     authz.Principal
	message message
}

type requestKey struct{}

// extra is the name under which the SDK carries a request to its tool call.
const extra = "nexus"

// ServeHTTP serves one request: it is admitted, its revision chosen, and handed to the SDK.
func (f *Face) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	req := &request{}
	if err := f.admit(w, r, req); err != nil {
		f.refuse(w, r, req, err)
		return
	}
	release, err := f.hold(r, req)
	if err != nil {
		f.refuse(w, r, req, err)
		return
	}
	defer func() { release(w.Header()) }()
	ctx, done := f.lasting(r, req)
	defer done()
	req.ctx = ctx
	next := f.older
	if req.message.stateless(r) {
		next = f.newer
	}
	next.ServeHTTP(w, r.WithContext(context.WithValue(ctx, requestKey{}, req)))
}

// admit does what comes before the protocol, in the order of every face: where the request comes from, who makes it, how
// often, and what it says.
func (f *Face) admit(w http.ResponseWriter, r *http.Request, req *request) (err error) {
	if err := f.comesFrom(r); err != nil {
		return err
	}
	if req.who, err = f.config.Guard.NamedPrincipal(r); err != nil {
		return err
	}
	if req.who.IsZero() {
		return errs.New(errs.Unauthenticated, "authentication required")
	}
	if err := f.config.Guard.Spend(req.who.Via); err != nil {
		return err
	}
	if r.Method == http.MethodPost {
		if err := f.receive(r, req); err != nil {
			return err
		}
	}
	// The deadline was for the body. Left in place, it would cancel the call.
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{})
	req.trace(w, r)
	return f.inScope(req)
}

// receive reads the body, and leaves it to be read again.
func (f *Face) receive(r *http.Request, req *request) error {
	if r.ContentLength > f.config.MaxBody {
		return tooLarge(f.config.MaxBody)
	}
	body, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, f.config.MaxBody))
	var long *http.MaxBytesError
	switch {
	case errors.As(err, &long):
		return tooLarge(f.config.MaxBody)
	case err != nil:
		return errs.New(errs.Invalid, "the body ended early").Marked(errs.InvalidRequest).Because(err)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	req.message, err = parse(body)
	return err
}

func tooLarge(limit int64) error {
	return errs.New(errs.Invalid, "the body is longer than %d bytes", limit).Marked(errs.BodyTooLarge)
}

// inScope refuses a call of a tool that the key's scopes leave out: a client that can ask for more is told so in the way that
// OAuth has for it. The operation asks again.
func (f *Face) inScope(req *request) error {
	o := f.byTool[req.message.tool]
	scopes := req.who.Via.Scopes
	if o == nil || len(scopes) == 0 || slices.Contains(scopes, o.Access.String()) {
		return nil
	}
	return errs.New(errs.Denied, "the key lacks scope %s", o.Access).Marked(errs.ScopeMissing).With("scope", o.Access.String())
}

// lasting returns the context of a request. A stream ends with its time and when the server begins to stop.
func (f *Face) lasting(r *http.Request, req *request) (context.Context, context.CancelFunc) {
	if !req.streams(r) {
		return r.Context(), func() {}
	}
	ctx, cancel := context.WithTimeout(r.Context(), streamFor)
	stop := context.AfterFunc(f.ending, cancel)
	return ctx, func() {
		stop()
		cancel()
	}
}

// streams reports whether the answer is a stream without an end of its own.
func (req *request) streams(r *http.Request) bool {
	return r.Method == http.MethodGet || req.message.method == "subscriptions/listen"
}

// binding names whom a session belongs to: the key, and for whom and through whom it acts. A session that was opened by
// another is not found by its id alone.
func (req *request) binding() string {
	id := req.who.Via.Key + " " + req.who.Tenant + " " + req.who.Base.String()
	for _, a := range req.who.Actors {
		id += " " + a.Ref.String()
	}
	return id
}

// trace takes the id of the caller's trace for that of the request, where the caller gave the request none: the record of
// what the call decided is then found by it.
func (req *request) trace(w http.ResponseWriter, r *http.Request) {
	trace, ok := traceID(req.message.traceparent)
	if !ok || r.Header.Get(authn.RequestHeader) != "" {
		return
	}
	req.who.Via.Request = trace
	w.Header().Set(authn.RequestHeader, trace)
}

// known is the SDK's question who holds a token. It was answered when the request was admitted.
func known(ctx context.Context, _ string, _ *http.Request) (*auth.TokenInfo, error) {
	req, ok := ctx.Value(requestKey{}).(*request)
	if !ok {
		return nil, auth.ErrInvalidToken
	}
	return &auth.TokenInfo{Scopes: req.who.Via.Scopes, UserID: req.binding(), Extra: map[string]any{extra: req}}, nil
}

// message is what is looked at of a body before the SDK reads it.
type message struct {
	id          json.RawMessage
	method      string
	tool        string // of tools/call
	revision    string // in the request's own metadata
	traceparent string
}

// parse reads a body, which holds one message.
func parse(body []byte) (m message, err error) {
	var raw struct {
		ID     json.RawMessage `json:"id"`
		Method string          `json:"method"`
		Params struct {
			Name string                     `json:"name"`
			Meta map[string]json.RawMessage `json:"_meta"`
		} `json:"params"`
	}
	body = bytes.TrimSpace(body)
	switch {
	case len(body) > 0 && body[0] == '[':
		return m, errs.New(errs.Invalid, "batches are not served here: send one message a request").Marked(errs.InvalidRequest)
	case !json.Valid(body):
		return m, errs.New(errs.Invalid, "the body is not valid JSON").Marked(errs.ParseFailed)
	}
	// What does not have this form is the SDK's to refuse; what could be read of it is kept.
	_ = json.Unmarshal(body, &raw)
	m.id, m.method = raw.ID, raw.Method
	if m.method == "tools/call" {
		m.tool = raw.Params.Name
	}
	_ = json.Unmarshal(raw.Params.Meta["io.modelcontextprotocol/protocolVersion"], &m.revision)
	_ = json.Unmarshal(raw.Params.Meta["traceparent"], &m.traceparent)
	return m, nil
}

// stateless reports whether a request is of a revision without sessions. That is told by the revision it names, and never by
// its method: the revisions answer the same methods differently.
func (m message) stateless(r *http.Request) bool {
	return r.Header.Get("Mcp-Protocol-Version") >= stateless || m.revision >= stateless
}
