// Package rpc is the JSON-RPC face of nexus-rpc.txt, in two dialects: that of the document and that of its Python client. It
// dispatches to the table of operations and has no behaviour of its own. A new operation with a Method is served as it is; one
// whose answer differs between the dialects gets a row in shapes.go.
package rpc

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"nexus/apiserver/authn"
	"nexus/apiserver/op"
	"nexus/internal/errs"
)

// Config is what a Face is made of. Only Table and Guard are required.
type Config struct {
	Table   *op.Table
	Guard   *authn.Guard
	Dialect Dialect // of requests that do not force one; the zero Dialect tells clients apart
	// MaxBody is the longest body in bytes (default: 64 MiB). Who shows no valid key gets at most 64 KiB of it.
	MaxBody int64
	// Parallel is how many items of a batch run at once (default: 64). Writes commit in groups, so it pays to be generous.
	Parallel int
	// Timeout ends a request with its operations (default: one minute).
	Timeout time.Duration
	Log     *slog.Logger // of failures that are the server's; nil is the default logger
	// Observe is told of every operation that was called, and its error; it is called concurrently. nil is nobody.
	Observe func(operation string, err error, took time.Duration)
	// Turned is told of every call that was turned away before it was decided; it is called concurrently. nil is nobody.
	Turned func(ctx context.Context, t Turned)
}

// Turned is a call that did not get as far as a decision: no valid key, too many calls, a key without the scope.
type Turned struct {
	Err       *errs.Error
	Operation string // "" where none was named
	Address   string // of the client
	Key       string // id of the key that was shown; "" where none was valid
}

// Face serves JSON-RPC and the plain GET routes of the table. It is safe for concurrent use.
type Face struct{ config Config }

// Limits that are not settings.
const (
	maxBatch     = 256        // items
	maxDepth     = 100        // nesting of a body
	maxID        = 1024       // bytes of a request's id
	strangerBody = 64 << 10   // bytes of a body that comes without a valid key
	prefix       = "/api/nfs" // of every route that takes a method
)

// New returns a Face.
func New(c Config) (*Face, error) {
	if c.Table == nil || c.Guard == nil {
		return nil, errs.New(errs.Internal, "the RPC face needs a table of operations and a guard")
	}
	if c.MaxBody <= 0 {
		c.MaxBody = 64 << 20
	}
	if c.Parallel <= 0 {
		c.Parallel = 64
	}
	if c.Timeout <= 0 {
		c.Timeout = time.Minute
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.Observe == nil {
		c.Observe = func(string, error, time.Duration) {}
	}
	if c.Turned == nil {
		c.Turned = func(context.Context, Turned) {}
	}
	return &Face{config: c}, nil
}

// Routes adds the face's routes to r.
func (f *Face) Routes(r gin.IRouter) {
	r = r.Group("", gin.HandlerFunc(cors))
	r.POST(prefix, gin.WrapH(f))
	r.POST(prefix+"/*method", gin.WrapH(f))
	r.OPTIONS(prefix, preflight)
	r.OPTIONS(prefix+"/*method", preflight)
	for _, o := range f.config.Table.All() {
		if o.Get == "" || o.Shape != op.Unary { // streams have a face of their own
			continue
		}
		r.GET(o.Get, f.get(o))
		if !strings.HasPrefix(o.Get, prefix+"/") {
			r.OPTIONS(o.Get, preflight)
		}
	}
}

// ServeHTTP answers one POST: a call or a batch of them. Whatever goes wrong with a call is an error in its answer, and the
// status is 200.
func (f *Face) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	out := buffers.get()
	defer buffers.put(out)
	who, err := f.config.Guard.NamedPrincipal(r)
	s := &session{config: &f.config, request: r, who: who, refusal: err}
	body, free, err := f.receive(w, r, s)
	defer free()
	ctx, cancel := context.WithTimeout(r.Context(), f.config.Timeout) // from here: a slow line is not the operation's time
	defer cancel()
	if err != nil {
		s.fail(ctx, out, nil, "", err)
	} else {
		s.serve(ctx, out, body, method(r.URL.Path))
	}
	s.reply(w, r, out.Bytes())
}

// method returns the method that a path names: "" for the bare prefix.
func method(path string) urlMethod {
	rest := strings.TrimPrefix(path, prefix)
	if rest == "" {
		return urlMethod{}
	}
	return urlMethod{name: strings.TrimPrefix(rest, "/"), given: true}
}

// urlMethod is the method in the URL, if one is given there.
type urlMethod struct {
	name  string
	given bool
}

// receive reads what the headers say of the dialect, and the body into a pooled buffer; free gives it back.
func (f *Face) receive(w http.ResponseWriter, r *http.Request, s *session) (body []byte, free func(), err error) {
	buf := buffers.get()
	free = func() { buffers.put(buf) }
	if err := s.tell(r); err != nil {
		return nil, free, err
	}
	limit := f.config.MaxBody
	over := func() error { return tooLarge(limit) }
	if s.stranger() && limit > strangerBody {
		limit, over = strangerBody, s.unauthenticated
	}
	if r.ContentLength > limit {
		w.Header().Set("Connection", "close") // what was announced will not be read
		return nil, free, over()
	}
	err = fill(buf, r.Body, limit, r.ContentLength)
	switch {
	case errors.Is(err, errTooLong):
		w.Header().Set("Connection", "close")
		return nil, free, over()
	case err != nil:
		return nil, free, errs.New(errs.Invalid, "the body ended early").Marked(errs.InvalidRequest).Because(err)
	}
	// The deadline was for the body. Left in place, it would cancel the operation.
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{})
	return buf.Bytes(), free, nil
}

func tooLarge(limit int64) error {
	return errs.New(errs.Invalid, "the body is longer than %d bytes", limit).Marked(errs.BodyTooLarge)
}
