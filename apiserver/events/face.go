// Package events is the face of what goes on for as long as the receiver stays: server-sent events over HTTP. It knows the one
// stream that the table has for it, and decides nothing. A slow receiver holds no memory here: what he has not taken stays in
// the tables it is read from.
package events

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/gin-gonic/gin"

	"nexus/apiserver/api"
	"nexus/apiserver/authn"
	"nexus/apiserver/op"
	"nexus/authzsvc/authz"
	"nexus/internal/errs"
	"nexus/internal/ids"
)

// Config is what a Face is made of. Only Table and Guard are required.
type Config struct {
	Table   *op.Table
	Guard   *authn.Guard
	PerKey  int           // streams that one key, or one address without a key, can have open at once (default: 16)
	Patient time.Duration // how long a receiver may take nothing before he is given up (default: 30 s)
	Log     *slog.Logger  // nil is the default logger
	// Observe is told of every stream that ended, and its error; it is called concurrently. nil is nobody.
	Observe func(operation string, err error, took time.Duration)
	// Turned is told of every request that was turned away before it was decided; it is called concurrently. nil is nobody.
	Turned func(ctx context.Context, why *errs.Error, via authz.Via)
}

// Face serves GET /api/events. It is safe for concurrent use.
type Face struct {
	config    Config
	operation *op.Operation
	stopping  context.Context
	stop      context.CancelFunc

	mu   sync.Mutex // guards open
	open map[string]int
}

// New returns a Face.
func New(c Config) (*Face, error) {
	if c.Table == nil || c.Guard == nil || c.Table.Named(api.Follow.Name) == nil {
		return nil, errs.New(errs.Internal, "the face of events needs a table with %s, and a guard", api.Follow.Name)
	}
	if c.PerKey <= 0 {
		c.PerKey = 16
	}
	if c.Patient <= 0 {
		c.Patient = 30 * time.Second
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.Observe == nil {
		c.Observe = func(string, error, time.Duration) {}
	}
	if c.Turned == nil {
		c.Turned = func(context.Context, *errs.Error, authz.Via) {}
	}
	f := &Face{config: c, operation: c.Table.Named(api.Follow.Name), open: map[string]int{}}
	f.stopping, f.stop = context.WithCancel(context.Background())
	return f, nil
}

// Routes adds the face's route to r.
func (f *Face) Routes(r gin.IRouter) { r.GET(api.Follow.Get, gin.WrapH(f)) }

// Stop ends every stream; those that come later end at once.
func (f *Face) Stop() { f.stop() }

// Close does nothing: a stream ends with its request.
func (f *Face) Close() {}

// ServeHTTP sends events until one side goes.
func (f *Face) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	out := &sink{w: w, control: http.NewResponseController(w), patient: f.config.Patient}
	// What is sent has a deadline of its own, and nothing is read: left in place, the server's would end the stream.
	_ = out.control.SetReadDeadline(time.Time{})
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer context.AfterFunc(f.stopping, cancel)()

	who, err := f.follow(ctx, r, out)
	if err == nil && f.stopping.Err() == nil {
		f.config.Observe(f.operation.Name, nil, time.Since(start))
		return
	}
	f.config.Observe(f.operation.Name, err, time.Since(start))
	if err != nil {
		f.turned(r, who, err)
	}
	f.end(r.Context(), out, err)
}

// follow runs the stream for whoever makes r. The order is that of every operation: authentication, rate, and then its own.
func (f *Face) follow(ctx context.Context, r *http.Request, out *sink) (who authz.Principal, err error) {
	if who, err = f.config.Guard.NamedPrincipal(r); err != nil {
		return who, err
	}
	if err := f.config.Guard.Spend(who.Via); err != nil {
		return who, err
	}
	leave, err := f.enter(who.Via)
	if err != nil {
		return who, err
	}
	defer leave()
	params, err := json.Marshal(paramsOf(r))
	if err != nil {
		return who, err
	}
	return who, f.operation.Send(ctx, who, params, out)
}

// paramsOf reads the query. The header that a browser sends by itself when it comes back is the newer word.
func paramsOf(r *http.Request) map[string]string {
	params := map[string]string{}
	for _, name := range []string{"path", "after"} {
		if value := r.URL.Query().Get(name); value != "" {
			params[name] = value
		}
	}
	if last := r.Header.Get("Last-Event-ID"); last != "" {
		params["after"] = last
	}
	return params
}

// enter counts a stream against the limit of its key.
func (f *Face) enter(via authz.Via) (leave func(), err error) {
	key := via.Key
	if key == "" {
		key = "address " + via.Address
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.open[key] >= f.config.PerKey {
		return nil, errs.New(errs.Exhausted, "%d streams are open with this key: end one first", f.open[key]).
			Marked(errs.RateLimited).With("retry_after", "10")
	}
	f.open[key]++
	return func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.open[key]--; f.open[key] == 0 {
			delete(f.open, key)
		}
	}, nil
}

// turned tells of a request that was turned away before it was decided.
func (f *Face) turned(r *http.Request, who authz.Principal, err error) {
	e := errs.From(err)
	if e.Kind == errs.Unauthenticated || e.Reason == errs.RateLimited || e.Reason == errs.ScopeMissing {
		f.config.Turned(r.Context(), e, who.Via)
	}
}

// end says how a stream ended: as an answer where nothing was sent yet, and else as its last event.
func (f *Face) end(ctx context.Context, out *sink, err error) {
	last := api.Event{Kind: api.EventEnd, Message: "the server stops"}
	e := errs.From(err)
	if e == nil {
		e = errs.New(errs.Unavailable, "the server stops")
	} else {
		last.Error, last.Message = e.Kind.String(), errs.Public(e)
	}
	if e.Kind == errs.Internal {
		incident := ids.New()
		f.config.Log.Error("stream failed", "error_id", incident, "operation", f.operation.Name, "request_id", authn.RequestID(ctx), "error", e)
		last.Message += " " + incident
	}
	if out.begun {
		_ = out.Event(last) // the receiver may be gone
		return
	}
	out.refuse(e, last.Message)
}
