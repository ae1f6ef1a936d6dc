// Package files is the streaming face of files: contents travel as the body of PUT, PATCH and GET on /api/files/{path}, of any
// length and in little memory. It speaks HTTP's own words (ranges, etags, conditions) and has no behaviour of its own: what may be
// done, and what is done, is the table's. Errors are application/problem+json.
//
//	PUT    replaces the contents, or makes the file; If-Match, If-None-Match: *, Idempotency-Key
//	PATCH  appends the body to the contents, or makes the file; the same
//	GET    the contents, whole or in ranges; Range, If-Range, If-Match, If-None-Match
//	HEAD   what GET would answer, without the contents
package files

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"nexus/apiserver/api"
	"nexus/apiserver/authn"
	"nexus/apiserver/op"
	"nexus/authzsvc/authz"
	"nexus/internal/errs"
)

// Prefix is what stands before the path of a file in the path of a URL.
const Prefix = "/api/files"

// Config is what a Face is made of. Only Table and Guard are required.
type Config struct {
	Table *op.Table
	Guard *authn.Guard
	// MaxBody is the longest body in bytes (default: 5 GiB).
	MaxBody int64
	// Idle is how long a body may stand still, in either direction, before the connection is given up (default: one minute). A
	// transfer that goes on may take as long as it takes.
	Idle time.Duration
	Log  *slog.Logger // of failures that are the server's; nil is the default logger
	// Observe is told of every operation that was called, and its error; it is called concurrently. nil is nobody.
	Observe func(operation string, err error, took time.Duration)
	// Turned is told of every call that was turned away before it was decided; it is called concurrently. nil is nobody.
	Turned func(ctx context.Context, t Turned)
}

// Turned is a call that did not get as far as a decision: no valid key, too many calls, a key without the scope.
type Turned struct {
	Err       *errs.Error
	Operation string
	Address   string // of the client
	Key       string // id of the key that was shown; "" where none was valid
}

// Face serves the routes. It is safe for concurrent use.
type Face struct {
	config           Config
	upload, download *op.Operation
}

// New returns a Face.
func New(c Config) (*Face, error) {
	if c.Table == nil || c.Guard == nil {
		return nil, errs.New(errs.Internal, "the face of files needs a table of operations and a guard")
	}
	f := &Face{config: c, upload: c.Table.Named(api.Upload.Name), download: c.Table.Named(api.Download.Name)}
	if f.upload == nil || f.download == nil {
		return nil, errs.New(errs.Internal, "the table has no operations that carry files")
	}
	if c.MaxBody <= 0 {
		f.config.MaxBody = 5 << 30
	}
	if c.Idle <= 0 {
		f.config.Idle = time.Minute
	}
	if c.Log == nil {
		f.config.Log = slog.Default()
	}
	if c.Observe == nil {
		f.config.Observe = func(string, error, time.Duration) {}
	}
	if c.Turned == nil {
		f.config.Turned = func(context.Context, Turned) {}
	}
	return f, nil
}

// Routes adds the face's routes to r.
func (f *Face) Routes(r gin.IRouter) {
	r = r.Group(Prefix, cors)
	r.GET("/*path", f.serve(f.download, f.get))
	r.HEAD("/*path", f.serve(f.download, f.get))
	r.PUT("/*path", f.serve(f.upload, f.put))
	r.PATCH("/*path", f.serve(f.upload, f.patch))
	r.OPTIONS("/*path", preflight)
}

// cors lets pages of any origin call, as the RPC face does. Nothing is lost by it: keys are sent by hand, never by the browser.
func cors(c *gin.Context) {
	c.Header("Access-Control-Allow-Origin", "*")
	c.Header("Access-Control-Expose-Headers",
		"ETag, Location, Last-Modified, Accept-Ranges, Content-Range, Nexus-Masked, Idempotency-Replayed, Retry-After, X-Request-ID")
}

func preflight(c *gin.Context) {
	c.Header("Access-Control-Allow-Methods", "GET, HEAD, PUT, PATCH, OPTIONS")
	c.Header("Access-Control-Allow-Headers",
		"Authorization, Content-Type, If-Match, If-None-Match, If-Range, Range, Idempotency-Key, X-Request-ID")
	c.Header("Access-Control-Max-Age", "86400")
	c.Status(http.StatusNoContent)
}

// call is one request on its way.
type call struct {
	*Face
	*gin.Context
	who authz.Principal
}

// serve answers requests with what do does, which answers them itself unless it returns an error.
func (f *Face) serve(o *op.Operation, do func(c *call) error) gin.HandlerFunc {
	return func(g *gin.Context) {
		start := time.Now()
		c := &call{Face: f, Context: g}
		err := c.identify()
		if err == nil {
			err = do(c)
		}
		err = c.classify(err)
		f.config.Observe(o.Name, err, time.Since(start))
		if err != nil {
			c.turned(o.Name, errs.From(err))
			c.fail(o.Name, errs.From(err))
		}
	}
}

// identify finds out who calls: by the key alone. Headers that name somebody else are not for this face; to ignore them would act as
// somebody who was not meant.
func (c *call) identify() (err error) {
	for _, header := range []string{authn.SubjectHeader, authn.TenantHeader, authn.OlderTenantHeader, authn.AgentHeader} {
		if len(c.Request.Header.Values(header)) > 0 {
			return errs.New(errs.Invalid, "header %s is not for %s: the key alone says who calls", header, Prefix)
		}
	}
	if c.who, err = c.config.Guard.Principal(c.Request); err != nil {
		return err
	}
	return c.config.Guard.Spend(c.who.Via)
}

// path returns the path of the file that the request is about, percent-decoded.
func (c *call) path() string { return c.Param("path") }

// params returns parameters as operations take them.
func params(v any) (json.RawMessage, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return nil, errs.New(errs.Internal, "parameters cannot be encoded").Because(err)
	}
	return raw, nil
}

// location returns the URL path of a file.
func location(path string) string {
	var b strings.Builder
	b.WriteString(Prefix)
	for part := range strings.SplitSeq(strings.TrimPrefix(path, "/"), "/") {
		b.WriteString("/" + url.PathEscape(part))
	}
	return b.String()
}

// turned tells of a call that was turned away before it was decided. What was decided is recorded by who decided it.
func (c *call) turned(operation string, e *errs.Error) {
	if e.Kind != errs.Unauthenticated && e.Reason != errs.RateLimited && e.Reason != errs.ScopeMissing {
		return
	}
	c.config.Turned(c.Request.Context(), Turned{
		Err: e, Operation: operation, Address: c.config.Guard.Address(c.Request), Key: c.who.Via.Key,
	})
}

// classify gives an error its kind where the request's own end is behind it.
func (c *call) classify(err error) error {
	if err == nil || c.Request.Context().Err() == nil {
		return err
	}
	if kind := errs.KindOf(err); kind != errs.Internal && kind != errs.Unavailable || !errors.Is(err, context.Canceled) {
		return err
	}
	return errs.New(errs.Canceled, "the caller went away").Because(err)
}
