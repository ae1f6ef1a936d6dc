// Package apiserver assembles the HTTP server: the middleware of every request, the probes, the metrics and the faces it is
// given. It decides nothing and knows no operation. A new face is a value with a method Routes, handed in where the program
// is wired together.
package apiserver

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/gin-gonic/gin"
	"golang.org/x/sync/semaphore"

	"nexus/internal/errs"
)

// Face adds its routes to the server. Each face limits the length of its own bodies.
type Face interface{ Routes(r gin.IRouter) }

// Lasting is a Face that keeps something open beyond a request.
type Lasting interface {
	Face
	// Stop ends the requests that would not end by themselves. It is called when the server begins to stop, and does not wait.
	Stop()
	// Close ends what is left. It is called once no request runs any more.
	Close()
}

// Config is what a Server is made of. Its zero value serves the probes and the metrics.
type Config struct {
	Faces  []Face
	Probes []Probe // all must pass before the server is ready
	// Notice says what the server does not do just now although it is ready; empty when it does everything. nil is nothing.
	Notice  func() string
	Metrics *Metrics // nil makes new ones
	Log     *slog.Logger
	// Origins are those whose pages may call every route, beside what a face allows to any; * is every origin.
	Origins []string

	ProbeTimeout time.Duration // for all probes together (default: 2 s)
	BodyTimeout  time.Duration // to receive a request; a face that is done with the body lifts it (default: 2 min)
	WriteTimeout time.Duration // from the end of the header to the end of the answer; streams lift it (default: 10 min)
	IdleTimeout  time.Duration // of a connection between requests (default: 2 min)
	DrainTimeout time.Duration // for requests that run when the server stops (default: 20 s)
	MaxInFlight  int64         // requests at once; more are answered with 503 (default: 4096)
}

// Limits that are not settings.
const (
	headerTimeout = 10 * time.Second
	headerBytes   = 64 << 10
	grace         = 5 * time.Second // for requests to notice that they were cancelled
)

// Server serves HTTP. Make one with New and run it once with Serve.
type Server struct {
	config   Config
	engine   *gin.Engine
	inFlight *semaphore.Weighted
	ready    *readiness
	stopping atomic.Bool
}

// New returns a Server; it starts nothing.
func New(c Config) (*Server, error) {
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.Metrics == nil {
		c.Metrics = NewMetrics()
	}
	c.ProbeTimeout = or(c.ProbeTimeout, 2*time.Second)
	c.BodyTimeout = or(c.BodyTimeout, 2*time.Minute)
	c.WriteTimeout = or(c.WriteTimeout, 10*time.Minute)
	c.IdleTimeout = or(c.IdleTimeout, 2*time.Minute)
	c.DrainTimeout = or(c.DrainTimeout, 20*time.Second)
	if c.Notice == nil {
		c.Notice = func() string { return "" }
	}
	if c.MaxInFlight <= 0 {
		c.MaxInFlight = 4096
	}
	ready, err := newReadiness(c.Probes, c.ProbeTimeout, c.Log)
	if err != nil {
		return nil, err
	}
	s := &Server{config: c, inFlight: semaphore.NewWeighted(c.MaxInFlight), ready: ready}
	s.engine = s.assemble()
	return s, nil
}

func or(d, otherwise time.Duration) time.Duration {
	if d <= 0 {
		return otherwise
	}
	return d
}

// assemble builds the engine. The middleware is read from the top: each wraps all that follow.
func (s *Server) assemble() *gin.Engine {
	gin.SetMode(gin.ReleaseMode)
	e := gin.New()
	e.RedirectTrailingSlash = false
	e.HandleMethodNotAllowed = true
	e.ForwardedByClientIP = false // addresses are the guard's business

	e.Use(
		s.identify,               // gives the request its id
		s.config.Metrics.measure, // counts it, whatever becomes of it
		s.recover,                // answers for what panics
		s.cors,                   // lets pages of known origins call
		s.limit,                  // refuses it when there are too many
	)
	e.NoRoute(func(c *gin.Context) { problem(c, errs.New(errs.NotFound, "no such route")) })
	e.NoMethod(func(c *gin.Context) {
		c.JSON(http.StatusMethodNotAllowed, body{"method_not_allowed", "the route has no such method"})
	})

	e.GET("/healthz", s.healthz)
	e.GET("/readyz", s.readyz)
	e.GET("/metrics", gin.WrapH(s.config.Metrics.handler()))
	for _, f := range s.config.Faces {
		f.Routes(e)
	}
	return e
}

// ServeHTTP answers one request, for programs that bring their own listener loop.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.engine.ServeHTTP(w, r) }

// End ends what the faces keep open, for programs that bring their own listener loop: Serve does it by itself.
func (s *Server) End() {
	s.lasting(Lasting.Stop)
	s.lasting(Lasting.Close)
}

// Serve accepts connections from l until ctx ends. Then it stops being ready, lets the running requests finish, cancels
// those that take longer than DrainTimeout, and returns; l is closed. It returns nil after all requests have finished.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	requests, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	h := &http.Server{
		Handler:           s.engine,
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       s.config.BodyTimeout,
		WriteTimeout:      s.config.WriteTimeout,
		IdleTimeout:       s.config.IdleTimeout,
		MaxHeaderBytes:    headerBytes,
		BaseContext:       func(net.Listener) context.Context { return requests },
		ErrorLog:          slog.NewLogLogger(s.config.Log.Handler(), slog.LevelWarn),
	}
	ended := make(chan error, 1)
	go func() { ended <- h.Serve(l) }()
	select {
	case err := <-ended:
		s.End()
		return err
	case <-ctx.Done():
	}
	s.stopping.Store(true)
	s.lasting(Lasting.Stop)
	err := s.drain(h, cancel)
	s.lasting(Lasting.Close)
	if served := <-ended; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}

// lasting calls f for each face that keeps something open.
func (s *Server) lasting(f func(Lasting)) {
	for _, face := range s.config.Faces {
		if l, ok := face.(Lasting); ok {
			f(l)
		}
	}
}

// drain lets the running requests finish, and cancels them when that takes too long.
func (s *Server) drain(h *http.Server, cancel context.CancelFunc) error {
	ctx, done := context.WithTimeout(context.Background(), s.config.DrainTimeout)
	defer done()
	err := h.Shutdown(ctx)
	if err == nil {
		return nil
	}
	cancel()
	_ = h.Close() // the listener is closed already, and the connections are given up
	waiting, done := context.WithTimeout(context.Background(), grace)
	defer done()
	if s.inFlight.Acquire(waiting, s.config.MaxInFlight) != nil {
		return errs.New(errs.Deadline, "requests still run %s after they were cancelled", grace).Because(err)
	}
	return errs.New(errs.Deadline, "requests were cancelled %s after the stop", s.config.DrainTimeout).Because(err)
}
