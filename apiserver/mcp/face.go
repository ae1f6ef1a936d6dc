// Package mcp offers the table of operations to models, as tools of the Model Context Protocol over streamable HTTP. It has no
// behaviour of its own: a tool call is the operation, decided by the Gate with its arguments. An operation is a tool unless its
// declaration says why not; one whose result travels in another form than its JSON gets a row in shapes.go.
package mcp

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/modelcontextprotocol/go-sdk/auth"
	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"nexus/apiserver/authn"
	"nexus/apiserver/op"
	"nexus/internal/errs"
)

// Config is what a Face is made of. Only Table and Guard are required.
type Config struct {
	Table   *op.Table
	Guard   *authn.Guard
	Version string
	// Base is the URL under which clients reach the server, such as https://nexus.example.com. It is never taken from a
	// request. Without it there is no metadata for clients that look for an authorization server.
	Base string
	// Origins are those of web pages that may call, beside Base's own and those of this machine for who calls from it.
	Origins []string
	MaxBody int64         // bytes (default: 64 MiB)
	Timeout time.Duration // ends a call with its operation (default: one minute)
	Log     *slog.Logger  // of failures that are the server's; nil is the default logger
	// Observe is told of every operation that was called, and its error; it is called concurrently. nil is nobody.
	Observe func(operation string, err error, took time.Duration)
	// Turned is told of every request that was turned away before it was decided; it is called concurrently. nil is nobody.
	Turned func(ctx context.Context, t Turned)
	// Extend adds features that are not in the table to the server of each protocol revision. nil adds none.
	Extend func(*sdk.Server)
}

// Turned is a request that did not get as far as a decision: no valid key, too many, a key without the scope.
type Turned struct {
	Err       *errs.Error
	Operation string // "" where none was named
	Address   string // of the client
	Key       string // id of the key that was shown; "" where none was valid
}

// Revisions of the protocol that are served. The first one has no sessions, and is served beside the others.
const (
	stateless = "2026-07-28"
	stateful  = "2025-11-25"
	older     = "2025-06-18"
)

// Limits that are not settings.
const (
	path        = "/mcp"
	sessionIdle = 15 * time.Minute // a session that nobody uses ends
	streamFor   = 5 * time.Minute  // a stream ends, and who opens it again shows his key again
	freshFor    = 5 * time.Minute  // how long clients may keep the list of tools
)

// Face serves MCP. It is safe for concurrent use. Close ends what outlives requests.
type Face struct {
	config  Config
	base    *url.URL // nil without one
	origins []string
	byTool  map[string]*op.Operation
	servers []*sdk.Server
	older   http.Handler // revisions with sessions
	newer   http.Handler // revisions without
	held    *held
	ending  context.Context // ends when the server begins to stop
	end     context.CancelFunc
}

// New returns a Face; it starts nothing.
func New(c Config) (*Face, error) {
	if c.Table == nil || c.Guard == nil {
		return nil, errs.New(errs.Internal, "the MCP face needs a table of operations and a guard")
	}
	if c.MaxBody <= 0 {
		c.MaxBody = 64 << 20
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
	f := &Face{config: c, byTool: map[string]*op.Operation{}}
	f.ending, f.end = context.WithCancel(context.Background())
	if err := f.locate(); err != nil {
		return nil, err
	}
	tools, err := f.tools()
	if err != nil {
		return nil, err
	}
	withSessions := f.server(tools, stateful, older)
	f.older = f.handler(withSessions, &sdk.StreamableHTTPOptions{SessionTimeout: sessionIdle})
	f.newer = f.handler(f.server(tools, stateless, stateful, older), &sdk.StreamableHTTPOptions{Stateless: true, PropagateRequestCancellation: true})
	f.held = newHeld(withSessions)
	return f, nil
}

// locate reads the URL that clients know the server by, and the origins it may be called from.
func (f *Face) locate() error {
	for _, text := range f.config.Origins {
		origin, err := parseOrigin(text)
		if err != nil {
			return err
		}
		f.origins = append(f.origins, origin)
	}
	if f.config.Base == "" {
		return nil
	}
	origin, err := parseOrigin(f.config.Base)
	if err != nil {
		return err
	}
	f.origins = append(f.origins, origin)
	if f.base, err = url.Parse(f.config.Base); err == nil && strings.Trim(f.base.Path, "/") != "" {
		return errs.New(errs.Invalid, "%q has a path: the server is served at the root of its host", f.config.Base)
	}
	return err
}

// server returns an SDK server with the tools for the revisions.
func (f *Face) server(tools []tool, revisions ...string) *sdk.Server {
	s := sdk.NewServer(&sdk.Implementation{Name: "nexus", Title: "Nexus", Version: f.config.Version}, &sdk.ServerOptions{
		Instructions: "A workspace of files and memories in which every call is decided by who may do what, and recorded. " +
			"A refusal says which permission is missing, and who can grant it; what you may not see looks like what does not exist.",
		Capabilities:              &sdk.ServerCapabilities{Tools: &sdk.ToolCapabilities{}},
		SupportedProtocolVersions: revisions,
		SetCacheable: func(_ context.Context, _ sdk.Request, c *sdk.Cacheable) {
			c.TTLMs, c.CacheScope = int(freshFor.Milliseconds()), "public" // the same for everybody
		},
	})
	for _, t := range tools {
		s.AddTool(t.declared, f.handle(t.operation))
	}
	if f.config.Extend != nil {
		f.config.Extend(s)
	}
	f.servers = append(f.servers, s)
	return s
}

// handler serves s over HTTP to who was admitted. The SDK's own check of hosts is replaced by that of admit, which knows the
// server's name behind a proxy.
func (f *Face) handler(s *sdk.Server, o *sdk.StreamableHTTPOptions) http.Handler {
	o.DisableLocalhostProtection = true
	o.MaxRequestBodyBytes = f.config.MaxBody
	admitted := auth.RequireBearerToken(known, &auth.RequireBearerTokenOptions{AllowMissingExpiration: true})
	return admitted(sdk.NewStreamableHTTPHandler(func(*http.Request) *sdk.Server { return s }, o))
}

// Routes adds the face's routes to r.
func (f *Face) Routes(r gin.IRouter) {
	for _, method := range []string{http.MethodPost, http.MethodGet, http.MethodDelete} {
		r.Handle(method, path, gin.WrapH(f))
	}
	if f.base != nil {
		r.GET(metadataPath, f.metadata)
		r.GET(metadataPath+path, f.metadata)
	}
}

// Tools returns the names of the tools and the operations behind them.
func (f *Face) Tools() map[string]string {
	names := make(map[string]string, len(f.byTool))
	for tool, o := range f.byTool {
		names[tool] = o.Name
	}
	return names
}

// Stop ends the streams that wait for nothing in particular, so that the server need not wait for them.
func (f *Face) Stop() { f.end() }

// Close ends every session. No request may run any more. It is idempotent.
func (f *Face) Close() {
	f.end()
	for _, s := range f.servers {
		for session := range s.Sessions() {
			_ = session.Close() // nobody is there to be told
		}
	}
}
